//! Where every byte stands, put together a second time from the tables of `docs/format.md`.

use proto::wire::bytes::Malformed;
use proto::wire::context::{BadSignature, verify};
use proto::wire::events::{EventsClear, Permit};
use proto::wire::head::HeadClear;
use proto::wire::header::{self, Record, body_hash};
use proto::wire::ids::AccountId;
use proto::wire::roster::RosterClear;
use proto::wire::slot::{AccountName, OpaqueObject, SlotPrefix, credential_digest, slot_digest};
use proto::wire::{signin, tree};

use crate::maker::{ROOT, account, active, device_id, gone, hash, key, public, sign};
use crate::samples;

fn le(n: u64, bytes: usize) -> Vec<u8> {
    n.to_le_bytes()[..bytes].to_vec()
}

/// §4.1, row by row: offset, content.
#[test]
fn a_header_stands_as_its_table_says() {
    let rows: [(usize, Vec<u8>); 16] = [
        (0, vec![1]),
        (1, vec![1]),
        (2, vec![1, 0]),
        (4, vec![1, 2, 3, 4]),
        (8, vec![0xa1; 32]),
        (40, vec![0xd2; 32]),
        (72, (0x11..=0x18).collect()),
        (80, vec![0xb3; 32]),
        (112, (0x21..=0x28).collect()),
        (120, vec![0xc4; 32]),
        (152, (0x31..=0x38).collect()),
        (160, (0x41..=0x48).collect()),
        (168, (0x51..=0x54).collect()),
        (172, vec![0x61, 0x01, 0, 0]),
        (176, vec![0, 0x40, 0, 0]),
        (180, vec![0xe5; 32]),
    ];
    let bytes = samples::header().encode();
    let mut end = 0;
    for (at, row) in rows {
        assert_eq!(at, end, "no gap in the table");
        end = at + row.len();
        assert_eq!(bytes[at..end], row[..], "at {at}");
    }
    assert_eq!(end, bytes.len());
    assert_eq!(header::aad_prefix(&bytes), &bytes[..180]);
    for (kind, byte) in
        [(header::RecordKind::Events, 1), (header::RecordKind::Roster, 2), (header::RecordKind::Head, 3)]
    {
        assert_eq!(header::Header { kind, ..samples::header() }.encode()[1], byte);
    }
}

#[test]
fn record_and_leaf_are_hashed_and_signed_under_their_own_contexts() {
    let leaf = samples::leaf();
    let bytes = [&samples::header().encode()[..], &leaf.record.signature, &le(leaf.server_time, 8)].concat();
    assert_eq!(leaf.encode()[..], bytes);
    assert_eq!(leaf.record.encode()[..], bytes[..276]);
    assert_eq!(leaf.record.digest(), hash("record digest", &[&bytes[..276]]));
    assert_eq!(leaf.hash(), hash("log leaf", &[&bytes]));
    assert_eq!(body_hash(b"body"), hash("body", &[b"body"]));
    assert_eq!(tree::node(&[1; 32], &[2; 32]), hash("log node", &[&[1; 32], &[2; 32]]));

    assert_eq!(leaf.record.verify(&public(1)), Ok(()));
    assert_eq!(leaf.record.verify(&public(2)), Err(BadSignature));
    assert_eq!(leaf.record.verify_as_roster(&public(1)), Err(BadSignature), "one signature, one purpose");
}

#[test]
fn a_body_is_held_to_its_header() {
    let body = [7; 256];
    let header = header::Header { clear_len: 5, body_len: 256, body_hash: hash("body", &[&body]), ..samples::header() };
    let record = Record { header_bytes: header.encode(), header, signature: [0; 64] };
    assert_eq!(record.split_body(&body), Ok((&body[..5], &body[5..])));
    assert!(record.split_body(&body[..255]).is_err());
    assert!(record.split_body(&[8; 256]).is_err());
    let longer = header::Header { body_len: 512, ..record.header.clone() };
    let longer = Record { header_bytes: longer.encode(), header: longer, signature: [0; 64] };
    assert!(longer.split_body(&body).is_err(), "its hash alone does not make it the body");
    assert!(record.split_body(&[]).is_err());
}

#[test]
fn a_header_of_another_version_kind_or_flag_is_refused() {
    let good = samples::header().encode();
    assert!(header::Header::decode(&good).is_ok());
    for (at, values) in [(0, vec![0, 2, 255]), (1, vec![0, 4, 255]), (2, vec![2, 3, 0x80]), (3, vec![1, 0x80])] {
        for value in values {
            let mut other = good;
            other[at] = value;
            assert_eq!(header::Header::decode(&other).err(), Some(Malformed::Unknown), "{value} at {at}");
        }
    }
}

