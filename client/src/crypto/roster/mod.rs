//! Making and opening ROSTER records (`docs/format.md` §4.4). Whether one is accepted over the last is decided by
//! `proto::wire::roster`; here it is put together, signed, and its keys are taken out.
//!
//! Making takes two steps, because a joining device signs the content that lists it: [`Plan::draft`] wraps the epoch
//! key to every active device and fixes the content, [`Draft::sign`] seals names and keyring and signs the record.

mod labels;
mod open;
#[cfg(test)]
mod tests;

use proto::wire::header::{Header, Record, RecordKind};
use proto::wire::limits::{ACTIVE_DEVICES_MAX, GONE_DEVICES_MAX};
use proto::wire::roster::{Device, DeviceState, Joiner, Roster, RosterClear, Rotation, Slot};
use thiserror::Error;

pub use labels::Label;
pub use open::{OpenRoster, Unlock, open_roster};

use super::record::{BodyTooLong, SealedRecord, seal_body};
use super::wrap::{WrapPlace, wrap_epoch};
use super::{DevicePublic, Entropy, Keyring, Root, RosterSigner};
use crate::fields::Fields;
use crate::ids::{AccountId, DeviceId};

/// What a roster is to say, before any key is wrapped.
#[derive(Clone)]
pub struct Plan {
    pub account: AccountId,
    pub version: u64,
    pub root_generation: u32,
    /// The account ends with this roster.
    pub ended: bool,
    pub slots: Vec<Slot>,
    pub active: Vec<Member>,
    /// Devices revoked or gone; all others' entries come from `active`.
    pub gone: Vec<Device>,
    /// Sealed fields this version does not know, carried on.
    pub rest: Fields,
}

/// An active device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    pub keys: DevicePublic,
    pub joined_version: u64,
    pub label: Label,
}

/// Where the log stands as the roster is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogPlace {
    pub incarnation: u32,
    pub seen_size: u64,
    pub seen_root: [u8; 32],
    pub agreed: u64,
}

#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RosterError {
    #[error("the account would have more than {ACTIVE_DEVICES_MAX} active or {GONE_DEVICES_MAX} former devices")]
    TooManyDevices,
    #[error("a device's public key cannot be used")]
    BadDeviceKey,
    #[error("the roster does not fit one record")]
    TooLong,
}

/// A roster whose content is fixed and whose signatures are still to come.
pub struct Draft {
    roster: Roster,
    content: Vec<u8>,
    labels: Vec<(DeviceId, Label)>,
    rest: Fields,
}

impl Plan {
    /// Starts from the current roster: the same devices and slots under the next version.
    pub fn after(current: &OpenRoster) -> Self {
        let roster = &current.clear.roster;
        let member = |device: &Device| {
            let keys = DevicePublic::of(device)?;
            let label = current.label(&device.id).cloned().unwrap_or_default();
            Some(Member { keys, joined_version: device.joined_version, label })
        };
        Self {
            account: roster.account,
            version: roster.version + 1,
            root_generation: roster.root_generation,
            ended: roster.ended,
            slots: roster.slots.clone(),
            active: roster.devices.iter().filter_map(member).collect(),
            gone: roster.devices.iter().filter(|d| !d.is_active()).cloned().collect(),
            rest: current.rest.clone(),
        }
    }

    /// Adds a device that joins with this roster.
    pub fn join(&mut self, keys: DevicePublic, label: Label) {
        self.active.push(Member { keys, joined_version: self.version, label });
    }

    /// Ends an active device; tells whether there was one. The caller begins a new epoch.
    pub fn revoke(&mut self, device: &DeviceId) -> bool {
        self.end(device, |at_version| DeviceState::Revoked { at_version })
    }

    /// Lists a device that left by its own last record.
    pub fn mark_left(&mut self, device: &DeviceId) -> bool {
        self.end(device, |at_version| DeviceState::Left { at_version })
    }

