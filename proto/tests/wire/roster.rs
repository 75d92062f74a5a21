//! Every rule of roster acceptance (`docs/format.md` §4.4): what it lets through, and what alone it stops.

use proto::wire::header::{Record, RecordKind};
use proto::wire::ids::{AccountId, DeviceId};
use proto::wire::roster::{DeviceState, Refused, Roster, SlotKind, accept_first, accept_next};

use crate::maker::{Plan, ROOT, account, active, device_id, gone, key, public, record, slot};

type Change = fn(&mut Plan);

/// A roster in the middle of its life: two active devices, one gone, third epoch, a changed passphrase.
fn current() -> Roster {
    let mut roster = Plan::first().roster;
    (roster.version, roster.epoch) = (5, 2);
    roster.slots = vec![slot(SlotKind::Passphrase, 2, 0x11), slot(SlotKind::Recovery, 1, 0x22)];
    roster.devices = vec![active(1, 1), active(2, 2), gone(3, 3, 4)];
    roster.devices.sort_by_key(|d| d.id);
    roster
}

fn at(plan: &mut Plan, n: u8) -> &mut proto::wire::roster::Device {
    plan.roster.devices.iter_mut().find(|d| d.id == device_id(n)).expect("the plan has this device")
}

fn end(plan: &mut Plan, n: u8) {
    let at_version = plan.roster.version;
    at(plan, n).state = DeviceState::Revoked { at_version };
}

fn next(change: Change) -> Result<Roster, Refused> {
    let mut plan = Plan::after(&current(), ROOT);
    change(&mut plan);
    let (record, body) = plan.publish();
    accept_next(&current(), &record, &body).map(|clear| clear.roster)
}

#[test]
fn what_may_follow_is_accepted() {
    let allowed: [(&str, Change); 10] = [
        ("nothing changes", |_| {}),
        ("a device joins", |p| p.join(4)),
        ("a device is revoked", |p| (end(p, 2), p.next_epoch()).1),
        ("a device has left", |p| {
            at(p, 2).state = DeviceState::Left { at_version: 6 };
            p.next_epoch();
        }),
        ("every device goes", |p| (end(p, 1), end(p, 2), p.next_epoch()).2),
        ("one goes while one comes", |p| (end(p, 1), p.join(4), p.next_epoch()).2),
        ("an epoch without need", Plan::next_epoch),
        ("a new passphrase", |p| p.roster.slots[0] = slot(SlotKind::Passphrase, 3, 0x77)),
        ("the root rotates", |p| p.rotate(ROOT + 1)),
        ("the account ends", |p| p.roster.ended = true),
    ];
    for (name, change) in allowed {
        let roster = next(change).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(roster.version, 6, "{name}");
    }
    let joined = next(|p| p.join(4)).unwrap();
    assert!(joined.active(&device_id(4)).is_some() && joined.active(&device_id(3)).is_none());
}

