use std::io::{Read, Seek, SeekFrom};

use proptest::prelude::*;

use super::support::*;
use crate::archive::{Anchor, ArchiveError, Query};
use crate::event::{Kind, Row, Target, tag};
use crate::sources::{ChatInfo, Sink};

#[test]
fn the_same_again_adds_nothing_and_a_longer_export_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let rows: Vec<Row> =
        (0..40).map(|i| text(&i.to_string(), START + i * 1000, "Ana", &format!("message {i}"))).collect();
    let first = import(&mut archive, &chat, &rows[..30]);
    assert_eq!((first.rows, first.rows_new, first.messages_new), (30, 30, 30));
    let before = state(&archive);
    let again = import(&mut archive, &chat, &rows[..30]);
    assert_eq!((again.rows_new, again.rows_known, again.messages_new, again.versions_new), (0, 30, 0, 0));
    assert_eq!(state(&archive), before);
    let longer = import(&mut archive, &chat, &rows);
    assert_eq!((longer.rows_new, longer.messages_new), (10, 10));
    assert_eq!(archive.counts().unwrap().messages, 40);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

#[test]
fn another_text_becomes_a_version_and_reactions_find_their_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let mut edited = text("1", START, "Ana", "second");
    edited.fields.set_number(tag::EDITED_AT, START + 5);
    import(&mut archive, &chat, &[text("1", START, "Ana", "first")]);
    let count = import(&mut archive, &chat, &[edited]);
    assert_eq!((count.rows_new, count.messages_new, count.versions_new), (0, 0, 1));
    let mut sink = archive.import().unwrap();
    let mut reaction = Row::new(Kind::REACTION_ADD, START, "1/Bo/👍");
    reaction.fields.set(tag::EMOJI, "👍");
    sink.about(&chat, "1", reaction).unwrap();
    sink.finish().unwrap();
    let all = state(&archive);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0.text.as_deref(), Some("second"));
    assert_eq!(all[0].0.versions.len(), 1);
    assert_eq!(all[0].0.reactions[0].emoji, "👍");
}

#[test]
fn a_chat_without_ids_is_folded_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = whatsapp("Family");
    let first = import(&mut archive, &chat, &[text("a/1", START, "Mum", "hi"), text("a/2", START, "Mum", "ho")]);
    assert_eq!((first.rows_new, first.messages_new), (2, 2));
    // Another strand of the same chat: more rows, no more messages.
    let second = import(&mut archive, &chat, &[text("b/1", START, "Mum", "hi"), text("b/3", START + 1, "Mum", "hey")]);
    assert_eq!((second.rows_new, second.messages_new), (2, 1));
    let (one, other) = (id(&chat, "a/1"), id(&chat, "b/1"));
    let found = archive.message(&one).unwrap().unwrap();
    assert_eq!(archive.message(&other).unwrap().unwrap().message, found.message);
    assert_eq!(archive.message_ids(&[other]).unwrap(), [(other, found.message.id)]);
    assert_eq!(archive.search(&Query::parse("hi"), &Default::default(), 9).unwrap().total, 1);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_deleted_here_does_not_come_back_by_import() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let row = text("1", START, "Ana", "regret");
    import(&mut archive, &chat, std::slice::from_ref(&row));
    archive.commit(|c| c.add_row(&chat, &own_delete(&chat, "1", START, START + 9))).unwrap();
    assert!(state(&archive).is_empty());
    let regret = Query::parse("regret");
    assert_eq!(archive.search(&regret, &Default::default(), 9).unwrap().total, 0);
    let mut other = row.clone();
    other.fields.set(tag::BODY, "regret, edited");
    assert_eq!(import(&mut archive, &chat, &[row.clone(), other]).refused, 2);
    assert!(state(&archive).is_empty());
    // Undone in time: the text we had is back.
    let mut undelete = Row::about(Kind::UNDELETE, START, id(&chat, "1"), "undelete");
    undelete.fields.set_number(tag::EDITED_AT, START + 20);
    archive.commit(|c| c.add_row(&chat, &undelete)).unwrap();
    archive.settle().unwrap();
    assert_eq!(archive.search(&regret, &Default::default(), 9).unwrap().total, 1);
    // Deleted again and purged: an old run cannot bring it back either.
    let last = own_delete(&chat, "1", START, START + 30);
    archive.commit(|c| c.add_row(&chat, &last)).unwrap();
    assert_eq!(archive.commit(|c| c.purge(&chat, &last, 10)).unwrap(), 1);
    let put = archive.commit(|c| c.apply_row(&chat, &row, 3)).unwrap();
    assert!(put.refused && state(&archive).is_empty());
    let mut kinds = Vec::new();
    archive
        .each_row(None, false, |r| {
            kinds.push(r.key.kind);
            Ok(true)
        })
        .unwrap();
    assert_eq!(kinds, [Kind::OWN_DELETE, Kind::OWN_DELETE, Kind::UNDELETE]);
}

