//! The queue of mirror work. Rows are written in the transaction that makes them necessary; what an object holds is
//! read when the work is done, so the newest is mirrored however long the queue waited.

use bytes::Bytes;
use proto::wire::bytes::Writer;
use proto::wire::ids::AccountId;
use proto::wire::roster::SlotKind;
use proto::wire::slot::SlotPrefix;

use super::place;
use crate::meta::tables::{AccountRow, MirrorRow, Tables};
use crate::meta::{MetaError, MirrorJob, MirrorObject, RecoverySlot, Result, SlotBytes};

/// Notes that an object of the bucket is behind.
pub fn note(t: &mut dyn Tables, account: &AccountRow, object: MirrorObject, now_ms: u64) -> Result<()> {
    let old = t.mirror(&account.id, &object)?;
    let (since_ms, stamp) = old.map_or((now_ms, 0), |row| (row.since_ms, row.stamp + 1));
    t.put_mirror(&MirrorRow { account: account.id, object, since_ms, stamp })
}

pub fn note_slot(
    t: &mut dyn Tables,
    account: &AccountRow,
    old: Option<&SlotBytes>,
    new: &SlotBytes,
    now_ms: u64,
) -> Result<()> {
    match new.kind {
        SlotKind::Passphrase => {
            note(t, account, MirrorObject::PassphraseSlot, now_ms)?;
            note(t, account, MirrorObject::Opaque, now_ms)
        }
        SlotKind::Recovery => {
            if let Some(old) = old {
                // It may be in the bucket even where its row still waits: the crash may have come between the two.
                let replaced = recovery_slot(old)?;
                t.remove_mirror(&account.id, &MirrorObject::RecoverySlot(replaced))?;
                note(t, account, MirrorObject::EraseRecoverySlot(replaced), now_ms)?;
            }
            note(t, account, MirrorObject::RecoverySlot(recovery_slot(new)?), now_ms)
        }
    }
}

/// Where a recovery slot stands in the bucket.
pub fn recovery_slot(slot: &SlotBytes) -> Result<RecoverySlot> {
    let name = slot.slot_name.ok_or(MetaError::Damaged("a recovery slot has no name"))?;
    let split = SlotPrefix::split(&slot.slot);
    let (prefix, _) = split.map_err(|_| MetaError::Damaged("a recovery slot cannot be read"))?;
    Ok(RecoverySlot { name, generation: prefix.generation })
}

pub fn jobs(t: &mut dyn Tables, account: &AccountId, limit: usize) -> Result<Vec<MirrorJob>> {
    let rows = t.mirror_rows(account, limit)?;
    let mut jobs = Vec::with_capacity(rows.len());
    for MirrorRow { account, object, since_ms, stamp } in rows {
        match content(t, &account, &object) {
            Ok(content) => jobs.push(MirrorJob { account, object, content, stamp, since_ms }),
            // What comes after it waits too: an erasure must not run ahead of a roster that cannot be read.
            Err(MetaError::Damaged(_)) if !jobs.is_empty() => break,
            Err(e) => return Err(e),
        }
    }
    Ok(jobs)
}

pub fn done(t: &mut dyn Tables, job: &MirrorJob) -> Result<()> {
    match t.mirror(&job.account, &job.object)? {
        Some(row) if row.stamp == job.stamp => t.remove_mirror(&job.account, &job.object),
        _ => Ok(()),
    }
}

/// What the object holds now (`docs/format.md` §7); nothing where it is to be erased.
fn content(t: &mut dyn Tables, id: &AccountId, object: &MirrorObject) -> Result<Option<Bytes>> {
    const MISSING: MetaError = MetaError::Damaged("a mirrored row is missing");
    // An account whose deletion has begun is erased from the bucket by that deletion.
    let Some(account) = t.account(id)?.filter(|a| !a.ended) else { return Ok(None) };
    let bytes = match object {
        MirrorObject::EraseRecoverySlot(_) => return Ok(None),
        MirrorObject::PassphraseSlot => t.slot(id, SlotKind::Passphrase)?.ok_or(MISSING)?.slot,
        MirrorObject::Opaque => t.slot(id, SlotKind::Passphrase)?.ok_or(MISSING)?.credential,
        MirrorObject::RecoverySlot(place) => {
            let slot = t.slot(id, SlotKind::Recovery)?.ok_or(MISSING)?;
            if recovery_slot(&slot)? != *place {
                return Err(MISSING);
            }
            slot.slot
        }
        MirrorObject::Roster => record(t, &account, account.roster_index, false)?,
        MirrorObject::Rotation(generation) => {
            let rotations = t.rotations(id, 0)?;
            let row = rotations.iter().find(|r| r.rotation == Some(*generation)).ok_or(MISSING)?;
            record(t, &account, row.index, false)?
        }
        MirrorObject::Head => {
            let index = account.head.as_ref().ok_or(MISSING)?.index;
            record(t, &account, index, true)?
        }
    };
    Ok(Some(bytes))
}

/// `u64 index ‖ leaf ‖ body`, and for a head the frontier just after it.
fn record(t: &mut dyn Tables, account: &AccountRow, index: u64, with_frontier: bool) -> Result<Bytes> {
    let row = t.entry(&account.id, index)?.ok_or(MetaError::Damaged("a log entry is missing"))?;
    let mut w = Writer::new();
    w.u64(index).raw(&row.leaf).raw(&row.body);
    if with_frontier {
        for hash in place::frontier_at(t, account, index + 1)?.hashes() {
            w.raw(hash);
        }
    }
    Ok(w.finish().into())
}
