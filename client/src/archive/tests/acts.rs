//! What the owner does to messages, on one device and on several.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::support::*;
use crate::archive::{Acting, Archive, MergeRules, Parts, StoredRow, UNDO_MS, mass};
use crate::crypto::fixed::Fixed;
use crate::event::{Chat, Kind, Party, Precision, Row, tag};
use crate::ids::{DeviceId, EventId};
use crate::merge::{Assembler, Class, Export, Line, Message};
use crate::sources::Sink;

const ME: DeviceId = DeviceId([1; 32]);
const NOW: i64 = START + 400 * 86_400_000;
const HOUR: i64 = 3_600_000;

fn real(dir: &std::path::Path, name: &str) -> Archive {
    Archive::create(&dir.join(name), &KEY, Parts { rules: Arc::new(MergeRules), ..parts() }).unwrap()
}

/// Imports an export of a chat without ids; `strand` is where its times begin, `shift` how far its clock is ahead.
fn import_lines(archive: &mut Archive, lines: std::ops::Range<i64>, shift: i64) -> crate::archive::ChatCount {
    let as_of = START + lines.end * 60_000;
    let export = Export { strand: START + shift, as_of, precision: Precision::Minute, aliases: BTreeMap::new() };
    let mut assembler = Assembler::new("whatsapp", export);
    let mut sink = archive.import().unwrap();
    let chat = whatsapp("Family");
    for i in lines {
        let sender = ["Mum", "Ben"][i as usize % 2];
        let body = format!("line number {i}");
        let mut row = Row::new(Kind::MESSAGE, 0, "");
        row.set_sender(&Party::named(sender));
        row.fields.set(tag::BODY, body.as_str());
        let unit = START + shift + i * 60_000;
        let (seconds, class, sender) = (None, Class::Plain, Some(sender.to_owned()));
        let line = Line { unit, seconds, sender, class, normal: body, row };
        assembler.line(line, &mut |row| sink.row(&chat, row)).unwrap();
    }
    assembler.finish(&mut |row| sink.row(&chat, row)).unwrap();
    sink.finish().unwrap().chats.remove(0)
}

fn import_both(archive: &mut Archive, messages: i64) {
    let rows: Vec<Row> =
        (0..messages).map(|i| text(&i.to_string(), START + i * 60_000, "Ana", &format!("message {i}"))).collect();
    import(archive, &telegram("group:1"), &rows);
    import_lines(archive, 0..messages, 0);
}

fn find(archive: &Archive, text: &str) -> Message {
    let found = state(archive).into_iter().find(|(m, _)| m.text.as_deref() == Some(text));
    found.unwrap_or_else(|| panic!("no message says {text:?}")).0
}

fn rows(archive: &Archive) -> Vec<StoredRow> {
    let mut rows = Vec::new();
    archive
        .each_row(None, false, |row| {
            rows.push(row);
            Ok(true)
        })
        .unwrap();
    rows
}

fn apply(archive: &mut Archive, rows: &[StoredRow], from: u64) {
    archive
        .commit(|c| {
            for (row, at) in rows.iter().zip(from..) {
                c.apply_row(&row.chat, &row.row().unwrap(), at)?;
            }
            Ok(())
        })
        .unwrap();
    archive.settle().unwrap();
}

/// Does something to a message, as `draw` decides.
fn act(archive: &mut Archive, of: &Message, by: &str, draw: u64, acting: &mut Acting<'_>) {
    let alive = archive.message(&of.id).unwrap().is_some();
    match draw % 8 {
        0 | 1 if alive => drop(archive.edit(&of.id, &format!("{by} wrote {draw}"), acting).unwrap()),
        2 if alive => drop(archive.react(&of.id, ["👍", "🎉"][draw as usize / 8 % 2], by, acting).unwrap()),
        3 if alive => drop(archive.unreact(&of.id, "👍", acting).unwrap()),
        4 | 5 if alive => assert_eq!(archive.delete(std::slice::from_ref(of), acting).unwrap(), 1),
        6 if !alive => {
            let now = acting.now;
            let all = archive.deletions(now, &ME).unwrap();
            let mine: Vec<_> = all.into_iter().filter(|d| d.key.target == of.id).collect();
            assert!(archive.undelete(&mine, now, acting).unwrap().undone > 0);
            assert!(archive.message(&of.id).unwrap().is_some(), "an undelete wins over every deletion seen");
        }
        _ => {}
    }
}

