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
