//! One fixed sample of every structure: what the golden vectors hold and the layouts are read against.

use proto::wire::events::{EventsClear, Permit};
use proto::wire::head::{Add, Drop, DropReason, HeadClear};
use proto::wire::header::{Header, Leaf, Record, RecordKind};
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::roster::SlotKind;
use proto::wire::slot::{AccountName, Argon2Cost, OpaqueObject, SlotPrefix};

use crate::maker::{Plan, ROOT, account, key, sign};

/// Every field has bytes of its own, so that two swapped fields show.
pub fn header() -> Header {
    Header {
        kind: RecordKind::Events,
        flags: 1,
        incarnation: 0x0403_0201,
        account: AccountId([0xa1; 32]),
        device: DeviceId([0xd2; 32]),
        counter: 0x1817_1615_1413_1211,
        previous: [0xb3; 32],
        seen_size: 0x2827_2625_2423_2221,
        seen_root: [0xc4; 32],
        agreed: 0x3837_3635_3433_3231,
        roster_version: 0x4847_4645_4443_4241,
        last_day: 0x5453_5251,
        clear_len: 0x0000_0161,
        body_len: 0x0000_4000,
        body_hash: [0xe5; 32],
    }
}

pub fn leaf() -> Leaf {
    let header_bytes = header().encode();
    let signature = sign(&key(1), "record", &header_bytes);
    Leaf { record: Record { header: header(), header_bytes, signature }, server_time: 0x0000_0190_7766_5544 }
}

pub fn events() -> EventsClear {
    let mut permit = Permit {
        roster_version: 7,
        purpose: Permit::MASS_DELETION,
        bytes: 0x0102_0304_0506,
        last_day: 20_700,
        signature: [0; 64],
    };
    permit.signature = sign(&key(ROOT), "permit", &permit.message(&account()));
    EventsClear { packs: vec![PackId([0x10; 16]), PackId([0x20; 16])], permit: Some(permit) }
}

pub fn head() -> HeadClear {
    HeadClear {
        generation: 9,
        parent: [0x91; 32],
        covered_size: 5_000,
        covered_root: [0x92; 32],
        front_size: 4_000,
        erase: vec![3, 4_999],
        adds: vec![
            Add { pack: PackId([0x30; 16]), class: Class::PACK, last_day: 0 },
            Add { pack: PackId([0x31; 16]), class: Class::MAX, last_day: 20_701 },
        ],
        drops: vec![
            Drop { pack: PackId([0x40; 16]), reason: DropReason::Merged },
            Drop { pack: PackId([0x41; 16]), reason: DropReason::Replaced },
            Drop { pack: PackId([0x42; 16]), reason: DropReason::Purged },
            Drop { pack: PackId([0x43; 16]), reason: DropReason::LastDay },
            Drop { pack: PackId([0x44; 16]), reason: DropReason::Unused },
        ],
        pages: vec![PackId([0x99; 16]), PackId([0x50; 16])],
    }
}

/// The second roster of an account: one device active, one gone, a new root, a joining device.
pub fn roster() -> Plan {
    let mut plan = Plan::after(&Plan::first().roster, ROOT);
    plan.rotate(ROOT + 1);
    plan.join(2);
    plan.roster.devices.push(crate::maker::gone(3, 1, 2));
    plan
}

pub fn name() -> AccountName {
    AccountName::new("anna.k-2_x").expect("the sample is a name")
}

pub fn cost() -> Argon2Cost {
    Argon2Cost { memory_kib: 65_536, passes: 3, lanes: 1 }
}

pub fn slot_prefix() -> SlotPrefix {
    SlotPrefix {
        kind: SlotKind::Recovery,
        account: account(),
        generation: 0x0a0b_0c0d,
        root_generation: 2,
        name: name(),
    }
}

pub fn slot_object() -> Vec<u8> {
    let mut object = slot_prefix().encode();
    object.resize(512, 0x77);
    object
}

pub fn opaque_object() -> OpaqueObject {
    OpaqueObject {
        account: account(),
        generation: 4,
        name: name(),
        credential_id: [0xcd; 32],
        cost: cost(),
        record: [0x6f; 192],
    }
}