#[test]
fn acts_of_two_devices_come_to_the_same_in_every_order() {
    for seed in 0..6u64 {
        let dir = tempfile::tempdir().unwrap();
        let mut devices = [real(dir.path(), "a"), real(dir.path(), "b")];
        let mut entropy = Fixed::new(&format!("acts {seed}"));
        let mut draws = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        let mut draw = || {
            let mut out = [0; 8];
            draws.fill(&mut out);
            u64::from_le_bytes(out)
        };
        devices.iter_mut().for_each(|d| import_both(d, 8));
        let messages: Vec<Message> = state(&devices[0]).into_iter().map(|(m, _)| m).collect();
        for (i, device) in devices.iter_mut().enumerate() {
            for _ in 0..60 {
                let of = &messages[draw() as usize % messages.len()];
                // One clock runs a year behind.
                let now = NOW - i as i64 * 365 * 86_400_000 + (draw() % 5) as i64;
                let mut acting = Acting { now, entropy: &mut entropy };
                act(device, of, ["Ana", "Ben"][i], draw(), &mut acting);
            }
        }
        let [of_a, of_b] = [rows(&devices[0]), rows(&devices[1])];
        let mut both = [real(dir.path(), "ab"), real(dir.path(), "ba")];
        apply(&mut both[0], &of_a, 0);
        apply(&mut both[0], &of_b, 1000);
        apply(&mut both[1], &of_b.iter().rev().cloned().collect::<Vec<_>>(), 0);
        apply(&mut both[1], &of_a.iter().rev().cloned().collect::<Vec<_>>(), 1000);
        // And the devices themselves, each hearing of the other.
        let [a, b] = &mut devices;
        apply(a, &of_b, 0);
        apply(b, &of_a, 0);
        let expected = state(&both[0]);
        for archive in both.iter().chain(&devices) {
            assert_eq!(state(archive), expected, "seed {seed}");
            assert_eq!(archive.check().unwrap(), Vec::<String>::new());
        }
        assert_eq!(both[0].digest().unwrap().hash(), both[1].digest().unwrap().hash());
        assert!(expected.len() < messages.len() && !expected.is_empty(), "seed {seed} deletes some");
    }
}

#[test]
fn an_act_wins_over_all_that_was_seen_whatever_the_clock_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    import_both(&mut archive, 3);
    let mut entropy = Fixed::new("clocks");
    for (n, first) in ["message 1", "line number 1"].into_iter().enumerate() {
        let id = find(&archive, first).id;
        // In 2099, then with a clock that begins in 1970.
        let mut late = Acting { now: 4_070_908_800_000, entropy: &mut entropy };
        assert!(archive.edit(&id, &format!("late {n}"), &mut late).unwrap().is_some());
        assert!(archive.react(&id, "👍", "ana", &mut late).unwrap().is_some());
        archive.delete(&[find(&archive, &format!("late {n}"))], &mut late).unwrap();
        let mut early = Acting { now: 0, entropy: &mut entropy };
        let all = archive.deletions(0, &ME).unwrap();
        assert_eq!(all.len(), 1);
        archive.undelete(&all, 0, &mut early).unwrap();
        assert!(archive.deletions(0, &ME).unwrap().is_empty());
        assert!(archive.edit(&id, &format!("early {n}"), &mut early).unwrap().is_some());
        assert_eq!(archive.edit(&id, &format!("early {n}"), &mut early).unwrap(), None);
        assert_eq!(archive.react(&id, "👍", "ana", &mut early).unwrap(), None, "it stands already");
        assert_eq!(archive.unreact(&id, "👍", &mut early).unwrap(), 1);
        let message = find(&archive, &format!("early {n}"));
        let versions: Vec<&str> = message.versions.iter().map(|v| v.text.as_str()).collect();
        assert_eq!((versions.len(), versions[1]), (2, &*format!("late {n}")));
        assert!(message.edited && message.reactions.is_empty());
        archive.delete(&[message], &mut early).unwrap();
        assert!(archive.message(&id).unwrap().is_none());
        let again = archive.deletions(0, &ME).unwrap();
        archive.undelete(&again, 0, &mut early).unwrap();
    }
}