#[test]
fn attachments_are_stored_once_and_read_from_any_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let large: Vec<u8> = (0..3_000_000u32).flat_map(|i| i.to_le_bytes()).take(2_500_001).collect();
    let mut sink = archive.import().unwrap();
    let mut taken = Vec::new();
    for content in [&large[..], b"small", b"", &large[..], b"small", &large[..65536], &large[..131072]] {
        taken.push((sink.file("a file", &mut &content[..]).unwrap(), content));
    }
    let mut row = text("1", START, "Ana", "look");
    row.set_attachments(&[present("a.jpg", &large), present("b.jpg", b"elsewhere")]);
    sink.row(&chat, row).unwrap();
    let done = sink.finish().unwrap();
    assert_eq!((done.files_new, done.file_bytes_new), (5, 2_500_001 + 5 + 65536 + 131072));
    for (told, content) in &taken {
        assert_eq!((told.hash, told.bytes), (*blake3::hash(content).as_bytes(), content.len() as u64));
        let mut read = Vec::new();
        let file = crate::archive::Ids::file(&TestIds, &told.hash, told.bytes);
        archive.file(&file).unwrap().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, *content);
        assert!(archive.check_file(&file).unwrap());
    }
    let shown = archive.message(&id(&chat, "1")).unwrap().unwrap();
    assert_eq!(shown.present, [true, false]);
    let mut reader = archive.attachment(&shown.message.attachments[0]).unwrap().unwrap();
    for at in [2_500_000u64, 65_535, 65_536, 0, 1_000_000, 70_000] {
        let mut four = [0; 1];
        reader.seek(SeekFrom::Start(at)).unwrap();
        reader.read_exact(&mut four).unwrap();
        assert_eq!(four[0], large[at as usize], "at {at}");
    }
    let counts = archive.counts().unwrap();
    assert_eq!((counts.attachments, counts.attachments_absent, counts.waiting), (2, 1, 5));
    // What no message names goes on request; what one names stays.
    assert_eq!(archive.drop_unused_media().unwrap(), 4);
    assert!(archive.attachment(&shown.message.attachments[0]).unwrap().is_some());
}

#[test]
fn a_damaged_media_file_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let (file, _) = archive.add_file(&mut &[5u8; 100_000][..]).unwrap();
    let (other, _) = archive.add_file(&mut &[6u8; 100_000][..]).unwrap();
    let media = dir.path().join("archive/media");
    let good = std::fs::read(media.join("1")).unwrap();
    let swapped = std::fs::read(media.join("2")).unwrap();
    for at in [0usize, 3, 4, 50, 65_000, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(media.join("1"), bad).unwrap();
        assert!(!archive.check_file(&file).unwrap(), "flipped at {at}");
    }
    for bad in [&good[..good.len() - 1], &good[..65_572], &swapped] {
        std::fs::write(media.join("1"), bad).unwrap();
        assert!(!archive.check_file(&file).unwrap());
    }
    assert!(archive.check_file(&other).unwrap());
    std::fs::remove_file(media.join("2")).unwrap();
    assert!(matches!(archive.file(&other), Err(ArchiveError::Damaged(_))));
    assert_eq!(archive.check().unwrap(), ["media files are gone: 1"]);
}

#[test]
fn a_text_too_long_for_a_row_is_whole_where_its_file_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let long = "wörd ".repeat(20_000) + "needle";
    let count = import(&mut archive, &chat, &[text("1", START, "Ana", &long)]);
    assert_eq!(count.messages_new, 1);
    assert_eq!(state(&archive)[0].0.text.as_deref(), Some(long.as_str()));
    assert_eq!(archive.search(&Query::parse("needle"), &Default::default(), 1).unwrap().total, 1);
    // Another device gets the row first, and the file later.
    let mut rows = Vec::new();
    archive
        .each_row(None, false, |r| {
            rows.push(r);
            Ok(true)
        })
        .unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut second = create(elsewhere.path());
    for row in &rows {
        second.commit(|c| c.apply_row(&row.chat, &row.row().unwrap(), 0)).unwrap();
    }
    let beginning = state(&second)[0].0.text.clone().unwrap();
    assert!(long.starts_with(&beginning) && beginning.len() > 4000 && beginning.len() <= 4096);
    assert_eq!(second.absent(9).unwrap().len(), 1);
    second.add_file(&mut long.as_bytes()).unwrap();
    second.settle().unwrap();
    assert_eq!(state(&second), state(&archive));
    assert_eq!(second.absent(9).unwrap(), []);
}

