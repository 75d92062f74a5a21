//! Domain separation: every hash and signature has a purpose of its own (`docs/format.md` §1).

use ed25519_dalek::{Signature, VerifyingKey};
use thiserror::Error;

/// What every context string begins with.
pub const PREFIX: &str = "chatkeep 2026 v1 ";

/// Purposes of hashes and signatures over public bytes.
pub mod purpose {
    pub const ACCOUNT_ID: &str = "account id";
    pub const DEVICE_ID: &str = "device id";
    pub const KEM_KEY: &str = "kem key";
    pub const BODY: &str = "body";
    pub const RECORD_DIGEST: &str = "record digest";
    pub const LOG_LEAF: &str = "log leaf";
    pub const LOG_NODE: &str = "log node";
    pub const SLOT: &str = "slot";
    pub const CREDENTIAL: &str = "credential";
    pub const RECORD: &str = "record";
    pub const ROSTER: &str = "roster";
    pub const ROSTER_ROTATION: &str = "roster rotation";
    pub const DEVICE_JOIN: &str = "device join";
    pub const PERMIT: &str = "permit";
    pub const SIGN_IN: &str = "sign-in";
    pub const RECOVERY_SIGN_IN: &str = "recovery sign-in";

    pub const ALL: [&str; 16] = [
        ACCOUNT_ID,
        DEVICE_ID,
        KEM_KEY,
        BODY,
        RECORD_DIGEST,
        LOG_LEAF,
        LOG_NODE,
        SLOT,
        CREDENTIAL,
        RECORD,
        ROSTER,
        ROSTER_ROTATION,
        DEVICE_JOIN,
        PERMIT,
        SIGN_IN,
        RECOVERY_SIGN_IN,
    ];
}

/// Hashes the parts, one after another, under a purpose: `H(purpose, parts)`.
pub fn h(purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(&format!("{PREFIX}{purpose}"));
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The bytes a signature covers: `context ‖ 0x00 ‖ parts`.
pub fn signed_bytes(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + parts.iter().map(|p| p.len()).sum::<usize>());
    out.extend_from_slice(PREFIX.as_bytes());
    out.extend_from_slice(purpose.as_bytes());
    out.push(0);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A signature that does not hold, for whatever reason.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a signature does not hold")]
pub struct BadSignature;

/// Verifies strictly: canonical points, no key or nonce of small order.
pub fn verify(key: &[u8; 32], purpose: &str, parts: &[&[u8]], signature: &[u8; 64]) -> Result<(), BadSignature> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| BadSignature)?;
    key.verify_strict(&signed_bytes(purpose, parts), &Signature::from_bytes(signature)).map_err(|_| BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_distinct() {
        let mut all = purpose::ALL.to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), purpose::ALL.len());
        assert!(all.iter().all(|p| !p.contains('\0')));
    }
}
