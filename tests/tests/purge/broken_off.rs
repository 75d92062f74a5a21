//! Purges that are broken off at any moment.

use std::time::Duration;

use client::env::Hands;
use client::sync::CheckLevel;
use client::vault::{Vault, Where, Work};
use tests::history::{import, listed, photo_bytes};
use tests::jitter::{Draw, Jittery};
use tests::timed::{Device, Timed};
use tests::times;
use tests::world::{PASSPHRASE, by_passphrase, label, name, register_at};

use crate::everything::Everything;
use crate::gone::delete;

async fn broken_off(seed: u64) -> u32 {
    let timed = Timed::new();
    let draw = Draw::new(seed << 32 | 1);
    let at = || -> Where {
        let mut at = timed.at();
        at.connector = Jittery::new(timed.world.service.service.clone(), draw.clone());
        at.env.hands = Hands::Own;
        at
    };
    let (joined, _) = register_at(at(), "ana", "laptop").await.unwrap();
    let mut laptop = Device::install(joined);
    import(&mut laptop.archive, 1, 0, 60, 3_000);
    laptop.backup().await;
    let joined = Vault::login(at(), name("ana"), by_passphrase(PASSPHRASE), label("phone")).await.unwrap();
    let mut phone = Device::install(joined);
    assert!(phone.restore().await.is_whole());
    for n in [10, 11, 30] {
        delete(&mut laptop.archive, &format!("message {n} of chat 1"), timed.now());
    }
    laptop.sync().await;
    timed.wait(25);
    let mut broken = 0;
    for turn in 0..6 {
        let device = if turn % 2 == 0 { &mut laptop } else { &mut phone };
        let patience = Duration::from_millis(50 + draw.below(1_300));
        let done = tokio::time::timeout(patience, device.try_sync()).await;
        match done {
            Ok(done) => drop(done.unwrap()),
            Err(_) => broken += 1,
        }
    }
    for _ in 0..2 {
        laptop.sync().await;
        phone.sync().await;
    }
    timed.wait(2);
    timed.sweep().await;
    let everything = Everything::of(&timed.world, &laptop.vault).await;
    for n in [10, 11, 30] {
        let text = format!("message {n} of chat 1");
        assert_eq!(everything.holding(text.as_bytes()), Vec::<&str>::new(), "seed {seed}");
        if n % 10 == 0 {
            assert_eq!(everything.holding(&photo_bytes(1, n, 3_000)), Vec::<&str>::new(), "seed {seed}");
        }
    }
    assert!(!everything.holding(&photo_bytes(1, 20, 3_000)).is_empty(), "seed {seed}: what lived beside it is there");
    for device in [&mut laptop, &mut phone] {
        assert_eq!(listed(&device.archive).len(), 57, "seed {seed}");
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "seed {seed}: {:?}", checked.problems);
        assert_eq!(device.archive.check().unwrap(), Vec::<String>::new(), "seed {seed}");
    }
    assert_eq!(laptop.archive.digest().unwrap().hash(), phone.archive.digest().unwrap().hash(), "seed {seed}");
    broken
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_purge_that_is_broken_off_anywhere_ends_alike() {
    let mut broken = 0;
    for seed in 0..times(12, 200) as u64 {
        broken += broken_off(seed).await;
    }
    assert!(broken > 6, "{broken} were broken off");
}
