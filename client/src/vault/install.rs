//! Writing a device's set-up into a home, in such an order that a kill leaves nothing half set up.
//!
//! The archive with its notes comes first, the keys after it, and the identity as the last of these: where it stands,
//! everything stands. What lies in a home without it is left over from a kill and made anew.

use super::slots::Slots;
use super::{Identity, Ring, Session, Vault, entry, kept, parts};
use crate::archive::{Archive, Note};
use crate::crypto::ArchiveKey;
use crate::error::{Error, Result};
use crate::home::{Home, KeyStore};
use crate::log::LogState;

/// A device that has joined an account and is not yet set up on its machine.
pub struct Joined {
    pub(super) session: Session,
    pub(super) ring: Ring,
    pub(super) log: LogState,
    pub(super) slots: Option<Slots>,
    /// Whether the account has history that is not here.
    pub(super) history: bool,
}

/// What `Note::Restore` says before anything was restored.
pub(super) const NOTHING_RESTORED: [u8; 1] = [1];

impl Joined {
    pub fn identity(&self) -> &Identity {
        &self.session.identity
    }

    /// Sets this device up in a home: archive and notes first, keys last.
    pub fn install(self, home: &Home, keys: &dyn KeyStore) -> Result<Vault> {
        Vault::check_free(home, keys)?;
        Home::open(home.dir()).map_err(|e| Error::io(home.dir(), e))?;
        home.remove_archive().map_err(|e| Error::io(&home.archive_dir(), e))?;
        let archive_key = ArchiveKey::generate(&mut self.session.env.entropy.clone());
        self.write_archive(home, &archive_key)?;
        keys.store(entry::DEVICE, &*self.session.device.export())?;
        keys.store(entry::ARCHIVE, &*archive_key.export())?;
        keys.store(entry::IDENTITY, &self.session.identity.encode())?;
        let Self { session, ring, .. } = self;
        Ok(Vault { session, ring, archive_key, home: home.clone() })
    }

    fn write_archive(&self, home: &Home, key: &ArchiveKey) -> Result<()> {
        let account = self.session.identity.account;
        let parts = parts::parts(account, self.ring.lifetime(), key, self.session.env.entropy.clone());
        let mut archive = Archive::create(&home.archive_dir(), &key.database_key(), parts)?;
        archive.commit(|commit| {
            commit.set_note(Note::Roster, Some(&self.ring.encode()))?;
            commit.set_note(Note::Log, Some(&self.log.encode()))?;
            commit.set_note(Note::Slots, self.slots.as_ref().map(Slots::encode).as_deref())?;
            commit.set_note(Note::Restore, self.history.then_some(&NOTHING_RESTORED[..]))
        })?;
        Ok(())
    }
}

impl Vault {
    /// Refuses a home in which a device is set up, or in which an archive was kept: ask before anything is sent.
    pub fn check_free(home: &Home, keys: &dyn KeyStore) -> Result<()> {
        if let Some(identity) = keys.load(entry::IDENTITY)? {
            let account = Identity::decode(&identity).map_or_else(|_| "unreadable".to_owned(), |i| i.shown());
            return Err(Error::AlreadySetUp { account });
        }
        match kept::kept_by(home, keys)? {
            Some(account) => Err(Error::ArchiveKept { account, path: home.archive_dir().display().to_string() }),
            None => Ok(()),
        }
    }

    /// Takes this device's set-up away: its keys, and the archive unless it is to be kept with the key that opens it
    /// ([`Kept`](super::Kept)). Takes a kept archive away too. Repeated after a kill, it ends what it began.
    pub fn erase(home: &Home, keys: &dyn KeyStore, keep_archive: bool) -> Result<()> {
        if keep_archive {
            // Kept before any key goes: whenever this is broken off, either the device is there or the archive is kept.
            kept::keep(home, keys)?;
            keys.erase(entry::IDENTITY)?;
            return Ok(keys.erase(entry::DEVICE)?);
        }
        // Without the device's key nobody mistakes what is left for a set-up that was broken off.
        keys.erase(entry::DEVICE)?;
        keys.erase(entry::ARCHIVE)?;
        home.remove_archive().map_err(|e| Error::io(&home.archive_dir(), e))?;
        Ok(keys.erase(entry::IDENTITY)?)
    }
}
