//! The end of a deletion, on every device and in every byte the service has.

use client::archive::Archive;
use client::event::{Kind, Row, tag};
use client::ids::EventId;
use client::merge::own_delete;
use client::sync::CheckLevel;
use client::vault::Work;
use tests::history::{chat, import, listed, photo_bytes};
use tests::timed::{Device, Timed};

use crate::everything::Everything;

/// The message with this text.
pub fn find(archive: &Archive, text: &str) -> client::merge::Message {
    let messages = archive.export(None, None, None).unwrap().map(|message| message.unwrap().0);
    messages.into_iter().find(|message| message.text.as_deref() == Some(text)).expect("the message is there")
}

/// Deletes a message at a time; answers the deletion's row.
pub fn delete(archive: &mut Archive, text: &str, at: i64) -> Row {
    let message = find(archive, text);
    let row = own_delete(&message, at, &format!("deletion {} {at}", message.id.hex()));
    archive.record(&message.chat, &row).unwrap();
    row
}

fn undelete(archive: &mut Archive, n: usize, deletion: &Row, at: i64) {
    let client::event::Target::Event(target) = deletion.target else { panic!("a deletion has a target") };
    let mut row = Row::about(Kind::UNDELETE, deletion.time, target, format!("undone at {at}"));
    row.fields.set_number(tag::EDITED_AT, at);
    let _: EventId = archive.record(&chat(n), &row).unwrap();
}

async fn same(devices: &[&Device]) {
    for pair in devices.windows(2) {
        assert_eq!(listed(&pair[0].archive), listed(&pair[1].archive));
        assert_eq!(pair[0].archive.digest().unwrap().hash(), pair[1].archive.digest().unwrap().hash());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_message_is_in_no_byte_a_day_later() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 60, 3_000);
    import(&mut laptop.archive, 2, 0, 30, 3_000);
    laptop.backup().await;
    let mut phone = timed.another("phone").await;
    // The same photo in another chat, and one that only the deleted message has.
    let (text, photo) = (b"message 20 of chat 1".to_vec(), photo_bytes(1, 20, 3_000));
    let other = photo_bytes(1, 30, 3_000);
    let digest = laptop.archive.digest().unwrap().hash();
    let before = listed(&laptop.archive).len();
    delete(&mut laptop.archive, "message 20 of chat 1", timed.now());
    laptop.backup().await;
    phone.sync().await;
    same(&[&laptop, &phone]).await;
    let deleted = laptop.archive.digest().unwrap().hash();
    assert_ne!(digest, deleted);
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    assert!(everything.holding(&text).len() >= 2, "in a run and a front page or body");
    assert!(!everything.holding(&photo).is_empty());

    // Nothing goes before its time.
    timed.wait(23);
    phone.sync().await;
    assert!(!Everything::of(&timed.world, &laptop.vault).await.holding(&photo).is_empty());
    timed.wait(2);
    phone.sync().await;
    timed.wait(2);
    timed.sweep().await;
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    assert_eq!(everything.holding(&text), Vec::<&str>::new());
    assert_eq!(everything.holding(&photo), Vec::<&str>::new());
    assert!(!everything.holding(&other).is_empty(), "what lay beside it is there");
    assert!(!everything.holding(b"message 21 of chat 1").is_empty());

    laptop.backup().await;
    phone.sync().await;
    same(&[&laptop, &phone]).await;
    for device in [&mut laptop, &mut phone] {
        assert_eq!(listed(&device.archive).len(), before - 1);
        let mut left = Vec::new();
        device
            .archive
            .each_row(None, false, |row| {
                if row.value.windows(text.len()).any(|part| part == text) {
                    left.push(row.key);
                }
                Ok(true)
            })
            .unwrap();
        assert_eq!(left, [], "no row of it is left");
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
        assert_eq!(device.archive.check().unwrap(), Vec::<String>::new());
    }
    // A new device has the rest, photos included, and counts it alike.
    let mut fresh = timed.another("tablet").await;
    same(&[&laptop, &fresh]).await;
    assert!(!fresh.backup().await.disagreed);
    // It never comes back by import.
    import(&mut laptop.archive, 1, 0, 60, 3_000);
    laptop.backup().await;
    assert_eq!(listed(&laptop.archive).len(), before - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_undone_in_time_is_back_with_its_photo() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 40, 3_000);
    laptop.backup().await;
    let mut phone = timed.another("phone").await;
    let (before, digest) = (listed(&laptop.archive), laptop.archive.digest().unwrap().hash());
    let deletion = delete(&mut laptop.archive, "message 20 of chat 1", timed.now());
    laptop.backup().await;
    timed.wait(20);
    phone.sync().await;
    assert_eq!(listed(&phone.archive).len(), before.len() - 1);
    undelete(&mut phone.archive, 1, &deletion, timed.now());
    phone.sync().await;
    timed.wait(40);
    laptop.backup().await;
    phone.sync().await;
    timed.sweep().await;
    let fresh = timed.another("tablet").await;
    for device in [&laptop, &phone, &fresh] {
        assert_eq!(listed(&device.archive), before);
    }
    same(&[&laptop, &phone, &fresh]).await;
    assert_ne!(laptop.archive.digest().unwrap().hash(), digest, "the two acts count");
}

