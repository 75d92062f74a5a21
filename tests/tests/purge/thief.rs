//! Somebody with an unlocked device deletes everything: it is hidden, kept for two weeks, and comes back.

use client::archive::{Acting, Deletion};
use client::env::SystemEntropy;
use tests::history::{chat, import, listed};
use tests::timed::{Device, Timed};

use crate::everything::Everything;

const TEXT: &[u8] = b"message 20 of chat 1";

/// An account of two devices, one of which has deleted every message.
async fn robbed(timed: &Timed) -> (Device, Device, Vec<String>) {
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 150, 3_000);
    laptop.backup().await;
    let mut phone = timed.another("phone").await;
    let before = listed(&laptop.archive);
    let id = phone.archive.chat_id(&chat(1));
    let mut acting = Acting { now: timed.now(), entropy: &mut SystemEntropy };
    assert_eq!(phone.archive.delete_chat(&id, None, &mut acting, |_| true).unwrap(), 150);
    phone.sync().await;
    laptop.sync().await;
    assert_eq!(listed(&laptop.archive), Vec::<String>::new());
    (laptop, phone, before)
}

fn deletions(device: &Device, now: i64) -> Vec<Deletion> {
    device.archive.deletions(now, &device.vault.session.device.id()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thief_deletes_is_kept_two_weeks_and_comes_back() {
    let timed = Timed::new();
    let (mut laptop, mut phone, before) = robbed(&timed).await;
    for _ in 0..13 {
        timed.wait(24);
        phone.backup().await;
        laptop.backup().await;
        timed.sweep().await;
        assert!(!Everything::of(&timed.world, &laptop.vault).await.holding(TEXT).is_empty());
    }
    let all = deletions(&laptop, timed.now());
    assert!(all.len() == 150 && all.iter().all(Deletion::is_held));
    let mut acting = Acting { now: timed.now(), entropy: &mut SystemEntropy };
    let undone = laptop.archive.undelete(&all, timed.now(), &mut acting).unwrap();
    assert_eq!((undone.undone, undone.late), (150, 0));
    laptop.sync().await;
    timed.wait(20 * 24);
    phone.backup().await;
    laptop.backup().await;
    timed.sweep().await;
    let fresh = timed.another("tablet").await;
    for device in [&laptop, &phone, &fresh] {
        assert_eq!(listed(&device.archive), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_back_goes_after_two_weeks() {
    let timed = Timed::new();
    let (mut laptop, mut phone, _) = robbed(&timed).await;
    timed.wait(15 * 24);
    laptop.backup().await;
    phone.backup().await;
    timed.wait(2);
    timed.sweep().await;
    assert_eq!(Everything::of(&timed.world, &laptop.vault).await.holding(TEXT), Vec::<&str>::new());
    assert_eq!(deletions(&laptop, timed.now()), Vec::<Deletion>::new());
}
