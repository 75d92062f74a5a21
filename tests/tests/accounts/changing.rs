//! What needs the account's root: revoking, new secrets; and leaving, which needs none.

use std::collections::BTreeSet;

use client::archive::Note;
use client::crypto::{RecoveryKey, seal_record};
use client::error::Error;
use client::log::LogState;
use client::vault::{CallError, DeviceStanding, Ring, Slots, Vault, set_left};
use proto::v1;
use proto::v1::refusal::Reason;
use proto::wire::events::EventsClear;
use proto::wire::header::{Header, RecordKind};
use proto::wire::roster::SlotKind;
use service::meta::{Meta, UserChange};

use tests::world::{PASSPHRASE, Place, World, again, by_kit, by_passphrase, copied, device, name, passphrase, refused};

const NEW: &str = "nine herons fold silver maps";

/// An account with a laptop and a phone.
struct Pair {
    world: World,
    laptop: Vault,
    phone: Vault,
    kit: RecoveryKey,
    /// To be held as long as their vaults: a place that is dropped takes its folder away.
    places: [Place; 2],
}

impl Pair {
    async fn new() -> Self {
        let world = World::new();
        let places = [Place::new(), Place::new()];
        let (joined, kit) = world.register("ana", "laptop").await;
        let laptop = places[0].install(joined);
        let phone = places[1].install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
        Self { world, laptop, phone, kit, places }
    }
}

/// The service's word on a call that any signed-in device may make.
async fn admits(vault: &Vault) -> Result<u64, Option<Reason>> {
    let answer = vault.session.call(|remote, token| {
        let request = v1::OpenRequest { client_version: "0.1.0".into(), ..Default::default() };
        async move { remote.open(&token, request).await }
    });
    match answer.await {
        Ok(opened) => Ok(opened.log.unwrap().size),
        Err(CallError::Refused(refused)) => Err(Some(refused.reason)),
        Err(_) => Err(None),
    }
}

#[tokio::test]
async fn a_revoked_device_is_shut_out_of_calls_and_of_the_new_epoch() {
    let Pair { world, mut laptop, phone, places, .. } = Pair::new().await;
    assert_eq!(admits(&phone).await, Ok(2));
    let gone = phone.session.device.id();
    let mut archive = laptop.archive().unwrap();
    let wrong = refused(laptop.revoke(&mut archive, &gone, by_passphrase(NEW)).await);
    assert!(matches!(wrong, Error::WrongPassphrase { .. }));
    assert_eq!(admits(&phone).await, Ok(2), "a wrong passphrase changes nothing");

    // The laptop learns of the phone as it proves its secret: the phone joined after the laptop's roster.
    laptop.revoke(&mut archive, &gone, by_passphrase(PASSPHRASE)).await.unwrap();
    let states: Vec<_> = laptop.devices().into_iter().map(|d| (d.id == gone, d.state, d.current)).collect();
    assert_eq!(states, [(false, DeviceStanding::Active, true), (true, DeviceStanding::Revoked, false)]);
    assert_eq!(laptop.ring.keyring().epoch(), 1);
    drop(archive);

    assert_eq!(admits(&phone).await, Err(Some(Reason::DeviceGone)), "its token was good an instant before");
    assert!(Ring::open(&laptop.ring.encode(), &copied(&phone)).is_err());
    assert!(Ring::open(&laptop.ring.encode(), &copied(&laptop)).is_ok());
    // The one that stays is admitted still, in this process and after the next start.
    assert_eq!(admits(&laptop).await, Ok(3));
    let reopened = places[0].open(&world).unwrap();
    assert_eq!(reopened.ring.roster(), laptop.ring.roster());
    assert_eq!(reopened.devices(), laptop.devices());
    // A body sealed in the epoch before still opens in the one after: the phone's own joining.
    let phone_ring = &phone.ring;
    assert!(reopened.ring.open_body(&phone_ring.record, &phone_ring.body).is_ok());
    assert!(phone_ring.open_body(&reopened.ring.record, &reopened.ring.body).is_err());
}

