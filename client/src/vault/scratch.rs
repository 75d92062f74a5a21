//! A second archive for this device, empty as a new device's is: to prove that everything comes back.

use std::path::Path;

use super::{Vault, parts};
use crate::archive::{Archive, Note};
use crate::crypto::ArchiveKey;
use crate::error::{Error, Result};
use crate::log::LogState;

impl Vault {
    /// Makes an archive in an empty folder, sealed under a key that ends with this process. It knows the log as
    /// `archive` does and holds none of its history, so that a restore into it reads the vault from the head on.
    pub fn scratch(&self, archive: &Archive, dir: &Path) -> Result<Archive> {
        let known = archive.note(Note::Log)?.ok_or_else(|| Error::Archive("it holds no log".to_owned()))?;
        let known = LogState::decode(&known).map_err(|_| Error::Archive("its log is damaged".to_owned()))?;
        let own = known.devices.get(&self.session.device.id()).map_or(0, |last| last.counter);
        let log = LogState { devices: std::collections::BTreeMap::new(), head: None, ..known };
        let key = ArchiveKey::generate(&mut self.session.env.entropy.clone());
        let entropy = self.session.env.entropy.clone();
        let parts = parts::parts(self.session.identity.account, self.ring.lifetime(), &key, entropy);
        let mut scratch = Archive::create(dir, &key.database_key(), parts)?;
        scratch.commit(|commit| {
            commit.set_note(Note::Roster, Some(&self.ring.encode()))?;
            commit.set_note(Note::Log, Some(&log.encode()))?;
            commit.set_note(Note::SentElsewhere, Some(&own.to_le_bytes()))?;
            commit.set_note(Note::Restore, Some(&super::install::NOTHING_RESTORED[..]))
        })?;
        Ok(scratch)
    }
}
