//! What a service answers to a proved secret, held to the account and to itself before anything is made of it.
//!
//! The order is that of `docs/design.md` §4: the slot opened under the name typed, the chain of rosters leads from the
//! account's id to the root in the slot, the roster names that slot, and roster and head are in the answered log.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::v1;
use proto::wire::head::HeadClear;
use proto::wire::header::{Leaf, Record, RecordKind};
use proto::wire::limits::PROOF_HASHES_MAX;
use proto::wire::roster::{Roster, RosterClear, accept_chain};
use proto::wire::slot::slot_digest;
use proto::wire::tree::{Frontier, Hash, verify_consistency, verify_inclusion};

use super::Ring;
use crate::crypto::DeviceKeys;
use crate::crypto::roster::{OpenRoster, Unlock, open_roster};
use crate::crypto::slot::OpenSlot;
use crate::error::{Error, Result};
use crate::ids::AccountId;
use crate::log::LogState;

/// An account's state that holds, as far as a device without history can tell.
pub(super) struct Verified {
    /// The newest roster, opened by the root.
    pub open: OpenRoster,
    pub digest: [u8; 32],
    /// Roster keys of all root generations, oldest first.
    pub known_keys: Vec<[u8; 32]>,
    pub log: Shown,
}

/// The log as it was answered.
#[derive(Clone)]
pub(super) struct Shown {
    pub incarnation: u32,
    pub frontier: Frontier,
    /// The newest server time that was verified, ms.
    pub server_time: u64,
}

impl Verified {
    pub fn roster(&self) -> &Roster {
        &self.open.clear.roster
    }
}

/// Verifies an answer under the slot in it, which has opened.
pub(super) fn verify(answer: v1::SignInAnswer, slot: &OpenSlot) -> Result<Verified> {
    let v1::SignInAnswer {
        slot: slot_bytes,
        account,
        rosters,
        roster_proof,
        head,
        head_proof,
        log,
        incarnation,
        suspended: _,
    } = answer;
    if account[..] != slot.prefix.account.0 {
        return Err(mismatch("the account the server answered"));
    }
    let chain = Chain::read(&rosters)?;
    let newest = chain.accept(&slot.prefix.account)?;
    reaches(&newest.roster, slot)?;
    names_slot(&newest, slot, &slot_bytes)?;
    let (last, body) = chain.last()?;
    let open = open_roster(&last.leaf.record, body, Unlock::Root(&slot.root)).map_err(|_| not_in_chain())?;

    let mut log = log.and_then(|log| shown(log, incarnation)).ok_or_else(not_in_log)?;
    log.holds(last, &roster_proof)?;
    if let Some(head) = &head {
        verify_head(head, &head_proof, &newest.roster, &mut log)?;
    }
    Ok(Verified { digest: last.leaf.record.digest(), known_keys: chain.keys()?, open, log })
}

/// What another device of the account has told of it.
pub(super) struct Seen {
    pub account: AccountId,
    pub incarnation: u32,
    pub size: u64,
    pub root: Hash,
    /// The roster that this device has signed to join by.
    pub roster_version: u64,
    pub roster_content: Vec<u8>,
}

/// Verifies the first answer to a device that was let in by another one: the log continues what that one has seen, its
/// rosters lead from the account's id to one that lists this device, and roster and head are in it.
pub(super) fn verify_seen(answer: v1::OpenResponse, seen: &Seen, device: &DeviceKeys) -> Result<(Ring, LogState)> {
    let v1::OpenResponse { incarnation, log, consistency, rosters, roster_proof, head, head_proof, .. } = answer;
    if incarnation != seen.incarnation {
        return Err(if incarnation < seen.incarnation { Error::Rollback } else { Error::Fork });
    }
    let mut log = log.and_then(|log| shown(log, incarnation)).ok_or_else(not_in_log)?;
    if log.frontier.size() < seen.size {
        return Err(Error::Rollback);
    }
    let proof = hashes(&consistency).ok_or_else(not_in_log)?;
    if !verify_consistency(seen.size, &seen.root, log.frontier.size(), &log.frontier.root(), &proof) {
        return Err(Error::Fork);
    }
    let chain = Chain::read(&rosters)?;
    let newest = chain.accept(&seen.account)?;
    let (last, body) = chain.last()?;
    log.holds(last, &roster_proof)?;
    if newest.roster.version < seen.roster_version {
        return Err(Error::Rollback);
    }
    if newest.roster.version == seen.roster_version && newest.content != seen.roster_content {
        return Err(Error::Fork);
    }
    if let Some(head) = head.as_ref().filter(|head| !head.leaf.is_empty()) {
        verify_head(head, &head_proof, &newest.roster, &mut log)?;
    }
    let roster = newest.roster.clone();
    let ring = Ring::new(last.leaf.record.clone(), body.to_vec(), last.index, chain.keys()?, device);
    let ring = ring.map_err(|_| not_in_chain())?;
    let Shown { incarnation, frontier, server_time } = log;
    let log = LogState { incarnation, frontier, server_time, roster, devices: BTreeMap::new(), head: None };
    Ok((ring, log))
}

fn mismatch(what: &'static str) -> Error {
    Error::RosterMismatch { what }
}

