//! Small packs of attachments become fewer, and no photo is lost on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use client::archive::Archive;
use client::env::Hands;
use client::ids::PackId;
use client::sync::{CheckLevel, Inbox, LiveOptions};
use client::vault::{Vault, Where, Work};
use proto::wire::head::{DropReason, HeadClear};
use proto::wire::header::RecordKind;
use service::meta::Meta as _;
use tests::history::{import, listed, photo_bytes};
use tests::jitter::{Draw, Jittery};
use tests::strata::{Stored, caller, object, spoil};
use tests::timed::{Device, Timed};
use tests::times;
use tests::world::{PASSPHRASE, by_passphrase, label, name, register_at};

use crate::dedup::{bring, holds};

const BYTES: usize = 3_000;

fn media_packs(archive: &Archive) -> BTreeSet<PackId> {
    archive.media_packs().unwrap().iter().map(|pack| pack.pack).collect()
}

/// Ways to a service under the runtime's own clock.
fn ways<'a>(timed: &'a Timed, draw: &'a std::sync::Arc<Draw>) -> impl Fn() -> Where + 'a {
    || {
        let mut at = timed.at();
        at.connector = Jittery::new(timed.world.service.service.clone(), draw.clone());
        at.env.hands = Hands::Own;
        at
    }
}

async fn joins(at: Where, device: &str) -> Device {
    Device::install(Vault::login(at, name("ana"), by_passphrase(PASSPHRASE), label(device)).await.unwrap())
}

