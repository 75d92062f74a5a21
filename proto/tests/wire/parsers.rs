//! Bytes from strangers: no parser panics, and what one accepts has exactly one encoding.

use proptest::prelude::*;
use proptest::sample::Index;
use proto::wire::events::{EventsClear, Permit};
use proto::wire::head::{Add, Drop, DropReason, HeadClear};
use proto::wire::header::{Header, Leaf, Record};
use proto::wire::ids::{DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::limits::{HEAD_ERASE_MAX, HEAD_PACKS_MAX, HEAD_PAGES_MAX, RECORD_PACKS_MAX};
use proto::wire::roster::{Roster, RosterClear};
use proto::wire::slot::{Argon2Cost, OpaqueObject, SlotPrefix};

use crate::maker::Plan;
use crate::samples;

/// A parser followed by its writer: nothing where the bytes are refused.
type Again = fn(&[u8]) -> Option<Vec<u8>>;

const PARSERS: [(&str, Again); 10] = [
    ("header", |b| Some(Header::decode(b.try_into().ok()?).ok()?.encode().to_vec())),
    ("record", |b| Some(Record::decode(b).ok()?.encode().to_vec())),
    ("leaf", |b| Some(Leaf::decode(b).ok()?.encode().to_vec())),
    ("events", |b| Some(EventsClear::decode(b).ok()?.encode())),
    ("head", |b| Some(HeadClear::decode(b).ok()?.encode())),
    ("roster", |b| Some(Roster::decode(b).ok()?.encode())),
    ("roster clear part", |b| {
        let clear = RosterClear::decode(b).ok()?;
        assert_eq!(clear.roster.encode(), clear.content, "what is signed is what is read");
        Some(clear.encode())
    }),
    ("slot", |b| SlotPrefix::split(b).ok().map(|(prefix, sealed)| [&prefix.encode()[..], sealed].concat())),
    ("opaque object", |b| Some(OpaqueObject::decode(b).ok()?.encode())),
    ("cost", |b| Some(Argon2Cost::decode(b).ok()?.encode().to_vec())),
];

/// One valid encoding for each parser, in the same order.
fn valid() -> Vec<Vec<u8>> {
    let plan = samples::roster();
    let (record, body) = plan.publish();
    let clear = body[..record.header.clear_len as usize].to_vec();
    vec![
        samples::header().encode().to_vec(),
        samples::leaf().record.encode().to_vec(),
        samples::leaf().encode().to_vec(),
        samples::events().encode(),
        samples::head().encode(),
        RosterClear::decode(&clear).unwrap().content,
        clear,
        samples::slot_object(),
        samples::opaque_object().encode(),
        samples::cost().encode().to_vec(),
    ]
}

fn accepts_only_its_own_encoding(bytes: &[u8]) {
    for (name, again) in PARSERS {
        if let Some(written) = again(bytes) {
            assert_eq!(written, bytes, "{name}");
        }
    }
}

#[test]
fn what_was_written_is_read() {
    for ((name, again), bytes) in PARSERS.iter().zip(valid()) {
        assert_eq!(again(&bytes).as_ref(), Some(&bytes), "{name}");
    }
}

#[test]
fn every_cut_and_every_extension_is_refused() {
    for ((name, again), bytes) in PARSERS.iter().zip(valid()) {
        for cut in 0..bytes.len() {
            assert_eq!(again(&bytes[..cut]), None, "{name} cut at {cut}");
        }
        assert_eq!(again(&[&bytes[..], &[0]].concat()), None, "{name} with a byte more");
    }
}

/// Every byte set to every value: exhaustive where the structure is, since each parser branches on single bytes.
#[test]
fn every_changed_byte_is_refused_or_read_as_it_stands() {
    for ((_, again), bytes) in PARSERS.iter().zip(valid()).filter(|(_, bytes)| bytes.len() < 600) {
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            for value in 0..=255 {
                changed[at] = value;
                if let Some(written) = again(&changed) {
                    assert_eq!(written, changed);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn foreign_bytes_are_refused_or_read_as_they_stand(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        accepts_only_its_own_encoding(&bytes);
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_as_they_stand(
        which in 0..PARSERS.len(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<Index>()),
        more in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = valid().swap_remove(which);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        bytes.extend(more);
        accepts_only_its_own_encoding(&bytes);
    }

    #[test]
    fn events_come_back(packs in packs(20), permit in prop::option::of((any::<[u64; 2]>(), any::<u32>()))) {
        let permit = permit.map(|([roster_version, bytes], last_day)| Permit {
            roster_version, purpose: Permit::MASS_DELETION, bytes, last_day, signature: [9; 64],
        });
        let events = EventsClear { packs, permit };
        prop_assert_eq!(EventsClear::decode(&events.encode()), Ok(events));
    }

    #[test]
    fn heads_come_back(
        (covered_size, front_size) in any::<u64>().prop_flat_map(|n| (Just(n), 0..=n)),
        erase in prop::collection::btree_set(any::<u64>(), 0..=HEAD_ERASE_MAX),
        adds in packs(30), drops in packs(30), pages in packs(30),
        generation in 2u64..,
        numbers in any::<(u8, u32)>(),
    ) {
        let class = Class::new(8 + numbers.0 % 16).unwrap();
        let reasons = [DropReason::Merged, DropReason::Replaced, DropReason::Purged, DropReason::LastDay, DropReason::Unused];
        let head = HeadClear {
            generation, parent: [1; 32], covered_size, covered_root: [2; 32], front_size,
            erase: erase.into_iter().collect(),
            adds: adds.into_iter().map(|pack| Add { pack, class, last_day: numbers.1 }).collect(),
            drops: drops.into_iter().zip(reasons.into_iter().cycle()).map(|(pack, reason)| Drop { pack, reason }).collect(),
            pages: [vec![PackId([0; 16])], pages].concat(),
        };
        prop_assert_eq!(HeadClear::decode(&head.encode()), Ok(head));
    }
}

fn packs(max: usize) -> impl Strategy<Value = Vec<PackId>> {
    prop::collection::btree_set(1u128.., 0..max)
        .prop_map(|set| set.into_iter().map(|n| PackId(n.to_be_bytes())).collect())
}

fn many(n: usize) -> Vec<PackId> {
    (1..=n as u128).map(|n| PackId(n.to_be_bytes())).collect()
}

#[test]
fn lists_are_held_to_their_limits() {
    let events = |n| EventsClear { packs: many(n), permit: None }.encode();
    assert!(EventsClear::decode(&events(RECORD_PACKS_MAX)).is_ok());
    assert!(EventsClear::decode(&events(RECORD_PACKS_MAX + 1)).is_err());

    let add = |pack| Add { pack, class: Class::PACK, last_day: 0 };
    let drop = |pack| Drop { pack, reason: DropReason::Merged };
    let full = HeadClear {
        erase: (0..HEAD_ERASE_MAX as u64).collect(),
        adds: many(HEAD_PACKS_MAX).into_iter().map(add).collect(),
        drops: many(HEAD_PACKS_MAX).into_iter().map(drop).collect(),
        pages: many(HEAD_PAGES_MAX),
        ..samples::head()
    };
    assert!(HeadClear::decode(&full.encode()).is_ok());
    type Grow = fn(&mut HeadClear);
    let grown: [(&str, Grow); 4] = [
        ("erase", |h| h.erase.push(u64::MAX)),
        ("adds", |h| h.adds.push(Add { pack: PackId([0xff; 16]), class: Class::PACK, last_day: 0 })),
        ("drops", |h| h.drops.push(Drop { pack: PackId([0xff; 16]), reason: DropReason::Merged })),
        ("pages", |h| h.pages.push(PackId([0xff; 16]))),
    ];
    for (name, grow) in grown {
        let mut head = full.clone();
        grow(&mut head);
        assert!(HeadClear::decode(&head.encode()).is_err(), "{name}");
    }
}

#[test]
fn lists_out_of_order_or_with_doubles_are_refused() {
    let [low, high] = [PackId([1; 16]), PackId([2; 16])];
    for packs in [vec![high, low], vec![low, low]] {
        assert!(EventsClear::decode(&EventsClear { packs, permit: None }.encode()).is_err());
    }
    type Break = fn(&mut HeadClear);
    let broken: [(&str, Break); 12] = [
        ("erase backwards", |h| h.erase.reverse()),
        ("erase twice", |h| h.erase = vec![3, 3]),
        ("adds backwards", |h| h.adds.reverse()),
        ("an add twice", |h| h.adds[1].pack = h.adds[0].pack),
        ("drops backwards", |h| h.drops.reverse()),
        ("a drop twice", |h| h.drops[1].pack = h.drops[0].pack),
        ("no page at all", |h| h.pages.clear()),
        ("a hole among the pages", |h| h.pages[1] = PackId([0; 16])),
        ("no generation", |h| h.generation = 0),
        ("a first head with a parent", |h| h.generation = 1),
        ("a later head without one", |h| h.parent = [0; 32]),
        ("a front page of what is not covered", |h| h.front_size = h.covered_size + 1),
    ];
    for (name, change) in broken {
        let mut head = samples::head();
        change(&mut head);
        assert!(HeadClear::decode(&head.encode()).is_err(), "{name}");
    }
    let first = HeadClear { generation: 1, parent: [0; 32], ..samples::head() };
    assert!(HeadClear::decode(&first.encode()).is_ok());

    type Disturb = fn(&mut Roster);
    let disturbed: [(&str, Disturb); 4] = [
        ("devices backwards", |r| r.devices.reverse()),
        ("a device twice", |r| r.devices[1].id = r.devices[0].id),
        ("slots backwards", |r| r.slots.reverse()),
        ("a slot twice", |r| r.slots[1].kind = r.slots[0].kind),
    ];
    let roster = Roster::decode(&valid()[5]).unwrap();
    for (name, change) in disturbed {
        let mut roster = roster.clone();
        change(&mut roster);
        assert!(Roster::decode(&roster.encode()).is_err(), "{name}");
    }
}

#[test]
fn a_roster_of_the_largest_size_fits_a_body() {
    let mut plan = Plan::first();
    plan.roster.devices = (0..20).map(|n| crate::maker::active(n, 1)).collect();
    plan.roster.devices.extend((0..128u8).map(|n| {
        let mut device = crate::maker::gone(n, 1, 1);
        device.id = DeviceId([n | 0x80; 32]);
        device
    }));
    plan.roster.devices.sort_by_key(|d| d.id);
    let (record, body) = plan.publish();
    assert_eq!(body.len(), 64 << 10);
    let (clear, _) = record.split_body(&body).unwrap();
    assert_eq!(RosterClear::decode(clear).unwrap().roster.devices.len(), 148);
    for extra in [crate::maker::active(20, 1), crate::maker::gone(20, 1, 1)] {
        let mut roster = plan.roster.clone();
        roster.devices.push(extra);
        roster.devices.sort_by_key(|d| d.id);
        assert!(Roster::decode(&roster.encode()).is_err());
    }
}
