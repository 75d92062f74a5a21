//! Accepts entries one by one, by the same rules the service has, and notices what does not fit.

use std::collections::BTreeMap;

use proto::wire::head::HeadClear;
use proto::wire::header::{Leaf, RecordKind};
use proto::wire::last_day::is_past;
use proto::wire::roster::{RosterClear, accept_next};
use proto::wire::tree::{Frontier, Hash, verify_consistency};
use thiserror::Error;

use super::catch_up::{CatchUp, NewestRoster};
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
    /// The latest time the server has told, ms.
    told_ms: u64,
    /// Set while entries are read that are older than the newest roster this device knows already.
    catch_up: Option<CatchUp>,
}

/// Roots kept to compare with what authors saw; older claims cannot be checked and are not.
const ROOTS_MAX: usize = 16_384;

impl Follower {
    pub fn new(account: AccountId, state: LogState) -> Self {
        let roots = BTreeMap::from([(state.frontier.size(), state.frontier.root())]);
        let erasable_below = state.head.as_ref().map_or(0, |h| h.covered_size);
        Self { account, state, roots, erasable_below, told_ms: 0, catch_up: None }
    }

    /// Follows from where a head's covered history ends: a device that reads the rest through the catalogue.
    ///
    /// `start` is the frontier at the covered size, held by the caller to the root the head states; `authors` are the
    /// head's. Without a head both are empty. `newest` was proven to stand in the log.
    pub fn through_head(
        account: AccountId,
        incarnation: u32,
        start: Frontier,
        authors: BTreeMap<crate::ids::DeviceId, LastRecord>,
        head: Option<HeadSeen>,
        newest: NewestRoster,
    ) -> Self {
        let size = start.size();
        let NewestRoster { roster, .. } = &newest;
        let state =
            LogState { incarnation, frontier: start, server_time: 0, roster: roster.clone(), devices: authors, head };
        let catch_up = (newest.index >= size).then(|| CatchUp::new(newest));
        Self { catch_up, ..Self::new(account, state) }
    }

    pub fn state(&self) -> &LogState {
        &self.state
    }

    pub fn size(&self) -> u64 {
        self.state.frontier.size()
    }

    /// Takes note of the server's time: what has a last day may be gone after it. A server that is ahead can so let go of
    /// what has a timer, and of nothing else; its clock stands beside this device's for its owner to see.
    pub fn told(&mut self, server_ms: u64) {
        self.told_ms = self.told_ms.max(server_ms);
    }

    /// The latest time the server has told, or the log's last entry has, ms.
    pub fn time(&self) -> u64 {
        self.told_ms.max(self.state.server_time)
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
        let time = self.time().max(leaf.server_time);
        let went = header.kind == RecordKind::Events && is_past(header.last_day, time);
        if erased && index >= self.erasable_below && !went {
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
        let mut catch_up = self.catch_up.clone();
        if let Some(behind) = &mut catch_up {
            match kind {
                RecordKind::Roster => accepted.roster = Some(behind.roster(&accepted, body)?),
                RecordKind::Events | RecordKind::Head => {
                    let key = behind.author(&accepted.leaf.record)?;
                    last = Some(self.device(&accepted, &key)?);
                }
            }
        } else if kind == RecordKind::Roster {
            let clear = accept_next(&self.state.roster, &accepted.leaf.record, body).map_err(|_| Alarm::Forged)?;
            accepted.roster = Some(clear);
        } else {
            let header = &accepted.leaf.record.header;
            let author = self.state.roster.active(&header.device).ok_or(Alarm::Forged)?;
            if header.roster_version != self.state.roster.version {
                return Err(Alarm::Forged);
            }
            last = Some(self.device(&accepted, &author.verifying_key)?);
        }
        if kind == RecordKind::Head {
            (accepted.head, head) = self.head(&accepted)?.unzip();
        }
        let caught_up = catch_up.is_none();
        self.catch_up = catch_up.filter(|behind| !behind.is_over(index));
        self.apply(&accepted, last, head, caught_up);
        Ok(accepted)
    }

    /// Moves the state on; all checks lie behind.
    fn apply(&mut self, accepted: &Accepted, last: Option<LastRecord>, head: Option<HeadSeen>, caught_up: bool) {
        if let Some(clear) = accepted.roster.as_ref().filter(|_| caught_up) {
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

    /// What every record of a device must hold: its author's signature, and its place in the author's own chain.
    fn device(&self, accepted: &Accepted, key: &[u8; 32]) -> Result<LastRecord, Alarm> {
        let record = &accepted.leaf.record;
        let header = &record.header;
        record.verify(key).map_err(|_| Alarm::Forged)?;
        let (before, previous) = match self.state.devices.get(&header.device) {
            Some(last) => (last.counter, last.digest),
            None => (0, [0; 32]),
        };
        if before.checked_add(1) != Some(header.counter) || header.previous != previous {
            return Err(Alarm::Forged);
        }
        // Nobody has compared a head that is not there; agreement is what lets old bytes go.
        if header.agreed > self.state.head.as_ref().map_or(0, |head| head.generation) {
            return Err(Alarm::Forged);
        }
        Ok(LastRecord { counter: header.counter, digest: record.digest() })
    }

    /// A head stands on the last one. One whose body has gone was followed by a newer one and says nothing here.
    fn head(&self, accepted: &Accepted) -> Result<Option<(HeadClear, HeadSeen)>, Alarm> {
        let Some((clear, _)) = &accepted.body else { return Ok(None) };
        let clear = HeadClear::decode(clear).map_err(|_| Alarm::Forged)?;
        if let Some(seen) = self.state.head.as_ref().filter(|seen| clear.generation <= seen.generation) {
            // Read through a newer head: this one is that head itself, or came before it.
            let itself = accepted.index == seen.index && accepted.leaf.record.digest() == seen.digest;
            let earlier = clear.generation < seen.generation && accepted.index < seen.index;
            return if itself || earlier { Ok(None) } else { Err(Alarm::Forged) };
        }
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