#[test]
fn a_row_that_does_not_fit_is_named_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let mut sink = archive.import().unwrap();
    let mut row = text("too long", START, "Ana", "x");
    row.fields.set(999, vec![1; 30_000]);
    sink.row(&chat, row).unwrap();
    sink.row(&chat, text(&"n".repeat(3000), START, "Ana", "x")).unwrap();
    sink.row(&chat, text("2", START, "Ana", "y")).unwrap();
    let done = sink.finish().unwrap();
    assert_eq!((done.skipped_total, done.chats[0].messages_new), (2, 1));
    assert_eq!(done.skipped[0].0, "too long");
}

#[test]
fn titles_travel_by_rows_and_the_last_seen_wins() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let title = |archive: &crate::archive::Archive| archive.chats().unwrap()[0].title.clone();
    let mut with = |title: &str, native: &str, at| {
        let mut sink = archive.import().unwrap();
        let info = ChatInfo { title: Some(title.into()), shape: Some("group") };
        sink.chat(&chat, &info).unwrap();
        sink.row(&chat, text(native, at, "Ana", "x")).unwrap();
        sink.finish().unwrap();
    };
    with("New", "2", START + 1000);
    with("Old", "1", START);
    with("New", "3", START + 5000);
    assert_eq!(title(&archive).as_deref(), Some("New"));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut second = create(elsewhere.path());
    let mut rows = Vec::new();
    archive
        .each_row(None, false, |r| {
            rows.push(r);
            Ok(true)
        })
        .unwrap();
    for row in rows.iter().rev() {
        second.commit(|c| c.apply_row(&row.chat, &row.row().unwrap(), 0)).unwrap();
    }
    assert_eq!(title(&second).as_deref(), Some("New"));
    assert_eq!(second.chats().unwrap()[0].shape.as_deref(), Some("group"));
}

fn any_row() -> impl Strategy<Value = Row> {
    let body = prop::sample::select(vec!["one", "two", "three"]);
    (0u8..4, prop::sample::select(vec![1u16, 16, 20]), body, 0i64..3, any::<bool>()).prop_map(
        |(native, kind, body, at, unknown)| {
            let chat = telegram("group:1");
            let mut row = text(&native.to_string(), START + i64::from(native % 2), "Ana", body);
            if kind != 1 {
                row = Row::about(Kind(kind), row.time, id(&chat, &row.native), format!("{native}/{kind}"));
                row.fields.set_some(tag::BODY, Some(body)).set_some(tag::EMOJI, Some("x"));
            }
            row.fields.set_number(tag::EDITED_AT, at).set_number(tag::AS_OF, at + 1);
            if unknown {
                row.fields.set(900, vec![1]);
            }
            row
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever the order and the grouping, and whether rows come from here or from the log.
    #[test]
    fn archives_converge(rows in prop::collection::vec(any_row(), 1..14), cut in 0usize..14, reverse in any::<bool>()) {
        let chat = telegram("group:1");
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut a, mut b) = (create(one.path()), create(other.path()));
        import(&mut a, &chat, &rows);
        let mut shuffled = rows.clone();
        shuffled.rotate_left(cut % rows.len());
        if reverse {
            shuffled.reverse();
        }
        for (i, row) in shuffled.iter().enumerate() {
            b.commit(|c| if i % 2 == 0 { c.apply_row(&chat, row, i as u64) } else { c.add_row(&chat, row) }).unwrap();
        }
        b.settle().unwrap();
        prop_assert_eq!(state(&a), state(&b));
        prop_assert_eq!(a.check().unwrap(), Vec::<String>::new());
        prop_assert_eq!(b.check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn messages_of_one_moment_all_find_a_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let full = (1 << 12) + 50;
    for (time, count) in [(START, full), (START + 1000, 50), (i64::MIN, 50), (i64::MAX, 50)] {
        let rows: Vec<Row> = (0..count).map(|i| text(&format!("{time}/{i}"), time, "Ana", &format!("m{i}"))).collect();
        assert_eq!(import(&mut archive, &chat, &rows).messages_new, count);
    }
    let chat_id = archive.chats().unwrap()[0].id;
    assert_eq!(archive.page(&chat_id, Anchor::End, 9999, 0).unwrap().len(), (1 << 12) + 200);
    archive.index(|_| true).unwrap();
    assert_eq!(archive.page(&chat_id, Anchor::End, 9999, 0).unwrap().len(), (1 << 12) + 200);
    assert_eq!(archive.search(&Query::parse("m7"), &Default::default(), 9).unwrap().total, 4);
}

#[test]
fn an_own_row_about_nothing_known_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let reaction = Row::about(Kind::REACTION_ADD, START, id(&chat, "later"), "r");
    archive.commit(|c| c.add_row(&chat, &reaction)).unwrap();
    assert!(matches!(reaction.target, Target::Event(_)) && state(&archive).is_empty());
    import(&mut archive, &chat, &[text("later", START, "Ana", "here")]);
    assert_eq!(state(&archive)[0].0.reactions.len(), 1);
}
