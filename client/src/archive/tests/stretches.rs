//! Rows in stretches are the rows that single ones are.

use proptest::prelude::*;

use super::support::*;
use crate::archive::{Anchor, Archive, OwnRecord, StoredRow, Waiting};
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::ChatId;

/// What the archive says, whichever way it keeps its rows.
fn all_of(archive: &Archive) -> (Vec<(crate::merge::Message, Option<String>)>, Vec<StoredRow>, Vec<String>) {
    let mut rows = Vec::new();
    archive
        .each_row(None, false, |row| {
            rows.push(row);
            Ok(true)
        })
        .unwrap();
    let counts = archive.counts().unwrap();
    let mut said = vec![format!("{counts:?}"), format!("{}", archive.text_bytes().unwrap())];
    for chat in archive.chats().unwrap() {
        said.push(format!("{chat:?}"));
        for (anchor, before, after) in
            [(Anchor::End, 7, 0), (Anchor::Time(START + 40_000), 5, 6), (Anchor::Time(i64::MIN), 0, 9)]
        {
            let page = archive.page(&chat.id, anchor, before, after).unwrap();
            said.push(texts(&page).join("|"));
            for shown in page.iter().take(2) {
                let found = archive.message(&shown.message.id).unwrap().expect("a message that is shown");
                assert_eq!(&found, shown);
            }
        }
    }
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
    (state(archive), rows, said)
}

/// A deletion refuses what comes after it, so with deletions the rows depend on the order of storing; what is shown
/// does not.
fn compare(one: &Archive, other: &Archive, deletions: bool) {
    let (one, other) = (all_of(one), all_of(other));
    assert_eq!(one.0, other.0);
    if !deletions {
        assert_eq!(one.1, other.1);
        assert_eq!(one.2, other.2);
    }
}

fn one_by_one(archive: &mut Archive, chat: &Chat, rows: &[Row]) {
    archive
        .commit(|c| {
            for row in rows {
                c.add_row(chat, row)?;
            }
            Ok(())
        })
        .unwrap();
}

/// A row of a chat: a message, an edit of one, or a reaction to one.
fn row(chat: &Chat, n: u16, what: u8, text_of: &str) -> Row {
    let time = START + i64::from(n / 2) * 1000;
    let native = n.to_string();
    match what {
        0..=6 => text(&native, time, "Ana", text_of),
        7 => {
            let mut edit = Row::about(Kind::EDIT, time, id(chat, &native), format!("{native}/{text_of}"));
            edit.fields.set(tag::BODY, text_of).set_number(tag::EDITED_AT, time + 5);
            edit
        }
        8 => {
            let mut reaction = Row::about(Kind::REACTION_ADD, time, id(chat, &native), format!("{native}+"));
            reaction.fields.set(tag::EMOJI, "👍");
            reaction
        }
        _ => own_delete(chat, &native, time, time + 9),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_import_in_stretches_is_the_import_of_its_rows(
        imports in prop::collection::vec(
            (prop::collection::vec((0u16..160, 0u8..18, "[a-z ]{5,60}"), 1..200), 0u8..3), 1..4),
        deletions in any::<bool>(),
    ) {
        let mut imports = imports;
        for (_, what, _) in imports.iter_mut().flat_map(|(drawn, _)| drawn) {
            *what %= if deletions { 10 } else { 9 };
        }
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut bulk, mut single) = (create(one.path()), create(other.path()));
        let chat = telegram("group:1");
        for (drawn, order) in &imports {
            let mut rows: Vec<Row> = drawn.iter().map(|(n, what, said)| row(&chat, *n, *what, said)).collect();
            match order {
                0 => rows.sort_by_key(|r| r.time),
                1 => rows.sort_by_key(|r| std::cmp::Reverse(r.time)),
                _ => {}
            }
            import(&mut bulk, &chat, &rows);
            one_by_one(&mut single, &chat, &rows);
            compare(&bulk, &single, imports.iter().any(|(d, _)| d.iter().any(|(_, what, _)| *what > 8)));
        }
        bulk.index(|_| true).unwrap();
        single.index(|_| true).unwrap();
        compare(&bulk, &single, true);
        let again: Vec<Row> = imports.iter().flat_map(|(d, _)| d).map(|(n, w, s)| row(&chat, *n, *w, s)).collect();
        let count = import(&mut bulk, &chat, &again);
        prop_assert_eq!((count.rows_new, count.messages_new), (0, 0));
        prop_assert_eq!(all_of(&bulk).0, all_of(&single).0);
    }
}

