//! Deletions of attachments alone, on one device and on several.

use std::io::Cursor;
use std::sync::Arc;

use super::support::*;
use crate::archive::{Acting, Archive, Deleting, HELD_MS, MergeRules, Parts, StoredRow, UNDO_MS};
use crate::crypto::fixed::Fixed;
use crate::event::{Kind, Presence, Row, tag};
use crate::ids::DeviceId;
use crate::merge::Message;
use crate::sources::Sink;

const ME: DeviceId = DeviceId([1; 32]);
const NOW: i64 = START + 400 * 86_400_000;
const PHOTO: &[u8] = b"the bytes of a photo";

fn real(dir: &std::path::Path, name: &str) -> Archive {
    Archive::create(&dir.join(name), &KEY, Parts { rules: Arc::new(MergeRules), ..parts() }).unwrap()
}

/// Imports two messages that share a photo, of a chat with ids or of one without.
fn import_photos(archive: &mut Archive, ids: bool) {
    let chat = if ids { telegram("group:1") } else { whatsapp("Family") };
    let mut sink = archive.import().unwrap();
    for (n, body) in ["first", "second"].into_iter().enumerate() {
        let unit = START + n as i64 * 60_000;
        let native = if ids { n.to_string() } else { format!("{START}/{unit}/=Ana/O/0/={body}") };
        let mut row: Row = text(&native, unit, "Ana", body);
        if !ids {
            row.fields.set(tag::CLASS, "O").set_number(tag::PLACE, 0).set_number(tag::AS_OF, START + 600_000);
        }
        sink.file("photo.jpg", &mut Cursor::new(PHOTO)).unwrap();
        row.set_attachments(&[present("photo.jpg", PHOTO)]);
        sink.row(&chat, row).unwrap();
    }
    sink.finish().unwrap();
    archive.settle().unwrap();
}

fn find(archive: &Archive, text: &str) -> Message {
    state(archive).into_iter().find(|(m, _)| m.text.as_deref() == Some(text)).unwrap().0
}