/// Names a photo that is in the vault already.
fn name_photo(archive: &mut Archive, n: u64, photo: &[u8]) {
    let mut row = tests::history::message(n, &format!("once more, {n}"));
    row.set_attachments(&[client::event::Attachment {
        name: Some("more.jpg".to_owned()),
        mime: None,
        size: Some(photo.len() as u64),
        role: client::event::Role::Photo,
        presence: client::event::Presence::Present,
        hash: Some(*blake3::hash(photo).as_bytes()),
        source_ref: None,
        rest: Default::default(),
    }]);
    archive.record(&chat(1), &row).unwrap();
}

async fn photo_lives(timed: &Timed, photo: &[u8]) -> bool {
    let laptop = timed.another("passing by").await;
    let alive = listed(&laptop.archive).iter().any(|line| line.ends_with(&blake3::hash(photo).to_hex().to_string()));
    assert_eq!(!Everything::of(&timed.world, &laptop.vault).await.holding(photo).is_empty(), alive);
    alive
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_goes_with_the_last_message_that_can_still_be_shown() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 15, 3_000);
    laptop.backup().await;
    let photo = photo_bytes(1, 10, 3_000);
    for n in [70, 80] {
        name_photo(&mut laptop.archive, n, &photo);
    }
    laptop.backup().await;
    delete(&mut laptop.archive, "message 10 of chat 1", timed.now());
    delete(&mut laptop.archive, "once more, 70", timed.now());
    laptop.backup().await;
    timed.wait(25);
    laptop.backup().await;
    timed.sweep().await;
    assert!(photo_lives(&timed, &photo).await, "another message names it");
    delete(&mut laptop.archive, "once more, 80", timed.now());
    let other = photo_bytes(1, 0, 3_000);
    name_photo(&mut laptop.archive, 90, &other);
    laptop.backup().await;
    let deletion = delete(&mut laptop.archive, "once more, 90", timed.now());
    laptop.backup().await;
    timed.wait(12);
    delete(&mut laptop.archive, "message 0 of chat 1", timed.now() - 20 * 3_600_000);
    laptop.backup().await;
    timed.wait(6);
    // The message that brought it is purged, and the one deleted after it can be undone for some hours more.
    laptop.backup().await;
    timed.wait(2);
    timed.sweep().await;
    assert!(!Everything::of(&timed.world, &laptop.vault).await.holding(&other).is_empty(), "it can still be undone");
    undelete(&mut laptop.archive, 1, &deletion, timed.now());
    laptop.backup().await;
    timed.wait(12);
    laptop.backup().await;
    timed.wait(2);
    timed.sweep().await;
    assert!(photo_lives(&timed, &other).await, "it was undone in time");
    assert!(!photo_lives(&timed, &photo).await, "nothing names it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_device_alone_purges_bodies_and_front_page_too() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 40, 0);
    laptop.backup().await;
    delete(&mut laptop.archive, "message 39 of chat 1", timed.now());
    laptop.backup().await;
    timed.wait(25);
    laptop.sync().await;
    let text = b"message 39 of chat 1";
    // The packs are there until the sweep; a body goes with the head that names it.
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    assert!(everything.holding(text).iter().all(|name| !name.starts_with("body")), "{:?}", everything.holding(text));
    timed.wait(2);
    timed.sweep().await;
    assert_eq!(Everything::of(&timed.world, &laptop.vault).await.holding(text), Vec::<&str>::new());
}