#[test]
fn each_broken_rule_is_refused_by_name() {
    let cases: &[(&str, Change, Refused)] = &[
        ("another kind", |p| p.header.kind = RecordKind::Events, Refused::Header),
        ("a device in the header", |p| p.header.device = device_id(1), Refused::Header),
        ("a counter", |p| p.header.counter = 1, Refused::Header),
        ("a previous record", |p| p.header.previous = [1; 32], Refused::Header),
        ("flagged last", |p| p.header.flags = 1, Refused::Header),
        ("a last day", |p| p.header.last_day = 1, Refused::Header),
        ("the header of another account", |p| p.header.account = AccountId([7; 32]), Refused::Account),
        (
            "another account altogether",
            |p| {
                p.header.account = AccountId([7; 32]);
                p.roster.account = AccountId([7; 32]);
            },
            Refused::Account,
        ),
        ("header and content differ in version", |p| p.header.roster_version = 7, Refused::Version),
        ("the same version again", |p| (p.header.roster_version, p.roster.version) = (5, 5), Refused::Version),
        ("a version left out", |p| (p.header.roster_version, p.roster.version) = (7, 7), Refused::Version),
        ("signed by another key", |p| p.signer = 9, Refused::Signature),
        ("signed by a device", |p| p.signer = 1, Refused::Signature),
        (
            "another root without rotation",
            |p| {
                p.signer = 9;
                p.roster.verifying_key = public(9);
            },
            Refused::Rotation,
        ),
        ("a new root without consent", |p| (p.rotate(ROOT + 1), p.rotated_from = None).1, Refused::Rotation),
        (
            "consent by another root",
            |p| (p.rotate(ROOT + 1), p.rotated_from = Some((ROOT + 2, ROOT + 2))).1,
            Refused::Rotation,
        ),
        (
            "consent in the old root's name by the new one",
            |p| (p.rotate(ROOT + 1), p.rotated_from = Some((ROOT, ROOT + 1))).1,
            Refused::Rotation,
        ),
        ("a rotation to itself", |p| p.rotate(ROOT), Refused::Rotation),
        ("a rotation within a generation", |p| (p.rotate(ROOT + 1), p.roster.root_generation = 1).1, Refused::Rotation),
        ("a rotation over a generation", |p| (p.rotate(ROOT + 1), p.roster.root_generation = 3).1, Refused::Rotation),
        ("a generation without rotation", |p| p.roster.root_generation = 2, Refused::Rotation),
        (
            "a rotation in the old epoch",
            |p| {
                p.rotate(ROOT + 1);
                (p.roster.epoch, p.roster.epoch_commitment) = (2, current().epoch_commitment);
            },
            Refused::Epoch,
        ),
        ("a revoked device in the old epoch", |p| end(p, 2), Refused::Epoch),
        ("an epoch back", |p| p.roster.epoch = 1, Refused::Epoch),
        ("an epoch left out", |p| p.roster.epoch = 4, Refused::Epoch),
        ("another key in the same epoch", |p| p.roster.epoch_commitment = [1; 32], Refused::Epoch),
        ("a gone device is back", |p| *at(p, 3) = active(3, 3), Refused::Devices),
        (
            "a gone device is back as a joiner",
            |p| {
                *at(p, 3) = active(3, 3);
                p.joiner = Some((device_id(3), 3));
            },
            Refused::Devices,
        ),
        ("a gone device went later", |p| at(p, 3).state = DeviceState::Revoked { at_version: 6 }, Refused::Devices),
        ("a revoked device had left", |p| at(p, 3).state = DeviceState::Left { at_version: 4 }, Refused::Devices),
        ("a gone device is not told", |p| p.roster.devices.retain(|d| d.id != device_id(3)), Refused::Devices),
        (
            "an active device is not told",
            |p| {
                p.roster.devices.retain(|d| d.id != device_id(2));
                p.next_epoch();
            },
            Refused::Devices,
        ),
        (
            "a device went in an earlier version",
            |p| {
                at(p, 2).state = DeviceState::Revoked { at_version: 5 };
                p.next_epoch();
            },
            Refused::Devices,
        ),
        (
            "a device went in a later version",
            |p| {
                at(p, 2).state = DeviceState::Left { at_version: 7 };
                p.next_epoch();
            },
            Refused::Devices,
        ),
        ("a gone device has another key", |p| at(p, 3).verifying_key = public(9), Refused::Devices),
        ("an active device has another key", |p| at(p, 2).verifying_key = public(9), Refused::Devices),
        ("a device joined at another time", |p| at(p, 2).joined_version = 3, Refused::Devices),
        (
            "a device under a foreign id",
            |p| {
                p.join(4);
                at(p, 4).id = DeviceId([4; 32]);
                p.joiner = Some((DeviceId([4; 32]), 4));
            },
            Refused::Devices,
        ),
        ("a new device proves nothing", |p| (p.join(4), p.joiner = None).1, Refused::Joiner),
        (
            "a new device proved by another's key",
            |p| {
                p.join(4);
                p.joiner = Some((device_id(4), 5));
            },
            Refused::Joiner,
        ),
        (
            "two new devices, one proof",
            |p| {
                p.join(4);
                p.join(5);
            },
            Refused::Joiner,
        ),
        ("a new device joined earlier", |p| (p.join(4), at(p, 4).joined_version = 5).1, Refused::Joiner),
        ("a joining device that is not there", |p| p.joiner = Some((device_id(4), 4)), Refused::Joiner),
        ("an old device joins again", |p| p.joiner = Some((device_id(2), 2)), Refused::Joiner),
        ("a new device that is gone already", |p| p.roster.devices.push(gone(4, 6, 6)), Refused::Joiner),
        ("no slot", |p| p.roster.slots.clear(), Refused::Slots),
        ("a slot is gone", |p| p.roster.slots.truncate(1), Refused::Slots),
        ("another slot in its generation", |p| p.roster.slots[0].slot_digest = [1; 32], Refused::Slots),
        ("another credential in its generation", |p| p.roster.slots[1].credential_digest = [1; 32], Refused::Slots),
        ("a slot generation back", |p| p.roster.slots[0].generation = 1, Refused::Slots),
        ("a slot generation left out", |p| p.roster.slots[0].generation = 4, Refused::Slots),
        (
            "a new root behind an old slot",
            |p| {
                let old = p.roster.slots[1].clone();
                p.rotate(ROOT + 1);
                p.roster.slots[1] = old;
            },
            Refused::Slots,
        ),
        ("too many devices", |p| (10..30).for_each(|n| p.roster.devices.push(active(n, 6))), Refused::Malformed),
    ];
    for (name, change, why) in cases {
        assert_eq!(next(*change), Err(*why), "{name}");
    }
}