#[tokio::test]
async fn only_another_active_device_can_be_revoked() {
    let Pair { mut laptop, phone, places: _kept, .. } = Pair::new().await;
    let mut archive = laptop.archive().unwrap();
    let own = laptop.session.device.id();
    let nobody = client::ids::DeviceId([7; 32]);
    assert_eq!(refused(laptop.revoke(&mut archive, &own, by_passphrase(PASSPHRASE)).await).exit(), 17);
    assert_eq!(refused(laptop.revoke(&mut archive, &nobody, by_passphrase(PASSPHRASE)).await).exit(), 14);
    let gone = phone.session.device.id();
    laptop.revoke(&mut archive, &gone, by_passphrase(PASSPHRASE)).await.unwrap();
    assert_eq!(refused(laptop.revoke(&mut archive, &gone, by_passphrase(PASSPHRASE)).await).exit(), 14);
    // A device that was revoked revokes nobody.
    let Pair { laptop, mut phone, places: _kept, .. } = Pair::new().await;
    let mut archive = phone.archive().unwrap();
    let first = device(&phone, "laptop");
    phone.revoke(&mut archive, &first, by_passphrase(PASSPHRASE)).await.unwrap();
    let mut laptop = laptop;
    let mut archive = laptop.archive().unwrap();
    let target = phone.session.device.id();
    assert_eq!(refused(laptop.revoke(&mut archive, &target, by_passphrase(PASSPHRASE)).await).exit(), 13);
}

#[tokio::test]
async fn a_changed_passphrase_replaces_the_old_one_and_signs_nobody_out() {
    let Pair { world, mut laptop, phone, kit, places } = Pair::new().await;
    let mut archive = laptop.archive().unwrap();
    let weak =
        refused(laptop.change_passphrase(&mut archive, by_passphrase(PASSPHRASE), passphrase("ana ana ana a")).await);
    assert!(matches!(weak, Error::WeakPassphrase { .. }));
    laptop.change_passphrase(&mut archive, by_passphrase(PASSPHRASE), passphrase(NEW)).await.unwrap();
    assert_eq!((laptop.ring.keyring().epoch(), laptop.ring.roster().version), (0, 3));

    assert_eq!(refused(world.login("ana", by_passphrase(PASSPHRASE), "tablet").await).exit(), 12);
    let error = refused(laptop.check_passphrase(passphrase(PASSPHRASE)).await);
    assert_eq!(error.to_string(), "that passphrase does not open ana@vault.test");
    laptop.check_passphrase(passphrase(NEW)).await.unwrap();
    laptop.check_recovery(again(&kit)).await.unwrap();
    // What the archive keeps beside the roster is what the roster names now.
    let slots = Slots::decode(&archive.note(Note::Slots).unwrap().unwrap()).unwrap();
    assert!(Slots::from_wire(&slots.to_wire(), laptop.ring.roster()).is_some());
    drop(archive);

    assert_eq!(admits(&phone).await, Ok(3));
    assert_eq!(admits(&laptop).await, Ok(3));
    assert_eq!(places[0].open(&world).unwrap().ring.roster().version, 3);
    world.login("ana", by_passphrase(NEW), "tablet").await.unwrap();
    world.login("ana", by_kit(&kit), "watch").await.unwrap();
}

#[tokio::test]
async fn a_forgotten_passphrase_is_replaced_with_the_recovery_key() {
    let Pair { world, mut laptop, kit, places: _kept, .. } = Pair::new().await;
    let mut archive = laptop.archive().unwrap();
    laptop.change_passphrase(&mut archive, by_kit(&kit), passphrase(NEW)).await.unwrap();
    world.login("ana", by_passphrase(NEW), "tablet").await.unwrap();
    assert_eq!(refused(world.login("ana", by_passphrase(PASSPHRASE), "watch").await).exit(), 12);
}

