//! When a head is committed (`docs/design.md` §7): only on top of the last one, and only if all it names is there.

use std::collections::BTreeSet;

use proto::wire::head::{DropReason, HeadClear, NO_PACK};
use proto::wire::header::{Leaf, RecordKind};
use proto::wire::ids::PackId;
use proto::wire::last_day::is_past;

use super::brake::{self, BRAKED_MS, Change};
use super::{mirror, pack, place};
use crate::meta::tables::{AccountRow, DeviceRow, DroppedBy, HeadRow, PackRow, Tables};
use crate::meta::{MetaError, MirrorObject, NewRecord, Refused, Result};

/// A dropped pack stays this long, so that a reader of the head before can finish.
pub const DROPPED_MS: u64 = 48 * 3_600_000;
/// Packs whose wait one purge ends; more wait as they would have, or for the next purge.
pub const WAITS_ENDED_MAX: usize = 600;

/// Checks a head and carries out what it says of packs and bodies. The record itself is placed by the caller.
pub fn commit(
    t: &mut dyn Tables,
    account: &mut AccountRow,
    device: &mut DeviceRow,
    new: &NewRecord,
    now_ms: u64,
) -> Result<()> {
    let split = new.record.split_body(&new.body);
    let (clear, _) = split.map_err(|_| Refused::BadRecord("its body is not the one it names"))?;
    let clear = HeadClear::decode(clear).map_err(|_| Refused::BadRecord("its clear part cannot be read"))?;
    if new.record.header.last_day != 0 {
        return Err(Refused::BadRecord("a head has a last day").into());
    }
    continues(t, account, &clear)?;
    let covered_bytes = bytes_at(t, account, clear.covered_size)?;
    erase(t, account, &clear)?;
    let added = keep(t, account, device, &clear, now_ms)?;
    release(t, account, device, &clear, added, now_ms)?;
    let front_page = clear.pages.first().copied().filter(|p| *p != NO_PACK);
    account.head = Some(HeadRow {
        generation: clear.generation,
        author: device.id,
        index: account.frontier.size(),
        digest: new.record.digest(),
        covered_size: clear.covered_size,
        covered_bytes,
        front_size: clear.front_size,
        front_page,
    });
    mirror::note(t, account, MirrorObject::Head, now_ms)
}

fn continues(t: &mut dyn Tables, account: &AccountRow, clear: &HeadClear) -> Result<()> {
    let (generation, parent, covered) = match &account.head {
        Some(head) => (head.generation, head.digest, head.covered_size),
        None => (0, [0; 32], 0),
    };
    if clear.generation != generation + 1 || clear.parent != parent {
        return Err(Refused::HeadMoved.into());
    }
    if clear.covered_size > account.frontier.size() || clear.covered_size < covered {
        return Err(Refused::HeadCondition("it covers more than there is, or less than its parent").into());
    }
    if place::root_at(t, account, clear.covered_size)? != clear.covered_root {
        return Err(Refused::HeadCondition("the log it covers is another").into());
    }
    Ok(())
}

fn bytes_at(t: &mut dyn Tables, account: &AccountRow, size: u64) -> Result<u64> {
    if size == account.frontier.size() {
        return Ok(account.body_bytes);
    }
    let row = t.entry(&account.id, size)?.ok_or(MetaError::Damaged("a log entry is missing"))?;
    Ok(row.bytes_before)
}

/// Erases bodies the head names: of EVENTS it covers, and of nothing else.
fn erase(t: &mut dyn Tables, account: &mut AccountRow, clear: &HeadClear) -> Result<()> {
    for index in &clear.erase {
        if *index >= clear.covered_size {
            return Err(Refused::HeadCondition("it erases what it does not cover").into());
        }
        let row = t.entry(&account.id, *index)?.ok_or(MetaError::Damaged("a log entry is missing"))?;
        let leaf = Leaf::decode(&row.leaf).map_err(|_| MetaError::Damaged("a log entry cannot be read"))?;
        if leaf.record.header.kind != RecordKind::Events {
            return Err(Refused::HeadCondition("it erases a roster or head").into());
        }
        t.erase_body(&account.id, *index)?;
        account.gone_below = account.gone_below.max(index + 1);
    }
    Ok(())
}