#[test]
fn what_was_deleted_stays_away_when_it_is_imported_again_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    import_both(&mut archive, 60);
    let mut entropy = Fixed::new("imports");
    let mut acting = Acting { now: NOW, entropy: &mut entropy };
    let gone = [find(&archive, "message 7"), find(&archive, "line number 7"), find(&archive, "line number 8")];
    assert_eq!(archive.delete(&gone, &mut acting).unwrap(), 3);
    let chat = telegram("group:1");
    let again = import(&mut archive, &chat, &[text("7", START + 7 * 60_000, "Ana", "message 7")]);
    assert_eq!((again.refused, again.messages_new), (1, 0));
    let again = import_lines(&mut archive, 0..60, 0);
    assert_eq!((again.refused, again.messages_new), (2, 0));
    // Nor does it come back from an export written in another zone, whose rows are others.
    let shifted = import_lines(&mut archive, 0..80, 3 * HOUR);
    assert_eq!((shifted.refused, shifted.messages_new), (2, 20));
    assert_eq!(import_lines(&mut archive, 0..80, 3 * HOUR).refused, 0, "they are known as refused by now");
    assert_eq!(state(&archive).len(), 60 + 80 - 3);
    // A later version of it is refused as well, by whatever device it is brought.
    let mut later = text("7", START + 7 * 60_000, "Ana", "message 7, edited in the app");
    later.fields.set_number(tag::EDITED_AT, NOW + 1);
    assert_eq!(import(&mut archive, &chat, &[later]).refused, 1);
    let undone = archive.deletions(NOW, &ME).unwrap();
    assert_eq!(undone.len(), 3);
    assert_eq!(archive.undelete(&undone, NOW, &mut acting).unwrap().undone, 3);
    assert_eq!(state(&archive).len(), 60 + 80);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_deletion_can_be_undone_for_a_day_counted_by_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    import_both(&mut archive, 3);
    let mut entropy = Fixed::new("a day");
    // A thief's device says that it deleted long ago.
    let mut thief = real(dir.path(), "thief");
    import_both(&mut thief, 3);
    let mut acting = Acting { now: START, entropy: &mut entropy };
    thief.delete(&[find(&thief, "message 1")], &mut acting).unwrap();
    let deletion = rows(&thief).into_iter().find(|r| r.key.kind == Kind::OWN_DELETE).unwrap();
    apply(&mut archive, &[deletion], 5);
    let listed = |archive: &Archive, now| archive.deletions(now, &ME).unwrap().pop().unwrap();
    // Its record is not known: the day begins when it is first seen.
    assert_eq!((listed(&archive, NOW).device, listed(&archive, NOW).until), (None, NOW + UNDO_MS));
    archive.commit(|c| c.note_strange_deletions(NOW)).unwrap();
    assert_eq!(listed(&archive, NOW + HOUR).until, NOW + UNDO_MS);
    let author = DeviceId([2; 32]);
    archive.commit(|c| c.note_author(5, &author, NOW - HOUR, None)).unwrap();
    let found = listed(&archive, NOW + HOUR);
    assert_eq!((found.device, found.at, found.until), (Some(author), NOW - HOUR, NOW - HOUR + UNDO_MS));
    let mut acting = Acting { now: NOW, entropy: &mut entropy };
    let late = archive.undelete(std::slice::from_ref(&found), found.until, &mut acting).unwrap();
    assert_eq!((late.undone, late.late), (0, 1));
    assert_eq!(archive.undelete(&[found.clone()], found.until - 1, &mut acting).unwrap().undone, 1);
    assert_eq!(state(&archive).len(), 6);
    // What has gone is no longer waited for.
    archive.delete(&[find(&archive, "message 1")], &mut acting).unwrap();
    let found = listed(&archive, NOW);
    assert_eq!((found.device, found.arrival, found.until), (Some(ME), None, NOW + UNDO_MS));
    let row = archive.deletion_row(&found).unwrap().unwrap();
    archive.commit(|c| c.purge(&telegram("group:1"), &row, u64::MAX)).unwrap();
    assert_eq!(archive.deletions(NOW, &ME).unwrap(), []);
}

