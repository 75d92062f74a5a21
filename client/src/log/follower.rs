//! Accepts entries one by one, by the same rules the service has, and notices what does not fit.

use std::collections::BTreeMap;

use proto::wire::head::HeadClear;
use proto::wire::header::{Leaf, RecordKind};
use proto::wire::roster::{RosterClear, accept_next};
use proto::wire::tree::{Frontier, Hash, verify_consistency};
use thiserror::Error;

use super::{HeadSeen, LastRecord, LogState};
use crate::ids::AccountId;

/// Why the log as served cannot be the one this device knows.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarm {
    #[error("the server shows older history than this device has already seen")]
    Rollback,
    #[error("the server shows history that does not continue what this device has seen")]
    Fork,
    #[error("the log holds an entry that no device of this account can have written")]
    Forged,
    #[error("an author has seen another history than the one served here")]
    OtherHistory,
    #[error("the server withholds the body of an entry that no head covers")]
    Withheld,
}

/// An entry that holds, with its body split where it is still there.
pub struct Accepted {
    pub index: u64,
    pub leaf: Leaf,
    /// Clear and sealed part; absent where the record has none or it was erased.
    pub body: Option<(Vec<u8>, Vec<u8>)>,
    /// The roster a ROSTER entry brings in.
    pub roster: Option<RosterClear>,
    /// The clear part of a HEAD.
    pub head: Option<HeadClear>,
}

/// Follows the log from a verified state.
pub struct Follower {
    account: AccountId,
    state: LogState,
    /// Roots of the sizes passed in this run: what authors say they saw is held against them.
    roots: BTreeMap<u64, Hash>,
    /// Below the newest verified head's covered size bodies may go; nothing else permits it here.
    erasable_below: u64,
}

/// Roots kept to compare with what authors saw; older claims cannot be checked and are not.
const ROOTS_MAX: usize = 16_384;

impl Follower {
    pub fn new(account: AccountId, state: LogState) -> Self {
        let roots = BTreeMap::from([(state.frontier.size(), state.frontier.root())]);
        let erasable_below = state.head.as_ref().map_or(0, |h| h.covered_size);
        Self { account, state, roots, erasable_below }
    }

    pub fn state(&self) -> &LogState {
        &self.state
    }

    pub fn size(&self) -> u64 {
        self.state.frontier.size()
    }

    /// Checks that the log of the served size continues the one known here.
    pub fn continues(&self, served: &Frontier, proof: &[Hash]) -> Result<(), Alarm> {
        let (old, new) = (&self.state.frontier, served);
        if new.size() < old.size() {
            return Err(Alarm::Rollback);
        }
        if verify_consistency(old.size(), &old.root(), new.size(), &new.root(), proof) {
            Ok(())
        } else {
            Err(Alarm::Fork)
        }
    }

    /// Moves over entries that were read through a head instead of one by one. `start` must have been verified
    /// against a root this device trusts.
    pub fn jump(&mut self, start: Frontier, devices: BTreeMap<crate::ids::DeviceId, LastRecord>, head: HeadSeen) {
        self.roots.insert(start.size(), start.root());
        self.state.frontier = start;
        self.state.devices = devices;
        self.erasable_below = self.erasable_below.max(head.covered_size);
        self.state.head = Some(head);
    }

