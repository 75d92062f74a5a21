//! Time and number: codes expire by the service's clock, and an account has few of them at once.

use std::sync::Arc;

use client::crypto::pairing::PairingCode;
use client::error::Error;
use client::vault::{Vault, Where, Work};
use service::env::{Clock as _, SystemClock};
use service::rpc::{Registration, Settings};
use service::testkit::{InProcess, ManualClock};
use tests::world::{PASSPHRASE, Pipes, Place, SERVER, by_passphrase, label, reached_by, refused, register_at};

use crate::pair::{joins, said};

const MINUTE: u64 = 60_000;

struct Timed {
    clock: Arc<ManualClock>,
    service: Arc<InProcess>,
    laptop: Vault,
    _place: Place,
}

impl Timed {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
        let settings = Settings {
            server_name: SERVER.to_owned(),
            registration: Registration::Open,
            auth_per_minute: 10_000,
            ..Settings::default()
        };
        let service = Arc::new(InProcess::on_memory_at(settings, clock.clone()));
        let place = Place::new();
        let (joined, _) = register_at(reached_by(Arc::new(Pipes(service.clone()))), "ana", "laptop").await.unwrap();
        Self { clock, service, laptop: place.install(joined), _place: place }
    }

    fn at(&self) -> Where {
        reached_by(Arc::new(Pipes(self.service.clone())))
    }

    async fn tried(&self, code: PairingCode) -> Error {
        refused(Vault::join(self.at(), code, label("phone"), &Work::quiet()).await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_for_ten_minutes() {
    let mut timed = Timed::new().await;
    let linking = timed.laptop.link().await.unwrap();
    let code = said(&linking);
    timed.clock.advance(10 * MINUTE);
    assert!(matches!(timed.tried(code).await, Error::PairingFailed));
    assert!(matches!(refused(linking.meet(&Work::quiet()).await), Error::PairingFailed), "the laptop is told too");

    // One begun in time ends in time, or not at all.
    let linking = timed.laptop.link().await.unwrap();
    timed.clock.advance(10 * MINUTE - 1000);
    let phone = tokio::spawn(joins(timed.at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    timed.clock.advance(2000);
    let mut archive = timed.laptop.archive().unwrap();
    let late = timed.laptop.admit(&mut archive, newcomer, &by_passphrase(PASSPHRASE)).await;
    assert!(matches!(refused(late), Error::PairingFailed));
    assert!(matches!(phone.await.unwrap(), Err(Error::PairingFailed)));
    assert_eq!(timed.laptop.devices().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_asked_for_again_and_again_push_out_the_oldest_alone() {
    let timed = Timed::new().await;
    let other = Place::new();
    let bob = other.install(register_at(timed.at(), "bob", "tower").await.unwrap().0);
    let theirs = bob.link().await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..20 {
        timed.clock.advance(1);
        codes.push(timed.laptop.link().await.unwrap());
    }
    let numbers: std::collections::BTreeSet<u32> = codes.iter().map(|linking| said(linking).number()).collect();
    assert!(numbers.len() > 15 && numbers.iter().all(|n| (100..1000).contains(n)), "{numbers:?}");
    assert!(matches!(timed.tried(said(&codes[16])).await, Error::PairingFailed));
    for linking in [codes.pop().unwrap(), theirs] {
        let phone = tokio::spawn(joins(timed.at(), said(&linking), "phone"));
        linking.meet(&Work::quiet()).await.unwrap().refuse().await;
        assert!(matches!(phone.await.unwrap(), Err(Error::PairingFailed)));
    }
}