/// In exchange for some minutes.
async fn watches(device: &mut Device, inbox: &mut Inbox, recorder: &client::sync::Recorder, minutes: u64) {
    let options = LiveOptions::default();
    let (work, mut told) = (Work::quiet(), |_: client::sync::News<'_>| {});
    let watching = device.vault.watch(&mut device.archive, inbox, options, &work, &mut told);
    let ends = async {
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        recorder.release().await;
    };
    tokio::join!(watching, ends).0.unwrap();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn photos_that_come_one_by_one_end_in_an_eighth_of_the_packs() {
    let timed = Timed::new();
    let draw = Draw::new(7);
    let at = ways(&timed, &draw);
    let (joined, _) = register_at(at(), "ana", "laptop").await.unwrap();
    let mut laptop = Device::install(joined);
    let (recorder, mut inbox) = Inbox::new();
    let photos = times(20, 200) as u64;
    let mut seen = BTreeSet::new();
    for n in 0..photos {
        import(&mut laptop.archive, 1, n * 10, n * 10 + 3, BYTES);
        watches(&mut laptop, &mut inbox, &recorder, 6).await;
        assert_eq!(laptop.archive.counts().unwrap().waiting, 1, "it waits for company");
        watches(&mut laptop, &mut inbox, &recorder, 6).await;
        assert_eq!(laptop.archive.counts().unwrap().waiting, 0, "but not for ever, whatever came between");
        seen.extend(media_packs(&laptop.archive));
        timed.wait(24);
        timed.sweep().await;
    }
    assert!(seen.len() as u64 >= photos);
    // What was dropped goes in two days, as a merged run does, and not in the two weeks of what the brake holds.
    timed.wait(49);
    timed.sweep().await;
    let stored = Stored::of(&timed.world, &laptop.vault).await;
    let left: BTreeSet<PackId> = seen.iter().filter(|pack| stored.packs.contains_key(*pack)).copied().collect();
    assert_eq!(left, media_packs(&laptop.archive), "what lies in no pack is not in the bucket");
    assert!(left.len() as u64 <= photos / 8 + 7, "{} packs for {photos} photos", left.len());
    let mut tablet = joins(at(), "tablet").await;
    assert!(tablet.restore().await.is_whole());
    assert_eq!(listed(&tablet.archive), listed(&laptop.archive));
    for device in [&mut laptop, &mut tablet] {
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
        assert_eq!(device.archive.check().unwrap(), Vec::<String>::new());
    }
}

/// Whether a record of the phone stands below the first head of the laptop's that gathers; none where one is missing.
async fn came_first(timed: &Timed, phone: &Device, before: u64) -> Option<bool> {
    let stored = Stored::of(&timed.world, &phone.vault).await;
    let me = phone.vault.session.device.id();
    let since: Vec<_> = stored.entries.iter().filter(|(_, entry)| entry.index >= before).collect();
    let mine = since.iter().find(|(leaf, entry)| {
        leaf.record.header.device == me && leaf.record.header.kind == RecordKind::Events && !entry.body.is_empty()
    });
    let gathers = since.iter().find(|(leaf, entry)| {
        let clear = leaf.record.split_body(&entry.body).ok().filter(|_| leaf.record.header.kind == RecordKind::Head);
        let clear = clear.and_then(|(clear, _)| HeadClear::decode(clear).ok());
        clear.is_some_and(|clear| clear.drops.iter().filter(|drop| drop.reason == DropReason::Merged).count() >= 8)
    });
    Some(mine?.1.index < gathers?.1.index)
}

/// Seven photos lie alone; with the eighth the laptop gathers them while the phone names one of them again.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_photo_used_again_while_it_is_gathered_is_kept() {
    let timed = Timed::new();
    let draw = Draw::new(11 << 32);
    let at = ways(&timed, &draw);
    let (joined, _) = register_at(at(), "ana", "laptop").await.unwrap();
    let mut laptop = Device::install(joined);
    let mut phone = joins(at(), "phone").await;
    let (mut orders, rounds) = ([0; 2], times(30, 400) as u64);
    let mut next = 0;
    for round in 0..rounds {
        while laptop.archive.media_packs().unwrap().len() < 7 {
            import(&mut laptop.archive, 1, next * 10, next * 10 + 1, BYTES);
            next += 1;
            laptop.sync().await;
        }
        phone.sync().await;
        let n = draw.below(next) * 10;
        import(&mut laptop.archive, 1, next * 10, next * 10 + 1, BYTES);
        next += 1;
        // Known by its hash alone, or with its bytes.
        bring(&mut phone.archive, 1_000_000 + round, &photo_bytes(1, n, BYTES), round % 2 == 0);
        let before = timed.world.meta.log_size(&caller(&timed.world, &phone.vault).await).await.unwrap();
        let (first, second) = (draw.below(100), draw.below(5_000));
        let gather = async {
            tokio::time::sleep(Duration::from_millis(first)).await;
            laptop.sync().await
        };
        let use_again = async {
            tokio::time::sleep(Duration::from_millis(second)).await;
            phone.sync().await
        };
        tokio::join!(gather, use_again);
        if let Some(first) = came_first(&timed, &phone, before).await {
            orders[usize::from(first)] += 1;
        }
        laptop.sync().await;
        phone.sync().await;
        assert_eq!(phone.archive.counts().unwrap().waiting, 0, "round {round}: the photo waits");
        phone.restore().await;
        holds(&phone, 1_000_000 + round, &photo_bytes(1, n, BYTES));
        if round % 5 == 4 {
            timed.wait(50);
            timed.sweep().await;
        }
    }
    timed.wait(50);
    timed.sweep().await;
    let mut fresh = joins(at(), "fresh").await;
    assert!(fresh.restore().await.is_whole());
    phone.restore().await;
    laptop.restore().await;
    assert_eq!(listed(&fresh.archive), listed(&laptop.archive));
    assert_eq!(listed(&fresh.archive).iter().filter(|line| line.contains("absent")).count(), 0);
    let level = CheckLevel::Contents { percent: 100 };
    let checked = fresh.vault.check(&mut fresh.archive, level, &Work::quiet()).await.unwrap();
    assert!(checked.ok, "{:?}", checked.problems);
    assert!(orders[0] > 0 && orders[1] > 0, "{orders:?}: both came first");
}

/// Gathering that is broken off at any moment.
#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn gathering_that_is_broken_off_anywhere_ends_alike() {
    let timed = Timed::new();
    let draw = Draw::new(13 << 32);
    let at = ways(&timed, &draw);
    let (joined, _) = register_at(at(), "ana", "laptop").await.unwrap();
    let mut laptop = Device::install(joined);
    let mut phone = joins(at(), "phone").await;
    let (mut broken, mut next) = (0, 0);
    for _ in 0..times(20, 300) {
        for device in [&mut laptop, &mut phone] {
            import(&mut device.archive, 1, next * 10, next * 10 + 1, BYTES);
            next += 1;
            let patience = Duration::from_millis(20 + draw.below(1_500));
            broken += u32::from(tokio::time::timeout(patience, device.try_sync()).await.is_err());
        }
    }
    for _ in 0..2 {
        laptop.sync().await;
        phone.sync().await;
    }
    assert!(broken > 6, "{broken} were broken off");
    assert!(laptop.archive.media_packs().unwrap().len() < 8 + 7);
    timed.wait(50);
    timed.sweep().await;
    for device in [&mut laptop, &mut phone] {
        assert!(device.restore().await.is_whole());
        assert_eq!(device.archive.counts().unwrap().waiting, 0);
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
    }
    assert_eq!(listed(&laptop.archive), listed(&phone.archive));
    assert_eq!(media_packs(&laptop.archive), media_packs(&phone.archive));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_cannot_be_read_stays_and_the_others_are_gathered() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    for n in 0..7 {
        import(&mut laptop.archive, 1, n * 10, n * 10 + 1, BYTES);
        laptop.sync().await;
    }
    let (account, before) = (laptop.vault.session.identity.account, media_packs(&laptop.archive));
    let spoilt = *before.first().unwrap();
    let whole = object(&timed.world, &account, spoilt).await.unwrap();
    let mut bytes = whole.clone();
    bytes.iter_mut().take(BYTES).for_each(|byte| *byte ^= 1);
    spoil(&timed.world, &account, spoilt, Some(&bytes)).await;
    for n in 7..9 {
        import(&mut laptop.archive, 1, n * 10, n * 10 + 1, BYTES);
        laptop.sync().await;
    }
    let after = media_packs(&laptop.archive);
    assert!(after.len() == 2 && after.contains(&spoilt), "eight that can be read are one");
    timed.wait(50);
    timed.sweep().await;
    // Whoever has a good copy of its bytes puts it back.
    spoil(&timed.world, &account, spoilt, Some(&whole)).await;
    let fresh = timed.another("tablet").await;
    assert_eq!(listed(&fresh.archive), listed(&laptop.archive));
}

/// Eight packs of a MiB, a third of which is padding: more than the brake lets go in a day, were it not for what stays.
#[tokio::test(flavor = "multi_thread")]
async fn the_brake_has_nothing_to_hold_where_packs_are_gathered() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    for n in 0..7 {
        import(&mut laptop.archive, 1, n * 10, n * 10 + 1, 690_000);
        laptop.sync().await;
    }
    let mut small = media_packs(&laptop.archive);
    assert_eq!(small.len(), 7);
    import(&mut laptop.archive, 1, 70, 71, 690_000);
    laptop.sync().await;
    let after = media_packs(&laptop.archive);
    assert!(after.is_disjoint(&small) && after.len() < 5, "{} packs", after.len());
    // Its author agrees with the head by the next record.
    import(&mut laptop.archive, 1, 81, 82, 0);
    laptop.sync().await;
    timed.wait(50);
    timed.sweep().await;
    let stored = Stored::of(&timed.world, &laptop.vault).await;
    small.retain(|pack| stored.packs.contains_key(pack));
    assert_eq!(small, BTreeSet::new(), "they went as merged runs go");
}