    /// Accepts the next entry, or says what it proves. After an alarm nothing has changed.
    pub fn accept(&mut self, index: u64, leaf_bytes: &[u8], body: &[u8], erased: bool) -> Result<Accepted, Alarm> {
        let forged = |_| Alarm::Forged;
        let leaf = Leaf::decode(leaf_bytes).map_err(forged)?;
        let header = &leaf.record.header;
        if index != self.size() || header.account != self.account || header.incarnation != self.state.incarnation {
            return Err(Alarm::Forged);
        }
        if header.seen_size > index || leaf.server_time < self.state.server_time {
            return Err(Alarm::Forged);
        }
        if self.roots.get(&header.seen_size).is_some_and(|root| *root != header.seen_root) {
            return Err(Alarm::OtherHistory);
        }
        // Otherwise a server could drop any event by calling its body erased.
        if erased && index >= self.erasable_below {
            return Err(Alarm::Withheld);
        }
        let split = match (header.body_len, erased) {
            (0, _) | (_, true) => None,
            _ => {
                let (clear, sealed) = leaf.record.split_body(body).map_err(forged)?;
                Some((clear.to_vec(), sealed.to_vec()))
            }
        };
        let mut accepted = Accepted { index, leaf, body: split, roster: None, head: None };
        let kind = accepted.leaf.record.header.kind;
        let (mut last, mut head) = (None, None);
        if kind == RecordKind::Roster {
            let clear = accept_next(&self.state.roster, &accepted.leaf.record, body).map_err(|_| Alarm::Forged)?;
            accepted.roster = Some(clear);
        } else {
            last = Some(self.device(&accepted)?);
        }
        if kind == RecordKind::Head {
            (accepted.head, head) = self.head(&accepted)?.unzip();
        }
        self.apply(&accepted, last, head);
        Ok(accepted)
    }

    /// Moves the state on; all checks lie behind.
    fn apply(&mut self, accepted: &Accepted, last: Option<LastRecord>, head: Option<HeadSeen>) {
        if let Some(clear) = &accepted.roster {
            self.state.roster = clear.roster.clone();
        }
        if let Some(last) = last {
            self.state.devices.insert(accepted.leaf.record.header.device, last);
        }
        if let Some(head) = head {
            self.erasable_below = self.erasable_below.max(head.covered_size);
            self.state.head = Some(head);
        }
        self.state.server_time = accepted.leaf.server_time;
        self.state.frontier.append(accepted.leaf.hash());
        self.roots.insert(self.size(), self.state.frontier.root());
        if self.roots.len() > ROOTS_MAX {
            self.roots.pop_first();
        }
    }

    /// What every record of a device must hold: an active author, its signature, its place in the author's own chain.
    fn device(&self, accepted: &Accepted) -> Result<LastRecord, Alarm> {
        let record = &accepted.leaf.record;
        let header = &record.header;
        let author = self.state.roster.active(&header.device).ok_or(Alarm::Forged)?;
        record.verify(&author.verifying_key).map_err(|_| Alarm::Forged)?;
        if header.roster_version != self.state.roster.version {
            return Err(Alarm::Forged);
        }
        let (before, previous) = match self.state.devices.get(&header.device) {
            Some(last) => (last.counter, last.digest),
            None => (0, [0; 32]),
        };
        if before.checked_add(1) != Some(header.counter) || header.previous != previous {
            return Err(Alarm::Forged);
        }
        Ok(LastRecord { counter: header.counter, digest: record.digest() })
    }

    /// A head stands on the last one. One whose body has gone was followed by a newer one and says nothing here.
    fn head(&self, accepted: &Accepted) -> Result<Option<(HeadClear, HeadSeen)>, Alarm> {
        let Some((clear, _)) = &accepted.body else { return Ok(None) };
        let clear = HeadClear::decode(clear).map_err(|_| Alarm::Forged)?;
        let (before, parent) = self.state.head.as_ref().map_or((0, [0; 32]), |h| (h.generation, h.digest));
        let covered_before = self.state.head.as_ref().map_or(0, |h| h.covered_size);
        let follows = before.checked_add(1) == Some(clear.generation) && clear.parent == parent;
        if !follows || clear.covered_size > accepted.index || clear.covered_size < covered_before {
            return Err(Alarm::Forged);
        }
        if self.roots.get(&clear.covered_size).is_some_and(|root| *root != clear.covered_root) {
            return Err(Alarm::OtherHistory);
        }
        let seen = HeadSeen {
            generation: clear.generation,
            index: accepted.index,
            digest: accepted.leaf.record.digest(),
            covered_size: clear.covered_size,
        };
        Ok(Some((clear, seen)))
    }
}
