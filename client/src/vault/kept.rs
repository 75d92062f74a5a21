//! An archive without a device: kept when its device signed out, or restored from a bucket. Everything in it can be
//! read; nothing is sent or fetched with it, and no account is set up in its home.
//!
//! What reading needs of the account lies in the archive itself, as `Note::Kept`; the archive's key in the key store
//! opens it all. A device is never set up over it: whoever wants that removes it first, or takes another home.

use proto::wire::bytes::{Malformed, Reader, Writer};
use zeroize::Zeroizing;

use super::{Identity, Ring, entry, parts};
use crate::archive::{Archive, ArchiveError, Note, leave_note, peek};
use crate::crypto::{ArchiveKey, DeviceKeys, Lifetime};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::home::{Home, KeyStore};
use crate::ids::AccountId;

/// An archive that stays readable although no device is set up.
pub struct Kept {
    identity: Identity,
    lifetime: Lifetime,
    archive_key: ArchiveKey,
    home: Home,
    env: Env,
}

const VERSION: u8 = 1;
/// Longest encoded identity: two server names, an account's name and id.
const IDENTITY_BYTES_MAX: usize = 1024;

impl Kept {
    /// Opens the archive kept in a home. Needs no network and no secret.
    pub fn open(home: &Home, keys: &dyn KeyStore, env: Env) -> Result<Self> {
        if keys.load(entry::IDENTITY)?.is_some() {
            return Err(Error::Refused("a device is set up here: its archive is not a kept one".to_owned()));
        }
        let archive_key = archive_key(keys)?.ok_or(Error::NotSetUp)?;
        let note = match peek(&home.archive_dir(), &archive_key.database_key(), Note::Kept) {
            Err(ArchiveError::Missing) => None,
            other => other?,
        };
        let note = note.map(Zeroizing::new).ok_or(Error::NotSetUp)?;
        let read = decode(&note).map_err(|_| Error::Archive("it does not say whose it is".to_owned()));
        let (identity, lifetime) = read?;
        Ok(Self { identity, lifetime, archive_key, home: home.clone(), env })
    }

    /// Makes an empty one, for an account whose keys are known, in a home where nothing is set up or kept.
    pub(crate) fn create(
        home: &Home,
        keys: &dyn KeyStore,
        env: Env,
        identity: Identity,
        lifetime: Lifetime,
    ) -> Result<Self> {
        super::Vault::check_free(home, keys)?;
        Home::open(home.dir()).map_err(|e| Error::io(home.dir(), e))?;
        home.remove_archive().map_err(|e| Error::io(&home.archive_dir(), e))?;
        // Left over from a set-up that was broken off.
        keys.erase(entry::DEVICE)?;
        keys.erase(entry::ARCHIVE)?;
        let archive_key = ArchiveKey::generate(&mut env.entropy.clone());
        let kept = Self { identity, lifetime, archive_key, home: home.clone(), env };
        let note = encode(&kept.identity, &kept.lifetime);
        let mut archive = Archive::create(&home.archive_dir(), &kept.archive_key.database_key(), kept.parts())?;
        archive.commit(|c| c.set_note(Note::Kept, Some(&note)))?;
        keys.store(entry::ARCHIVE, &*kept.archive_key.export())?;
        Ok(kept)
    }

    /// The account as people write it: without a server where none was asked.
    pub fn shown(&self) -> String {
        match self.identity.server.is_empty() {
            true => self.identity.name.as_str().to_owned(),
            false => self.identity.shown(),
        }
    }

    pub fn account(&self) -> &AccountId {
        &self.identity.account
    }

    /// Opens the archive for reading.
    pub fn reader(&self) -> Result<Archive> {
        Ok(Archive::reader(&self.home.archive_dir(), &self.archive_key.database_key(), self.parts())?)
    }

    /// Opens the archive for taking more in. The caller holds the home's lock.
    pub(crate) fn archive(&self) -> Result<Archive> {
        Ok(Archive::open(&self.home.archive_dir(), &self.archive_key.database_key(), self.parts())?)
    }

    fn parts(&self) -> crate::archive::Parts {
        parts::parts(self.identity.account, &self.lifetime, &self.archive_key, self.env.entropy.clone())
    }
}

/// Makes the archive of a device readable without the device. From then on a home without an identity is a kept one.
pub(super) fn keep(home: &Home, keys: &dyn KeyStore) -> Result<()> {
    let device = keys.load(entry::DEVICE)?;
    let (Some(identity), Some(device), Some(archive_key)) = (keys.load(entry::IDENTITY)?, device, archive_key(keys)?)
    else {
        // Repeated after a kill: it is kept already, and only keys were left to be erased.
        return Ok(());
    };
    let broken = |what: &str| Error::Archive(format!("{what}: it cannot be kept"));
    let identity = Identity::decode(&identity).map_err(|_| broken("the keys of this device are damaged"))?;
    let device = (&device[..]).try_into().map_err(|_| broken("the keys of this device are damaged"))?;
    let (dir, key) = (home.archive_dir(), archive_key.database_key());
    let roster = peek(&dir, &key, Note::Roster)?.ok_or_else(|| broken("it holds no roster"))?;
    let ring = Ring::open(&roster, &DeviceKeys::import(device));
    let ring = ring.map_err(|_| broken("its roster does not open with this device's keys"))?;
    Ok(leave_note(&dir, &key, Note::Kept, &encode(&identity, ring.lifetime()))?)
}

/// Whose archive is kept in a home, if one is.
pub(super) fn kept_by(home: &Home, keys: &dyn KeyStore) -> Result<Option<String>> {
    let Some(archive_key) = archive_key(keys)?.filter(|_| home.archive_dir().exists()) else { return Ok(None) };
    let note = peek(&home.archive_dir(), &archive_key.database_key(), Note::Kept);
    let kept = note.ok().flatten().map(Zeroizing::new);
    match kept.as_ref().map(|note| decode(note)) {
        Some(Ok((identity, _))) => Ok(Some(identity.name.as_str().to_owned())),
        Some(Err(_)) => Ok(Some("unreadable".to_owned())),
        // Without the device's key it is none of a set-up that was broken off.
        None if keys.load(entry::DEVICE)?.is_none() => Ok(Some("unreadable".to_owned())),
        None => Ok(None),
    }
}

fn archive_key(keys: &dyn KeyStore) -> Result<Option<ArchiveKey>> {
    let Some(key) = keys.load(entry::ARCHIVE)? else { return Ok(None) };
    let damaged = |_| Error::Archive("the keys of this device are damaged".to_owned());
    Ok(Some(ArchiveKey::import((&key[..]).try_into().map_err(damaged)?)))
}

fn encode(identity: &Identity, lifetime: &Lifetime) -> Zeroizing<Vec<u8>> {
    let mut w = Writer::new();
    w.u8(VERSION).prefixed(&identity.encode());
    // The secret comes last: a buffer that grew after it would leave a copy behind.
    lifetime.write(&mut w);
    Zeroizing::new(w.finish())
}

fn decode(bytes: &[u8]) -> Result<(Identity, Lifetime), Malformed> {
    let mut r = Reader::new(bytes);
    if r.u8()? != VERSION {
        return Err(Malformed::Unknown);
    }
    let identity = Identity::decode(r.prefixed(IDENTITY_BYTES_MAX)?)?;
    let lifetime = Lifetime::read(&mut r)?;
    r.finish()?;
    Ok((identity, lifetime))
}
