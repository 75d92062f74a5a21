//! Two at once, lost answers, and tokens that end: what is repeated, and that nothing happens twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use client::archive::Note;
use client::env::{Clock, Env, Hands, SharedEntropy, SystemEntropy};
use client::error::Error;
use client::vault::{CallError, Vault, Where};
use proto::v1;

use crate::liar::{Liar, ToLiar};
use tests::world::{
    PASSPHRASE, Place, SERVER, World, by_kit, by_passphrase, label, name, passphrase, reached_by, refused, register_at,
};

/// A clock that moves only when told.
#[derive(Clone)]
struct Moved(Arc<AtomicU64>);

impl Clock for Moved {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Another device that joins while somebody is about to append.
fn joining(world: &World, device: &'static str) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    let at = world.at();
    Box::pin(async move {
        Vault::login(at, name("ana"), by_passphrase(PASSPHRASE), label(device)).await.unwrap();
    })
}

async fn login_by(way: &Arc<ToLiar>, device: &str) -> client::error::Result<client::vault::Joined> {
    // In a task of its own: embedders move these futures between threads.
    let login = Vault::login(reached_by(way.clone()), name("ana"), by_passphrase(PASSPHRASE), label(device));
    tokio::spawn(login).await.unwrap()
}

#[tokio::test]
async fn who_was_overtaken_plans_again_on_the_newer_roster() {
    let world = World::new();
    world.register("ana", "laptop").await;
    let (liar, way) = Liar::before(&world).await;
    liar.state().first = vec![joining(&world, "second"), joining(&world, "first")];
    let phone = Place::new().install(login_by(&way, "phone").await.unwrap());
    let names: Vec<_> = phone.devices().into_iter().map(|d| d.name).collect();
    assert_eq!(names, ["laptop", "first", "second", "phone"]);
    let appends = liar.state().appends.clone();
    assert_eq!(appends.len(), 3);
    assert!(appends[0] != appends[1] && appends[1] != appends[2]);
}

#[tokio::test]
async fn who_is_overtaken_for_ever_gives_up_and_may_come_back() {
    let world = World::new();
    world.register("ana", "laptop").await;
    let (liar, way) = Liar::before(&world).await;
    liar.state().first = vec![joining(&world, "third"), joining(&world, "second"), joining(&world, "first")];
    let error = refused(login_by(&way, "phone").await);
    assert!(error.is_retryable() && error.retry_after().is_some(), "{error}");
    assert_eq!(liar.state().appends.len(), 3);
}

#[tokio::test]
async fn a_roster_whose_answer_is_lost_is_sent_again_byte_by_byte() {
    let world = World::new();
    world.register("ana", "laptop").await;
    let (liar, way) = Liar::before(&world).await;
    liar.state().lost = 2;
    let phone = Place::new().install(login_by(&way, "phone").await.unwrap());
    assert_eq!((phone.devices().len(), phone.ring.roster().version, phone.ring.index), (2, 2, 1));
    let appends = liar.state().appends.clone();
    assert_eq!(appends.len(), 3);
    assert!(appends.iter().all(|a| *a == appends[0]));
    // With no answer at all, the device says so; whether it joined cannot be known.
    liar.state().lost = 100;
    assert_eq!(refused(login_by(&way, "tablet").await).exit(), 20);
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_sent_again_byte_by_byte() {
    let world = World::new();
    let (liar, way) = Liar::before(&world).await;
    liar.state().lost = 2;
    let (joined, kit) = register_at(reached_by(way), "ana", "laptop").await.unwrap();
    let sent = liar.state().registrations.clone();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|s| *s == sent[0]));
    let phone = world.login("ana", by_kit(&kit), "phone").await.unwrap();
    assert_eq!(phone.identity().account, joined.identity().account);
}

#[tokio::test]
async fn slots_that_no_roster_names_are_not_kept() {
    let world = World::new();
    world.register("ana", "laptop").await;
    let (liar, way) = Liar::before(&world).await;
    liar.state().other_slots = true;
    let place = Place::new();
    let phone = place.install(login_by(&way, "phone").await.unwrap());
    assert!(phone.reader().unwrap().note(Note::Slots).unwrap().is_none());
    // An act that replaces a slot keeps what it made itself.
    let mut phone = place.open(&world).unwrap();
    let mut archive = phone.archive().unwrap();
    let new = passphrase("nine herons fold silver maps");
    phone.change_passphrase(&mut archive, by_passphrase(PASSPHRASE), new).await.unwrap();
    assert!(archive.note(Note::Slots).unwrap().is_some());
}

async fn opens(vault: &Vault) -> Result<u64, CallError> {
    let answer = vault.session.call(|remote, token| async move {
        let request = v1::OpenRequest { client_version: "0.1.0".into(), ..Default::default() };
        remote.open(&token, request).await
    });
    answer.await.map(|opened| opened.log.unwrap().size)
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_when_the_roster_has_moved() {
    let world = World::new();
    let (liar, way) = Liar::before(&world).await;
    let clock = Moved(Arc::new(AtomicU64::new(1_700_000_000_000)));
    let env = Env { clock: Arc::new(clock.clone()), entropy: SharedEntropy::new(SystemEntropy), hands: Hands::Threads };
    let (joined, _) = register_at(Where { env, ..reached_by(way) }, "ana", "laptop").await.unwrap();
    let laptop = Place::new().install(joined);
    let tokens = || liar.state().tokens;
    for _ in 0..3 {
        assert_eq!(opens(&laptop).await.unwrap(), 1);
    }
    assert_eq!(tokens(), 1, "one token for many calls");
    clock.0.fetch_add(54 * 60 * 1000, Ordering::Relaxed);
    opens(&laptop).await.unwrap();
    assert_eq!(tokens(), 1);
    clock.0.fetch_add(60 * 1000, Ordering::Relaxed);
    opens(&laptop).await.unwrap();
    assert_eq!(tokens(), 2, "five minutes before its end");
    joining(&world, "phone").await;
    assert_eq!(opens(&laptop).await.unwrap(), 2);
    assert_eq!(tokens(), 3, "a roster ends every token; the call was repeated with a new one");
}

#[tokio::test]
async fn a_device_whose_signature_is_not_taken_is_not_told_of_passphrases() {
    let world = World::new();
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = Place::new().install(joined);
    laptop.session.identity.server_name = "another.test".to_owned();
    let error = laptop.session.token().await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Refused(_)) && error.to_string().contains(SERVER), "{error}");
}

/// Every future of the vault may be moved between threads.
#[tokio::test]
async fn acts_can_run_in_any_task() {
    fn sends<T: Send>(future: T) -> T {
        future
    }
    let world = World::new();
    let place = Place::new();
    let (joined, kit) = world.register("ana", "laptop").await;
    let mut laptop = place.install(joined);
    let mut archive = laptop.archive().unwrap();
    let nobody = client::ids::DeviceId([1; 32]);
    let new = || passphrase("nine herons fold silver maps");
    refused(sends(laptop.revoke(&mut archive, &nobody, by_kit(&kit))).await);
    sends(laptop.change_passphrase(&mut archive, by_kit(&kit), new())).await.unwrap();
    sends(laptop.rotate_root(&mut archive, by_kit(&kit), new(), false)).await.unwrap();
    sends(laptop.check_passphrase(new())).await.unwrap();
    sends(laptop.leave(&mut archive)).await.unwrap();
}
