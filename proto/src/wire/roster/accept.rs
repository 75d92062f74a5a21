//! When a ROSTER record is believed (`docs/format.md` §4.4).

use thiserror::Error;

use super::{DeviceState, Joiner, Roster, RosterClear, Rotation};
use crate::wire::context::{h, purpose, verify};
use crate::wire::header::{Record, RecordKind};
use crate::wire::ids::{AccountId, DeviceId};

/// Which rule a ROSTER broke. These are public facts: no secret is involved in checking them.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    #[error("a roster's bytes cannot be read")]
    Malformed,
    #[error("a roster's header is not of the prescribed form")]
    Header,
    #[error("a roster does not continue the current version")]
    Version,
    #[error("a roster's signature does not hold")]
    Signature,
    #[error("a roster belongs to another account")]
    Account,
    #[error("a root rotation is not consented to by the old root")]
    Rotation,
    #[error("a roster's epoch does not follow from its changes")]
    Epoch,
    #[error("a device's entry changed in a way that is not allowed")]
    Devices,
    #[error("a joining device has not proved its keys")]
    Joiner,
    #[error("a slot changed without its generation")]
    Slots,
}

/// Accepts an account's first roster.
pub fn accept_first(record: &Record, body: &[u8]) -> Result<RosterClear, Refused> {
    let clear = read(record, body)?;
    let roster = &clear.roster;
    if roster.version != 1 || roster.epoch != 0 || roster.root_generation != 1 || roster.ended {
        return Err(Refused::Version);
    }
    if roster.account != AccountId(h(purpose::ACCOUNT_ID, &[&roster.verifying_key])) {
        return Err(Refused::Account);
    }
    if clear.rotation.is_some() {
        return Err(Refused::Rotation);
    }
    let [only] = roster.devices.as_slice() else { return Err(Refused::Devices) };
    if !only.is_active() || only.joined_version != 1 {
        return Err(Refused::Devices);
    }
    if clear.joiner.as_ref().is_none_or(|j| j.device != only.id) {
        return Err(Refused::Joiner);
    }
    if roster.slots.iter().any(|s| s.generation != 1) || roster.slots.is_empty() {
        return Err(Refused::Slots);
    }
    Ok(clear)
}

/// Accepts a roster that follows `current`.
pub fn accept_next(current: &Roster, record: &Record, body: &[u8]) -> Result<RosterClear, Refused> {
    let clear = read(record, body)?;
    let next = &clear.roster;
    if next.account != current.account {
        return Err(Refused::Account);
    }
    if current.ended || !follows(next.version, current.version) {
        return Err(Refused::Version);
    }
    let rotated = rotation(current, &clear)?;
    let removed = devices(current, &clear)?;
    let epoch_moves = removed || rotated;
    let same = next.epoch == current.epoch && next.epoch_commitment == current.epoch_commitment;
    let moved = follows(next.epoch, current.epoch);
    if !(moved || same && !epoch_moves) {
        return Err(Refused::Epoch);
    }
    slots(current, next, rotated)?;
    Ok(clear)
}

/// Accepts what a device without history is shown: every root rotation since the first roster, oldest first, then the
/// newest roster (once, when it is a rotation itself). The walk begins at the account id, so no server can swap it.
pub fn accept_chain<'a>(
    account: &AccountId,
    rosters: impl IntoIterator<Item = (&'a Record, &'a [u8])>,
) -> Result<RosterClear, Refused> {
    let mut newest: Option<RosterClear> = None;
    for (record, body) in rosters {
        let clear = read(record, body)?;
        link(account, newest.as_ref(), &clear)?;
        newest = Some(clear);
    }
    newest.ok_or(Refused::Version)
}

/// Holds one roster of a chain to the rotation before it, or to the account id where there is none.
fn link(account: &AccountId, before: Option<&RosterClear>, clear: &RosterClear) -> Result<(), Refused> {
    let roster = &clear.roster;
    if roster.account != *account {
        return Err(Refused::Account);
    }
    let (key, generation) = match before {
        None => (None, 1),
        Some(before) if before.rotation.is_none() || before.roster.ended => return Err(Refused::Version),
        Some(before) if roster.version <= before.roster.version || roster.epoch < before.roster.epoch => {
            return Err(Refused::Version);
        }
        Some(before) => (Some(before.roster.verifying_key), before.roster.root_generation),
    };
    let known = |candidate: &[u8; 32]| match key {
        Some(key) => *candidate == key,
        None => *account == AccountId(h(purpose::ACCOUNT_ID, &[candidate])),
    };
    match &clear.rotation {
        None if known(&roster.verifying_key) && roster.root_generation == generation => Ok(()),
        Some(rotation)
            if known(&rotation.old_verifying_key)
                && rotation.old_verifying_key != roster.verifying_key
                && follows(roster.root_generation, generation) =>
        {
            consented(clear, rotation)
        }
        _ => Err(Refused::Rotation),
    }
}