    fn end(&mut self, device: &DeviceId, state: impl Fn(u64) -> DeviceState) -> bool {
        let Some(at) = self.active.iter().position(|m| m.keys.id() == *device) else { return false };
        let member = self.active.remove(at);
        self.gone.push(Device {
            id: *device,
            joined_version: member.joined_version,
            verifying_key: member.keys.verifying_key,
            state: state(self.version),
        });
        true
    }

    /// Wraps the keyring's current key to every active device and under the root, and fixes the content.
    pub fn draft(self, root: &Root, keyring: &Keyring, entropy: &mut dyn Entropy) -> Result<Draft, RosterError> {
        if self.active.len() > ACTIVE_DEVICES_MAX || self.gone.len() > GONE_DEVICES_MAX {
            return Err(RosterError::TooManyDevices);
        }
        let (account, version, epoch) = (self.account, self.version, keyring.epoch());
        let place = WrapPlace { account: &account, roster_version: version, epoch };
        let mut devices = self.gone;
        let mut labels = Vec::with_capacity(self.active.len());
        for member in self.active {
            let wrap =
                wrap_epoch(&member.keys, place, keyring.current(), entropy).map_err(|_| RosterError::BadDeviceKey)?;
            let id = member.keys.id();
            devices.push(Device {
                id,
                joined_version: member.joined_version,
                verifying_key: member.keys.verifying_key,
                state: DeviceState::Active {
                    kem_key: member.keys.kem_key,
                    encapsulated: wrap.encapsulated,
                    wrapped: wrap.wrapped,
                },
            });
            labels.push((id, member.label));
        }
        devices.sort_by_key(|d| d.id);
        labels.sort_by_key(|(id, _)| *id);
        let mut slots = self.slots;
        slots.sort_by_key(|s| s.kind);
        let roster = Roster {
            account,
            version,
            epoch,
            root_generation: self.root_generation,
            verifying_key: root.signer().verifying_key(),
            epoch_commitment: keyring.current().commitment(&account, epoch),
            root_wrap: root.wrap_key().wrap(&account, version, epoch, keyring.current(), entropy),
            ended: self.ended,
            slots,
            devices,
        };
        Ok(Draft { content: roster.encode(), roster, labels, rest: self.rest })
    }
}

impl Draft {
    /// The bytes a joining device signs: `DeviceKeys::join`.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Seals and signs. `old` is given when the root rotates and consents to the new one.
    pub fn sign(
        self,
        at: &LogPlace,
        root: &Root,
        keyring: &Keyring,
        old: Option<&RosterSigner>,
        joiner: Option<Joiner>,
        entropy: &mut dyn Entropy,
    ) -> Result<SealedRecord, RosterError> {
        let rotation = old.map(|old| Rotation {
            old_verifying_key: old.verifying_key(),
            signature: old.sign_rotation(&self.content),
        });
        let header = at.header(&self.roster);
        let sealed_content = labels::encode_sealed(keyring, &self.labels, &self.rest);
        let clear = RosterClear { roster: self.roster, content: self.content, rotation, joiner };
        let (header, body) = seal_body(keyring.current(), header, &clear.encode(), &sealed_content, entropy)
            .map_err(|BodyTooLong| RosterError::TooLong)?;
        let header_bytes = header.encode();
        let signature = root.signer().sign_header(&header_bytes);
        Ok(SealedRecord { record: Record { header, header_bytes, signature }, body })
    }
}

impl LogPlace {
    fn header(&self, roster: &Roster) -> Header {
        Header {
            kind: RecordKind::Roster,
            flags: 0,
            incarnation: self.incarnation,
            account: roster.account,
            device: DeviceId([0; 32]),
            counter: 0,
            previous: [0; 32],
            seen_size: self.seen_size,
            seen_root: self.seen_root,
            agreed: self.agreed,
            roster_version: roster.version,
            last_day: 0,
            clear_len: 0,
            body_len: 0,
            body_hash: [0; 32],
        }
    }
}
