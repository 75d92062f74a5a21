//! Every limit of the protocol, with its unit (DESIGN §5, §7, §8; `docs/format.md`).

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
/// Frontier and proofs of a log of 2^63 records.
pub const PROOF_HASHES_MAX: usize = 128;
/// A pack is read whole or in ranges aligned to this.
pub const RANGE_ALIGN_BYTES: u64 = 64 << 10;

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
    // A full roster fits a body: 20 active devices, 128 gone, two slots, signatures, and room for the sealed part.
    assert!(ACTIVE_DEVICES_MAX * 2457 + GONE_DEVICES_MAX * 81 + 1024 < BODY_BYTES_MAX - 4096);
};