/// Reads a ROSTER and checks what it must hold by itself: form, signatures by the keys it names.
fn read(record: &Record, body: &[u8]) -> Result<RosterClear, Refused> {
    let header = &record.header;
    let blank = header.device.0 == [0; 32] && header.counter == 0 && header.previous == [0; 32];
    if header.kind != RecordKind::Roster || !blank || header.flags != 0 || header.last_day != 0 {
        return Err(Refused::Header);
    }
    let (clear, _) = record.split_body(body).map_err(|_| Refused::Malformed)?;
    let clear = RosterClear::decode(clear).map_err(|_| Refused::Malformed)?;
    if header.account != clear.roster.account {
        return Err(Refused::Account);
    }
    if header.roster_version != clear.roster.version {
        return Err(Refused::Version);
    }
    record.verify_as_roster(&clear.roster.verifying_key).map_err(|_| Refused::Signature)?;
    for device in &clear.roster.devices {
        if let DeviceState::Active { kem_key, .. } = &device.state
            && device.id != DeviceId(h(purpose::DEVICE_ID, &[&device.verifying_key, &kem_key[..]]))
        {
            return Err(Refused::Devices);
        }
    }
    if let Some(joiner) = &clear.joiner {
        joined(&clear, joiner)?;
    }
    Ok(clear)
}

fn joined(clear: &RosterClear, joiner: &Joiner) -> Result<(), Refused> {
    let device = clear.roster.active(&joiner.device).ok_or(Refused::Joiner)?;
    verify(&device.verifying_key, purpose::DEVICE_JOIN, &[&clear.content], &joiner.signature)
        .map_err(|_| Refused::Joiner)
}

/// Whether the root rotated, with the old root's consent.
fn rotation(current: &Roster, clear: &RosterClear) -> Result<bool, Refused> {
    let next = &clear.roster;
    match &clear.rotation {
        None if next.verifying_key == current.verifying_key && next.root_generation == current.root_generation => {
            Ok(false)
        }
        Some(r)
            if r.old_verifying_key == current.verifying_key
                && next.verifying_key != current.verifying_key
                && follows(next.root_generation, current.root_generation) =>
        {
            consented(clear, r)?;
            Ok(true)
        }
        _ => Err(Refused::Rotation),
    }
}

fn consented(clear: &RosterClear, rotation: &Rotation) -> Result<(), Refused> {
    verify(&rotation.old_verifying_key, purpose::ROSTER_ROTATION, &[&clear.content], &rotation.signature)
        .map_err(|_| Refused::Rotation)
}

/// Whether a number is the next one. The last number of its type has none, so nothing overflows on outside bytes.
fn follows<N: Into<u64>>(next: N, current: N) -> bool {
    current.into().checked_add(1) == Some(next.into())
}

/// Holds every device's entry to what it may become; tells whether an active one went.
fn devices(current: &Roster, clear: &RosterClear) -> Result<bool, Refused> {
    let next = &clear.roster;
    let mut removed = false;
    for old in &current.devices {
        let new = next.device(&old.id).ok_or(Refused::Devices)?;
        if new.verifying_key != old.verifying_key || new.joined_version != old.joined_version {
            return Err(Refused::Devices);
        }
        match (&old.state, &new.state) {
            (DeviceState::Active { .. }, DeviceState::Active { .. }) => {}
            (DeviceState::Active { .. }, DeviceState::Revoked { at_version } | DeviceState::Left { at_version })
                if *at_version == next.version =>
            {
                removed = true
            }
            (a, b) if a == b => {}
            _ => return Err(Refused::Devices),
        }
    }
    for new in next.devices.iter().filter(|d| current.device(&d.id).is_none()) {
        let is_joiner = clear.joiner.as_ref().is_some_and(|j| j.device == new.id);
        if !is_joiner || new.joined_version != next.version {
            return Err(Refused::Joiner);
        }
    }
    if clear.joiner.as_ref().is_some_and(|j| current.device(&j.device).is_some()) {
        return Err(Refused::Joiner);
    }
    Ok(removed)
}

/// Slots change one generation at a time, and all of them change when the root does.
fn slots(current: &Roster, next: &Roster, rotated: bool) -> Result<(), Refused> {
    if next.slots.is_empty() {
        return Err(Refused::Slots);
    }
    for old in &current.slots {
        let Some(new) = next.slot(old.kind) else { return Err(Refused::Slots) };
        let fits = if new.generation == old.generation {
            new == old && !rotated
        } else {
            follows(new.generation, old.generation)
        };
        if !fits {
            return Err(Refused::Slots);
        }
    }
    let fresh = next.slots.iter().filter(|s| current.slot(s.kind).is_none());
    if fresh.into_iter().any(|s| s.generation != 1) { Err(Refused::Slots) } else { Ok(()) }
}