pub(super) fn not_in_chain() -> Error {
    mismatch("a roster the server answered")
}

fn not_in_log() -> Error {
    mismatch("the log the server answered")
}

fn bad_head() -> Error {
    mismatch("the head the server answered")
}

/// An entry of the log, with its leaf taken apart.
pub(super) struct Read {
    pub index: u64,
    pub leaf: Leaf,
}

/// Root rotations, oldest first, and the newest roster.
pub(super) struct Chain<'a> {
    entries: Vec<(Read, &'a [u8])>,
}

impl<'a> Chain<'a> {
    pub fn read(rosters: &'a [v1::Entry]) -> Result<Self> {
        let read = |entry: &'a v1::Entry| {
            let leaf = Leaf::decode(&entry.leaf).map_err(|_| not_in_chain())?;
            Ok((Read { index: entry.index, leaf }, &entry.body[..]))
        };
        Ok(Self { entries: rosters.iter().map(read).collect::<Result<_>>()? })
    }

    /// Walks from the account's id to the newest roster.
    pub fn accept(&self, account: &AccountId) -> Result<RosterClear> {
        let records = self.entries.iter().map(|(read, body)| (&read.leaf.record, *body));
        accept_chain(account, records).map_err(|_| not_in_chain())
    }

    pub fn last(&self) -> Result<(&Read, &'a [u8])> {
        self.entries.last().map(|(read, body)| (read, *body)).ok_or_else(not_in_chain)
    }

    /// The roster keys of all root generations. The chain was accepted: each rotation names the key before it.
    pub fn keys(&self) -> Result<Vec<[u8; 32]>> {
        let mut keys = Vec::with_capacity(self.entries.len());
        for (read, body) in &self.entries {
            let (clear, _) = read.leaf.record.split_body(body).map_err(|_| not_in_chain())?;
            let clear = RosterClear::decode(clear).map_err(|_| not_in_chain())?;
            if keys.is_empty() {
                keys.push(clear.rotation.as_ref().map_or(clear.roster.verifying_key, |r| r.old_verifying_key));
            }
            if keys.last() != Some(&clear.roster.verifying_key) {
                keys.push(clear.roster.verifying_key);
            }
        }
        Ok(keys)
    }
}

/// Whether the chain ends at the root in the slot.
pub(super) fn reaches(roster: &Roster, slot: &OpenSlot) -> Result<()> {
    let reached = roster.verifying_key == slot.root.signer().verifying_key()
        && roster.root_generation == slot.prefix.root_generation
        && !roster.ended;
    if reached { Ok(()) } else { Err(not_in_chain()) }
}

/// Holds the slot that opened to what the roster says of it.
pub(super) fn names_slot(newest: &RosterClear, slot: &OpenSlot, bytes: &[u8]) -> Result<()> {
    let named = newest.roster.slot(slot.prefix.kind);
    let fits = named.is_some_and(|n| n.generation == slot.prefix.generation && n.slot_digest == slot_digest(bytes));
    if fits { Ok(()) } else { Err(mismatch("the slot the server answered")) }
}

fn shown(log: v1::LogState, incarnation: u32) -> Option<Shown> {
    let v1::LogState { size, frontier } = log;
    let frontier = Frontier::from_parts(size, hashes(&frontier)?).ok()?;
    (incarnation > 0).then_some(Shown { incarnation, frontier, server_time: 0 })
}

fn hashes(list: &[Bytes]) -> Option<Vec<Hash>> {
    if list.len() > PROOF_HASHES_MAX {
        return None;
    }
    list.iter().map(|hash| hash[..].try_into().ok()).collect()
}

impl Shown {
    /// Checks that an entry is in this log, and takes note of its time.
    fn holds(&mut self, entry: &Read, proof: &[Bytes]) -> Result<()> {
        let proof = hashes(proof).ok_or_else(not_in_log)?;
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let included = verify_inclusion(entry.index, &entry.leaf.hash(), size, &root, &proof);
        if !included || entry.leaf.record.header.incarnation > self.incarnation {
            return Err(not_in_log());
        }
        self.server_time = self.server_time.max(entry.leaf.server_time);
        Ok(())
    }
}

fn verify_head(entry: &v1::Entry, proof: &[Bytes], roster: &Roster, log: &mut Shown) -> Result<()> {
    let leaf = Leaf::decode(&entry.leaf).map_err(|_| bad_head())?;
    let read = Read { index: entry.index, leaf };
    log.holds(&read, proof)?;
    let record: &Record = &read.leaf.record;
    let header = &record.header;
    let author = roster.device(&header.device).ok_or_else(bad_head)?;
    record.verify(&author.verifying_key).map_err(|_| bad_head())?;
    let (clear, _) = record.split_body(&entry.body).map_err(|_| bad_head())?;
    let clear = HeadClear::decode(clear).map_err(|_| bad_head())?;
    let fits = header.kind == RecordKind::Head
        && header.account == roster.account
        && header.roster_version <= roster.version
        && clear.covered_size <= entry.index;
    if fits { Ok(()) } else { Err(bad_head()) }
}

#[cfg(test)]
mod tests;
