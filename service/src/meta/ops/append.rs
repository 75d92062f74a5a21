//! A device's batch: what the service accepts, in the order of `docs/design.md` §5.

use proto::wire::events::EventsClear;
use proto::wire::header::{Leaf, RecordKind};
use proto::wire::limits::{BATCH_BYTES_MAX, BATCH_PACKS_MAX, BATCH_RECORDS_MAX, RECORD_BYTES, TAIL_ALLOWANCE_BYTES};
use proto::wire::roster::Roster;

use super::place::{check_seen, place};
use super::{brake, gate, head, pack, trim};
use crate::meta::tables::{AccountRow, DeviceRow, Tables};
use crate::meta::{Appended, Caller, MetaError, NewRecord, Placed, Refused, Result};

/// What records that bring no pack may add to the tail when its allowance is used up.
const TEXT_ALLOWANCE_BYTES: u64 = 8 << 20;

/// The account as it stands within a batch: read when the first new record comes, written once at the end.
struct Batch {
    account: AccountRow,
    device: DeviceRow,
    roster: Roster,
}

pub fn append(t: &mut dyn Tables, caller: &Caller, batch: &[NewRecord], now_ms: u64) -> Result<Appended> {
    check_limits(batch)?;
    gate::present(t, &caller.account)?;
    let mut state: Option<Batch> = None;
    let mut placed = Vec::with_capacity(batch.len());
    for new in batch {
        let header = &new.record.header;
        if header.account != caller.account || header.device != caller.device {
            return Err(Refused::BadRecord("it is of another account or device").into());
        }
        if header.kind == RecordKind::Roster {
            return Err(Refused::BadRecord("a roster does not travel in a batch").into());
        }
        if let Some(old) = already(t, caller, new)? {
            placed.push(old);
            continue;
        }
        let state = match &mut state {
            Some(state) => state,
            none => none.insert(begin(t, caller)?),
        };
        placed.push(accept(t, state, new, now_ms)?);
    }
    let grew = state.is_some();
    let size = match state {
        Some(mut state) => {
            t.put_device(&state.account.id, &state.device)?;
            trim::confirm(t, &mut state.account, now_ms)?;
            t.put_account(&state.account)?;
            state.account.frontier.size()
        }
        None => gate::present(t, &caller.account)?.frontier.size(),
    };
    Ok(Appended { placed, size, grew })
}

fn check_limits(batch: &[NewRecord]) -> Result<()> {
    let bytes: usize = batch.iter().map(|r| RECORD_BYTES + r.body.len()).sum();
    if batch.is_empty() || batch.len() > BATCH_RECORDS_MAX || bytes > BATCH_BYTES_MAX {
        return Err(Refused::BadRecord("a batch is empty or above its limits").into());
    }
    let mut packs = 0;
    for new in batch.iter().filter(|r| r.record.header.kind == RecordKind::Events) {
        packs += events_clear(new)?.packs.len();
    }
    if packs > BATCH_PACKS_MAX {
        return Err(Refused::BadRecord("a batch relies on too many packs").into());
    }
    Ok(())
}

fn begin(t: &mut dyn Tables, caller: &Caller) -> Result<Batch> {
    let account = gate::admitted(t, caller)?;
    let device = t.device(&caller.account, &caller.device)?.ok_or(Refused::DeviceGone)?;
    let roster = gate::current_roster(t, &account)?;
    Ok(Batch { account, device, roster })
}

/// Where the very same record lies already: a repeated append is answered as the first was, whatever changed since.
fn already(t: &mut dyn Tables, caller: &Caller, new: &NewRecord) -> Result<Option<Placed>> {
    let Some(index) = t.index_of(&caller.account, &caller.device, new.record.header.counter)? else { return Ok(None) };
    let row = t.entry(&caller.account, index)?.ok_or(MetaError::Damaged("a log entry is missing"))?;
    let leaf = Leaf::decode(&row.leaf).map_err(|_| MetaError::Damaged("a log entry cannot be read"))?;
    let same = leaf.record == new.record;
    Ok(same.then_some(Placed { index, server_time_ms: leaf.server_time }))
}

