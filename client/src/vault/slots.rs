//! The account's slots as they travel and as every device keeps them, unopenable to it (`docs/format.md` §6).

use bytes::Bytes;
use proto::v1;
use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::limits::{SLOT_BYTES, SLOTS_MAX};
use proto::wire::roster::{Roster, Slot, SlotKind};
use proto::wire::slot::{OpaqueObject, credential_digest, slot_digest};

use super::passphrase::Enrolled;
use crate::crypto::slot::{SlotPlace, make_passphrase_slot, make_recovery_slot};
use crate::crypto::{Entropy, RecoveryKey, Root};

/// A slot with the credential that gives it out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotCopy {
    pub kind: SlotKind,
    /// The slot object.
    pub slot: Vec<u8>,
    /// The OPAQUE object, or the recovery verifying key.
    pub credential: Vec<u8>,
    /// Under which name the bucket has it, if it is a recovery slot.
    pub slot_name: Option<[u8; 16]>,
}

/// All slots of an account: what a device hands back to a service that has lost them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slots(Vec<SlotCopy>);

/// An OPAQUE object is shorter than this whatever the name.
const CREDENTIAL_BYTES_MAX: usize = 512;
const VERSION: u8 = 1;

impl SlotCopy {
    /// Makes the passphrase's slot for an enrolment.
    pub(super) fn passphrase(at: &SlotPlace, enrolled: &Enrolled, root: &Root, entropy: &mut dyn Entropy) -> Self {
        let cost = enrolled.cost.get();
        let slot = make_passphrase_slot(at, &enrolled.registered.export_key, root, &cost, entropy);
        let object = OpaqueObject {
            account: at.account,
            generation: at.generation,
            name: at.name.clone(),
            credential_id: enrolled.credential_id,
            cost,
            record: enrolled.registered.record,
        };
        Self { kind: SlotKind::Passphrase, slot: slot.to_vec(), credential: object.encode(), slot_name: None }
    }

    /// Makes the recovery key's slot.
    pub(super) fn recovery(at: &SlotPlace, key: &RecoveryKey, root: &Root, entropy: &mut dyn Entropy) -> Self {
        Self {
            kind: SlotKind::Recovery,
            slot: make_recovery_slot(at, key, root, entropy).to_vec(),
            credential: key.signer().verifying_key().to_vec(),
            slot_name: Some(key.slot_name()),
        }
    }

    /// What a roster says of it.
    pub(super) fn listed(&self, generation: u32) -> Slot {
        Slot {
            kind: self.kind,
            generation,
            slot_digest: slot_digest(&self.slot),
            credential_digest: credential_digest(&self.credential),
        }
    }

    pub fn to_wire(&self) -> v1::SlotBytes {
        v1::SlotBytes {
            kind: self.kind as u32,
            slot: Bytes::copy_from_slice(&self.slot),
            credential: Bytes::copy_from_slice(&self.credential),
            slot_name: self.slot_name.map(|name| Bytes::copy_from_slice(&name)).unwrap_or_default(),
        }
    }

    fn from_wire(sent: &v1::SlotBytes) -> Option<Self> {
        let v1::SlotBytes { kind, slot, credential, slot_name } = sent;
        let kind = SlotKind::new(u8::try_from(*kind).ok()?).ok()?;
        if slot.len() != SLOT_BYTES || credential.len() > CREDENTIAL_BYTES_MAX {
            return None;
        }
        let slot_name = match kind {
            SlotKind::Passphrase => None,
            SlotKind::Recovery => Some(slot_name[..].try_into().ok()?),
        };
        Some(Self { kind, slot: slot.to_vec(), credential: credential.to_vec(), slot_name })
    }
}

impl Slots {
    pub(super) fn new(slots: Vec<SlotCopy>) -> Self {
        let mut all = Self::default();
        for slot in slots {
            all.replace(slot);
        }
        all
    }

    /// Takes what a service gave, if it is what the verified roster names.
    pub fn from_wire(sent: &[v1::SlotBytes], roster: &Roster) -> Option<Self> {
        if sent.len() > SLOTS_MAX {
            return None;
        }
        let slots = Self::new(sent.iter().map(SlotCopy::from_wire).collect::<Option<Vec<_>>>()?);
        slots.fit(roster).then_some(slots)
    }

    pub fn of(&self, kind: SlotKind) -> Option<&SlotCopy> {
        self.0.iter().find(|s| s.kind == kind)
    }

    pub fn to_wire(&self) -> Vec<v1::SlotBytes> {
        self.0.iter().map(SlotCopy::to_wire).collect()
    }

    /// The bytes that the archive keeps as `Note::Slots`.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).u8(self.0.len() as u8);
        for slot in &self.0 {
            w.u8(slot.kind as u8).prefixed(&slot.slot).prefixed(&slot.credential);
            w.prefixed(slot.slot_name.as_ref().map_or(&[], |name| &name[..]));
        }
        w.finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes);
        if r.u8()? != VERSION {
            return Err(Malformed::Unknown);
        }
        let count = usize::from(r.u8()?);
        if count > SLOTS_MAX {
            return Err(Malformed::TooLong);
        }
        let slots = (0..count).map(|_| read(&mut r)).collect::<Result<Vec<_>>>()?;
        r.finish()?;
        if !slots.is_sorted_by(|a, b| a.kind < b.kind) {
            return Err(Malformed::NotCanonical);
        }
        Ok(Self(slots))
    }

    pub(super) fn replace(&mut self, slot: SlotCopy) {
        self.0.retain(|old| old.kind != slot.kind);
        self.0.push(slot);
        self.0.sort_by_key(|s| s.kind);
    }

    /// Whether these are all the slots a roster names, and no other.
    fn fit(&self, roster: &Roster) -> bool {
        let named = |slot: &SlotCopy| roster.slot(slot.kind).is_some_and(|n| *n == slot.listed(n.generation));
        self.0.len() == roster.slots.len() && self.0.iter().all(named)
    }
}

fn read(r: &mut Reader<'_>) -> Result<SlotCopy> {
    let kind = SlotKind::new(r.u8()?)?;
    let slot = r.prefixed(SLOT_BYTES)?.to_vec();
    let credential = r.prefixed(CREDENTIAL_BYTES_MAX)?.to_vec();
    let slot_name = match r.prefixed(16)? {
        [] => None,
        name => Some(name.try_into().map_err(|_| Malformed::Short)?),
    };
    Ok(SlotCopy { kind, slot, credential, slot_name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(kind: SlotKind) -> SlotCopy {
        let slot_name = (kind == SlotKind::Recovery).then_some([9; 16]);
        SlotCopy { kind, slot: vec![kind as u8; SLOT_BYTES], credential: vec![3; 32], slot_name }
    }

    #[test]
    fn they_come_back_and_nothing_shorter_or_longer_does() {
        let slots = Slots::new(vec![copy(SlotKind::Recovery), copy(SlotKind::Passphrase)]);
        let bytes = slots.encode();
        assert_eq!(Slots::decode(&bytes), Ok(slots.clone()));
        for end in 0..bytes.len() {
            assert!(Slots::decode(&bytes[..end]).is_err());
        }
        assert!(Slots::decode(&[&bytes[..], &[0]].concat()).is_err());
        let wire = slots.to_wire();
        assert_eq!(wire.iter().map(SlotCopy::from_wire).collect::<Option<Vec<_>>>(), Some(slots.0));
    }
}
