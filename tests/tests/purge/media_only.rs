//! Attachments deleted by themselves: their bytes leave every place, and their messages stay.

use client::archive::{Acting, Deleting};
use client::sync::CheckLevel;
use client::vault::Work;
use tests::history::{import, listed, photo_bytes};
use tests::timed::{Device, Timed};

use crate::everything::Everything;
use crate::gone::find;

fn delete_media(device: &mut Device, timed: &Timed, text: &str) {
    let message = find(&device.archive, text);
    let mut entropy = device.vault.session.env.entropy.clone();
    let mut acting = Acting { now: timed.now(), entropy: &mut entropy };
    assert_eq!(device.archive.delete_of(&[message], Deleting::Media, &mut acting).unwrap(), 1);
}

fn undelete(device: &mut Device, timed: &Timed) -> u64 {
    let me = device.vault.session.device.id();
    let all = device.archive.deletions(timed.now(), &me).unwrap();
    let mut entropy = device.vault.session.env.entropy.clone();
    let mut acting = Acting { now: timed.now(), entropy: &mut entropy };
    device.archive.undelete(&all, timed.now(), &mut acting).unwrap().undone
}

#[tokio::test(flavor = "multi_thread")]
async fn its_bytes_are_in_no_object_a_day_later_and_the_message_is() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 60, 3_000);
    laptop.backup().await;
    let mut phone = timed.another("phone").await;
    let before = listed(&laptop.archive);
    let [photo, other] = [20, 30].map(|n| photo_bytes(1, n, 3_000));
    // Undone in time it is as it was.
    delete_media(&mut laptop, &timed, "message 20 of chat 1");
    laptop.backup().await;
    phone.sync().await;
    assert_eq!(listed(&phone.archive), listed(&laptop.archive));
    assert_ne!(listed(&phone.archive), before);
    timed.wait(20);
    assert_eq!(undelete(&mut phone, &timed), 1);
    phone.sync().await;
    laptop.sync().await;
    timed.wait(30);
    laptop.sync().await;
    for device in [&laptop, &phone] {
        assert_eq!(listed(&device.archive), before);
    }

    delete_media(&mut phone, &timed, "message 20 of chat 1");
    phone.sync().await;
    laptop.sync().await;
    timed.wait(23);
    laptop.sync().await;
    timed.sweep().await;
    assert!(!Everything::of(&timed.world, &laptop.vault).await.holding(&photo).is_empty(), "it can be undone");
    timed.wait(2);
    laptop.sync().await;
    timed.wait(2);
    timed.sweep().await;
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    assert_eq!(everything.holding(&photo), Vec::<&str>::new());
    assert!(!everything.holding(&other).is_empty(), "what lay beside it is there");
    assert!(!everything.holding(b"message 20 of chat 1").is_empty(), "and the text");

    phone.sync().await;
    let mut fresh = timed.another("tablet").await;
    // Imported again it stays away, here and in the vault.
    import(&mut laptop.archive, 1, 0, 60, 3_000);
    assert_eq!(laptop.backup().await.attachments_waiting, 0);
    timed.wait(2);
    timed.sweep().await;
    assert_eq!(Everything::of(&timed.world, &laptop.vault).await.holding(&photo), Vec::<&str>::new());
    let hash = blake3::hash(&photo).to_hex().to_string();
    for device in [&mut laptop, &mut phone] {
        assert_eq!(undelete(device, &timed), 0, "it is over");
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
        assert_eq!(device.archive.check().unwrap(), Vec::<String>::new());
    }
    phone.sync().await;
    fresh.sync().await;
    for device in [&laptop, &phone, &fresh] {
        let lines = listed(&device.archive);
        assert_eq!(lines.len(), before.len());
        let changed: Vec<_> = lines.iter().filter(|line| !before.contains(line)).collect();
        assert!(changed.len() == 1 && changed[0].contains("message 20 of chat 1") && changed[0].ends_with(" absent"));
        assert!(lines.iter().all(|line| !line.contains(&hash)));
        let bytes = device.archive.media_bytes().unwrap();
        assert_eq!(bytes, 5 * 3_000, "one of six photos has gone from this device");
        assert_eq!(device.archive.digest().unwrap().hash(), laptop.archive.digest().unwrap().hash());
    }
}
