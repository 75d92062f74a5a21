//! Entries older than the newest roster, for a device that learnt that roster at sign-in, not by following the log.
//!
//! Which roster was current at each entry cannot be replayed when the entries before have gone. But every roster lists
//! all devices there ever were, with the versions they joined and ended at, so each author is held to those.

use proto::wire::header::Record;
use proto::wire::roster::{DeviceState, Roster, RosterClear};

use super::follower::{Accepted, Alarm};

/// The newest ROSTER as a sign-in proved it.
#[derive(Clone)]
pub struct NewestRoster {
    pub roster: Roster,
    pub index: u64,
    /// Its record's digest.
    pub digest: [u8; 32],
    /// The roster keys of all root generations.
    pub keys: Vec<[u8; 32]>,
}

/// How far an older log has been followed.
#[derive(Clone)]
pub(super) struct CatchUp {
    newest: NewestRoster,
    /// The version current at this place, once an entry has told it.
    version: Option<u64>,
}

impl CatchUp {
    pub fn new(newest: NewestRoster) -> Self {
        Self { newest, version: None }
    }

    /// Whether the entry at `index` is the newest roster: from there on the log is followed as by any device.
    pub fn is_over(&self, index: u64) -> bool {
        index >= self.newest.index
    }

    /// Accepts a ROSTER: the known one at its place, or one before it that a root of this account signed.
    pub fn roster(&mut self, accepted: &Accepted, body: &[u8]) -> Result<RosterClear, Alarm> {
        let record = &accepted.leaf.record;
        let (clear, _) = record.split_body(body).map_err(|_| Alarm::Forged)?;
        let clear = RosterClear::decode(clear).map_err(|_| Alarm::Forged)?;
        let (roster, newest) = (&clear.roster, &self.newest);
        let follows = self.version.is_none_or(|before| before.checked_add(1) == Some(roster.version));
        let holds = if accepted.index == newest.index {
            record.digest() == newest.digest
        } else {
            roster.version < newest.roster.version
                && roster.account == record.header.account
                && roster.version == record.header.roster_version
                && newest.keys.contains(&roster.verifying_key)
                && record.verify_as_roster(&roster.verifying_key).is_ok()
        };
        if !follows || !holds {
            return Err(Alarm::Forged);
        }
        self.version = Some(roster.version);
        Ok(clear)
    }

    /// The verifying key of a record's author, if it was active under the roster it names.
    pub fn author(&mut self, record: &Record) -> Result<[u8; 32], Alarm> {
        let header = &record.header;
        let version = header.roster_version;
        let device = self.newest.roster.device(&header.device).ok_or(Alarm::Forged)?;
        let ended = match device.state {
            DeviceState::Active { .. } => None,
            DeviceState::Revoked { at_version } | DeviceState::Left { at_version } => Some(at_version),
        };
        let was_active = device.joined_version <= version && ended.is_none_or(|end| version < end);
        let current = self.version.is_none_or(|known| known == version) && version < self.newest.roster.version;
        if !was_active || !current {
            return Err(Alarm::Forged);
        }
        self.version = Some(version);
        Ok(device.verifying_key)
    }
}