/// Every pack added or named as a page must be whole and live, with the length the head states; then the head pins it.
/// Answers how many bytes are live by it that were not.
fn keep(
    t: &mut dyn Tables,
    account: &mut AccountRow,
    device: &mut DeviceRow,
    clear: &HeadClear,
    now_ms: u64,
) -> Result<u64> {
    let mut gone = Vec::new();
    let mut new_bytes = 0;
    let catalogue: BTreeSet<PackId> = clear.pages.iter().skip(1).copied().collect();
    let added = clear.adds.iter().map(|add| (add.pack, Some((add.class, add.last_day))));
    for (id, class) in added.chain(clear.named().map(|id| (id, None))) {
        let Some(mut row) = t.pack(&account.id, &id)?.filter(|p| p.whole && p.live(now_ms)) else {
            gone.push(id);
            continue;
        };
        if class.is_some_and(|(c, last_day)| c != row.class || last_day != row.last_day) {
            return Err(Refused::HeadCondition("a pack has another length or last day").into());
        }
        pack::unstage(t, account, device, &row)?;
        if !row.is_pinned() {
            new_bytes += row.bytes();
        }
        row.in_head = true;
        row.page |= catalogue.contains(&id);
        row.due_ms = None;
        row.dropped = None;
        t.put_pack(&account.id, &row)?;
    }
    account.live_bytes += new_bytes;
    if gone.is_empty() { Ok(new_bytes) } else { Err(Refused::PackGone(gone).into()) }
}

/// Every pack dropped must be live and relied on by no record the head does not cover; then it is due.
fn release(
    t: &mut dyn Tables,
    account: &mut AccountRow,
    device: &mut DeviceRow,
    clear: &HeadClear,
    added: u64,
    now_ms: u64,
) -> Result<()> {
    let kept: BTreeSet<PackId> = clear.adds.iter().map(|a| a.pack).chain(clear.named()).collect();
    let (mut gone, mut rows) = (Vec::new(), Vec::with_capacity(clear.drops.len()));
    let mut change = Change::adding(added);
    for dropped in &clear.drops {
        if kept.contains(&dropped.pack) {
            return Err(Refused::HeadCondition("it keeps and drops one pack").into());
        }
        let Some(row) = t.pack(&account.id, &dropped.pack)?.filter(|p| p.live(now_ms)) else {
            gone.push(dropped.pack);
            continue;
        };
        if row.pin.is_some_and(|pin| pin >= clear.covered_size) {
            return Err(Refused::HeadCondition("a record it does not cover relies on a dropped pack").into());
        }
        change.drop(&row, dropped.reason, now_ms);
        rows.push((row, dropped.reason));
    }
    if !gone.is_empty() {
        return Err(Refused::PackGone(gone).into());
    }
    let braked = brake::holds(t, account, change, now_ms)?;
    let mut purge = false;
    for (row, reason) in rows {
        pack::unstage(t, account, device, &row)?;
        if row.is_pinned() {
            pack::subtract(&mut account.live_bytes, row.bytes())?;
        }
        purge |= reason == DropReason::Purged;
        let by = DroppedBy { generation: clear.generation, author: device.id, braked, purged: false };
        t.put_pack(&account.id, &dropped(row, reason, by, now_ms))?;
    }
    if purge && !braked { end_waits(t, account, now_ms) } else { Ok(()) }
}

/// A pack as it stands once it was dropped.
fn dropped(mut row: PackRow, reason: DropReason, by: DroppedBy, now_ms: u64) -> PackRow {
    // To drop it once more, and call that a purge, ends no brake.
    if row.dropped.is_some_and(|before| before.braked) {
        return row;
    }
    let past = is_past(row.last_day, now_ms);
    // Without a page of the catalogue nothing it lists can be read; and it holds nothing a purge is about.
    let purged = past || (reason == DropReason::Purged && !row.page);
    let wait = match (past, by.braked, purged) {
        (false, true, _) => BRAKED_MS,
        (_, _, true) => 0,
        _ => DROPPED_MS,
    };
    row.in_head = false;
    row.pin = None;
    row.dropped = Some(DroppedBy { braked: by.braked && !past, purged, ..by });
    // A pack that was due already keeps its earlier time.
    row.due_ms = Some(row.due_ms.unwrap_or(u64::MAX).min(now_ms.saturating_add(wait)));
    row
}

/// A purge ends the wait of what was dropped before it, since that may hold what was purged.
fn end_waits(t: &mut dyn Tables, account: &AccountRow, now_ms: u64) -> Result<()> {
    for mut row in t.waiting(&account.id, now_ms, WAITS_ENDED_MAX)? {
        row.due_ms = Some(now_ms);
        row.dropped = row.dropped.map(|by| DroppedBy { purged: true, ..by });
        t.put_pack(&account.id, &row)?;
    }
    Ok(())
}
