//! What the service mirrors into its bucket beside packs (`docs/format.md` §7), verified as an answer to a sign-in is:
//! here no service speaks, and nobody shows a log.

use bytes::Bytes;
use proto::v1;
use proto::wire::bytes::{Malformed, Reader};
use proto::wire::header::{Leaf, Record, RecordKind};
use proto::wire::limits::LEAF_BYTES;
use proto::wire::roster::{DeviceState, Roster};
use proto::wire::tree::Frontier;

use super::verify::{Chain, names_slot, reaches};
use crate::crypto::roster::{OpenRoster, Unlock, open_roster};
use crate::crypto::slot::OpenSlot;
use crate::error::Result;

/// An entry of the log as an object holds it: index, leaf, body, and for a head the frontier just after it.
pub(crate) fn read_entry(object: &[u8], is_head: bool) -> Result<v1::Entry, Malformed> {
    let mut r = Reader::new(object);
    let index = r.u64()?;
    let leaf = r.take(LEAF_BYTES)?;
    let read = Leaf::decode(leaf)?;
    let body = r.take(read.record.header.body_len as usize)?;
    if is_head {
        let size = index.checked_add(1).ok_or(Malformed::TooLong)?;
        let hashes = (0..size.count_ones()).map(|_| r.array()).collect::<Result<Vec<_>, _>>()?;
        let frontier = Frontier::from_parts(size, hashes)?;
        // Of an odd size the last subtree is the entry itself. Nothing more can be held to it: the rest is not here.
        if size % 2 == 1 && frontier.hashes().last() != Some(&read.hash()) {
            return Err(Malformed::NotCanonical);
        }
    }
    r.finish()?;
    let (leaf, body) = (Bytes::copy_from_slice(leaf), Bytes::copy_from_slice(body));
    Ok(v1::Entry { index, leaf, body, erased: false })
}

/// Walks from the account's id over the root rotations to the newest roster, and opens it by the root in the slot,
/// which the roster must name.
pub(crate) fn open_newest(rosters: &[v1::Entry], slot: &OpenSlot, slot_object: &[u8]) -> Result<OpenRoster> {
    let chain = Chain::read(rosters)?;
    let newest = chain.accept(&slot.prefix.account)?;
    reaches(&newest.roster, slot)?;
    names_slot(&newest, slot, slot_object)?;
    let (last, body) = chain.last()?;
    open_roster(&last.leaf.record, body, Unlock::Root(&slot.root)).map_err(|_| super::verify::not_in_chain())
}

/// Holds a head's record to the roster: a device of the account signed it while it belonged to it. A head may be older
/// than the newest roster, which says since when each device belongs to it and until when.
pub(crate) fn head_is_by_member(record: &Record, roster: &Roster) -> bool {
    let header = &record.header;
    let Some(author) = roster.device(&header.device) else { return false };
    let ended = match author.state {
        DeviceState::Active { .. } => u64::MAX,
        DeviceState::Revoked { at_version } | DeviceState::Left { at_version } => at_version,
    };
    header.kind == RecordKind::Head
        && header.account == roster.account
        && (author.joined_version..ended).contains(&header.roster_version)
        && record.verify(&author.verifying_key).is_ok()
}