#[test]
fn a_deletion_that_names_many_messages_counts_as_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    import_both(&mut archive, 30);
    let mut entropy = Fixed::new("many");
    let acting = Acting { now: NOW, entropy: &mut entropy };
    for (text, counted) in [("message 3", 1), ("line number 3", 8)] {
        let mut message = find(&archive, text);
        let all = state(&archive);
        message.row_ids =
            all.iter().filter(|(m, _)| m.chat == message.chat).flat_map(|(m, _)| m.row_ids.clone()).collect();
        let row = crate::merge::own_delete(&message, acting.now, text);
        archive.commit(|c| c.add_row(&message.chat, &row)).unwrap();
        let listed = archive.deletions(NOW, &ME).unwrap();
        assert_eq!(listed.iter().find(|d| *d.chat == message.chat).unwrap().messages, counted, "{text}");
    }
    // Where messages have ids a deletion takes its target away and nothing else: neither now, nor when it goes for good.
    let chat = telegram("group:1");
    assert_eq!(state(&archive).iter().filter(|(m, _)| m.chat == chat).count(), 29);
    let mut changed = text("4", START + 4 * 60_000, "Ana", "message 4");
    changed.fields.set_number(tag::EDITED_AT, NOW);
    assert_eq!(import(&mut archive, &chat, &[changed]).refused, 0);
    let deletion = archive.deletions(NOW, &ME).unwrap().into_iter().find(|d| *d.chat == chat).unwrap();
    let row = archive.deletion_row(&deletion).unwrap().unwrap();
    archive.commit(|c| c.purge(&chat, &row, u64::MAX)).unwrap();
    assert_eq!(state(&archive).iter().filter(|(m, _)| m.chat == chat).count(), 29);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_permit_speaks_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    let (device, thief, permit) = (DeviceId([2; 32]), DeviceId([3; 32]), [7; 64]);
    archive.commit(|c| c.note_author(9, &device, NOW, Some(&permit))).unwrap();
    archive.commit(|c| c.note_author(12, &thief, NOW, Some(&permit))).unwrap();
    archive.commit(|c| c.note_author(9, &device, NOW, Some(&permit))).unwrap();
    let permits: Vec<u64> = archive.authors().unwrap().iter().filter(|(_, a)| a.permits).map(|(i, _)| *i).collect();
    assert_eq!(permits, [9]);
}

#[test]
fn a_whole_chat_goes_in_batches_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    import_both(&mut archive, 1_300);
    let chats: [Chat; 2] = [telegram("group:1"), whatsapp("Family")];
    let mut entropy = Fixed::new("a chat");
    let mut acting = Acting { now: NOW, entropy: &mut entropy };
    for (chat, n) in chats.iter().zip(1..) {
        let id = archive.chat_id(chat);
        let before = START + 300 * 60_000;
        assert_eq!(archive.weigh_chat(&id, Some(before)).unwrap().messages, 300);
        assert_eq!(archive.delete_chat(&id, Some(before), &mut acting, |_| true).unwrap(), 300);
        let mut heard = Vec::new();
        let told = |done| {
            heard.push(done);
            true
        };
        assert_eq!(archive.delete_chat(&id, None, &mut acting, told).unwrap(), 1_000);
        assert!(heard.windows(2).all(|two| two[0] < two[1]) && heard.len() > 1, "{heard:?}");
        assert_eq!(archive.counts().unwrap().messages, 1_300 * (2 - n));
    }
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
    let all = archive.deletions(NOW, &ME).unwrap();
    assert!(all.len() == 2_600 && all.iter().all(|d| d.is_held()));
    assert_eq!(mass(&all)[0].messages, 2_600);
    assert_eq!(archive.undelete(&all, NOW, &mut acting).unwrap().undone, 2_600);
    assert_eq!(archive.counts().unwrap().messages, 2_600);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_message_that_is_two_for_one_device_and_one_for_the_other_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (real(dir.path(), "a"), real(dir.path(), "b"));
    // The same messages from exports of two zones: their public ids differ while the devices are apart.
    import_lines(&mut one, 0..40, 0);
    import_lines(&mut other, 0..40, 3 * HOUR);
    let mut entropy = Fixed::new("two strands");
    let mut acting = Acting { now: NOW, entropy: &mut entropy };
    let ids: Vec<EventId> = [&mut one, &mut other]
        .map(|device| {
            let message = find(device, "line number 9");
            device.delete(std::slice::from_ref(&message), &mut acting).unwrap();
            message.id
        })
        .to_vec();
    assert_ne!(ids[0], ids[1]);
    let (of_one, of_other) = (rows(&one), rows(&other));
    apply(&mut one, &of_other, 0);
    apply(&mut other, &of_one, 0);
    assert_eq!((state(&one).len(), &state(&one)), (39, &state(&other)));
    let both = one.deletions(NOW, &ME).unwrap();
    assert_eq!(both.len(), 2);
    one.undelete(&both, NOW, &mut acting).unwrap();
    assert_eq!(find(&one, "line number 9").row_ids.len(), 2);
    let undeletes: Vec<_> = rows(&one).into_iter().filter(|r| r.key.kind == Kind::UNDELETE).collect();
    apply(&mut other, &undeletes, 100);
    assert_eq!(state(&one), state(&other));
}