#[test]
fn a_new_slot_begins_at_one_and_an_ended_account_stays_so() {
    let mut one_slot = current();
    one_slot.slots.truncate(1);
    for (generation, expected) in [(1, Ok(())), (2, Err(Refused::Slots)), (0, Err(Refused::Slots))] {
        let mut plan = Plan::after(&one_slot, ROOT);
        plan.roster.slots.push(slot(SlotKind::Recovery, generation, 0x33));
        let (record, body) = plan.publish();
        assert_eq!(accept_next(&one_slot, &record, &body).map(drop), expected, "{generation}");
    }
    let no_slot = Roster { slots: Vec::new(), ..current() };
    let (record, body) = Plan::after(&no_slot, ROOT).publish();
    assert_eq!(accept_next(&no_slot, &record, &body).err(), Some(Refused::Slots));
    let ended = Roster { ended: true, ..current() };
    let (record, body) = Plan::after(&ended, ROOT).publish();
    assert_eq!(accept_next(&ended, &record, &body).err(), Some(Refused::Version));
}

#[test]
fn counters_at_their_end_refuse_instead_of_wrapping() {
    let mut last = current();
    (last.version, last.epoch, last.root_generation) = (u64::MAX, u32::MAX, u32::MAX);
    last.slots[0].generation = u32::MAX;
    let wraps: [(&str, Change, Refused); 2] = [
        ("version", |p| (p.roster.version, p.header.roster_version) = (0, 0), Refused::Version),
        ("version again", |p| (p.roster.version, p.header.roster_version) = (u64::MAX, u64::MAX), Refused::Version),
    ];
    let base = Roster { version: 0, ..last.clone() };
    for (name, change, why) in wraps {
        let mut plan = Plan::after(&base, ROOT);
        change(&mut plan);
        let (record, body) = plan.publish();
        assert_eq!(accept_next(&last, &record, &body).err(), Some(why), "{name}");
    }
    let deeper: [(&str, Change, Refused); 3] = [
        ("epoch", |p| p.roster.epoch = 0, Refused::Epoch),
        ("slot generation", |p| p.roster.slots[0].generation = 0, Refused::Slots),
        (
            "root generation",
            |p| {
                (p.rotated_from, p.signer) = (Some((ROOT, ROOT)), ROOT + 1);
                p.roster.verifying_key = public(ROOT + 1);
                p.roster.root_generation = 0;
            },
            Refused::Rotation,
        ),
    ];
    let last = Roster { version: 5, ..last };
    for (name, change, why) in deeper {
        let mut plan = Plan::after(&last, ROOT);
        change(&mut plan);
        let (record, body) = plan.publish();
        assert_eq!(accept_next(&last, &record, &body).err(), Some(why), "{name}");
    }
}

