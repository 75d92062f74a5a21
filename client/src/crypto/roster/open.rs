//! Opening a ROSTER: by a device's wrap, or by the root's.

use proto::wire::header::{Record, RecordKind};
use proto::wire::roster::{DeviceState, Roster, RosterClear};

use super::labels::{Label, decode_sealed};
use crate::crypto::wrap::{WrapPlace, open_epoch};
use crate::crypto::{DeviceKeys, EpochKey, Keyring, Refused, Root, open_body};
use crate::fields::Fields;
use crate::ids::DeviceId;

/// With what a roster is opened.
#[derive(Clone, Copy)]
pub enum Unlock<'a> {
    Device(&'a DeviceKeys),
    Root(&'a Root),
}

/// A roster with all it seals.
pub struct OpenRoster {
    pub clear: RosterClear,
    pub keyring: Keyring,
    pub labels: Vec<(DeviceId, Label)>,
    /// Sealed fields this version does not know.
    pub rest: Fields,
}

impl OpenRoster {
    pub fn label(&self, device: &DeviceId) -> Option<&Label> {
        self.labels.iter().find(|(id, _)| id == device).map(|(_, label)| label)
    }
}

/// Takes the keys out of a roster that was accepted.
///
/// Its own signature, the wrap, the commitment and the seal are checked here; that it follows from the account's
/// earlier rosters is not: `accept_first` and `accept_next` come before. The root opens only a roster of its own key.
pub fn open_roster(record: &Record, body: &[u8], unlock: Unlock<'_>) -> Result<OpenRoster, Refused> {
    let (clear, _) = record.split_body(body).map_err(|_| Refused)?;
    let clear = RosterClear::decode(clear).map_err(|_| Refused)?;
    let roster = &clear.roster;
    let header = &record.header;
    if header.kind != RecordKind::Roster
        || header.account != roster.account
        || header.roster_version != roster.version
        || record.verify_as_roster(&roster.verifying_key).is_err()
    {
        return Err(Refused);
    }
    let key = match unlock {
        Unlock::Device(device) => by_device(roster, device)?,
        Unlock::Root(root) => by_root(roster, root)?,
    };
    let key = key.committed(&roster.account, roster.epoch, &roster.epoch_commitment)?;
    let open = open_body(record, body, &key)?;
    let sealed = decode_sealed(&open.content).map_err(|_| Refused)?;
    let keyring = Keyring::decode(&sealed.keyring, key, roster.epoch)?;
    Ok(OpenRoster { clear, keyring, labels: sealed.labels, rest: sealed.rest })
}

fn by_device(roster: &Roster, device: &DeviceKeys) -> Result<EpochKey, Refused> {
    let entry = roster.active(&device.id()).ok_or(Refused)?;
    let DeviceState::Active { encapsulated, wrapped, .. } = &entry.state else { return Err(Refused) };
    let place = WrapPlace { account: &roster.account, roster_version: roster.version, epoch: roster.epoch };
    open_epoch(device, place, encapsulated, wrapped)
}

fn by_root(roster: &Roster, root: &Root) -> Result<EpochKey, Refused> {
    if root.signer().verifying_key() != roster.verifying_key {
        return Err(Refused);
    }
    root.wrap_key().unwrap(&roster.account, roster.version, roster.epoch, &roster.root_wrap)
}
