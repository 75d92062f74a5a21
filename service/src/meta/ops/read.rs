//! What devices read: the log with its proofs.

use proto::wire::header::Leaf;
use proto::wire::ids::AccountId;
use proto::wire::last_day::is_past;
use proto::wire::limits::{LEAF_BYTES, TAIL_BYTES_MAX};
use proto::wire::tree::{Hash, consistency_proof, inclusion_proof};

use super::gate;
use super::place::{Stored, frontier_at};
use crate::meta::tables::{AccountRow, HeadRow, LogRow, Tables};
use crate::meta::{
    Caller, Entry, MetaError, OpenQuery, Opened, PullQuery, Pulled, Refused, Result, SlotBytes, Trimmed, Usage,
};

/// Entries of one answer, so that a page of bare headers is bounded too.
const PAGE_ENTRIES_MAX: usize = 4096;

pub fn open(t: &mut dyn Tables, caller: &Caller, query: OpenQuery, now_ms: u64) -> Result<Opened> {
    let account = gate::admitted(t, caller)?;
    let device = t.device(&account.id, &caller.device)?.ok_or(Refused::DeviceGone)?;
    let size = account.frontier.size();
    let continuity = query.known_incarnation == account.incarnation && query.known_size <= size;
    let known_size = if continuity { query.known_size } else { 0 };
    let (rosters, roster_proof) = match account.roster_version > query.known_roster {
        true => (rosters(t, &account, query.known_roster)?, inclusion(t, &account, account.roster_index)?),
        false => Default::default(),
    };
    let news = account.head.clone().filter(|h| h.generation > query.known_head);
    let (head, head_proof) = head(t, &account, news.as_ref())?;
    let front_page = match news.as_ref().and_then(|h| h.front_page) {
        Some(id) => t.pack(&account.id, &id)?.filter(|p| p.whole && p.live(now_ms)).map(|p| (p.id, p.class)),
        None => None,
    };
    let head_size = account.head.as_ref().map_or(0, |h| h.front_size);
    let from = known_size.max(head_size).max(account.gone_below);
    let tail = entries(t, &account, from, TAIL_BYTES_MAX, false, now_ms)?;
    Ok(Opened {
        incarnation: account.incarnation,
        consistency: if continuity { consistency(t, &account, known_size)? } else { Vec::new() },
        continuity,
        rosters,
        roster_proof,
        head,
        head_proof,
        front_page,
        usage: usage(&account),
        tail,
        tail_from: frontier_at(t, &account, from)?,
        last_counter: device.counter,
        last_digest: device.digest,
        server_time_ms: now_ms.max(account.last_time_ms),
        log: account.frontier,
    })
}

pub fn pull(t: &mut dyn Tables, caller: &Caller, query: PullQuery, now_ms: u64) -> Result<Pulled> {
    let account = gate::admitted(t, caller)?;
    let size = account.frontier.size();
    if query.from > size {
        return Err(Refused::OutOfRange.into());
    }
    let continuity = query.known_size <= size;
    // Where a body has gone, what it held is in the runs of the head: reading on would leave a hole.
    let hole = query.from < account.gone_below && !query.past_gaps;
    let gone = (hole || query.from < account.trimmed) && !query.headers_only;
    let trimmed = account.head.as_ref().filter(|_| gone).map(|h| Trimmed { generation: h.generation, index: h.index });
    let entries = match trimmed {
        Some(_) => Vec::new(),
        None => entries(t, &account, query.from, query.bytes_max, query.headers_only, now_ms)?,
    };
    Ok(Pulled {
        entries,
        trimmed,
        start: frontier_at(t, &account, if trimmed.is_some() { account.trimmed } else { query.from })?,
        consistency: if continuity { consistency(t, &account, query.known_size)? } else { Vec::new() },
        continuity,
        server_time_ms: now_ms.max(account.last_time_ms),
        log: account.frontier,
    })
}

pub fn log_size(t: &mut dyn Tables, caller: &Caller) -> Result<u64> {
    Ok(gate::admitted(t, caller)?.frontier.size())
}

pub fn slots(t: &mut dyn Tables, caller: &Caller) -> Result<Vec<SlotBytes>> {
    let account = gate::admitted(t, caller)?;
    let mut slots = Vec::new();
    for kind in super::account::SLOT_KINDS {
        slots.extend(t.slot(&account.id, kind)?);
    }
    Ok(slots)
}

pub fn usage(account: &AccountRow) -> Usage {
    Usage { stored_bytes: account.used_bytes, quota_bytes: account.quota_bytes }
}

/// Root rotations above a version, oldest first, then the newest ROSTER.
pub fn rosters(t: &mut dyn Tables, account: &AccountRow, above: u64) -> Result<Vec<Entry>> {
    let mut out = Vec::new();
    for row in t.rotations(&account.id, above)? {
        if row.index != account.roster_index {
            out.push(entry(t, &account.id, row.index)?);
        }
    }
    out.push(entry(t, &account.id, account.roster_index)?);
    Ok(out)
}

pub fn head(t: &mut dyn Tables, account: &AccountRow, head: Option<&HeadRow>) -> Result<(Option<Entry>, Vec<Hash>)> {
    let Some(head) = head else { return Ok((None, Vec::new())) };
    Ok((Some(entry(t, &account.id, head.index)?), inclusion(t, account, head.index)?))
}

pub fn inclusion(t: &mut dyn Tables, account: &AccountRow, index: u64) -> Result<Vec<Hash>> {
    inclusion_proof(&mut Stored { tables: t, account: account.id }, index, account.frontier.size())
}

fn consistency(t: &mut dyn Tables, account: &AccountRow, known_size: u64) -> Result<Vec<Hash>> {
    consistency_proof(&mut Stored { tables: t, account: account.id }, known_size, account.frontier.size())
}

pub fn leaf(t: &mut dyn Tables, account: &AccountRow, index: u64) -> Result<Leaf> {
    let row = t.entry(&account.id, index)?.ok_or(MetaError::Damaged("a log entry is missing"))?;
    Leaf::decode(&row.leaf).map_err(|_| MetaError::Damaged("a log entry cannot be read"))
}

fn entry(t: &mut dyn Tables, account: &AccountId, index: u64) -> Result<Entry> {
    t.entry(account, index)?.map(|row| told(row, 0)).ok_or(MetaError::Damaged("a log entry is missing"))
}

/// What is told of an entry. A body past its last day is gone, whether or not the sweep has been there.
fn told(row: LogRow, now_ms: u64) -> Entry {
    let past = is_past(row.last_day, now_ms);
    let body = if past { Default::default() } else { row.body };
    Entry { index: row.index, leaf: row.leaf, body, erased: row.erased || past }
}

/// Entries from an index on until their bytes reach the limit; the first is given whatever its size.
fn entries(
    t: &mut dyn Tables,
    account: &AccountRow,
    from: u64,
    bytes_max: usize,
    headers_only: bool,
    now_ms: u64,
) -> Result<Vec<Entry>> {
    let limit = if headers_only { PAGE_ENTRIES_MAX.min(bytes_max / LEAF_BYTES).max(1) } else { PAGE_ENTRIES_MAX };
    let rows = t.entries(&account.id, from, limit, if headers_only { usize::MAX } else { bytes_max })?;
    let mut out = Vec::with_capacity(rows.len());
    let mut bytes = 0usize;
    for row in rows {
        let mut entry = told(row, now_ms);
        if headers_only {
            entry.body.clear();
        }
        bytes += entry.leaf.len() + entry.body.len();
        if bytes > bytes_max && !out.is_empty() {
            break;
        }
        out.push(entry);
    }
    Ok(out)
}
