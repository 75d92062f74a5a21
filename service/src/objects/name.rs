//! Object names: the closed list of `docs/format.md` §7, so that no outside text becomes a path.

use proto::wire::ids::{AccountId, PackId};

use crate::meta::{MirrorObject, RecoverySlot};

/// The name of an object: `folder/leaf`, both of plain letters, digits and dashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectName {
    folder: String,
    leaf: String,
}

/// The folder of recovery slots.
pub const SLOTS_FOLDER: &str = "slots";

impl ObjectName {
    pub fn pack(account: &AccountId, pack: PackId) -> Self {
        Self { folder: account.address(), leaf: pack.hex() }
    }

    pub fn mirrored(account: &AccountId, object: &MirrorObject) -> Self {
        let own = |leaf: String| Self { folder: account.address(), leaf };
        match object {
            MirrorObject::PassphraseSlot => own("slot-1".to_owned()),
            MirrorObject::Opaque => own("opaque".to_owned()),
            MirrorObject::Rotation(generation) => own(format!("rotation-{generation}")),
            MirrorObject::Roster => own("roster".to_owned()),
            MirrorObject::Head => own("head".to_owned()),
            MirrorObject::RecoverySlot(slot) | MirrorObject::EraseRecoverySlot(slot) => Self::recovery_slot(slot),
        }
    }

    pub fn recovery_slot(slot: &RecoverySlot) -> Self {
        let leaf = format!("{}-{}", PackId(slot.name).hex(), slot.generation);
        Self { folder: SLOTS_FOLDER.to_owned(), leaf }
    }

    /// Reads a name back from a listing; nothing that is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (folder, leaf) = text.split_once('/')?;
        let plain = |s: &str| {
            !s.is_empty()
                && s.len() <= 64
                && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        (plain(folder) && plain(leaf)).then(|| Self { folder: folder.to_owned(), leaf: leaf.to_owned() })
    }

    pub fn folder(&self) -> &str {
        &self.folder
    }

    pub fn leaf(&self) -> &str {
        &self.leaf
    }

    /// The whole name, as keys of a bucket are written.
    pub fn key(&self) -> String {
        format!("{}/{}", self.folder, self.leaf)
    }

    /// The pack's id, if this names a pack.
    pub fn pack_id(&self) -> Option<PackId> {
        (self.folder != SLOTS_FOLDER).then(|| PackId::from_hex(&self.leaf)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_paths_do_not() {
        let account = AccountId([0xab; 32]);
        let pack = ObjectName::pack(&account, PackId([7; 16]));
        assert_eq!(pack.key(), format!("{}/{}", "ab".repeat(16), "07".repeat(16)));
        assert_eq!(ObjectName::parse(&pack.key()), Some(pack.clone()));
        assert_eq!(pack.pack_id(), Some(PackId([7; 16])));
        let rotation = ObjectName::mirrored(&account, &MirrorObject::Rotation(3));
        assert_eq!((rotation.leaf(), rotation.pack_id()), ("rotation-3", None));
        let slot = ObjectName::recovery_slot(&RecoverySlot { name: [1; 16], generation: 12 });
        assert_eq!((slot.key(), slot.pack_id()), (format!("slots/{}-12", "01".repeat(16)), None));
        for bad in ["", "a", "a/", "/a", "a/b/c", "../a", "a/..", "a/B", "a/b\0"] {
            assert_eq!(ObjectName::parse(bad), None, "{bad:?}");
        }
    }
}
