//! Two devices and a service in this process.

use std::time::{Duration, Instant};

use client::sync::CheckLevel;
use client::vault::Work;
use tests::history::{chat, import, listed, message};
use tests::world::{PASSPHRASE, Place, World, by_passphrase, device};

use crate::device::{Heard, Watching};

/// Two devices of one account, in exchange.
async fn pair(world: &World, photo: usize) -> (Watching, Watching) {
    let (joined, _) = world.register("ana", "laptop").await;
    let place = Place::new();
    let laptop = place.install(joined);
    let mut archive = laptop.archive().unwrap();
    import(&mut archive, 7, 0, 40, photo);
    let laptop = Watching::begin(place, laptop, archive).level().await;
    let place = Place::new();
    let phone = place.install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
    let archive = phone.archive().unwrap();
    let phone = Watching::begin(place, phone, archive).level().await;
    phone.has(&chat(7), 40).await;
    // The new roster ended its stream; it has read it since.
    (laptop.level().await, phone)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_write_at_once_read_each_other() {
    let world = World::new();
    let (laptop, phone) = pair(&world, 0).await;
    let writes = |device: &Watching, from: u64| {
        let recorder = device.recorder.clone();
        tokio::spawn(async move {
            let burst = (from..from + 100).map(|n| recorder.record(chat(1), message(n, &format!("message {n}"))));
            let ids = futures_all(burst).await;
            for n in from + 100..from + 120 {
                recorder.record(chat(1), message(n, &format!("message {n}"))).await.unwrap();
            }
            ids
        })
    };
    let (one, two) = (writes(&laptop, 0), writes(&phone, 1000));
    let ids = [one.await.unwrap(), two.await.unwrap()].concat();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 200);
    laptop.has(&chat(1), 240).await;
    phone.has(&chat(1), 240).await;
    let (_one, mut vault, mut archive) = laptop.released().await;
    let (_two, _, other) = phone.stopped().await;
    assert_eq!(listed(&archive), listed(&other));
    assert_eq!(archive.digest().unwrap().hash(), other.digest().unwrap().hash());
    assert!(archive.outbox().unwrap().is_empty() && other.outbox().unwrap().is_empty());
    let mut records = 0;
    archive
        .each_tail(|_, _| {
            records += 1;
            Ok(())
        })
        .unwrap();
    assert!((40..120).contains(&records), "a burst travels together: {records} records for 240 messages");
    let checked = vault.check(&mut archive, CheckLevel::Contents { percent: 100 }, &Work::quiet()).await.unwrap();
    assert!(checked.ok, "{:?}", checked.problems);
}

async fn futures_all<T>(calls: impl Iterator<Item = impl Future<Output = client::error::Result<T>>>) -> Vec<T> {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        calls.retain_mut(|call| match call.as_mut().poll(cx) {
            std::task::Poll::Ready(answer) => {
                done.push(answer.unwrap());
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_told_again_or_too_long_for_a_row_is_kept_once_and_whole() {
    let world = World::new();
    let (laptop, phone) = pair(&world, 0).await;
    let first = laptop.recorder.record(chat(1), message(1, "once")).await.unwrap();
    phone.has(&chat(1), 1).await;
    assert_eq!(laptop.recorder.record(chat(1), message(1, "once")).await.unwrap(), first);
    let long = "a long text ".repeat(4_000);
    laptop.recorder.record(chat(1), message(2, &long)).await.unwrap();
    phone.has(&chat(1), 2).await;
    assert_eq!(laptop.texts(&chat(1)), ["once", &long]);
    assert!(phone.texts(&chat(1))[1].starts_with("a long text a long"), "its beginning stands in the row");
    let refused = laptop.recorder.record(chat(1), message(3, "x")).await;
    assert!(refused.is_ok());
    phone.has(&chat(1), 3).await;
    assert_eq!(phone.texts(&chat(1)).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_does_not_wait_for_attachments_and_they_arrive_after_all() {
    let world = World::new();
    let (mut laptop, phone) = pair(&world, 400_000).await;
    // Two rests lie between: the photos are on their way at some of these moments.
    for n in 0..60 {
        laptop.recorder.record(chat(1), message(n, "meanwhile")).await.unwrap();
        phone.has(&chat(1), n as usize + 1).await;
        tokio::time::sleep(Duration::from_millis(if n % 20 == 19 { 4_200 } else { 30 })).await;
    }
    let begun = Instant::now();
    while laptop.reader.counts().unwrap().waiting > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "photos wait");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    laptop.until(|heard| matches!(heard, Heard::Sent(_))).await;
    let (_place, mut vault, mut archive) = phone.released().await;
    let restored = vault.restore(&mut archive, &Default::default(), &Work::quiet()).await.unwrap();
    assert!(restored.is_whole() && restored.attachments == 4, "{restored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_hears_of_it_at_once_and_the_other_goes_on() {
    let world = World::new();
    let (laptop, phone) = pair(&world, 0).await;
    let (place, mut vault, mut archive) = laptop.released().await;
    let lost = device(&vault, "phone");
    let begun = Instant::now();
    vault.revoke(&mut archive, &lost, by_passphrase(PASSPHRASE)).await.unwrap();
    let error = phone.failed().await;
    assert_eq!(error.code(), "E_DEVICE_REVOKED");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let mut laptop = Watching::begin(place, vault, archive).level().await;
    laptop.recorder.record(chat(1), message(1, "still here")).await.unwrap();
    laptop.until(|heard| heard == Heard::Sent(1)).await;
}