/// Lengths a header may not state: off the ladder, above a body's limit, a clear part longer than its body.
#[test]
fn a_header_states_only_lengths_a_body_can_have() {
    for (clear_len, body_len, fits) in [
        (0, 0, true),
        (0, 256, true),
        (256, 256, true),
        (65_536, 65_536, true),
        (1, 0, false),
        (257, 256, false),
        (0, 128, false),
        (0, 257, false),
        (0, 131_072, false),
        (u32::MAX, u32::MAX, false),
    ] {
        let header = header::Header { clear_len, body_len, ..samples::header() };
        assert_eq!(header::Header::decode(&header.encode()).is_ok(), fits, "{clear_len} of {body_len}");
    }
}

#[test]
fn events_and_permit_stand_as_written() {
    let fields = [le(7, 8), vec![1], le(0x0102_0304_0506, 8), le(20_700, 4)].concat();
    let signature = sign(&key(ROOT), "permit", &[&account().0[..], &fields].concat());
    let whole = [le(2, 2), vec![0x10; 16], vec![0x20; 16], vec![1], fields, signature.to_vec()].concat();
    assert_eq!(samples::events().encode(), whole);
    assert_eq!(EventsClear::decode(&whole), Ok(samples::events()));
    assert_eq!(EventsClear::decode(&[0, 0, 0]), Ok(EventsClear::default()));

    let permit = samples::events().permit.unwrap();
    assert_eq!(permit.verify(&account(), &public(ROOT)), Ok(()));
    assert_eq!(permit.verify(&AccountId([1; 32]), &public(ROOT)), Err(BadSignature));
    assert_eq!(permit.verify(&account(), &public(1)), Err(BadSignature));
    for other in [
        Permit { roster_version: 8, ..permit.clone() },
        Permit { bytes: u64::MAX, ..permit.clone() },
        Permit { last_day: 20_701, ..permit.clone() },
        Permit { purpose: 2, ..permit.clone() },
    ] {
        assert_eq!(other.verify(&account(), &public(ROOT)), Err(BadSignature));
    }
    let unknown = EventsClear { packs: vec![], permit: Some(Permit { purpose: 2, ..permit }) };
    assert!(EventsClear::decode(&unknown.encode()).is_err());
}

#[test]
fn a_head_stands_as_written() {
    let add = |seed, class, day| [vec![seed; 16], vec![class], le(day, 4)].concat();
    let drop = |seed, reason| [vec![seed; 16], vec![reason]].concat();
    let whole = [
        le(9, 8),
        vec![0x91; 32],
        le(5_000, 8),
        vec![0x92; 32],
        le(4_000, 8),
        [vec![2], le(3, 8), le(4_999, 8)].concat(),
        [le(2, 2), add(0x30, 16, 0), add(0x31, 23, 20_701)].concat(),
        [le(5, 2), drop(0x40, 1), drop(0x41, 2), drop(0x42, 3), drop(0x43, 4), drop(0x44, 5)].concat(),
        [le(2, 2), vec![0x99; 16], vec![0x50; 16]].concat(),
    ]
    .concat();
    assert_eq!(samples::head().encode(), whole);
    assert_eq!(HeadClear::decode(&whole), Ok(samples::head()));
}