fn long_chat(archive: &mut Archive, chat: &Chat, count: u16) {
    let rows: Vec<Row> = (0..count).map(|n| row(chat, 2 * n, 0, &format!("message number {n} of a chat"))).collect();
    let told = import(archive, chat, &rows);
    assert_eq!((told.rows_new, told.messages_new), (u64::from(count), u64::from(count)));
}

/// Frames and single rows that wait.
fn waiting(archive: &Archive) -> (Vec<Vec<u8>>, usize) {
    let (mut frames, mut single) = (Vec::new(), 0);
    archive
        .each_unsynced((i64::MIN, i64::MAX), |part| {
            match part {
                Waiting::Frame(frame) => frames.push(frame),
                Waiting::Row(_) => single += 1,
            }
            Ok(())
        })
        .unwrap();
    (frames, single)
}

#[test]
fn frames_travel_as_they_are_and_count_in_the_digest() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut sender, mut receiver) = (create(here.path()), create(there.path()));
    for chat in ["a", "b"] {
        long_chat(&mut sender, &telegram(chat), 100);
    }
    let (frames, single) = waiting(&sender);
    assert!(frames.len() > 10 && single == 0, "{} frames, {single} rows", frames.len());
    let empty = sender.digest().unwrap();
    let own = OwnRecord { counter: 1, record: vec![1; 276], body: vec![2; 256] };
    sender.commit(|c| c.send_slices(&own, &[(i64::MIN, i64::MAX)])).unwrap();
    assert_eq!(waiting(&sender).0.len(), 0);
    sender.commit(|c| c.take_back(1)).unwrap();
    assert_eq!(waiting(&sender).0, frames, "a record taken back leaves them to be sent");
    sender.commit(|c| c.send_slices(&own, &[(i64::MIN, i64::MAX)])).unwrap();
    sender.commit(|c| c.accepted(1, 41)).unwrap();
    assert!(sender.digest().unwrap() != empty && sender.counts().unwrap().unsynced == 0);

    let mut rows = Vec::new();
    sender
        .each_row(None, true, |row| {
            rows.push(row);
            Ok(true)
        })
        .unwrap();
    assert!(rows.len() == 200 && rows.iter().all(|row| row.arrival == Some(41)));
    receiver
        .commit(|c| {
            for row in &rows {
                c.apply_row(&row.chat, &row.row()?, 41)?;
            }
            Ok(())
        })
        .unwrap();
    assert!(receiver.digest().unwrap() == sender.digest().unwrap());
    assert_eq!(all_of(&receiver).0, all_of(&sender).0);
}

#[test]
fn a_row_between_dissolves_its_stretch_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    long_chat(&mut archive, &chat, 200);
    let count = |archive: &Archive| waiting(archive).0.len();
    let before = count(&archive);
    import(&mut archive, &chat, &[row(&chat, 101, 0, "between two")]);
    assert_eq!(count(&archive), before - 1);
    assert_eq!(archive.counts().unwrap().messages, 201);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
    // What is known dissolves nothing.
    import(&mut archive, &chat, &[row(&chat, 300, 0, "message number 150 of a chat")]);
    assert_eq!(count(&archive), before - 1);
}

#[test]
fn a_purge_reaches_into_stretches() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    long_chat(&mut archive, &chat, 100);
    let time = START + 50 * 1000;
    let deletion = own_delete(&chat, "100", time, time + 5);
    archive.commit(|c| c.add_row(&chat, &deletion)).unwrap();
    assert_eq!(archive.commit(|c| c.purge(&chat, &deletion, 10)).unwrap(), 1);
    archive.settle().unwrap();
    assert!(
        !texts(&archive.page(&chat_id(&archive), Anchor::End, 999, 0).unwrap())
            .contains(&"message number 50 of a chat".into())
    );
    assert_eq!(archive.counts().unwrap().messages, 99);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

fn chat_id(archive: &Archive) -> ChatId {
    archive.chats().unwrap()[0].id
}
