//! From a recovery key to an account's keys and newest head, by what a bucket holds of it beside packs.

use proto::v1;
use proto::wire::header::Leaf;
use proto::wire::limits::{BODY_BYTES_MAX, LEAF_BYTES, SLOT_BYTES};
use proto::wire::roster::Roster;
use proto::wire::slot::AccountName;

use super::folder::Folder;
use crate::crypto::RecoveryKey;
use crate::crypto::roster::OpenRoster;
use crate::crypto::slot::{OpenSlot, open_recovery_slot};
use crate::error::{Error, Result};
use crate::ids::{AccountId, PackId};
use crate::sync::head::OpenHead;
use crate::sync::packs::NoPack;
use crate::vault::{head_is_by_member, open_newest, read_entry};

/// Index, leaf, body, and the frontier behind a head.
const ENTRY_BYTES_MAX: usize = 8 + LEAF_BYTES + BODY_BYTES_MAX + 64 * 32;

/// An account as a bucket holds it, verified.
pub(super) struct InBucket {
    pub account: AccountId,
    pub name: AccountName,
    pub open: OpenRoster,
    /// The newest head and the server's time of it, ms since 1970 UTC; none before the first backup.
    pub head: Option<(OpenHead, u64)>,
}

impl InBucket {
    pub fn open(folder: &Folder, key: &RecoveryKey) -> Result<Self> {
        let mut why = Vec::new();
        for name in slot_names(folder, key)? {
            match Self::by_slot(folder, key, &name) {
                // While a new root is being mirrored the newest slot may be ahead of the roster, and an older one fits.
                Err(Error::Damaged { details, .. }) => why.extend(details),
                other => return other,
            }
        }
        if why.is_empty() { Err(Error::WrongRecoveryKey) } else { Err(Error::Damaged { objects: 1, details: why }) }
    }

    fn by_slot(folder: &Folder, key: &RecoveryKey, name: &str) -> Result<Self> {
        let object = folder.read(name, SLOT_BYTES).or_else(|no| Err(damaged(name, no.reason()?)))?;
        // Its name is made from the key: where it is there and does not open, the fault is not with the key.
        let slot = open_recovery_slot(&object, None, key).map_err(|_| damaged(name, "does not verify"))?;
        let account = slot.prefix.account;
        let at = |leaf: &str| format!("{}/{leaf}", account.address());
        let open = newest(folder, &at, &slot, &object)?;
        let head = head(folder, &at("head"), &open)?;
        Ok(Self { account, name: slot.prefix.name, open, head })
    }
}

/// The recovery slots of a key, newest generation first.
fn slot_names(folder: &Folder, key: &RecoveryKey) -> Result<Vec<String>> {
    const FOLDER: &str = "slots";
    let prefix = format!("{}-", PackId(key.slot_name()).hex());
    let leaves = match folder.leaves(FOLDER, &prefix) {
        Err(NoPack::Missing) => Vec::new(),
        other => other.or_else(|no| Err(damaged(FOLDER, no.reason()?)))?,
    };
    let generation = |leaf: &String| {
        let generation: u32 = leaf.strip_prefix(&prefix)?.parse().ok()?;
        // One name per generation: "01" and "+1" are nobody's.
        (*leaf == format!("{prefix}{generation}")).then_some(generation)
    };
    let mut generations: Vec<u32> = leaves.iter().filter_map(generation).collect();
    generations.sort_unstable_by(|a, b| b.cmp(a));
    Ok(generations.into_iter().map(|generation| format!("{FOLDER}/{prefix}{generation}")).collect())
}

/// Reads the newest roster and every root rotation before it, and walks them from the account's id.
fn newest(folder: &Folder, at: &impl Fn(&str) -> String, slot: &OpenSlot, object: &[u8]) -> Result<OpenRoster> {
    let newest = entry(folder, &at("roster"), false)?;
    let mut rosters: Vec<v1::Entry> = Vec::new();
    for generation in 2..=slot.prefix.root_generation {
        rosters.push(entry(folder, &at(&format!("rotation-{generation}")), false)?);
    }
    // Where the newest roster rotated the root it is there twice, and stands in the chain once.
    if rosters.last().is_none_or(|last| last.leaf != newest.leaf) {
        rosters.push(newest);
    }
    open_newest(&rosters, slot, object).map_err(|_| damaged(&at("roster"), "does not follow from the account's id"))
}

fn head(folder: &Folder, name: &str, open: &OpenRoster) -> Result<Option<(OpenHead, u64)>> {
    let entry = match folder.read(name, ENTRY_BYTES_MAX) {
        // An account without a backup has none; the caller looks whether this one had.
        Err(NoPack::Missing) => return Ok(None),
        other => other.or_else(|no| Err(damaged(name, no.reason()?)))?,
    };
    let entry = read_entry(&entry, true).map_err(|_| damaged(name, "cannot be read"))?;
    let roster: &Roster = &open.clear.roster;
    let does_not_verify = || damaged(name, "does not verify");
    let leaf = Leaf::decode(&entry.leaf).map_err(|_| does_not_verify())?;
    let record = &leaf.record;
    if record.header.roster_version > roster.version || !head_is_by_member(record, roster) {
        return Err(does_not_verify());
    }
    let head = OpenHead::open(&open.keyring, record, &entry.body).map_err(|_| does_not_verify())?;
    if head.clear.covered_size > entry.index {
        return Err(does_not_verify());
    }
    Ok(Some((head, leaf.server_time)))
}

fn entry(folder: &Folder, name: &str, is_head: bool) -> Result<v1::Entry> {
    let object = folder.read(name, ENTRY_BYTES_MAX).or_else(|no| Err(damaged(name, no.reason()?)))?;
    read_entry(&object, is_head).map_err(|_| damaged(name, "cannot be read"))
}

fn damaged(object: &str, why: &str) -> Error {
    Error::Damaged { objects: 1, details: vec![format!("{object}: {why}")] }
}
