//! Packs: the row comes before the bytes, and one due time says when they may go.

use proto::wire::ids::{DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::limits::STAGED_BYTES_MAX;

use super::gate;
use crate::meta::tables::{AccountRow, DeviceRow, PackRow, Tables};
use crate::meta::{Caller, MetaError, NewPack, Refused, Reserved, Result, StagedPack};

/// A reserved pack that nothing pins is due after this.
pub const STAGED_MS: u64 = 24 * 3_600_000;
/// Rows of one answer: a device's staged GiB in packs of the ordinary floor.
const STAGED_ROWS_MAX: usize = 16_384;

pub fn reserve(t: &mut dyn Tables, caller: &Caller, new: NewPack, now_ms: u64) -> Result<Reserved> {
    let mut account = gate::admitted(t, caller)?;
    if new.class < Class::PAGE {
        return Err(Refused::BadRecord("a pack is below the least length").into());
    }
    if let Some(row) = t.pack(&account.id, &new.id)? {
        return again(t, &account, caller, row, new, now_ms);
    }
    let bytes = new.class.bytes() as u64;
    let mut device = t.device(&account.id, &caller.device)?.ok_or(Refused::DeviceGone)?;
    let free_bytes = STAGED_BYTES_MAX.saturating_sub(device.staged_bytes);
    if bytes > free_bytes {
        return Err(Refused::StagedTooMuch { needed_bytes: bytes, free_bytes }.into());
    }
    let free_bytes = account.quota_bytes.saturating_sub(account.used_bytes);
    if bytes > free_bytes {
        return Err(Refused::Quota { needed_bytes: bytes, free_bytes }.into());
    }
    device.staged_bytes += bytes;
    account.used_bytes += bytes;
    t.put_device(&account.id, &device)?;
    t.put_account(&account)?;
    let row = PackRow {
        id: new.id,
        class: new.class,
        last_day: new.last_day,
        device: caller.device,
        whole: false,
        due_ms: Some(now_ms.saturating_add(STAGED_MS)),
        pin: None,
        in_head: false,
        page: false,
        dropped: None,
    };
    t.put_pack(&account.id, &row)?;
    Ok(Reserved::Send)
}

/// An id that is there: the same upload again, or somebody's mistake.
fn again(
    t: &mut dyn Tables,
    account: &AccountRow,
    caller: &Caller,
    mut row: PackRow,
    new: NewPack,
    now_ms: u64,
) -> Result<Reserved> {
    if !row.live(now_ms) {
        return Err(Refused::PackGone(vec![row.id]).into());
    }
    if row.class != new.class || row.last_day != new.last_day {
        return Err(Refused::PackConflict.into());
    }
    if row.whole {
        return Ok(Reserved::Already);
    }
    if row.device != caller.device {
        return Err(Refused::PackConflict.into());
    }
    row.due_ms = Some(now_ms.saturating_add(STAGED_MS));
    t.put_pack(&account.id, &row)?;
    Ok(Reserved::Send)
}

pub fn stored(t: &mut dyn Tables, caller: &Caller, id: PackId, now_ms: u64) -> Result<()> {
    let account = gate::admitted(t, caller)?;
    let mut row = t.pack(&account.id, &id)?.filter(|p| p.live(now_ms)).ok_or(Refused::PackGone(vec![id]))?;
    if !row.whole {
        row.whole = true;
        t.put_pack(&account.id, &row)?;
    }
    Ok(())
}

pub fn readable(t: &mut dyn Tables, caller: &Caller, id: PackId, now_ms: u64) -> Result<Class> {
    let account = gate::admitted(t, caller)?;
    let row = t.pack(&account.id, &id)?.filter(|p| p.whole && p.live(now_ms)).ok_or(Refused::UnknownPack)?;
    Ok(row.class)
}

pub fn staged(t: &mut dyn Tables, caller: &Caller, now_ms: u64) -> Result<Vec<StagedPack>> {
    let account = gate::admitted(t, caller)?;
    let rows = t.staged(&account.id, &caller.device, STAGED_ROWS_MAX)?;
    let live = rows.into_iter().filter(|p| p.live(now_ms));
    Ok(live.map(|p| StagedPack { id: p.id, class: p.class, whole: p.whole }).collect())
}

/// Lets a record rely on a pack. Within a batch `device` is its author's row, which the batch saves at its end.
pub fn pin(
    t: &mut dyn Tables,
    account: &mut AccountRow,
    device: &mut DeviceRow,
    mut row: PackRow,
    index: u64,
) -> Result<()> {
    unstage(t, account, device, &row)?;
    if !row.is_pinned() {
        account.live_bytes += row.bytes();
    }
    row.pin = Some(index);
    row.due_ms = None;
    row.dropped = None;
    t.put_pack(&account.id, &row)
}

/// Takes a pack that is about to be pinned or dropped off the staged bytes of the device that reserved it.
pub fn unstage(t: &mut dyn Tables, account: &AccountRow, device: &mut DeviceRow, row: &PackRow) -> Result<()> {
    if !row.is_staged() {
        return Ok(());
    }
    if row.device == device.id {
        return subtract(&mut device.staged_bytes, row.bytes());
    }
    unstage_of(t, account, &row.device, row.bytes())
}

pub fn unstage_of(t: &mut dyn Tables, account: &AccountRow, device: &DeviceId, bytes: u64) -> Result<()> {
    let mut other = t.device(&account.id, device)?.ok_or(MetaError::Damaged("a pack's device is missing"))?;
    subtract(&mut other.staged_bytes, bytes)?;
    t.put_device(&account.id, &other)
}

/// Counters of bytes are exact: falling below nothing is damage, not something to round off.
pub fn subtract(counter: &mut u64, bytes: u64) -> Result<()> {
    *counter = counter.checked_sub(bytes).ok_or(MetaError::Damaged("a byte counter is too small"))?;
    Ok(())
}