fn has_photo(archive: &Archive, text: &str) -> bool {
    let message = find(archive, text);
    let [attachment] = &message.attachments[..] else { panic!("it shows one attachment: {message:?}") };
    assert_eq!(attachment.name.as_deref(), Some("photo.jpg"), "its name stays");
    assert_eq!(attachment.hash.is_none(), attachment.presence == Presence::Deleted);
    attachment.hash.is_some()
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

#[test]
fn attachments_go_and_messages_stay_until_it_is_undone() {
    for ids in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut archive = real(dir.path(), "a");
        import_photos(&mut archive, ids);
        let mut entropy = Fixed::new("media");
        let mut acting = Acting { now: NOW, entropy: &mut entropy };
        let all = [find(&archive, "first"), find(&archive, "second")];
        assert_eq!(archive.delete_of(&all[..1], Deleting::Media, &mut acting).unwrap(), 1);
        assert_eq!((has_photo(&archive, "first"), has_photo(&archive, "second")), (false, true));
        assert_eq!(archive.counts().unwrap().waiting, 1, "another message shows the file");
        assert_eq!(archive.delete_of(&all, Deleting::Media, &mut acting).unwrap(), 2);
        assert_eq!(archive.counts().unwrap().waiting, 0, "nothing shows it, so it is not sent");
        let known = [find(&archive, "first")];
        assert_eq!(
            archive.delete_of(&known, Deleting::Media, &mut acting).unwrap(),
            0,
            "there is nothing left to delete"
        );
        // What is imported again does not bring it back.
        import_photos(&mut archive, ids);
        assert_eq!((has_photo(&archive, "first"), has_photo(&archive, "second")), (false, false));
        let deletions = archive.deletions(NOW, &ME).unwrap();
        assert!(deletions.len() == 3 && deletions.iter().all(|d| d.is_media() && d.until == NOW + UNDO_MS));
        // Another device that hears of it shows the same, in whatever order it hears.
        let mut all = rows(&archive);
        for backwards in [false, true] {
            let mut other = real(dir.path(), if backwards { "c" } else { "b" });
            if backwards {
                all.reverse();
            }
            other
                .commit(|c| {
                    for (row, at) in all.iter().zip(0..) {
                        c.apply_row(&row.chat, &row.row().unwrap(), at)?;
                    }
                    Ok(())
                })
                .unwrap();
            other.settle().unwrap();
            assert_eq!((has_photo(&other, "first"), has_photo(&other, "second")), (false, false));
        }
        let [first, second] = ["first", "second"].map(|text| find(&archive, text).id);
        let of = |id| deletions.iter().filter(|d| d.key.target == id).cloned().collect::<Vec<_>>();
        assert!(archive.undelete(&of(second), NOW, &mut acting).unwrap().undone > 0);
        assert_eq!((has_photo(&archive, "first"), has_photo(&archive, "second")), (false, true));
        assert_eq!(archive.counts().unwrap().waiting, 1);
        assert!(archive.undelete(&of(first), NOW, &mut acting).unwrap().undone > 0);
        assert_eq!(archive.deletions(NOW, &ME).unwrap(), []);
        assert_eq!((has_photo(&archive, "first"), has_photo(&archive, "second")), (true, true));
        assert_eq!(archive.check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_file_is_due_when_no_deletion_of_it_can_be_undone_and_no_message_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    import_photos(&mut archive, true);
    let mut entropy = Fixed::new("due");
    let mut acting = Acting { now: NOW, entropy: &mut entropy };
    let [first, second] = ["first", "second"].map(|text| find(&archive, text));
    archive.delete_of(&[first], Deleting::Media, &mut acting).unwrap();
    let due = |archive: &Archive, below, now| {
        let all = archive.all_deletions(NOW, &ME).unwrap();
        archive.media_due(&all, below, now).unwrap().len()
    };
    assert_eq!(due(&archive, u64::MAX, NOW + UNDO_MS), 0, "it is not in the log yet");
    // The log holds it now, as record 3 of this device.
    let in_log = |archive: &mut Archive, at: u64, when| {
        let deletions: Vec<_> =
            rows(archive).into_iter().filter(|r| r.key.kind == Kind::MEDIA_DELETE && r.arrival.is_none()).collect();
        archive
            .commit(|c| {
                for row in &deletions {
                    c.apply_row(&row.chat, &row.row().unwrap(), at)?;
                }
                c.note_author(at, &ME, when, None)
            })
            .unwrap();
    };
    in_log(&mut archive, 3, NOW);
    assert_eq!(due(&archive, u64::MAX, NOW + UNDO_MS), 0, "the other message shows it");
    archive.delete_of(std::slice::from_ref(&second), Deleting::Media, &mut acting).unwrap();
    in_log(&mut archive, 4, NOW + 1_000);
    assert_eq!(due(&archive, u64::MAX, NOW + UNDO_MS + 999), 0, "one of them can be undone");
    assert_eq!(due(&archive, 4, NOW + UNDO_MS + 1_000), 0, "the log was not read so far");
    assert_eq!(due(&archive, u64::MAX, NOW + UNDO_MS + 1_000), 1);
    // A whole message that can come back needs its file as well.
    let undone: Vec<_> =
        archive.all_deletions(NOW, &ME).unwrap().into_iter().filter(|d| d.key.target == second.id).collect();
    archive.undelete(&undone, NOW, &mut acting).unwrap();
    archive.delete(&[find(&archive, "second")], &mut acting).unwrap();
    assert_eq!(due(&archive, u64::MAX, NOW + 2 * UNDO_MS), 0);
    // What has gone is waited for no more.
    let gone = archive.all_deletions(NOW, &ME).unwrap();
    let files = [archive.file_id(blake3::hash(PHOTO).as_bytes(), PHOTO.len() as u64)].into();
    assert!(archive.deletions(NOW + 2 * UNDO_MS, &ME).unwrap().len() == gone.len());
    archive.drop_media_here(&files).unwrap();
    assert!(archive.deletions(NOW + 2 * UNDO_MS, &ME).unwrap().iter().all(|d| !d.is_media()));
    assert!(!archive.has_deleted_media().unwrap());
}

#[test]
fn very_many_attachments_deleted_at_once_are_held_like_messages() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(dir.path(), "a");
    let chat = telegram("group:1");
    let rows: Vec<Row> = (0..110)
        .map(|n| {
            let mut row = text(&n.to_string(), START + n * 60_000, "Ana", "with a photo");
            row.set_attachments(&[present("photo.jpg", &[n as u8])]);
            row
        })
        .collect();
    import(&mut archive, &chat, &rows);
    let mut entropy = Fixed::new("very many");
    let mut acting = Acting { now: NOW, entropy: &mut entropy };
    let id = archive.chat_id(&chat);
    assert_eq!(archive.weigh_chat_of(&id, None, Deleting::Media).unwrap().messages, 110);
    let half = archive.delete_chat_of(&id, Some(START + 100 * 60_000), Deleting::Media, &mut acting, |_| true);
    assert_eq!(half.unwrap(), 100);
    assert!(archive.deletions(NOW, &ME).unwrap().iter().all(|d| !d.is_held()));
    assert_eq!(archive.delete_chat_of(&id, None, Deleting::Media, &mut acting, |_| true).unwrap(), 10);
    let all = archive.deletions(NOW, &ME).unwrap();
    assert!(all.len() == 110 && all.iter().all(|d| d.is_held() && d.until == NOW + HELD_MS));
}
