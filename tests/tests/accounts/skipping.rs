//! A device to which the log it missed is not there any more is lied to about what stands in its place.

use std::convert::Infallible;

use client::crypto::sign_bare;
use client::error::{Error, Result};
use client::sync::Synced;
use client::vault::Vault;
use proto::v1;
use proto::wire::header::{Header, Leaf, RecordKind};
use proto::wire::roster::RosterClear;
use proto::wire::tree::{Frontier, Hash, Subtrees, inclusion_proof, node};
use service::meta::{Entry, Meta as _, NewRecord};
use tests::history::{chat, import, message};
use tests::strata::{Stored, caller};
use tests::timed::{Device, Timed};
use tests::world::{PASSPHRASE, by_passphrase, copied, label, name};

use crate::liar::Liar;

/// Hashes of a log's leaves.
struct Leaves(Vec<Hash>);

impl Subtrees for Leaves {
    type Error = Infallible;

    fn subtree(&mut self, height: u32, index: u64) -> std::result::Result<Hash, Infallible> {
        if height == 0 {
            return Ok(self.0[index as usize]);
        }
        let left = self.subtree(height - 1, index * 2)?;
        Ok(node(&left, &self.subtree(height - 1, index * 2 + 1)?))
    }
}

/// An account whose phone has missed a part of the log that is trimmed by now.
struct Missed {
    _timed: Timed,
    liar: Liar,
    phone: Device,
    /// Everything the service had before it was trimmed.
    stored: Stored,
    _others: [Device; 3],
}

impl Missed {
    async fn part(copy_writes: bool) -> Self {
        let timed = Timed::new();
        let (liar, way) = Liar::before(&timed.world).await;
        let mut laptop = timed.first().await;
        import(&mut laptop.archive, 1, 0, 20, 0);
        laptop.backup().await;
        let mut tablet = timed.another("tablet").await;
        let mut at = timed.at();
        at.connector = way;
        let joined = Vault::login(at, name("ana"), by_passphrase(PASSPHRASE), label("phone")).await.unwrap();
        let mut phone = Device::install(joined);
        // It has seen a newer roster than that by which it joined.
        let watch = timed.another("watch").await;
        phone.sync().await;
        if copy_writes {
            writes_as(&timed, &phone).await;
        }
        import(&mut laptop.archive, 2, 0, 20, 0);
        laptop.backup().await;
        tablet.sync().await;
        tablet.archive.record(&chat(3), &message(1, "it agrees by this")).unwrap();
        tablet.sync().await;
        let stored = Stored::of(&timed.world, &phone.vault).await;
        assert!(timed.sweep().await.trimmed > 0);
        Self { liar, phone, stored, _timed: timed, _others: [laptop, tablet, watch] }
    }

    async fn told(&mut self, lie: impl FnMut(&mut v1::OpenResponse) + Send + 'static) -> Result<Synced> {
        self.liar.state().open_lie = Some(Box::new(lie));
        self.phone.try_sync().await
    }
}

/// A sign of life under the device's key that it has not written itself.
async fn writes_as(timed: &Timed, phone: &Device) {
    let stored = Stored::of(&timed.world, &phone.vault).await;
    let mut log = Frontier::default();
    stored.entries.iter().for_each(|(leaf, _)| log.append(leaf.hash()));
    let header = Header {
        kind: RecordKind::Events,
        flags: 0,
        incarnation: 1,
        account: stored.account,
        device: phone.vault.session.device.id(),
        counter: 1,
        previous: [0; 32],
        seen_size: log.size(),
        seen_root: log.root(),
        agreed: 0,
        roster_version: phone.vault.ring.roster().version,
        last_day: 0,
        clear_len: 0,
        body_len: 0,
        body_hash: [0; 32],
    };
    let record = NewRecord { record: sign_bare(&copied(&phone.vault), header), body: Default::default() };
    let who = caller(&timed.world, &phone.vault).await;
    timed.world.meta.append(&who, vec![record], timed.now().cast_unsigned()).await.unwrap();
}

/// Another time in a leaf: its signature still holds, its place in the log does not.
fn retimed(entry: &mut v1::Entry) {
    let mut leaf = Leaf::decode(&entry.leaf).unwrap();
    leaf.server_time += 1;
    entry.leaf = leaf.encode().to_vec().into();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_place_of_a_trimmed_log_must_stand_in_it() {
    let mut missed = Missed::part(false).await;
    let error = missed.told(|answer| retimed(answer.rosters.last_mut().unwrap())).await.unwrap_err();
    assert!(matches!(error, Error::Fork), "a roster: {error}");
    let error = missed.told(|answer| retimed(answer.head.as_mut().unwrap())).await.unwrap_err();
    assert!(matches!(error, Error::Fork), "a head: {error}");
    // The roster by which it joined stands in the log, and is not the newest.
    let stored = &missed.stored;
    let mut leaves = Leaves(stored.entries.iter().map(|(leaf, _)| leaf.hash()).collect());
    let me = missed.phone.vault.session.device.id();
    let lists = |(leaf, entry): &&(Leaf, Entry)| {
        let clear = leaf.record.split_body(&entry.body).ok().filter(|_| leaf.record.header.kind == RecordKind::Roster);
        clear.is_some_and(|(clear, _)| RosterClear::decode(clear).unwrap().roster.active(&me).is_some())
    };
    let (_, old) = stored.entries.iter().find(lists).unwrap().clone();
    let proof = inclusion_proof(&mut leaves, old.index, stored.entries.len() as u64).unwrap();
    let lie = move |answer: &mut v1::OpenResponse| {
        let leaf = old.leaf.to_vec().into();
        answer.rosters = vec![v1::Entry { index: old.index, leaf, body: old.body.clone(), erased: false }];
        answer.roster_proof = proof.iter().map(|hash| hash.to_vec().into()).collect();
    };
    let error = missed.told(lie).await.unwrap_err();
    assert!(matches!(error, Error::Fork), "an old roster: {error}");
    missed.told(|_| ()).await.unwrap();
    assert_eq!(missed.phone.archive.counts().unwrap().messages, 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_skips_finds_what_a_copy_of_it_wrote() {
    let mut missed = Missed::part(true).await;
    let error = missed.told(|_| ()).await.unwrap_err();
    assert!(matches!(error, Error::DeviceCloned), "{error}");
}
