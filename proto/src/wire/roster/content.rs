//! The roster's clear part, byte by byte.

use crate::wire::bytes::{Malformed, Reader, Result, Writer};
use crate::wire::ids::{AccountId, DeviceId};
use crate::wire::limits::{ACTIVE_DEVICES_MAX, BODY_BYTES_MAX, GONE_DEVICES_MAX, SLOTS_MAX};

/// Length of `E_k` sealed under the root wrap key.
pub const ROOT_WRAP_BYTES: usize = 112;
pub const KEM_KEY_BYTES: usize = 1216;
pub const ENCAPSULATED_BYTES: usize = 1120;
pub const WRAPPED_BYTES: usize = 48;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SlotKind {
    Passphrase = 1,
    Recovery = 2,
}

impl SlotKind {
    pub fn new(n: u8) -> Result<Self> {
        match n {
            1 => Ok(Self::Passphrase),
            2 => Ok(Self::Recovery),
            _ => Err(Malformed::Unknown),
        }
    }
}

/// What the roster says of a slot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    pub kind: SlotKind,
    pub generation: u32,
    /// `H("slot", slot object)`.
    pub slot_digest: [u8; 32],
    /// `H("credential", OPAQUE object or recovery verifying key)`.
    pub credential_digest: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeviceState {
    Active {
        kem_key: Box<[u8; KEM_KEY_BYTES]>,
        encapsulated: Box<[u8; ENCAPSULATED_BYTES]>,
        wrapped: [u8; WRAPPED_BYTES],
    },
    Revoked {
        at_version: u64,
    },
    Left {
        at_version: u64,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    pub id: DeviceId,
    pub joined_version: u64,
    pub verifying_key: [u8; 32],
    pub state: DeviceState,
}

impl Device {
    pub fn is_active(&self) -> bool {
        matches!(self.state, DeviceState::Active { .. })
    }
}

/// The whole roster, as every ROSTER record states it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roster {
    pub account: AccountId,
    pub version: u64,
    pub epoch: u32,
    pub root_generation: u32,
    pub verifying_key: [u8; 32],
    pub epoch_commitment: [u8; 32],
    pub root_wrap: [u8; ROOT_WRAP_BYTES],
    /// The account ends with this roster.
    pub ended: bool,
    pub slots: Vec<Slot>,
    pub devices: Vec<Device>,
}

/// The old root's consent to a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotation {
    pub old_verifying_key: [u8; 32],
    pub signature: [u8; 64],
}

/// A joining device's proof that it has its keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joiner {
    pub device: DeviceId,
    pub signature: [u8; 64],
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RosterClear {
    pub roster: Roster,
    /// The bytes the signatures below cover.
    pub content: Vec<u8>,
    pub rotation: Option<Rotation>,
    pub joiner: Option<Joiner>,
}

