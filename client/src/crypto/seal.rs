//! One-object sealing with commitment (`docs/format.md` §2.2).

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Tag};
use proto::wire::bytes::{Reader, Writer};
use proto::wire::context::PREFIX;
use proto::wire::ladder::Class;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::derive::{derive, secret32};
use crate::env::Entropy;
use crate::ids::{AccountId, ChunkId, FileId, PackId};

/// What sealing adds: seed, commitment, tag.
pub const SEAL_OVERHEAD_BYTES: usize = 32 + 32 + 16;

/// The one error of every failed opening: it never says which check failed.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a sealed object does not open")]
pub struct Refused;

secret32!(/// Seals one pack's pieces.
    PackKey);
secret32!(/// Seals one chunk.
    ChunkKey);
secret32!(/// Seals a home at rest; never leaves it.
    ArchiveKey);

/// Where a sealed thing belongs: its associated data.
pub enum Place<'a> {
    /// Header up to body length, and clear part.
    Body {
        header: &'a [u8],
        clear: &'a [u8],
    },
    Piece {
        pack: PackId,
        number: u32,
        last: bool,
    },
    Slot {
        prefix: &'a [u8],
    },
    RootWrap {
        roster_version: u64,
        epoch: u32,
    },
    Chunk {
        id: ChunkId,
    },
    Media {
        file: FileId,
        block: u32,
        last: bool,
    },
}

impl Place<'_> {
    fn ad(&self, account: &AccountId) -> Vec<u8> {
        let mut w = Writer::new();
        let kind = match self {
            Self::Body { .. } => 1,
            Self::Piece { .. } => 2,
            Self::Slot { .. } => 3,
            Self::RootWrap { .. } => 4,
            Self::Chunk { .. } => 5,
            Self::Media { .. } => 6,
        };
        w.u8(1).u8(kind).raw(&account.0);
        match self {
            Self::Body { header, clear } => w.raw(header).raw(clear),
            Self::Piece { pack, number, last } => w.raw(&pack.0).u32(*number).u8(u8::from(*last)),
            Self::Slot { prefix } => w.raw(prefix),
            Self::RootWrap { roster_version, epoch } => w.u64(*roster_version).u32(*epoch),
            Self::Chunk { id } => w.raw(&id.0),
            Self::Media { file, block, last } => w.raw(&file.0).u32(*block).u8(u8::from(*last)),
        };
        w.finish()
    }
}

/// One object's cipher key and the commitment to it.
fn object_key(key: &[u8; 32], seed: &[u8; 32], ad: &[u8]) -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(PREFIX.as_bytes()).update(b"seal\0").update(seed).update(ad);
    let mut xof = hasher.finalize_xof();
    let mut cipher_key = Zeroizing::new([0; 32]);
    let mut commitment = [0; 32];
    xof.fill(&mut cipher_key[..]);
    xof.fill(&mut commitment);
    (cipher_key, commitment)
}

/// Seals `plaintext` for its place under `key`.
pub fn seal(
    key: &[u8; 32],
    account: &AccountId,
    place: &Place<'_>,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Vec<u8> {
    let ad = place.ad(account);
    // Fresh randomness alone would repeat on a cloned machine; with the content hashed in, only an equal object does.
    let fresh: [u8; 32] = crate::env::fresh(entropy);
    let mut hasher = blake3::Hasher::new_keyed(&derive("seed", key));
    hasher.update(&fresh).update(blake3::hash(plaintext).as_bytes()).update(&ad);
    let seed = *hasher.finalize().as_bytes();
    let (cipher_key, commitment) = object_key(key, &seed, &ad);
    let mut out = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD_BYTES);
    out.extend_from_slice(&seed);
    out.extend_from_slice(&commitment);
    out.extend_from_slice(plaintext);
    let cipher = ChaCha20Poly1305::new((&*cipher_key).into());
    let (_, content) = out.split_at_mut(64);
    let tag = cipher
        .encrypt_inout_detached(&[0; 12].into(), b"", content.into())
        .expect("an object is far below the cipher's limit of 256 GiB");
    out.extend_from_slice(&tag);
    out
}

