//! Derivations with secret input: the client's half of `H` and `K` (`docs/format.md` §1), wiped after use.

use proto::wire::context::PREFIX;
use zeroize::Zeroize;

use super::secret::Secret;

/// Purposes whose input is secret. Those over public bytes stand in `proto::wire::context::purpose`.
pub(super) mod purpose {
    pub const SEED: &str = "seed";
    pub const RECOVERY_SIGN_IN_KEY: &str = "recovery sign-in key";
    pub const RECOVERY_SLOT_KEY: &str = "recovery slot key";
    pub const RECOVERY_SLOT_NAME: &str = "recovery slot name";
    pub const PASSPHRASE_SLOT_KEY: &str = "passphrase slot key";
    pub const ROSTER_SIGNING_KEY: &str = "roster signing key";
    pub const ROOT_WRAP_KEY: &str = "root wrap key";
    pub const EPOCH_COMMITMENT: &str = "epoch commitment";
    pub const EVENT_ID_KEY: &str = "event id key";
    pub const FILE_ID_KEY: &str = "file id key";
    pub const CHUNK_ID_KEY: &str = "chunk id key";
    pub const DIGEST_KEY: &str = "digest key";
    pub const CUT_TABLE_KEY: &str = "cut table key";
    pub const DIGEST: &str = "digest";
    pub const PADDING_KEY: &str = "padding key";
    pub const ARCHIVE_DATABASE_KEY: &str = "archive database key";
    pub const PAIRING_CODE: &str = "pairing code";
    pub const PAIRING: &str = "pairing";
    pub const PAIRING_CONFIRM_NEW: &str = "pairing confirm new";
    pub const PAIRING_CONFIRM_OLD: &str = "pairing confirm old";
    pub const PAIRING_SEAL_NEW: &str = "pairing seal new";
    pub const PAIRING_SEAL_OLD: &str = "pairing seal old";
    pub const PAIRING_CHECK_WORDS: &str = "pairing check words";

    #[cfg(test)]
    pub const ALL: [&str; 23] = [
        SEED,
        RECOVERY_SIGN_IN_KEY,
        RECOVERY_SLOT_KEY,
        RECOVERY_SLOT_NAME,
        PASSPHRASE_SLOT_KEY,
        ROSTER_SIGNING_KEY,
        ROOT_WRAP_KEY,
        EPOCH_COMMITMENT,
        EVENT_ID_KEY,
        FILE_ID_KEY,
        CHUNK_ID_KEY,
        DIGEST_KEY,
        CUT_TABLE_KEY,
        DIGEST,
        PADDING_KEY,
        ARCHIVE_DATABASE_KEY,
        PAIRING_CODE,
        PAIRING,
        PAIRING_CONFIRM_NEW,
        PAIRING_CONFIRM_OLD,
        PAIRING_SEAL_NEW,
        PAIRING_SEAL_OLD,
        PAIRING_CHECK_WORDS,
    ];
}

/// `H(purpose, parts)`, 32 secret bytes.
pub(super) fn derive(purpose: &str, parts: &[&[u8]]) -> Secret {
    let mut hasher = blake3::Hasher::new_derive_key(&format!("{PREFIX}{purpose}"));
    secret_of(&mut hasher, parts)
}

/// `H(purpose, parts)` where the result may be public (a commitment, a name).
pub(super) fn derive_public(purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    *derive(purpose, parts).bytes()
}

/// `K(key, parts)`.
///
/// Ids are made by the million of short parts: these are hashed in one piece, without the state of a hash of any length
/// and its wiping. What the machine's stack keeps of that is no more than the key itself, which outlives it.
pub(super) fn keyed(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut short = [0; SHORT_BYTES];
    let mut end = 0;
    for part in parts {
        let Some(room) = short.get_mut(end..end + part.len()) else {
            let mut hasher = blake3::Hasher::new_keyed(key.bytes());
            return *secret_of(&mut hasher, parts).bytes();
        };
        room.copy_from_slice(part);
        end += part.len();
    }
    *blake3::keyed_hash(key.bytes(), short.get(..end).unwrap_or_default()).as_bytes()
}

const SHORT_BYTES: usize = 256;

/// `K(key, parts)[out.len()]`.
pub(super) fn keyed_long(key: &Secret, parts: &[&[u8]], out: &mut [u8]) {
    let mut hasher = blake3::Hasher::new_keyed(key.bytes());
    for part in parts {
        hasher.update(part);
    }
    let mut reader = hasher.finalize_xof();
    reader.fill(out);
    reader.zeroize();
    hasher.zeroize();
}

fn secret_of(hasher: &mut blake3::Hasher, parts: &[&[u8]]) -> Secret {
    for part in parts {
        hasher.update(part);
    }
    let mut hash = hasher.finalize();
    let secret = Secret::copied(hash.as_bytes());
    hash.zeroize();
    hasher.zeroize();
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_purpose_serves_twice() {
        let mut all = purpose::ALL.to_vec();
        all.extend(proto::wire::context::purpose::ALL);
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
