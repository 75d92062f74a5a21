//! Accounts: getting in, the devices of an account and its secrets, and the session every call goes through.
//!
//! A [`Vault`] is what an open home gives: keys of this device, the newest verified roster, and the way to the server.
//! Nothing here holds the account's root longer than one act, and nothing is written on the machine before everything
//! a server said has been verified.

mod advance;
mod change;
mod consent;
mod end;
mod facts;
mod follow;
mod gate;
mod identity;
mod install;
mod kept;
mod leave;
mod left;
mod login;
mod mirrored;
mod pairing;
pub(crate) mod parts;
mod passphrase;
mod register;
mod ring;
mod scratch;
mod seen;
mod session;
mod slots;
mod verify;
mod work;

use std::sync::Arc;

use proto::wire::roster::{Device, DeviceState};

pub use consent::Consent;
pub use facts::{Registration, ServerFacts};
pub use identity::Identity;
pub use install::Joined;
pub use kept::Kept;
pub use left::{left, set_left};
pub(crate) use mirrored::{head_is_by_member, open_newest, read_entry};
pub use pairing::{Joining, Linking, Newcomer};
pub use ring::Ring;
pub(crate) use seen::active;
pub use seen::{AllSeen, Seen};
pub use session::{CallError, Session};
pub use slots::{SlotCopy, Slots};
pub use work::{Cancel, Phase, Progress, Wait, Work};

use crate::archive::{Archive, Note, Parts, peek};
use crate::crypto::opaque::Bounds;
use crate::crypto::passphrase::Passphrase;
use crate::crypto::{ArchiveKey, DeviceKeys, RecoveryKey};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::home::{Home, KeyStore};
use crate::ids::DeviceId;
use crate::remote::{Connector, Remote};

/// A server, and what comes in from outside.
#[derive(Clone)]
pub struct Where {
    pub connector: Arc<dyn Connector>,
    pub env: Env,
    /// To which a passphrase's cost is held, whoever asks for it.
    pub bounds: Bounds,
}

impl Where {
    pub fn new(connector: Arc<dyn Connector>, env: Env) -> Self {
        Self { connector, env, bounds: Bounds::STANDARD }
    }
}

/// What proves that somebody is the account's owner.
pub enum Secret {
    Passphrase(Passphrase),
    Recovery(RecoveryKey),
}

/// An account's vault, as one of its devices has it.
pub struct Vault {
    pub session: Session,
    pub ring: Ring,
    archive_key: ArchiveKey,
    home: Home,
}

/// A device of the account, as the verified roster has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceInfo {
    pub id: DeviceId,
    /// As the device called itself when it joined; empty once it is gone.
    pub name: String,
    pub platform: String,
    /// Milliseconds since 1970 UTC; 0 once it is gone.
    pub joined_ms: i64,
    pub state: DeviceStanding,
    /// Whether it is this one.
    pub current: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceStanding {
    Active,
    Revoked,
    Left,
}

/// Entries of the key store.
mod entry {
    pub const IDENTITY: &str = "identity";
    pub const DEVICE: &str = "device";
    pub const ARCHIVE: &str = "archive";
}

impl Vault {
    /// Asks a server for facts that need no account.
    pub async fn peek(at: &Where) -> Result<ServerFacts> {
        let remote = Remote::new(at.connector.connect().await?);
        facts::facts(&remote, at.connector.server()).await
    }

    /// The account that is set up in a key store; none where none is.
    pub fn identity(keys: &dyn KeyStore) -> Result<Option<Identity>> {
        let Some(bytes) = keys.load(entry::IDENTITY)? else { return Ok(None) };
        let broken = |_| Error::Archive("the keys of this device are damaged".to_owned());
        Identity::decode(&bytes).map(Some).map_err(broken)
    }

    /// Opens what is set up in a home. Needs no network and no secret.
    pub fn open(home: &Home, keys: &dyn KeyStore, at: Where) -> Result<Self> {
        let identity = keys.load(entry::IDENTITY)?.ok_or(Error::NotSetUp)?;
        let broken = || Error::Archive("the keys of this device are damaged".to_owned());
        let identity = Identity::decode(&identity).map_err(|_| broken())?;
        let device = keys.load(entry::DEVICE)?.ok_or_else(broken)?;
        let device = DeviceKeys::import((&device[..]).try_into().map_err(|_| broken())?);
        let archive_key = keys.load(entry::ARCHIVE)?.ok_or_else(broken)?;
        let archive_key = ArchiveKey::import((&archive_key[..]).try_into().map_err(|_| broken())?);
        let roster = peek(&home.archive_dir(), &archive_key.database_key(), Note::Roster)?;
        let roster = roster.ok_or_else(|| Error::Archive("it holds no roster".to_owned()))?;
        let ring = Ring::open(&roster, &device)
            .map_err(|_| Error::Archive("its roster does not open with this device's keys".to_owned()))?;
        if ring.roster().account != identity.account {
            return Err(Error::Archive("it belongs to another account".to_owned()));
        }
        Ok(Self { session: Session::new(at, identity, device), ring, archive_key, home: home.clone() })
    }

    /// Opens the archive for writing. The caller holds the home's lock.
    pub fn archive(&self) -> Result<Archive> {
        Ok(Archive::open(&self.home.archive_dir(), &self.archive_key.database_key(), self.parts())?)
    }

    /// Opens the archive for reading, also while another process writes.
    pub fn reader(&self) -> Result<Archive> {
        Ok(Archive::reader(&self.home.archive_dir(), &self.archive_key.database_key(), self.parts())?)
    }

    /// The account's devices by the verified roster, in the order they joined.
    pub fn devices(&self) -> Vec<DeviceInfo> {
        let mut devices: Vec<&Device> = self.ring.roster().devices.iter().collect();
        devices.sort_by_key(|d| d.joined_version);
        devices.into_iter().map(|d| self.info(d)).collect()
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    fn info(&self, device: &Device) -> DeviceInfo {
        let label = self.ring.open.label(&device.id).cloned().unwrap_or_default();
        let state = match device.state {
            DeviceState::Active { .. } => DeviceStanding::Active,
            DeviceState::Revoked { .. } => DeviceStanding::Revoked,
            DeviceState::Left { .. } => DeviceStanding::Left,
        };
        DeviceInfo {
            id: device.id,
            name: label.name,
            platform: label.platform,
            joined_ms: label.joined_ms,
            state,
            current: device.id == self.session.device.id(),
        }
    }

    fn parts(&self) -> Parts {
        let entropy = self.session.env.entropy.clone();
        parts::parts(self.session.identity.account, self.ring.lifetime(), &self.archive_key, entropy)
    }
}
