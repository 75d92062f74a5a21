//! Slots: sealed copies of the root, one per way in (`docs/format.md` §6).
//!
//! A passphrase or a recovery key opens a slot and nothing else. The clear prefix is associated data, so a slot of
//! another account, name or generation does not open.

use proto::wire::bytes::{Reader, Writer};
use proto::wire::limits::SLOT_BYTES;
use proto::wire::roster::SlotKind;
use proto::wire::slot::{Argon2Cost, SlotPrefix};
use zeroize::Zeroizing;

use super::derive::{derive, purpose};
use super::opaque::ExportKey;
use super::padding::{pad, unpad};
use super::place::Place;
use super::seal::{Refused, SEAL_BYTES, open, seal};
use super::secret::{Secret, key_type};
use super::{Entropy, RecoveryKey, Root};
use crate::ids::AccountId;
pub use proto::wire::slot::AccountName;

key_type!(/// Opens one slot.
    SlotKey);

/// What a slot states in clear, besides its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotPlace {
    pub account: AccountId,
    pub name: AccountName,
    pub generation: u32,
    pub root_generation: u32,
}

/// A slot that opened.
pub struct OpenSlot {
    pub prefix: SlotPrefix,
    pub root: Root,
}

/// Makes the passphrase's slot. The cost is sealed in, so that whoever opens it learns whether it was tampered with.
pub fn make_passphrase_slot(
    place: &SlotPlace,
    key: &ExportKey,
    root: &Root,
    cost: &Argon2Cost,
    entropy: &mut dyn Entropy,
) -> [u8; SLOT_BYTES] {
    make(&place.prefix(SlotKind::Passphrase), &passphrase_key(key), root, cost, entropy)
}

pub fn make_recovery_slot(
    place: &SlotPlace,
    key: &RecoveryKey,
    root: &Root,
    entropy: &mut dyn Entropy,
) -> [u8; SLOT_BYTES] {
    make(&place.prefix(SlotKind::Recovery), &key.slot_key(), root, &Argon2Cost::default(), entropy)
}

/// Opens the passphrase's slot of the account with this name, given the cost that was used to get the key.
pub fn open_passphrase_slot(
    object: &[u8],
    name: &AccountName,
    key: &ExportKey,
    cost: &Argon2Cost,
) -> Result<OpenSlot, Refused> {
    let slot = open_slot(object, SlotKind::Passphrase, &passphrase_key(key), cost)?;
    if slot.prefix.name == *name { Ok(slot) } else { Err(Refused) }
}

/// Opens the recovery slot. From the bucket alone no name is known: then the slot tells it.
pub fn open_recovery_slot(object: &[u8], name: Option<&AccountName>, key: &RecoveryKey) -> Result<OpenSlot, Refused> {
    let slot = open_slot(object, SlotKind::Recovery, &key.slot_key(), &Argon2Cost::default())?;
    if name.is_none_or(|n| slot.prefix.name == *n) { Ok(slot) } else { Err(Refused) }
}

fn passphrase_key(key: &ExportKey) -> SlotKey {
    SlotKey(derive(purpose::PASSPHRASE_SLOT_KEY, &[key.bytes()]))
}

impl SlotPlace {
    fn prefix(&self, kind: SlotKind) -> SlotPrefix {
        let Self { account, name, generation, root_generation } = self.clone();
        SlotPrefix { kind, account, generation, root_generation, name }
    }
}

fn make(
    prefix: &SlotPrefix,
    key: &SlotKey,
    root: &Root,
    cost: &Argon2Cost,
    entropy: &mut dyn Entropy,
) -> [u8; SLOT_BYTES] {
    let clear = prefix.encode();
    let content = Zeroizing::new(Writer::new().raw(root.0.bytes()).raw(&cost.encode()).finish());
    let padded = pad(&content, SLOT_BYTES - clear.len() - SEAL_BYTES)
        .expect("the longest prefix leaves 300 bytes for a content of 44");
    let sealed = seal(&key.0, &prefix.account, &Place::Slot { prefix: &clear }, &padded, entropy);
    [clear, sealed].concat().try_into().expect("prefix, padding and seal add up to a slot")
}