#[tokio::test]
async fn a_new_root_makes_every_old_secret_worthless() {
    let Pair { world, mut laptop, phone, kit, places } = Pair::new().await;
    let mut archive = laptop.archive().unwrap();
    let secret = by_passphrase(PASSPHRASE);
    let new_kit = laptop.rotate_root(&mut archive, secret, passphrase(NEW), true).await.unwrap().unwrap();
    let roster = laptop.ring.roster();
    assert_eq!((roster.root_generation, roster.epoch, laptop.ring.known_keys.len()), (2, 1, 2));
    assert!(roster.slots.iter().all(|s| s.generation == 2));
    drop(archive);

    let replaced = refused(world.login("ana", by_kit(&kit), "tablet").await);
    assert!(matches!(replaced, Error::WrongRecoveryKey));
    assert_eq!(refused(world.login("ana", by_passphrase(PASSPHRASE), "tablet").await).exit(), 12);
    let tablet = world.login("ana", by_kit(&new_kit), "tablet").await.unwrap();
    let watch = world.login("ana", by_passphrase(NEW), "watch").await.unwrap();
    assert_eq!(tablet.identity().account, watch.identity().account);
    // The phone stays a device, and acts under the new root when somebody proves it there.
    assert_eq!(admits(&phone).await, Ok(5));
    let mut phone = places[1].open(&world).unwrap();
    let mut archive = phone.archive().unwrap();
    let lost = watch.install(&Place::new().home, &client::home::MemoryKeys::default()).unwrap();
    phone.revoke(&mut archive, &lost.session.device.id(), by_kit(&new_kit)).await.unwrap();
    assert_eq!(phone.ring.known_keys.len(), 2);
    assert_eq!(places[1].open(&world).unwrap().ring.roster().version, 6);
}

#[tokio::test]
async fn a_leaked_passphrase_goes_while_the_recovery_key_that_was_shown_stays() {
    let Pair { world, mut laptop, kit, places: _kept, .. } = Pair::new().await;
    let mut archive = laptop.archive().unwrap();
    let fresh = laptop.rotate_root(&mut archive, by_kit(&kit), passphrase(NEW), false).await.unwrap();
    assert!(fresh.is_none());
    world.login("ana", by_kit(&kit), "tablet").await.unwrap();
    assert_eq!(refused(world.login("ana", by_passphrase(PASSPHRASE), "watch").await).exit(), 12);
    // Given the passphrase alone, the old key cannot open the new root: a new one is handed out.
    let fresh = laptop.rotate_root(&mut archive, by_passphrase(NEW), passphrase(PASSPHRASE), false).await.unwrap();
    let fresh = fresh.expect("the account has a recovery key, so it gets another");
    assert_eq!(refused(world.login("ana", by_kit(&kit), "watch").await).exit(), 12);
    world.login("ana", by_kit(&fresh), "watch").await.unwrap();
    assert_eq!(laptop.ring.known_keys.len(), 3);
}

/// Appends a record of the device's own, as a sync would.
async fn appends(vault: &Vault) {
    let archive = vault.reader().unwrap();
    let log = LogState::decode(&archive.note(Note::Log).unwrap().unwrap()).unwrap();
    let header = Header {
        kind: RecordKind::Events,
        flags: 0,
        incarnation: 1,
        account: vault.session.identity.account,
        device: vault.session.device.id(),
        counter: 1,
        previous: [0; 32],
        seen_size: log.frontier.size(),
        seen_root: log.frontier.root(),
        agreed: 0,
        roster_version: vault.ring.roster().version,
        last_day: 0,
        clear_len: 0,
        body_len: 0,
        body_hash: [0; 32],
    };
    let clear = EventsClear::default().encode();
    let mut entropy = vault.session.env.entropy.clone();
    let key = vault.ring.keyring().current();
    let sealed = seal_record(&vault.session.device, key, header, &clear, b"", &mut entropy).unwrap();
    let record = v1::Record { record: sealed.record.encode().to_vec().into(), body: sealed.body.into() };
    let request = v1::AppendRequest { records: vec![record], slots: Vec::new() };
    let sent = vault.session.call(|remote, token| {
        let request = request.clone();
        async move { remote.append(Some(&token), request).await }
    });
    sent.await.map_err(|e| e.into_error(&vault.session.identity)).unwrap();
}

