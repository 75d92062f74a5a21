//! By whose clock a timer ends.

use std::sync::Arc;

use client::env::{Clock, Env};
use client::vault::Vault;
use tests::history::import;
use tests::timed::{Device, Timed};
use tests::world::{PASSPHRASE, by_passphrase, label, name};

use crate::gone::{DAY, has, say};

struct Fixed(u64);

impl Clock for Fixed {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

async fn at(timed: &Timed, name_of: &str, now_ms: u64) -> Device {
    let mut at = timed.at();
    at.env = Env { clock: Arc::new(Fixed(now_ms)), ..at.env };
    let joined = Vault::login(at, name("ana"), by_passphrase(PASSPHRASE), label(name_of)).await.unwrap();
    let mut device = Device::install(joined);
    device.restore().await;
    device
}

#[tokio::test(flavor = "multi_thread")]
async fn a_devices_clock_expires_nothing_early() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 10, 0);
    say(&mut laptop.archive, 1_001, "there until Friday", timed.now() + 2 * DAY, 0);
    laptop.backup().await;
    // The years 2099 and 1970.
    let mut ahead = at(&timed, "ahead", 4_070_908_800_000).await;
    let mut behind = at(&timed, "behind", 86_400_000).await;
    for device in [&mut ahead, &mut behind] {
        device.sync().await;
        device.backup().await;
        assert!(has(&device.archive, "there until Friday"));
    }
    laptop.sync().await;
    assert!(has(&laptop.archive, "there until Friday"));
    assert!(has(&timed.another("fresh").await.archive, "there until Friday"));

    timed.wait(74);
    timed.sweep().await;
    // Each goes on, and what one has let go of and another has not sets nobody against anybody.
    for device in [&mut ahead, &mut behind, &mut laptop] {
        assert!(!device.sync().await.disagreed);
        assert!(!device.backup().await.disagreed);
    }
    for device in [&mut ahead, &mut behind, &mut laptop] {
        assert!(!device.sync().await.disagreed);
    }
    assert!(!has(&ahead.archive, "there until Friday"));
    assert!(has(&behind.archive, "there until Friday"), "what is told is far ahead of its own clock");
    assert!(!has(&laptop.archive, "there until Friday"));
    assert!(!has(&timed.another("late").await.archive, "there until Friday"));
}
