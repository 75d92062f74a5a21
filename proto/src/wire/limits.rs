//! Every limit of the protocol, with its unit (DESIGN §5, §7, §8; `docs/format.md`) that both sides see. Limits of what is sealed stand
//! with the code that reads it.

use super::ladder::Class;

/// A record's body, padding included.
pub const BODY_BYTES_MAX: usize = 64 << 10;
pub const BATCH_RECORDS_MAX: usize = 64;
pub const BATCH_BYTES_MAX: usize = 1 << 20;
pub const BATCH_PACKS_MAX: usize = 400;
pub const RECORD_PACKS_MAX: usize = 400;
pub const HEAD_ERASE_MAX: usize = 64;
pub const HEAD_PACKS_MAX: usize = 400;
pub const HEAD_PAGES_MAX: usize = 1024;
pub const PULL_BYTES_MAX: usize = 1 << 20;
/// `Open` carries at most this much tail.
pub const TAIL_BYTES_MAX: usize = 256 << 10;
pub const ACTIVE_DEVICES_MAX: usize = 20;
pub const GONE_DEVICES_MAX: usize = 128;
pub const SLOTS_MAX: usize = 2;
pub const SLOT_BYTES: usize = 512;
pub const OPAQUE_RECORD_BYTES: usize = 192;
pub const ACCOUNT_NAME_BYTES_MAX: usize = 64;
/// Packs a device may have staged and not yet pinned.
pub const STAGED_BYTES_MAX: u64 = 1 << 30;
/// Bodies of untrimmed tail an account may hold besides its quota.
pub const TAIL_ALLOWANCE_BYTES: u64 = 64 << 20;
/// Of the tail allowance, what records that bring no pack may take once the quota is spent.
pub const TAIL_ALLOWANCE_PACKLESS_BYTES: u64 = 8 << 20;
/// Most records a log can hold. Sizes above it are refused before anybody counts on from them.
pub const LOG_RECORDS_MAX: u64 = 1 << 62;
/// Hashes in a frontier or proof; the longest proof of the largest log has one a level on either side.
pub const PROOF_HASHES_MAX: usize = 128;
/// A pack is read whole or in ranges aligned to this.
pub const RANGE_ALIGN_BYTES: u64 = 64 << 10;
pub const PACK_BYTES_MAX: usize = 8 << 20;
pub const FRONT_PAGE_BYTES_MAX: usize = 128 << 10;
/// A catalogue page, padding included.
pub const PAGE_BYTES_MAX: usize = 64 << 10;
/// A piece of an attachment before it is sealed.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;
/// A run of work pins what it has uploaded at least this often.
pub const PIN_BYTES_MAX: u64 = 256 << 20;

/// How long a pairing code is good.
pub const PAIRING_SECONDS: u32 = 600;
/// A message of a new device in a pairing: keys, names, a signature.
pub const PAIRING_NEW_BYTES_MAX: usize = 4 << 10;
/// A message of a signed-in device in a pairing: it carries a roster that a new device is to sign.
pub const PAIRING_OLD_BYTES_MAX: usize = BODY_BYTES_MAX + (4 << 10);

pub const HEADER_BYTES: usize = 212;
pub const SIGNATURE_BYTES: usize = 64;
pub const RECORD_BYTES: usize = HEADER_BYTES + SIGNATURE_BYTES;
pub const LEAF_BYTES: usize = RECORD_BYTES + 8;
/// The part of a header that enters a body's associated data: up to and including the body length.
pub const HEADER_AAD_BYTES: usize = 180;

const _: () = {
    assert!(BODY_BYTES_MAX.is_power_of_two());
    assert!(RECORD_PACKS_MAX <= BATCH_PACKS_MAX);
    assert!(BATCH_BYTES_MAX <= PULL_BYTES_MAX);
    assert!(BODY_BYTES_MAX * 2 <= PULL_BYTES_MAX, "one page always holds a record");
    assert!(HEADER_AAD_BYTES + 32 == HEADER_BYTES);
    assert!(TAIL_BYTES_MAX < PULL_BYTES_MAX);
    assert!(PIN_BYTES_MAX <= STAGED_BYTES_MAX, "a pin comes before the service refuses to stage more");
    assert!(TAIL_ALLOWANCE_PACKLESS_BYTES < TAIL_ALLOWANCE_BYTES);
    assert!(LOG_RECORDS_MAX.trailing_zeros() as usize * 2 <= PROOF_HASHES_MAX);
    assert!(SLOT_BYTES == Class::SLOT.bytes() && BODY_BYTES_MAX == Class::BODY_MAX.bytes());
    assert!(PACK_BYTES_MAX == Class::MAX.bytes() && FRONT_PAGE_BYTES_MAX == Class::FRONT_PAGE_MAX.bytes());
    assert!(CHUNK_BYTES_MAX * 2 <= PACK_BYTES_MAX, "a sealed chunk always fits a pack");
    assert!(RANGE_ALIGN_BYTES as usize == Class::PACK.bytes(), "the smallest pack is one range");
    // The largest clear part of a head: its fixed numbers, bodies to erase, adds, drops and pages.
    assert!(88 + 7 + HEAD_ERASE_MAX * 8 + HEAD_PACKS_MAX * (21 + 17) + HEAD_PAGES_MAX * 16 < BODY_BYTES_MAX / 2 + 1024);
    // A full roster fits a body: 20 active devices, 128 gone, two slots, signatures, and room for the sealed part.
    assert!(ACTIVE_DEVICES_MAX * 2457 + GONE_DEVICES_MAX * 81 + 1024 < BODY_BYTES_MAX - 4096);
};
