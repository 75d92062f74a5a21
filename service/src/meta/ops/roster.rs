//! ROSTER records: who may write. Slot bytes, devices and the access generation change in the same transaction.

use proto::wire::bytes::Malformed;
use proto::wire::ids::DeviceId;
use proto::wire::limits::SLOT_BYTES;
use proto::wire::roster::{Refused as NotARoster, Roster, RosterClear, Slot, SlotKind, accept_first, accept_next};
use proto::wire::slot::{OpaqueObject, SlotPrefix, credential_digest, slot_digest};
use proto::wire::tree::Frontier;

use super::{gate, mirror, place};
use crate::meta::tables::{AccountRow, BrakeRow, DeviceRow, RosterRow, Tables};
use crate::meta::{Appended, MetaError, MirrorObject, NewAccount, NewRecord, Placed, Refused, Result, SlotBytes};

/// The incarnation an account begins with.
pub const FIRST_INCARNATION: u32 = 1;

pub fn create_account(t: &mut dyn Tables, new: &NewAccount, now_ms: u64) -> Result<Placed> {
    let header = &new.roster.record.header;
    if let Some(there) = t.account_named(&new.name)? {
        let same = there.id == header.account && !there.ended;
        let old = if same { already(t, &there, &new.roster)? } else { None };
        return old.ok_or(Refused::NameTaken.into());
    }
    if t.account(&header.account)?.is_some() {
        return Err(Refused::BadRecord("the account has another name").into());
    }
    if header.incarnation != FIRST_INCARNATION {
        return Err(Refused::BadRecord("it is of another incarnation").into());
    }
    let clear = accept_first(&new.roster.record, &new.roster.body).map_err(refused)?;
    let quota_bytes = match &new.invite {
        Some(hash) => use_invite(t, hash, now_ms)?.unwrap_or(new.quota_bytes),
        None => new.quota_bytes,
    };
    let mut account = AccountRow {
        id: header.account,
        name: new.name.clone(),
        created_ms: now_ms,
        suspended: false,
        ended: false,
        incarnation: FIRST_INCARNATION,
        frontier: Frontier::default(),
        last_time_ms: 0,
        body_bytes: 0,
        generation: 0,
        roster_version: 0,
        roster_index: 0,
        head: None,
        quota_bytes,
        used_bytes: 0,
        devices_max: new.devices_max,
        live_bytes: 0,
        brake: BrakeRow::default(),
        trim_to: 0,
        trimmed: 0,
        gone_below: 0,
    };
    place::check_seen(t, &account, &new.roster.record)?;
    // The account's own row comes first: every other row belongs to it.
    t.put_account(&account)?;
    install(t, &mut account, None, &clear, &new.roster, &new.slots, now_ms)
}

pub fn append_roster(t: &mut dyn Tables, new: &NewRecord, slots: &[SlotBytes], now_ms: u64) -> Result<Appended> {
    let mut account = gate::present(t, &new.record.header.account)?;
    if let Some(placed) = already(t, &account, new)? {
        return Ok(Appended { placed: vec![placed], size: account.frontier.size(), grew: false });
    }
    if account.suspended {
        return Err(Refused::Suspended.into());
    }
    if new.record.header.incarnation != account.incarnation {
        return Err(Refused::BadRecord("it is of another incarnation").into());
    }
    let current = gate::current_roster(t, &account)?;
    let clear = accept_next(&current, &new.record, &new.body).map_err(refused)?;
    place::check_seen(t, &account, &new.record)?;
    let (before, after) = (active(&current), active(&clear.roster));
    if after > before && after > account.devices_max as usize {
        return Err(Refused::DevicesFull.into());
    }
    let placed = install(t, &mut account, Some(&current), &clear, new, slots, now_ms)?;
    Ok(Appended { placed: vec![placed], size: account.frontier.size(), grew: true })
}

fn refused(why: NotARoster) -> MetaError {
    match why {
        NotARoster::Version => Refused::RosterMoved,
        NotARoster::Malformed => Refused::BadRecord("a roster cannot be read"),
        NotARoster::Header => Refused::BadRecord("a roster's header is not of the prescribed form"),
        NotARoster::Signature => Refused::BadRecord("a roster's signature does not hold"),
        NotARoster::Account => Refused::BadRecord("a roster belongs to another account"),
        NotARoster::Rotation => Refused::BadRecord("a root rotation is not consented to"),
        NotARoster::Epoch => Refused::BadRecord("a roster's epoch does not follow"),
        NotARoster::Devices => Refused::BadRecord("a device's entry may not change so"),
        NotARoster::Joiner => Refused::BadRecord("a joining device has not proved its keys"),
        NotARoster::Slots => Refused::BadRecord("a slot changed without its generation"),
        _ => Refused::BadRecord("a roster breaks a rule"),
    }
    .into()
}

fn active(roster: &Roster) -> usize {
    roster.devices.iter().filter(|d| d.is_active()).count()
}

/// Where the very same ROSTER lies already.
fn already(t: &mut dyn Tables, account: &AccountRow, new: &NewRecord) -> Result<Option<Placed>> {
    let Some(row) = t.roster(&account.id, new.record.header.roster_version)? else { return Ok(None) };
    if row.digest != new.record.digest() {
        return Ok(None);
    }
    Ok(Some(Placed { index: row.index, server_time_ms: super::read::leaf(t, account, row.index)?.server_time }))
}