fn accept(t: &mut dyn Tables, state: &mut Batch, new: &NewRecord, now_ms: u64) -> Result<Placed> {
    let Batch { account, device, roster } = state;
    let header = &new.record.header;
    let key = match roster.active(&device.id) {
        Some(listed) if device.active => &listed.verifying_key,
        _ => return Err(Refused::DeviceGone.into()),
    };
    new.record.verify(key).map_err(|_| Refused::BadRecord("its signature does not hold"))?;
    new.record.split_body(&new.body).map_err(|_| Refused::BadRecord("its body is not the one it names"))?;
    if header.incarnation != account.incarnation {
        return Err(Refused::BadRecord("it is of another incarnation").into());
    }
    if header.counter <= device.counter {
        return Err(Refused::Equivocation { last_counter: device.counter }.into());
    }
    if header.counter != device.counter + 1 {
        return Err(Refused::CounterGap { last_counter: device.counter }.into());
    }
    if header.previous != device.digest {
        return Err(Refused::BadRecord("it does not follow the device's last record").into());
    }
    if header.roster_version != roster.version {
        return Err(Refused::RosterMoved.into());
    }
    check_seen(t, account, &new.record)?;
    let newest_head = account.head.as_ref().map_or(0, |h| h.generation);
    if header.agreed < device.agreed || header.agreed > newest_head {
        return Err(Refused::BadRecord("it agrees with a head it cannot have compared").into());
    }
    if header.is_last() && (header.kind != RecordKind::Events || header.body_len != 0) {
        return Err(Refused::BadRecord("a leaving record is not empty").into());
    }
    match header.kind {
        RecordKind::Events => events(t, account, device, roster, new, now_ms)?,
        RecordKind::Head => head::commit(t, account, device, new, now_ms)?,
        RecordKind::Roster => return Err(Refused::BadRecord("a roster does not travel in a batch").into()),
    }
    let placed = place(t, account, new, Some(&device.id), now_ms)?;
    device.counter = header.counter;
    device.digest = new.record.digest();
    device.seen_size = device.seen_size.max(header.seen_size);
    device.agreed = header.agreed;
    device.last_time_ms = placed.server_time_ms;
    if header.is_last() {
        device.active = false;
        account.generation += 1;
    }
    Ok(placed)
}

/// The clear part of an EVENTS record; one without a body relies on nothing.
fn events_clear(new: &NewRecord) -> Result<EventsClear> {
    if new.record.header.body_len == 0 {
        return Ok(EventsClear::default());
    }
    let split = new.record.split_body(&new.body);
    let (clear, _) = split.map_err(|_| Refused::BadRecord("its body is not the one it names"))?;
    Ok(EventsClear::decode(clear).map_err(|_| Refused::BadRecord("its clear part cannot be read"))?)
}

fn events(
    t: &mut dyn Tables,
    account: &mut AccountRow,
    device: &mut DeviceRow,
    roster: &Roster,
    new: &NewRecord,
    now_ms: u64,
) -> Result<()> {
    let clear = events_clear(new)?;
    if let Some(permit) = &clear.permit {
        let holds =
            permit.verify(&account.id, &roster.verifying_key).is_ok() && permit.roster_version == roster.version;
        if !holds {
            return Err(Refused::BadRecord("its permit does not hold").into());
        }
        brake::grant(t, account, permit, now_ms)?;
    }
    tail_allowance(account, new, clear.packs.is_empty())?;
    let index = account.frontier.size();
    let mut gone = Vec::new();
    for id in &clear.packs {
        match t.pack(&account.id, id)?.filter(|p| p.whole && p.live(now_ms)) {
            None => gone.push(*id),
            Some(row) => pack::pin(t, account, device, row, index)?,
        }
    }
    if gone.is_empty() { Ok(()) } else { Err(Refused::PackGone(gone).into()) }
}

/// Bodies above the head's covered size are limited, or an account that never folds would fill the database.
fn tail_allowance(account: &AccountRow, new: &NewRecord, brings_no_pack: bool) -> Result<()> {
    let tail = account.body_bytes.saturating_sub(account.head.as_ref().map_or(0, |h| h.covered_bytes));
    let allowed = TAIL_ALLOWANCE_BYTES + if brings_no_pack { TEXT_ALLOWANCE_BYTES } else { 0 };
    let needed = new.body.len() as u64;
    if needed > 0 && tail + needed > allowed {
        return Err(Refused::Quota { needed_bytes: needed, free_bytes: allowed.saturating_sub(tail) }.into());
    }
    Ok(())
}
