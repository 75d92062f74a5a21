//! One run of work on one archive: the verified log, and what is known beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::wire::header::{Header, RecordKind};

use super::tickets::Tickets;
use super::token;
use crate::archive::{Archive, Commit, Note};
use crate::crypto::{ChunkIdKey, CutKey, DigestKey, EventKey, Keyring};
use crate::env::SharedEntropy;
use crate::error::{Error, Result};
use crate::ids::AccountId;
use crate::log::{Alarm, Follower, LogState};
use crate::pack::RunLabel;
use crate::strata::MergeKeys;
use crate::vault::{Vault, Work};
use proto::wire::bytes::{Malformed, Reader, Writer};

/// Keys that come from the account's lifetime secret.
pub(super) struct Keys {
    pub event: Arc<EventKey>,
    pub digest: DigestKey,
    pub chunk: ChunkIdKey,
    pub cut: CutKey,
}

/// Hashes of digests by last day.
pub(super) type DayDigests = BTreeMap<u32, [u8; 32]>;

/// A device at work.
pub(super) struct Flow<'a> {
    pub vault: &'a mut Vault,
    pub archive: &'a mut Archive,
    pub work: Work,
    pub keys: Keys,
    pub follower: Follower,
    pub agreed: u64,
    /// Digest hashes at sizes that a head covers, as this device had them there.
    pub digests: BTreeMap<u64, DayDigests>,
    /// Heads whose digests differ from this device's own.
    pub disagreed: Vec<u64>,
    pub pulled_events: u64,
    pub pushed_events: u64,
    /// The server's clock when it was last asked in this run of work, ms.
    pub server_ms: Option<i64>,
    /// What the log brings need not be durable here at once: a power cut then only has it read again.
    pub soon: bool,
    pub tickets: Tickets,
}

impl<'a> Flow<'a> {
    /// Takes up work where the archive's notes say it stands.
    pub fn begin(vault: &'a mut Vault, archive: &'a mut Archive, work: &Work) -> Result<Self> {
        if archive.note(Note::Cloned)?.is_some() {
            return Err(Error::DeviceCloned);
        }
        let state = archive.note(Note::Log)?.ok_or_else(|| broken("it holds no state of the log"))?;
        let state = LogState::decode(&state).map_err(|_| broken("its state of the log cannot be read"))?;
        let agreed = match archive.note(Note::Own)? {
            None => 0,
            Some(note) => agreed(&note).map_err(|_| broken("its own state cannot be read"))?,
        };
        token::take_up(vault, archive)?;
        let tickets = Tickets::of(archive)?;
        let lifetime = vault.ring.lifetime();
        let keys = Keys {
            event: Arc::new(lifetime.event_key()),
            digest: lifetime.digest_key(),
            chunk: lifetime.chunk_id_key(),
            cut: lifetime.cut_key(),
        };
        let follower = Follower::new(vault.session.identity.account, state);
        Ok(Self {
            vault,
            archive,
            work: work.clone(),
            keys,
            follower,
            agreed,
            digests: BTreeMap::new(),
            disagreed: Vec::new(),
            pulled_events: 0,
            pushed_events: 0,
            server_ms: None,
            soon: false,
            tickets,
        })
    }

    pub fn account(&self) -> AccountId {
        self.vault.session.identity.account
    }

    pub fn entropy(&self) -> SharedEntropy {
        self.vault.session.env.entropy.clone()
    }

    pub fn keyring(&self) -> &Keyring {
        self.vault.ring.keyring()
    }

    pub fn merge_keys(&self) -> MergeKeys<'_> {
        MergeKeys { ids: &self.keys.event, digest: &self.keys.digest }
    }

    /// What a run of rows without a timer says of itself.
    pub fn label(&self, level: u8) -> RunLabel {
        self.timed_label(level, 0)
    }

    /// What a run of rows of one last day says of itself.
    pub fn timed_label(&self, level: u8, last_day: u32) -> RunLabel {
        RunLabel { account: self.account(), level, last_day }
    }

    /// The header of this device's next record, behind `ahead` others of the same batch.
    pub fn header(&self, kind: RecordKind, last: (u64, [u8; 32]), last_day: u32) -> Header {
        let state = self.follower.state();
        Header {
            kind,
            flags: 0,
            incarnation: state.incarnation,
            account: self.account(),
            device: self.vault.session.device.id(),
            counter: last.0 + 1,
            previous: last.1,
            seen_size: state.frontier.size(),
            seen_root: state.frontier.root(),
            agreed: self.agreed,
            roster_version: state.roster.version,
            last_day,
            clear_len: 0,
            body_len: 0,
            body_hash: [0; 32],
        }
    }

    /// This device's last counter and record digest in the log.
    pub fn last_own(&self) -> (u64, [u8; 32]) {
        let last = self.follower.state().devices.get(&self.vault.session.device.id());
        last.map_or((0, [0; 32]), |last| (last.counter, last.digest))
    }

    /// Whether a new device has not yet read the history that was there before it.
    pub fn is_new(&self) -> Result<bool> {
        Ok(self.archive.note(Note::Restore)?.is_some())
    }

    pub fn alarm(&self, alarm: Alarm) -> Error {
        match alarm {
            Alarm::Rollback => Error::Rollback,
            _ => Error::Fork,
        }
    }
}

/// Writes the state of the log beside what was made of its entries.
pub(super) fn save(commit: &mut Commit<'_>, follower: &Follower, agreed: u64) -> crate::archive::Result<()> {
    commit.set_note(Note::Log, Some(&follower.state().encode()))?;
    commit.set_note(Note::Own, Some(&Writer::new().u64(agreed).finish()))
}

fn agreed(note: &[u8]) -> Result<u64, Malformed> {
    let mut r = Reader::new(note);
    let agreed = r.u64()?;
    r.finish()?;
    Ok(agreed)
}

pub(super) fn broken(why: &str) -> Error {
    Error::Archive(why.to_owned())
}