fn install(
    t: &mut dyn Tables,
    account: &mut AccountRow,
    current: Option<&Roster>,
    clear: &RosterClear,
    new: &NewRecord,
    slots: &[SlotBytes],
    now_ms: u64,
) -> Result<Placed> {
    let roster = &clear.roster;
    install_slots(t, account, current, roster, slots, now_ms)?;
    let placed = place::place(t, account, new, None, now_ms)?;
    let rotation = clear.rotation.is_some().then_some(roster.root_generation);
    t.put_roster(
        &account.id,
        &RosterRow {
            version: roster.version,
            index: placed.index,
            digest: new.record.digest(),
            rotation,
            content: clear.content.clone().into(),
        },
    )?;
    install_devices(t, account, roster)?;
    account.generation += 1;
    account.roster_version = roster.version;
    account.roster_index = placed.index;
    account.ended = roster.ended;
    if let Some(generation) = rotation {
        mirror::note(t, account, MirrorObject::Rotation(generation), now_ms)?;
    }
    mirror::note(t, account, MirrorObject::Roster, now_ms)?;
    t.put_account(account)?;
    Ok(placed)
}

fn install_devices(t: &mut dyn Tables, account: &AccountRow, roster: &Roster) -> Result<()> {
    for listed in &roster.devices {
        let old = t.device(&account.id, &listed.id)?;
        let mut row = old.unwrap_or_else(|| new_device(listed.id));
        // A device that left by itself stays out until the roster says so too: its keys are gone.
        let left = row.counter > 0 && !row.active;
        row.active = listed.is_active() && !left;
        t.put_device(&account.id, &row)?;
    }
    Ok(())
}

fn new_device(id: DeviceId) -> DeviceRow {
    DeviceRow {
        id,
        active: true,
        counter: 0,
        digest: [0; 32],
        seen_size: 0,
        agreed: 0,
        last_time_ms: 0,
        staged_bytes: 0,
    }
}

/// Takes exactly the slots that are new in this roster, each with the digests the roster names.
fn install_slots(
    t: &mut dyn Tables,
    account: &AccountRow,
    current: Option<&Roster>,
    roster: &Roster,
    given: &[SlotBytes],
    now_ms: u64,
) -> Result<()> {
    let is_new = |s: &&Slot| current.and_then(|c| c.slot(s.kind)).is_none_or(|old| old.generation != s.generation);
    let fresh: Vec<&Slot> = roster.slots.iter().filter(is_new).collect();
    if fresh.len() != given.len() {
        return Err(Refused::BadRecord("the bytes of its slots are not beside it").into());
    }
    for slot in fresh {
        let bytes = given.iter().find(|g| g.kind == slot.kind);
        let bytes = bytes.ok_or(Refused::BadRecord("the bytes of its slots are not beside it"))?;
        check_slot(account, roster, slot, bytes)?;
        check_slot_name(t, account, bytes)?;
        let old = t.slot(&account.id, slot.kind)?;
        t.put_slot(&account.id, bytes)?;
        mirror::note_slot(t, account, old.as_ref(), bytes, now_ms)?;
    }
    Ok(())
}

fn check_slot(account: &AccountRow, roster: &Roster, slot: &Slot, bytes: &SlotBytes) -> Result<()> {
    let bad = || Refused::BadRecord("a slot is not the one its roster names");
    let unreadable = |_: Malformed| bad();
    if bytes.slot.len() != SLOT_BYTES
        || slot_digest(&bytes.slot) != slot.slot_digest
        || credential_digest(&bytes.credential) != slot.credential_digest
    {
        return Err(bad().into());
    }
    let (prefix, _) = SlotPrefix::split(&bytes.slot).map_err(unreadable)?;
    let expected = SlotPrefix {
        kind: slot.kind,
        account: account.id,
        generation: slot.generation,
        root_generation: roster.root_generation,
        name: account.name.clone(),
    };
    let fits = match slot.kind {
        SlotKind::Passphrase => {
            let opaque = OpaqueObject::decode(&bytes.credential).map_err(unreadable)?;
            let same = (opaque.account, opaque.generation) == (account.id, slot.generation);
            same && opaque.name == account.name && bytes.slot_name.is_none()
        }
        SlotKind::Recovery => bytes.credential.len() == 32 && bytes.slot_name.is_some(),
    };
    if prefix == expected && fits { Ok(()) } else { Err(bad().into()) }
}

/// Recovery slots of all accounts share one folder of the bucket: nobody may take a name that is another's.
fn check_slot_name(t: &mut dyn Tables, account: &AccountRow, bytes: &SlotBytes) -> Result<()> {
    let Some(name) = bytes.slot_name else { return Ok(()) };
    match t.slot_owner(&name)? {
        Some(owner) if owner != account.id => Err(Refused::BadRecord("the name of its recovery slot is taken").into()),
        _ => Ok(()),
    }
}

/// Takes one use of an invite; gives the quota it names.
fn use_invite(t: &mut dyn Tables, hash: &[u8; 32], now_ms: u64) -> Result<Option<u64>> {
    let mut invite = t.invite(hash)?.ok_or(Refused::InviteInvalid)?;
    if !super::admin::usable(&invite, now_ms) {
        return Err(Refused::InviteInvalid.into());
    }
    invite.uses_left -= 1;
    t.put_invite(&invite)?;
    Ok(invite.quota_bytes)
}
