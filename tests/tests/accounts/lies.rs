//! A service that lies at sign-in is refused before anything is written, and losing an answer loses nothing.

use std::sync::Arc;

use client::error::Error;
use client::vault::{Joined, Secret, Vault};
use proto::v1;

use crate::liar::{Liar, ToLiar};
use tests::world::{
    PASSPHRASE, Place, World, again, by_kit, by_passphrase, label, name, passphrase, reached_by, refused,
};

const NEW: &str = "nine herons fold silver maps";

/// The liar lies on purpose only: what it passes on unchanged brings a device in.
async fn joins(way: &Arc<ToLiar>, account: &str, secret: Secret) -> Joined {
    Vault::login(reached_by(way.clone()), name(account), secret, label("phone")).await.unwrap()
}

async fn login_by(way: &Arc<ToLiar>, account: &str, secret: Secret) -> Error {
    refused(Vault::login(reached_by(way.clone()), name(account), secret, label("phone")).await)
}

#[tokio::test]
async fn what_belongs_to_another_account_is_refused() {
    let world = World::new();
    let (_, kit) = world.register("ana", "laptop").await;
    world.register("bob", "desktop").await;
    let (liar, way) = Liar::before(&world).await;
    joins(&way, "bob", by_passphrase(PASSPHRASE)).await;
    let bobs = liar.last_seen();

    type Part = fn(&mut v1::SignInAnswer, &v1::SignInAnswer);
    let parts: [(&str, Part); 7] = [
        ("everything", |a, b| *a = b.clone()),
        ("the slot", |a, b| a.slot = b.slot.clone()),
        ("the account's id", |a, b| a.account = b.account.clone()),
        ("the rosters", |a, b| a.rosters = b.rosters.clone()),
        ("rosters and log", |a, b| {
            a.rosters = b.rosters.clone();
            a.log = b.log.clone();
            a.roster_proof = b.roster_proof.clone();
        }),
        ("the log", |a, b| a.log = b.log.clone()),
        ("all but the slot", |a, b| *a = v1::SignInAnswer { slot: a.slot.clone(), ..b.clone() }),
    ];
    for (what, part) in parts {
        let theirs = bobs.clone();
        liar.lies(move |answer| part(answer, &theirs));
        for secret in [by_passphrase(PASSPHRASE), by_kit(&kit)] {
            let error = login_by(&way, "ana", secret).await;
            assert!(matches!(error, Error::RosterMismatch { .. }), "{what}: {error}");
            assert_eq!(error.exit(), 31);
        }
    }
}

#[tokio::test]
async fn every_part_of_an_answer_is_held_to_the_others() {
    let world = World::new();
    let (_, kit) = world.register("ana", "laptop").await;
    world.login("ana", by_passphrase(PASSPHRASE), "tablet").await.unwrap();
    let (liar, way) = Liar::before(&world).await;
    type Lie = fn(&mut v1::SignInAnswer);
    let lies: [(&str, Lie); 12] = [
        ("a slot's byte", |a| a.slot = flipped(&a.slot, 300)),
        ("a shorter slot", |a| a.slot = a.slot.slice(..511)),
        ("no roster", |a| a.rosters.clear()),
        ("a roster's signature", |a| a.rosters[0].leaf = flipped(&a.rosters[0].leaf, 250)),
        ("a roster's body", |a| a.rosters[0].body = flipped(&a.rosters[0].body, 40)),
        ("a roster's time", |a| a.rosters[0].leaf = flipped(&a.rosters[0].leaf, 280)),
        ("a roster's place", |a| a.rosters[0].index -= 1),
        ("no proof", |a| a.roster_proof.clear()),
        ("a longer proof", |a| a.roster_proof = vec![a.roster_proof[0].clone(); 200]),
        ("a larger log", |a| a.log.as_mut().unwrap().size = 3),
        ("no log", |a| a.log = None),
        ("no incarnation", |a| a.incarnation = 0),
    ];
    for (what, lie) in lies {
        liar.lies(lie);
        let error = login_by(&way, "ana", by_kit(&kit)).await;
        assert_eq!(error.exit(), 31, "{what}: {error}");
    }
    liar.lies(|_| ());
    joins(&way, "ana", by_kit(&kit)).await;
}

#[tokio::test]
async fn an_older_roster_is_refused_by_the_slot_and_by_every_device_that_saw_a_newer_one() {
    let world = World::new();
    let place = Place::new();
    let (joined, kit) = world.register("ana", "laptop").await;
    let mut laptop = place.install(joined);
    let (liar, way) = Liar::before(&world).await;
    joins(&way, "ana", by_passphrase(PASSPHRASE)).await;
    let old = liar.last_seen();
    let mut archive = laptop.archive().unwrap();
    laptop.change_passphrase(&mut archive, by_passphrase(PASSPHRASE), passphrase(NEW)).await.unwrap();
    drop(archive);

    // A fresh device: the old state whole, but for the slot, which only the new passphrase opens.
    let all = old.clone();
    liar.lies(move |answer| *answer = v1::SignInAnswer { slot: answer.slot.clone(), ..all.clone() });
    assert_eq!(login_by(&way, "ana", by_passphrase(NEW)).await.exit(), 31);
    // The old roster in the new log.
    let rosters = old.clone();
    liar.lies(move |answer| answer.rosters = rosters.rosters.clone());
    assert_eq!(login_by(&way, "ana", by_kit(&kit)).await.exit(), 31);
    // With the recovery key, whose slot is the same, the old state is consistent. A fresh device believes it until the
    // real log refuses what it made on it, and the same comes again; one that has seen more knows at once.
    let all = v1::SignInAnswer { slot: Default::default(), ..old };
    liar.lies(move |answer| *answer = v1::SignInAnswer { slot: answer.slot.clone(), ..all.clone() });
    assert!(matches!(login_by(&way, "ana", by_kit(&kit)).await, Error::Rollback));
    assert_eq!(liar.state().appends.len(), 2, "one that was taken, one that was not");
    let told = Vault::open(&place.home, &place.keys, reached_by(way.clone())).unwrap();
    assert!(matches!(refused(told.check_recovery(again(&kit)).await), Error::Rollback));
}

fn flipped(bytes: &[u8], at: usize) -> tonic::codegen::Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}