#[tokio::test]
async fn a_device_with_records_of_its_own_leaves_after_the_last_of_them() {
    let Pair { world, laptop, mut phone, places: _kept, .. } = Pair::new().await;
    appends(&phone).await;
    // Another device joins meanwhile: the record that leaves stands under the newest roster.
    world.login("ana", by_passphrase(PASSPHRASE), "tablet").await.unwrap();
    let mut archive = phone.archive().unwrap();
    phone.leave(&mut archive).await.unwrap();
    assert_eq!(admits(&phone).await, Err(Some(Reason::DeviceGone)));
    assert_eq!(admits(&laptop).await, Ok(5));
    let facts = world.meta.user_devices(&phone.session.identity.account).await.unwrap();
    let left = facts.into_iter().find(|d| d.id == phone.session.device.id()).unwrap();
    assert_eq!((left.counter, left.active), (2, false));
    assert_eq!(refused(phone.leave(&mut archive).await).exit(), 13, "it is gone already");
}

#[tokio::test]
async fn an_operators_acts_are_told_as_such() {
    let Pair { world, mut laptop, phone, places: _kept, .. } = Pair::new().await;
    world.meta.user_change(&name("ana"), UserChange::Suspend).await.unwrap();
    let mut archive = laptop.archive().unwrap();
    let target = phone.session.device.id();
    let says = "this account is suspended by the operator of vault.test";
    assert_eq!(refused(world.login("ana", by_passphrase(PASSPHRASE), "tablet").await).to_string(), says);
    assert_eq!(refused(laptop.revoke(&mut archive, &target, by_passphrase(PASSPHRASE)).await).to_string(), says);
    assert_eq!(refused(laptop.session.token().await).to_string(), says);
    world.meta.user_change(&name("ana"), UserChange::Resume).await.unwrap();
    laptop.revoke(&mut archive, &target, by_passphrase(PASSPHRASE)).await.unwrap();
    // A deleted account is one that was never there.
    world.meta.user_change(&name("ana"), UserChange::Delete).await.unwrap();
    let error = refused(world.login("ana", by_passphrase(PASSPHRASE), "tablet").await);
    assert!(matches!(error, Error::WrongPassphrase { .. }), "{error}");
    let opened = laptop.session.call(|remote, token| async move { remote.slots(&token).await }).await;
    assert_eq!(refused(opened.map_err(|e| e.into_error(&laptop.session.identity))).exit(), 13);
}

#[tokio::test]
async fn a_device_that_left_is_listed_as_gone_by_the_next_epoch() {
    let Pair { world, mut laptop, mut phone, places: _kept, .. } = Pair::new().await;
    let tablet = Place::new().install(world.login("ana", by_passphrase(PASSPHRASE), "tablet").await.unwrap());
    let left = phone.session.device.id();
    let mut of_phone = phone.archive().unwrap();
    phone.leave(&mut of_phone).await.unwrap();
    assert_eq!(admits(&phone).await, Err(Some(Reason::DeviceGone)));
    assert_eq!(admits(&laptop).await, Ok(4), "a record of its own in the log, and nobody else is signed out");

    // The laptop's sync notes the leaving; the next change of the roster carries it.
    let mut archive = laptop.archive().unwrap();
    archive.commit(|commit| set_left(commit, &BTreeSet::from([left]))).unwrap();
    laptop.revoke(&mut archive, &tablet.session.device.id(), by_passphrase(PASSPHRASE)).await.unwrap();
    let standing = |id| laptop.devices().into_iter().find(|d| d.id == id).unwrap().state;
    assert_eq!(standing(left), DeviceStanding::Left);
    assert_eq!(standing(tablet.session.device.id()), DeviceStanding::Revoked);
    assert!(client::vault::left(&archive).unwrap().is_empty());
    assert!(laptop.ring.roster().slot(SlotKind::Recovery).is_some());
}
