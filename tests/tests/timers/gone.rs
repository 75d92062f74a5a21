//! The end of a timer, on every device and in every byte the service has.

use std::io::Cursor;

use client::archive::Archive;
use client::event::{Attachment, Kind, Presence, Role, Row, Target, tag};
use client::sources::Sink as _;
use client::sync::CheckLevel;
use client::vault::Work;
use tests::history::{chat, import, listed, message, photo_bytes};
use tests::timed::{Device, Timed};

use crate::everything::Everything;

pub const DAY: i64 = 86_400_000;

/// A message that goes at a time; with a photo where `photo` says of how many bytes.
pub fn say(archive: &mut Archive, n: u64, text: &str, expires_at: i64, photo: usize) {
    let mut row = message(n, text);
    row.time = expires_at - 2 * DAY;
    row.fields.set_number(tag::EXPIRES_AT, expires_at);
    let mut import = archive.import().unwrap();
    if photo > 0 {
        let taken = import.file("a photo", &mut Cursor::new(photo_bytes(9, n, photo))).unwrap();
        row.set_attachments(&[Attachment {
            name: Some("short.jpg".to_owned()),
            mime: None,
            size: Some(taken.bytes),
            role: Role::Photo,
            presence: Presence::Present,
            hash: Some(taken.hash),
            source_ref: None,
            rest: Default::default(),
        }]);
    }
    import.row(&chat(1), row).unwrap();
    import.finish().unwrap();
}

/// A device says something about its message.
fn edit(archive: &mut Archive, text: &str, new: &str, at: i64) {
    let found = archive.export(None, None, None).unwrap().map(|m| m.unwrap().0);
    let of = found.into_iter().find(|m| m.text.as_deref() == Some(text)).unwrap();
    let mut row = Row::about(Kind::EDIT, of.time, of.id, format!("edit {at}"));
    row.fields.set(tag::BODY, new).set_number(tag::EDITED_AT, at);
    assert_eq!(row.target, Target::Event(of.id));
    archive.record(&of.chat, &row).unwrap();
}

pub fn has(archive: &Archive, text: &str) -> bool {
    listed(archive).iter().any(|line| line.contains(text))
}

/// Rows of a device that hold a text, and whether search finds it.
fn traces(archive: &Archive, text: &str) -> usize {
    let mut found = 0;
    archive
        .each_row(None, false, |row| {
            found += usize::from(row.value.windows(text.len()).any(|part| part == text.as_bytes()));
            Ok(true)
        })
        .unwrap();
    archive
        .each_tail(|_, content| {
            found += usize::from(content.windows(text.len()).any(|part| part == text.as_bytes()));
            Ok(())
        })
        .unwrap();
    found
}

fn same(devices: &[&Device]) {
    for pair in devices.windows(2) {
        assert_eq!(listed(&pair[0].archive), listed(&pair[1].archive));
        assert_eq!(pair[0].archive.digest().unwrap().hash(), pair[1].archive.digest().unwrap().hash());
    }
}