impl Roster {
    const VERSION: u8 = 1;

    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.iter().find(|d| d.id == *id)
    }

    /// The device, if it may write.
    pub fn active(&self, id: &DeviceId) -> Option<&Device> {
        self.device(id).filter(|d| d.is_active())
    }

    pub fn slot(&self, kind: SlotKind) -> Option<&Slot> {
        self.slots.iter().find(|s| s.kind == kind)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(Self::VERSION).raw(&self.account.0).u64(self.version).u32(self.epoch).u32(self.root_generation);
        w.raw(&self.verifying_key).raw(&self.epoch_commitment).raw(&self.root_wrap).u8(self.ended.into());
        w.u8(self.slots.len() as u8);
        for slot in &self.slots {
            w.u8(slot.kind as u8).u32(slot.generation).raw(&slot.slot_digest).raw(&slot.credential_digest);
        }
        w.u16(self.devices.len() as u16);
        for device in &self.devices {
            device.encode(&mut w);
        }
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        let roster = Self::read(&mut r)?;
        r.finish()?;
        Ok(roster)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        if r.u8()? != Self::VERSION {
            return Err(Malformed::Unknown);
        }
        let (account, version, epoch, root_generation) = (AccountId(r.array()?), r.u64()?, r.u32()?, r.u32()?);
        let (verifying_key, epoch_commitment, root_wrap) = (r.array()?, r.array()?, r.array()?);
        let ended = boolean(r)?;
        let n = r.u8()? as usize;
        if n > SLOTS_MAX {
            return Err(Malformed::TooLong);
        }
        let slots = (0..n).map(|_| Slot::read(r)).collect::<Result<Vec<_>>>()?;
        let n = r.u16()? as usize;
        if n > ACTIVE_DEVICES_MAX + GONE_DEVICES_MAX {
            return Err(Malformed::TooLong);
        }
        let devices = (0..n).map(|_| Device::read(r)).collect::<Result<Vec<_>>>()?;
        let active = devices.iter().filter(|d| d.is_active()).count();
        if active > ACTIVE_DEVICES_MAX || n - active > GONE_DEVICES_MAX {
            return Err(Malformed::TooLong);
        }
        if !devices.is_sorted_by(|a, b| a.id < b.id) || !slots.is_sorted_by(|a, b| a.kind < b.kind) {
            return Err(Malformed::NotCanonical);
        }
        let roster = Self {
            account,
            version,
            epoch,
            root_generation,
            verifying_key,
            epoch_commitment,
            root_wrap,
            ended,
            slots,
            devices,
        };
        Ok(roster)
    }
}

fn boolean(r: &mut Reader<'_>) -> Result<bool> {
    match r.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed::NotCanonical),
    }
}

impl Slot {
    fn read(r: &mut Reader<'_>) -> Result<Self> {
        let kind = SlotKind::new(r.u8()?)?;
        Ok(Self { kind, generation: r.u32()?, slot_digest: r.array()?, credential_digest: r.array()? })
    }
}

impl Device {
    fn encode(&self, w: &mut Writer) {
        let state = match &self.state {
            DeviceState::Active { .. } => 1,
            DeviceState::Revoked { .. } => 2,
            DeviceState::Left { .. } => 3,
        };
        w.raw(&self.id.0).u8(state).u64(self.joined_version).raw(&self.verifying_key);
        match &self.state {
            DeviceState::Active { kem_key, encapsulated, wrapped } => {
                w.raw(&kem_key[..]).raw(&encapsulated[..]).raw(wrapped);
            }
            DeviceState::Revoked { at_version } | DeviceState::Left { at_version } => {
                w.u64(*at_version);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        let (id, state, joined_version, verifying_key) = (DeviceId(r.array()?), r.u8()?, r.u64()?, r.array()?);
        let state = match state {
            1 => DeviceState::Active {
                kem_key: Box::new(r.array()?),
                encapsulated: Box::new(r.array()?),
                wrapped: r.array()?,
            },
            2 => DeviceState::Revoked { at_version: r.u64()? },
            3 => DeviceState::Left { at_version: r.u64()? },
            _ => return Err(Malformed::Unknown),
        };
        Ok(Self { id, joined_version, verifying_key, state })
    }
}

impl RosterClear {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.content);
        match &self.rotation {
            None => w.u8(0),
            Some(rotation) => w.u8(1).raw(&rotation.old_verifying_key).raw(&rotation.signature),
        };
        match &self.joiner {
            None => w.u8(0),
            Some(joiner) => w.u8(1).raw(&joiner.device.0).raw(&joiner.signature),
        };
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > BODY_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let mut r = Reader::new(bytes);
        let roster = Roster::read(&mut r)?;
        let content = bytes.split_at(bytes.len() - r.remaining()).0.to_vec();
        let rotation = boolean(&mut r)?
            .then(|| Ok(Rotation { old_verifying_key: r.array()?, signature: r.array()? }))
            .transpose()?;
        let joiner =
            boolean(&mut r)?.then(|| Ok(Joiner { device: DeviceId(r.array()?), signature: r.array()? })).transpose()?;
        r.finish()?;
        Ok(Self { roster, content, rotation, joiner })
    }
}
