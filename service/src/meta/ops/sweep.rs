//! Which packs may leave storage, and the last steps of an account.

use proto::wire::ids::{AccountId, DeviceId};
use proto::wire::roster::SlotKind;

use super::{mirror, pack};
use crate::meta::tables::Tables;
use crate::meta::{DuePack, DuePage, DuePlace, MirrorObject, RecoverySlot, Result};

/// A pack leaves storage this long after it was due, so that a read that began before can end.
pub const SWEEP_DELAY_MS: u64 = 3_600_000;
/// When no other device has spoken for this long, an author's own agreement with its head is enough.
pub const ALONE_MS: u64 = 7 * 24 * 3_600_000;
/// Rows of an account removed in one transaction.
pub const DELETE_ROWS_MAX: usize = 1000;

/// One page of due packs: those that may go, and where the next page begins. Drops that still wait for their head's
/// confirmation are passed over, so they keep nobody waiting.
pub fn sweepable(t: &mut dyn Tables, now_ms: u64, after: Option<DuePlace>, limit: usize) -> Result<DuePage> {
    let Some(until) = now_ms.checked_sub(SWEEP_DELAY_MS) else { return Ok(DuePage::default()) };
    let rows = t.due(until, after, limit)?;
    let next = match rows.last() {
        Some((account, last)) if rows.len() >= limit => Some((last.due_ms.unwrap_or(0), *account, last.id)),
        _ => None,
    };
    let mut packs = Vec::new();
    for (account, row) in rows {
        let may_go = match row.dropped {
            None => true,
            Some(by) => {
                let agreed = by.purged || is_confirmed(t, &account, by.generation, by.author, now_ms)?;
                agreed && is_mirrored(t, &account)?
            }
        };
        if may_go {
            packs.push(DuePack { account, id: row.id });
        }
    }
    Ok(DuePage { packs, next })
}

/// Whether another device agreed with a head, or, when no other has spoken for 7 days, its author.
pub fn is_confirmed(
    t: &mut dyn Tables,
    account: &AccountId,
    generation: u64,
    author: DeviceId,
    now_ms: u64,
) -> Result<bool> {
    let devices = t.devices(account)?;
    let others = || devices.iter().filter(|d| d.active && d.id != author);
    if others().any(|d| d.agreed >= generation) {
        return Ok(true);
    }
    let alone = others().all(|d| now_ms.saturating_sub(d.last_time_ms) >= ALONE_MS);
    Ok(alone && devices.iter().any(|d| d.id == author && d.agreed >= generation))
}

fn is_mirrored(t: &mut dyn Tables, account: &AccountId) -> Result<bool> {
    Ok(t.mirror(account, &MirrorObject::Head)?.is_none())
}

/// Removes the row and refunds its bytes; only if the pack is still due, which it must be.
pub fn swept(t: &mut dyn Tables, pack: DuePack, now_ms: u64) -> Result<()> {
    let Some(mut account) = t.account(&pack.account)? else { return Ok(()) };
    let Some(row) = t.pack(&pack.account, &pack.id)?.filter(|p| !p.live(now_ms)) else { return Ok(()) };
    if row.is_staged() {
        pack::unstage_of(t, &account, &row.device, row.bytes())?;
    }
    pack::subtract(&mut account.used_bytes, row.bytes())?;
    t.remove_pack(&pack.account, &pack.id)?;
    t.put_account(&account)
}

/// The recovery slot an account has, and those it had and still waits to see erased.
pub fn recovery_slots(t: &mut dyn Tables, account: &AccountId) -> Result<Vec<RecoverySlot>> {
    let slot = t.slot(account, SlotKind::Recovery)?;
    let mut slots: Vec<RecoverySlot> = slot.iter().map(mirror::recovery_slot).collect::<Result<_>>()?;
    for row in t.mirror_rows(account, usize::MAX)? {
        if let MirrorObject::EraseRecoverySlot(slot) = row.object {
            slots.push(slot);
        }
    }
    Ok(slots)
}

/// True when nothing of the account is left.
pub fn delete_step(t: &mut dyn Tables, account: &AccountId) -> Result<bool> {
    match t.account(account)? {
        Some(row) if row.ended => Ok(t.remove_rows(account, DELETE_ROWS_MAX)? < DELETE_ROWS_MAX),
        Some(_) => Ok(false),
        None => Ok(true),
    }
}