/// Opens what [`seal`] made for the same key and place.
pub fn open(
    key: &[u8; 32],
    account: &AccountId,
    place: &Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let ad = place.ad(account);
    let mut r = Reader::new(sealed);
    let seed: [u8; 32] = r.array().map_err(|_| Refused)?;
    let stored: [u8; 32] = r.array().map_err(|_| Refused)?;
    let len = r.remaining().checked_sub(16).ok_or(Refused)?;
    let mut content = Zeroizing::new(r.take(len).map_err(|_| Refused)?.to_vec());
    let tag: [u8; 16] = r.array().map_err(|_| Refused)?;
    let (cipher_key, commitment) = object_key(key, &seed, &ad);
    // Before the cipher runs: a ciphertext can be made that opens under two keys, a commitment cannot.
    if !bool::from(commitment.ct_eq(&stored)) {
        return Err(Refused);
    }
    let cipher = ChaCha20Poly1305::new((&*cipher_key).into());
    cipher
        .decrypt_inout_detached(&[0; 12].into(), b"", content.as_mut_slice().into(), &Tag::from(tag))
        .map_err(|_| Refused)?;
    Ok(content)
}

/// Padded plaintext: length, content, zeros up to `bytes`.
pub fn pad(content: &[u8], bytes: usize) -> Option<Zeroizing<Vec<u8>>> {
    if content.len() + 4 > bytes {
        return None;
    }
    let mut out = Zeroizing::new(Vec::with_capacity(bytes));
    out.extend_from_slice(&(content.len() as u32).to_le_bytes());
    out.extend_from_slice(content);
    out.resize(bytes, 0);
    Some(out)
}

/// Takes the content out of a padded plaintext; padding must be zeros.
pub fn unpad(padded: &[u8]) -> Result<&[u8], Refused> {
    let mut r = Reader::new(padded);
    let len = r.u32().map_err(|_| Refused)? as usize;
    let content = r.take(len).map_err(|_| Refused)?;
    if r.rest().iter().any(|b| *b != 0) {
        return Err(Refused);
    }
    Ok(content)
}

/// The bytes that fill a pack up to its class: they look like everything else in it and can be checked.
pub fn padding(key: &[u8; 32], pack: PackId, len: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new_keyed(&derive("padding key", key));
    hasher.update(&pack.0);
    let mut out = vec![0; len];
    hasher.finalize_xof().fill(&mut out);
    out
}

/// The smallest body class for a clear part and a sealed content.
pub fn body_class(clear_len: usize, content_len: usize) -> Option<Class> {
    let class = Class::fitting(clear_len + content_len + 4 + SEAL_OVERHEAD_BYTES, Class::BODY)?;
    (class <= Class::BODY_MAX).then_some(class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEntropy;

    const A: AccountId = AccountId([7; 32]);

    fn piece(number: u32) -> Place<'static> {
        Place::Piece { pack: PackId([1; 16]), number, last: false }
    }

    #[test]
    fn opens_at_its_place_only_and_any_flip_is_refused() {
        let key = [3; 32];
        let sealed = seal(&key, &A, &piece(1), b"text", &mut SystemEntropy);
        assert_eq!(sealed.len(), 4 + SEAL_OVERHEAD_BYTES);
        assert_eq!(open(&key, &A, &piece(1), &sealed).unwrap().as_slice(), b"text");
        assert!(open(&key, &A, &piece(2), &sealed).is_err());
        assert!(open(&key, &AccountId([8; 32]), &piece(1), &sealed).is_err());
        assert!(open(&[4; 32], &A, &piece(1), &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(open(&key, &A, &piece(1), &bad).is_err(), "byte {at}");
        }
        for len in 0..sealed.len() {
            assert!(open(&key, &A, &piece(1), &sealed[..len]).is_err());
        }
    }

    #[test]
    fn equal_objects_never_share_sixteen_bytes() {
        let (a, b) = (
            seal(&[3; 32], &A, &piece(1), &[0; 64], &mut SystemEntropy),
            seal(&[3; 32], &A, &piece(1), &[0; 64], &mut SystemEntropy),
        );
        let windows: std::collections::HashSet<_> = a.windows(16).collect();
        assert!(b.windows(16).all(|w| !windows.contains(w)));
    }

    #[test]
    fn padding_must_be_zeros() {
        let padded = pad(b"abc", 32).unwrap();
        assert_eq!(unpad(&padded).unwrap(), b"abc");
        let mut bad = padded.clone();
        bad[31] = 1;
        assert_eq!(unpad(&bad), Err(Refused));
        assert!(pad(b"abc", 6).is_none());
        assert_eq!(unpad(&[255, 255, 255, 255, 0]), Err(Refused));
    }
}