#[test]
fn a_roster_stands_as_written() {
    let active = |n: u8, joined| {
        let wraps = [vec![n; 1216], vec![n ^ 0xff; 1120], vec![n; 48]].concat();
        (active(n, joined).id.0, [vec![1], le(joined, 8), public(n).to_vec(), wraps].concat())
    };
    let gone = (gone(3, 1, 2).id.0, [vec![2], le(1, 8), public(3).to_vec(), le(2, 8)].concat());
    let mut devices = [active(1, 1), active(2, 2), gone];
    devices.sort();
    let devices: Vec<u8> = devices.into_iter().flat_map(|(id, rest)| [id.to_vec(), rest].concat()).collect();
    let slot = |kind: u8, seed: u8| [vec![kind], le(2, 4), vec![ROOT + 1; 32], vec![seed ^ 0x0f; 32]].concat();
    let content = [
        vec![1],
        account().0.to_vec(),
        le(2, 8),
        le(1, 4),
        le(2, 4),
        public(ROOT + 1).to_vec(),
        vec![1; 32],
        vec![0xee; 112],
        vec![0],
        [vec![2], slot(1, 0x11), slot(2, 0x22)].concat(),
        [le(3, 2), devices].concat(),
    ]
    .concat();
    let rotation = [&public(ROOT)[..], &sign(&key(ROOT), "roster rotation", &content)[..]].concat();
    let joiner = [&device_id(2).0[..], &sign(&key(2), "device join", &content)[..]].concat();
    let whole = [content.clone(), vec![1], rotation, vec![1], joiner].concat();

    let (record, body) = samples::roster().publish();
    let (clear, _) = record.split_body(&body).unwrap();
    assert_eq!(clear, whole);
    let clear = RosterClear::decode(&whole).unwrap();
    assert_eq!((clear.encode(), clear.content, clear.roster.encode()), (whole, content.clone(), content));
    assert_eq!(slot_digest(b"slot"), hash("slot", &[b"slot"]));
    assert_eq!(credential_digest(b"key"), hash("credential", &[b"key"]));
}

#[test]
fn slots_and_credentials_stand_as_written() {
    let name = [&[10][..], b"anna.k-2_x"].concat();
    let prefix = [vec![1, 2], account().0.to_vec(), le(0x0a0b_0c0d, 4), le(2, 4), name.clone()].concat();
    assert_eq!(samples::slot_prefix().encode(), prefix);
    let object = samples::slot_object();
    let (read, sealed) = SlotPrefix::split(&object).unwrap();
    assert_eq!((read, sealed), (samples::slot_prefix(), &object[prefix.len()..]));
    assert!(SlotPrefix::split(&object[..511]).is_err() && SlotPrefix::split(&[&object[..], &[0]].concat()).is_err());

    let cost = [le(65_536, 4), le(3, 4), le(1, 4)].concat();
    let opaque =
        [vec![1], account().0.to_vec(), le(4, 4), name, vec![0xcd; 32], cost.clone(), vec![0x6f; 192]].concat();
    assert_eq!(samples::opaque_object().encode(), opaque);
    assert_eq!(OpaqueObject::decode(&opaque), Ok(samples::opaque_object()));
    assert_eq!(samples::cost().encode()[..], cost);
}

#[test]
fn sign_ins_are_bound_to_server_account_and_purpose() {
    let (nonce, device) = ([0x55; 32], device_id(1));
    let server = [&[16][..], b"chat.example.org"].concat();
    let message = [&server[..], &account().0, &device.0, &nonce].concat();
    assert_eq!(signin::device_message("chat.example.org", &account(), &device, &nonce), message);
    let by_device = sign(&key(1), "sign-in", &message);
    assert_eq!(signin::verify_device(&public(1), &message, &by_device), Ok(()));
    assert_eq!(signin::verify_recovery(&public(1), &message, &by_device), Err(BadSignature));

    let message = [&server[..], &[10], b"anna.k-2_x", &nonce].concat();
    assert_eq!(signin::recovery_message("chat.example.org", &samples::name(), &nonce), message);
    let by_kit = sign(&key(1), "recovery sign-in", &message);
    assert_eq!(signin::verify_recovery(&public(1), &message, &by_kit), Ok(()));
    assert_eq!(signin::verify_device(&public(1), &message, &by_kit), Err(BadSignature));

    let context = [b"chatkeep 2026 v1 opaque\0", &server[..], &samples::cost().encode()].concat();
    assert_eq!(signin::opaque_context("chat.example.org", &samples::cost()), context);
}

/// A key of small order verifies one signature for every message unless verification is strict.
#[test]
fn a_key_of_small_order_verifies_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    for message in [&b"one"[..], b"two"] {
        assert_eq!(verify(&identity, "record", &[message], &signature), Err(BadSignature));
    }
    assert_eq!(verify(&[0xff; 32], "record", &[b"no point"], &signature), Err(BadSignature));
}

#[test]
fn account_names_are_plain() {
    for good in ["a", "0", "anna", "a.b-c_d", "9lives", &"x".repeat(64)] {
        assert_eq!(AccountName::new(good).unwrap().as_str(), good);
    }
    for bad in ["", ".a", "-a", "_a", "Anna", "änna", "a b", "a/b", "a\0", "a\n", "é", &"x".repeat(65)] {
        assert!(AccountName::new(bad).is_none(), "{bad:?}");
    }
}