fn open_slot(object: &[u8], kind: SlotKind, key: &SlotKey, cost: &Argon2Cost) -> Result<OpenSlot, Refused> {
    let (prefix, sealed) = SlotPrefix::split(object).map_err(|_| Refused)?;
    if prefix.kind != kind {
        return Err(Refused);
    }
    let padded = open(&key.0, &prefix.account, &Place::Slot { prefix: &prefix.encode() }, sealed)?;
    let mut r = Reader::new(unpad(&padded)?);
    let root = Root(Secret::copied(&r.array().map_err(|_| Refused)?));
    let stated = Argon2Cost::decode(r.rest()).map_err(|_| Refused)?;
    if stated == *cost { Ok(OpenSlot { prefix, root }) } else { Err(Refused) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;

    const COST: Argon2Cost = Argon2Cost { memory_kib: 65536, passes: 3, lanes: 1 };

    fn place(name: &str) -> SlotPlace {
        let name = AccountName::new(name).unwrap();
        SlotPlace { account: AccountId([1; 32]), name, generation: 1, root_generation: 1 }
    }

    fn export(seed: u8) -> ExportKey {
        ExportKey::for_tests([seed; 64])
    }

    #[test]
    fn both_ways_in_give_the_root() {
        let mut entropy = Fixed::new("slot");
        let (root, recovery) = (Root::generate(&mut entropy), RecoveryKey::generate(&mut entropy));
        for name in ["a", &"a".repeat(64)] {
            let place = place(name);
            let slot = make_passphrase_slot(&place, &export(1), &root, &COST, &mut entropy);
            let open = open_passphrase_slot(&slot, &place.name, &export(1), &COST).unwrap();
            assert!(open.root.0.same(&root.0));
            assert_eq!(open.prefix, place.prefix(SlotKind::Passphrase));
            let slot = make_recovery_slot(&place, &recovery, &root, &mut entropy);
            assert!(open_recovery_slot(&slot, Some(&place.name), &recovery).unwrap().root.0.same(&root.0));
            assert!(open_recovery_slot(&slot, None, &recovery).is_ok());
        }
    }

    #[test]
    fn nothing_but_the_right_secret_name_and_cost_opens() {
        let mut entropy = Fixed::new("slot");
        let (root, recovery) = (Root::generate(&mut entropy), RecoveryKey::generate(&mut entropy));
        let place = place("ana");
        let slot = make_passphrase_slot(&place, &export(1), &root, &COST, &mut entropy);
        let cheaper = Argon2Cost { passes: 2, ..COST };
        let bob = AccountName::new("bob").unwrap();
        assert!(open_passphrase_slot(&slot, &place.name, &export(2), &COST).is_err());
        assert!(open_passphrase_slot(&slot, &bob, &export(1), &COST).is_err());
        assert!(open_passphrase_slot(&slot, &place.name, &export(1), &cheaper).is_err());
        assert!(open_recovery_slot(&slot, None, &recovery).is_err());
        for at in 0..slot.len() {
            let mut changed = slot;
            changed[at] ^= 1;
            assert!(open_passphrase_slot(&changed, &place.name, &export(1), &COST).is_err(), "byte {at}");
            assert!(open_passphrase_slot(&slot[..at], &place.name, &export(1), &COST).is_err());
        }
        let other = RecoveryKey::generate(&mut entropy);
        let slot = make_recovery_slot(&place, &recovery, &root, &mut entropy);
        assert!(open_recovery_slot(&slot, None, &other).is_err());
        assert!(open_recovery_slot(&slot, Some(&bob), &recovery).is_err());
    }
}