#[test]
fn the_first_roster_binds_the_account_to_its_root() {
    let (record, body) = Plan::first().publish();
    let clear = accept_first(&record, &body).unwrap();
    assert_eq!((clear.roster.account, clear.roster.version), (account(), 1));

    let cases: &[(&str, Change, Refused)] = &[
        ("a later version", |p| (p.header.roster_version, p.roster.version) = (2, 2), Refused::Version),
        ("a later epoch", |p| p.roster.epoch = 1, Refused::Version),
        ("a later root", |p| p.roster.root_generation = 2, Refused::Version),
        ("ended at once", |p| p.roster.ended = true, Refused::Version),
        ("another root's account", |p| (p.signer, p.roster.verifying_key) = (9, public(9)), Refused::Account),
        ("a rotation", |p| p.rotated_from = Some((9, 9)), Refused::Rotation),
        ("no device", |p| (p.roster.devices.clear(), p.joiner = None).1, Refused::Devices),
        ("two devices", |p| p.roster.devices.push(active(2, 1)), Refused::Devices),
        ("a gone device", |p| (p.roster.devices = vec![gone(1, 1, 1)], p.joiner = None).1, Refused::Devices),
        ("a device that joined later", |p| p.roster.devices[0].joined_version = 2, Refused::Devices),
        ("no proof of its keys", |p| p.joiner = None, Refused::Joiner),
        ("proof by another key", |p| p.joiner = Some((device_id(1), 2)), Refused::Joiner),
        ("no slot", |p| p.roster.slots.clear(), Refused::Slots),
        ("a later slot", |p| p.roster.slots[1].generation = 2, Refused::Slots),
        ("signed by another key", |p| p.signer = 9, Refused::Signature),
        ("a counter", |p| p.header.counter = 1, Refused::Header),
    ];
    for (name, change, why) in cases {
        let mut plan = Plan::first();
        change(&mut plan);
        let (record, body) = plan.publish();
        assert_eq!(accept_first(&record, &body).err(), Some(*why), "{name}");
    }
}

#[test]
fn no_flipped_byte_is_accepted() {
    let (record, body) = Plan::first().publish();
    let bytes = record.encode();
    for at in 0..bytes.len() {
        let mut bad = bytes;
        bad[at] ^= 1 << (at % 8);
        let accepted = Record::decode(&bad).is_ok_and(|bad| accept_first(&bad, &body).is_ok());
        assert!(!accepted, "byte {at} of the record");
    }
    for at in 0..body.len() {
        let mut bad = body.clone();
        bad[at] ^= 1 << (at % 8);
        assert_eq!(accept_first(&record, &bad).err(), Some(Refused::Malformed), "byte {at} of the body");
    }
    assert!(accept_first(&record, &body[..body.len() - 1]).is_err());
    assert!(accept_first(&record, &[&body[..], &[0]].concat()).is_err());
}

/// Whoever has the root but not the joining device cannot alter what that device signed.
#[test]
fn no_byte_can_be_altered_under_the_joining_devices_proof() {
    let (original, body) = Plan::first().publish();
    let clear = body[..original.header.clear_len as usize].to_vec();
    let (again, same) = record(original.header.clone(), &clear, &key(ROOT));
    assert!(accept_first(&again, &same).is_ok());
    for at in 0..clear.len() {
        let mut bad = clear.clone();
        bad[at] ^= 1 << (at % 8);
        let (record, body) = record(original.header.clone(), &bad, &key(ROOT));
        assert!(accept_first(&record, &body).is_err(), "byte {at} of the clear part");
    }
    for longer in [&clear[..clear.len() - 1], &[&clear[..], &[0]].concat()] {
        let (record, body) = record(original.header.clone(), longer, &key(ROOT));
        assert_eq!(accept_first(&record, &body).err(), Some(Refused::Malformed));
    }
}
