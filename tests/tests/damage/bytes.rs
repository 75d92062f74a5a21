//! One byte at a time: of every object, and of every record with its body.

use std::collections::BTreeSet;

use client::log::{Follower, LogState};
use proto::wire::roster::{RosterClear, accept_chain};
use proto::wire::tree::Frontier;
use tests::strata::Stored;
use tests::times;
use tests::world::World;

use crate::things::{Keys, things, three_levels};

/// Bytes tried: all of them at full size, else some spread over all, the first and the last always among them.
fn places(length: usize, step: usize) -> impl Iterator<Item = usize> {
    let step = times(step, 1);
    (0..length).step_by(step).chain(length.checked_sub(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_byte_of_any_object_is_opened() {
    let world = World::new();
    let home = three_levels(&world).await;
    let stored = Stored::of(&world, &home.vault).await;
    let keys = Keys::of(&home.vault);
    let levels = stored.open(&home.vault.ring).levels();
    assert!(levels.len() >= 3, "{levels:?}");
    let things = things(&stored, &home);
    let kinds: BTreeSet<_> = things.values().map(|thing| thing.holds()).collect();
    assert_eq!(kinds, BTreeSet::from(["attachments", "chunk run", "front page", "page", "run"]));
    for (id, mut thing) in things {
        let mut bytes = stored.packs[&id].clone();
        assert!(thing.opens(&keys, &bytes), "{} as it was written", thing.holds());
        for at in places(bytes.len(), 1_009) {
            bytes[at] ^= 1 << (at % 8);
            assert!(!thing.opens(&keys, &bytes), "{} {} with byte {at} flipped", thing.holds(), id.hex());
            bytes[at] ^= 1 << (at % 8);
        }
        // The same with a hash that fits: the seals alone refuse.
        for at in places(bytes.len(), 4_093).step_by(times(1, 61)) {
            bytes[at] ^= 0x80;
            thing.set_hash(&bytes);
            assert!(!thing.opens(&keys, &bytes), "{} {} with byte {at} flipped and hashed", thing.holds(), id.hex());
            bytes[at] ^= 0x80;
        }
        thing.set_hash(&bytes);
        assert!(thing.opens(&keys, &bytes));
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(!thing.opens(&keys, &bytes[..cut]), "{} cut to {cut}", thing.holds());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_byte_of_any_record_is_followed() {
    let world = World::new();
    let home = three_levels(&world).await;
    let stored = Stored::of(&world, &home.vault).await;
    let (first, entry) = &stored.entries[0];
    let chain = |body: &[u8]| accept_chain(&stored.account, [(&first.record, body)].into_iter());
    assert!(chain(&entry.body).is_ok());
    for at in 0..entry.body.len() {
        let mut body = entry.body.to_vec();
        body[at] ^= 1;
        assert!(chain(&body).is_err(), "the first roster with byte {at} flipped");
    }
    let (clear, _) = first.record.split_body(&entry.body).unwrap();
    let mut frontier = Frontier::default();
    frontier.append(first.hash());
    let mut state = LogState {
        incarnation: first.record.header.incarnation,
        frontier,
        server_time: first.server_time,
        roster: RosterClear::decode(clear).unwrap().roster,
        devices: Default::default(),
        head: None,
    };
    for (_, entry) in &stored.entries[1..] {
        let mut right = Follower::new(stored.account, state.clone());
        right.accept(entry.index, &entry.leaf, &entry.body, false).map_err(|_| "as it was written").unwrap();
        let root = right.state().frontier.root();
        // What a device would make of it: refused, or another log than the one it was told of.
        let taken = |leaf: &[u8], body: &[u8]| {
            let mut follower = Follower::new(stored.account, state.clone());
            follower.accept(entry.index, leaf, body, false).is_ok() && follower.state().frontier.root() == root
        };
        let (mut leaf, mut body) = (entry.leaf.to_vec(), entry.body.to_vec());
        for at in places(leaf.len(), 29) {
            leaf[at] ^= 1 << (at % 8);
            assert!(!taken(&leaf, &body), "entry {} with byte {at} of its leaf flipped", entry.index);
            leaf[at] ^= 1 << (at % 8);
        }
        for at in places(body.len(), 211) {
            body[at] ^= 1 << (at % 8);
            assert!(!taken(&leaf, &body), "entry {} with byte {at} of its body flipped", entry.index);
            body[at] ^= 1 << (at % 8);
        }
        assert!(taken(&leaf, &body));
        state = right.state().clone();
    }
}
