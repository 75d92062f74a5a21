//! A record that went out before it was kept, from a process that ended in between.

use client::error::Error;
use client::vault::Work;
use tests::history::{chat, import, message};
use tests::world::{Place, World};

use crate::device::{Heard, Watching};

/// A home as it is in live exchange, and what became of it after so many messages. A copy of it made before stands for
/// the disk of a device whose process ended after the record was sent and before it was kept.
async fn after(world: &World, messages: u64) -> (Watching, Place) {
    let (joined, _) = world.register("ana", "laptop").await;
    let place = Place::new();
    let laptop = place.install(joined);
    let mut archive = laptop.archive().unwrap();
    import(&mut archive, 7, 0, 5, 0);
    let mut laptop = Watching::begin(place, laptop, archive).level().await;
    laptop.recorder.record(chat(1), message(0, "kept")).await.unwrap();
    laptop.until(|heard| heard == Heard::Sent(1)).await;
    let before = laptop.place.copied();
    for n in 1..=messages {
        laptop.recorder.record(chat(1), message(n, "went out")).await.unwrap();
        laptop.until(|heard| heard == Heard::Sent(1)).await;
    }
    (laptop, before)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_knows_its_record_by_the_ticket_though_it_did_not_keep_it() {
    let world = World::new();
    let (laptop, crashed) = after(&world, 1).await;
    drop(laptop.stopped().await);
    let mut again = crashed.open(&world).unwrap();
    let mut archive = again.archive().unwrap();
    again.sync(&mut archive, &Work::quiet()).await.unwrap();
    let laptop = Watching::begin(crashed, again, archive).level().await;
    assert_eq!(laptop.texts(&chat(1)), ["kept", "went out"]);
    // It goes on behind it, and everything is as if nothing had happened.
    laptop.recorder.record(chat(1), message(9, "and on")).await.unwrap();
    let (_place, mut vault, mut archive) = laptop.released().await;
    vault.sync(&mut archive, &Work::quiet()).await.unwrap();
    assert!(archive.outbox().unwrap().is_empty());
}

/// Two copies of a device have one ticket in common: a second record is another's.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_told_by_the_second_record_at_the_latest() {
    let world = World::new();
    let (laptop, copied) = after(&world, 2).await;
    drop(laptop.stopped().await);
    let mut copy = copied.open(&world).unwrap();
    let mut archive = copy.archive().unwrap();
    let ended = copy.sync(&mut archive, &Work::quiet()).await;
    assert!(matches!(ended, Err(Error::DeviceCloned)), "{:?}", ended.map(|_| ()));
}