/// `folded`: the rows have come into runs before their day; else they lie in the log until then.
async fn goes_after_its_day(folded: bool) {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 40, 3_000);
    laptop.backup().await;
    let mut phone = timed.another("phone").await;
    let ends = timed.now() + 2 * DAY;
    say(&mut laptop.archive, 1_001, "this one is gone on Friday", ends, 3_000);
    say(&mut laptop.archive, 1_002, "this one is gone much later", ends + 10 * DAY, 0);
    edit(&mut laptop.archive, "this one is gone on Friday", "really gone on Friday", timed.now());
    let photo = photo_bytes(9, 1_001, 3_000);
    if folded {
        laptop.backup().await;
        laptop.backup().await;
    } else {
        laptop.sync().await;
    }
    phone.restore().await;
    same(&[&laptop, &phone]);
    assert!(has(&phone.archive, "really gone on Friday"));
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    for text in ["this one is gone on Friday", "really gone on Friday", "gone much later"] {
        assert!(!everything.holding(text.as_bytes()).is_empty(), "{text}");
    }
    assert!(!everything.holding(&photo).is_empty());

    // Not before its day is over.
    timed.wait(47);
    timed.sweep().await;
    phone.sync().await;
    assert!(has(&phone.archive, "really gone on Friday"));
    let fresh = timed.another("tablet").await;
    assert!(has(&fresh.archive, "really gone on Friday"));

    // The service lets go of text and photo with nobody there.
    timed.wait(26);
    timed.sweep().await;
    timed.wait(2);
    timed.sweep().await;
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    for text in ["this one is gone on Friday", "really gone on Friday"] {
        assert_eq!(everything.holding(text.as_bytes()), Vec::<&str>::new());
    }
    assert!(!everything.holding(b"this one is gone much later").is_empty(), "what has another day is there");
    assert_eq!(everything.holding(&photo), Vec::<&str>::new());
    assert!(!everything.holding(&photo_bytes(1, 20, 3_000)).is_empty(), "what lay beside it is there");

    laptop.backup().await;
    phone.sync().await;
    let mut late = timed.another("late").await;
    for device in [&mut laptop, &mut phone, &mut late] {
        assert!(!device.sync().await.disagreed);
        for text in ["this one is gone on Friday", "really gone on Friday"] {
            assert!(!has(&device.archive, text));
            assert_eq!(traces(&device.archive, text), 0);
        }
        assert!(has(&device.archive, "this one is gone much later"));
        assert_eq!(listed(&device.archive).len(), 41);
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
        assert_eq!(device.archive.check().unwrap(), Vec::<String>::new());
    }
    same(&[&laptop, &phone, &late]);
    // It has its own timer, so no import brings it back.
    say(&mut phone.archive, 1_001, "this one is gone on Friday", ends, 0);
    assert!(!has(&phone.archive, "this one is gone on Friday"));
    phone.sync().await;
    same(&[&laptop, &phone]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folded_message_is_in_no_byte_after_its_day() {
    goes_after_its_day(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_the_log_is_in_no_byte_after_its_day() {
    goes_after_its_day(false).await;
}

/// Sends a timed message with a photo in the vault on two devices, and names the photo again without a timer.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_is_named_for_ever_later_is_kept() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 40, 0);
    let ends = timed.now() + 2 * DAY;
    say(&mut laptop.archive, 1_001, "with a photo until Friday", ends, 3_000);
    laptop.backup().await;
    let mut phone = timed.another("phone").await;
    let photo = photo_bytes(9, 1_001, 3_000);
    let mut row = message(50, "the same photo for ever");
    attach(&mut row, &photo);
    phone.archive.record(&chat(1), &row).unwrap();
    phone.sync().await;
    laptop.backup().await;
    timed.wait(75);
    timed.sweep().await;
    timed.wait(2);
    timed.sweep().await;
    // It was sent again before its pack went, not after.
    let hash = blake3::hash(&photo).to_hex().to_string();
    let at_once = timed.another("at once").await;
    assert!(listed(&at_once.archive).iter().any(|line| line.contains("for ever") && line.ends_with(&hash)));
    for device in [&mut laptop, &mut phone] {
        device.backup().await;
        assert!(!has(&device.archive, "with a photo until Friday"));
    }
    timed.wait(75);
    timed.sweep().await;
    let mut fresh = timed.another("tablet").await;
    for device in [&mut laptop, &mut phone, &mut fresh] {
        assert!(listed(&device.archive).iter().any(|line| line.contains("for ever") && line.ends_with(&hash)));
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
    }
}

/// Many at once go as runs; those with timers among them do not.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_many_keeps_last_days_apart() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    let ends = timed.now() + 2 * DAY;
    let mut importing = laptop.archive.import().unwrap();
    for n in 0..3_000u64 {
        let mut row = message(n, &format!("one of very many, {n}, {}", "and quite long ".repeat(12)));
        if n % 100 == 7 {
            row.fields.set(tag::BODY, format!("short lived {n}.")).set_number(tag::EXPIRES_AT, ends);
        }
        importing.row(&chat(1), row).unwrap();
    }
    importing.finish().unwrap();
    laptop.backup().await;
    let phone = timed.another("phone").await;
    same(&[&laptop, &phone]);
    assert_eq!(listed(&phone.archive).len(), 3_000);
    timed.wait(75);
    timed.sweep().await;
    timed.wait(2);
    timed.sweep().await;
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    assert_eq!(everything.holding(b"short lived"), Vec::<&str>::new());
    laptop.backup().await;
    let mut fresh = timed.another("tablet").await;
    same(&[&laptop, &fresh]);
    assert_eq!(listed(&fresh.archive).len(), 2_970);
    assert!(!fresh.sync().await.disagreed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_another_message_has_stays() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 40, 3_000);
    let photo = photo_bytes(1, 20, 3_000);
    let mut row = message(1_001, "the same photo for a day");
    row.fields.set_number(tag::EXPIRES_AT, timed.now() + DAY);
    attach(&mut row, &photo);
    laptop.archive.record(&chat(1), &row).unwrap();
    laptop.backup().await;
    timed.wait(50);
    laptop.backup().await;
    timed.wait(60);
    laptop.backup().await;
    timed.sweep().await;
    assert!(!has(&laptop.archive, "the same photo for a day"));
    let fresh = timed.another("tablet").await;
    assert!(listed(&fresh.archive).iter().all(|line| !line.ends_with("absent")));
    same(&[&laptop, &fresh]);
}

/// Names a photo of 3,000 bytes as the row's attachment.
fn attach(row: &mut Row, photo: &[u8]) {
    row.set_attachments(&[Attachment {
        name: None,
        mime: None,
        size: Some(3_000),
        role: Role::Photo,
        presence: Presence::Present,
        hash: Some(*blake3::hash(photo).as_bytes()),
        source_ref: None,
        rest: Default::default(),
    }]);
}
