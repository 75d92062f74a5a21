//! Sealing and opening (`docs/format.md` §2.2).
//!
//! Every piece has a key of its own, derived from its seed, so the cipher's nonce never repeats under a key. The seed
//! mixes fresh randomness with what is sealed and where: a cloned machine that draws the same randomness twice still
//! gets two keys for two contents. The commitment beside it is compared before the cipher runs, because
//! ChaCha20-Poly1305 alone lets one ciphertext open under several keys.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use proto::wire::bytes::Reader;
use proto::wire::context::PREFIX;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::derive::{derive, keyed, keyed_long, purpose};
use super::entropy::{Entropy, draw};
use super::large;
use super::place::Place;
use super::secret::Secret;
use super::wiped::Wiped;
use crate::ids::AccountId;

/// By how much a sealed piece is longer than what it holds: seed, commitment, tag.
pub const SEAL_BYTES: usize = 32 + 32 + TAG_BYTES;

/// Something sealed did not open. Which check failed is not told.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("sealed bytes do not open")]
pub struct Refused;

const TAG_BYTES: usize = 16;

pub(super) fn seal(
    key: &Secret,
    account: &AccountId,
    place: &Place<'_>,
    content: &[u8],
    entropy: &mut dyn Entropy,
) -> Vec<u8> {
    seal_hashed(key, account, place, content, blake3::hash(content).as_bytes(), entropy)
}

/// Seals a content whose hash, of whatever kind, is known already.
pub(super) fn seal_hashed(
    key: &Secret,
    account: &AccountId,
    place: &Place<'_>,
    content: &[u8],
    hash: &[u8; 32],
    entropy: &mut dyn Entropy,
) -> Vec<u8> {
    let ad = place.associated_data(account);
    let seed_key = derive(purpose::SEED, &[key.bytes()]);
    let fresh: [u8; 32] = draw(entropy);
    let seed = keyed(&seed_key, &[&fresh, hash, &ad]);
    let Once { key, commitment } = Once::expand(key, &seed, &ad);

    let mut out = large::take(content.len() + SEAL_BYTES);
    out.extend_from_slice(&seed);
    out.extend_from_slice(&commitment);
    out.extend_from_slice(content);
    let (_, text) = out.split_at_mut(64);
    let tag = cipher(&key)
        .seal_in_place_separate_tag(nonce(), Aad::empty(), text)
        .expect("a piece is far shorter than the cipher's 256 GiB");
    out.extend_from_slice(tag.as_ref());
    out
}

pub(super) fn open(key: &Secret, account: &AccountId, place: &Place<'_>, sealed: &[u8]) -> Result<Wiped, Refused> {
    let ad = place.associated_data(account);
    let mut r = Reader::new(sealed);
    let seed: [u8; 32] = r.array().map_err(|_| Refused)?;
    let stated: [u8; 32] = r.array().map_err(|_| Refused)?;
    let text = r.rest();
    let length = text.len().checked_sub(TAG_BYTES).ok_or(Refused)?;

    let Once { key, commitment } = Once::expand(key, &seed, &ad);
    if !bool::from(commitment.ct_eq(&stated)) {
        return Err(Refused);
    }
    let mut content = Wiped::copy_of(text);
    cipher(&key).open_in_place(nonce(), Aad::empty(), content.as_mut_slice()).map_err(|_| Refused)?;
    content.truncate(length);
    Ok(content)
}

/// What one seed expands to: a key used once, and the commitment to it.
struct Once {
    key: Secret,
    commitment: [u8; 32],
}

impl Once {
    fn expand(key: &Secret, seed: &[u8; 32], ad: &[u8]) -> Self {
        let mut out = Zeroizing::new([0; 64]);
        keyed_long(key, &[PREFIX.as_bytes(), b"seal", &[0], seed, ad], &mut out[..]);
        let (left, right) = out.split_at(32);
        let mut commitment = [0; 32];
        commitment.copy_from_slice(right);
        Self { key: Secret::written(|k| k.copy_from_slice(left)), commitment }
    }
}

/// The cipher under a key; the library wipes its copy when it lets go of it.
fn cipher(key: &Secret) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.bytes()).expect("a key is as long as the cipher's"))
}

/// No key is used twice, so the nonce says nothing.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;
    use crate::ids::{ChunkId, PackId};
    use proptest::prelude::*;

    const ACCOUNT: AccountId = AccountId([1; 32]);
    const PACK: PackId = PackId([2; 16]);
    const HERE: Place<'static> = Place::Piece { pack: &PACK, number: 3, last: false };

    fn key(seed: &str) -> Secret {
        Secret::random(&mut Fixed::new(seed))
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(content in prop::collection::vec(any::<u8>(), 0..2000), seed in "[a-z]{4}") {
            let key = key(&seed);
            let sealed = seal(&key, &ACCOUNT, &HERE, &content, &mut Fixed::new(&seed));
            prop_assert_eq!(sealed.len(), content.len() + SEAL_BYTES);
            prop_assert_eq!(&**open(&key, &ACCOUNT, &HERE, &sealed).unwrap(), &content[..]);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&key("k"), &ACCOUNT, &HERE, &bytes).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_other_length_is_refused() {
        let key = key("k");
        let sealed = seal(&key, &ACCOUNT, &HERE, b"the fence needs paint", &mut Fixed::new("e"));
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(open(&key, &ACCOUNT, &HERE, &changed).err(), Some(Refused), "byte {at} bit {bit}");
            }
            assert!(open(&key, &ACCOUNT, &HERE, &sealed[..at]).is_err());
        }
        assert!(open(&key, &ACCOUNT, &HERE, &[&sealed[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_piece_opens_only_in_its_place() {
        let key = key("k");
        let sealed = seal(&key, &ACCOUNT, &HERE, b"x", &mut Fixed::new("e"));
        let chunk = ChunkId([2; 32]);
        let other = PackId([4; 16]);
        for place in [
            Place::Piece { pack: &PACK, number: 4, last: false },
            Place::Piece { pack: &PACK, number: 3, last: true },
            Place::Piece { pack: &other, number: 3, last: false },
            Place::Chunk { id: &chunk },
            Place::Slot { prefix: &[] },
        ] {
            assert!(open(&key, &ACCOUNT, &place, &sealed).is_err());
        }
        assert!(open(&key, &AccountId([9; 32]), &HERE, &sealed).is_err());
        assert!(open(&super::tests::key("other"), &ACCOUNT, &HERE, &sealed).is_err());
        assert!(open(&key, &ACCOUNT, &HERE, &sealed).is_ok());
    }

    #[test]
    fn the_same_randomness_twice_does_not_repeat_a_key() {
        let key = key("k");
        let seed = |content: &[u8], place: &Place<'_>| {
            let sealed = seal(&key, &ACCOUNT, place, content, &mut Fixed::new("cloned"));
            sealed[..32].to_vec()
        };
        let elsewhere = Place::Piece { pack: &PACK, number: 4, last: false };
        let seeds = [seed(b"a", &HERE), seed(b"b", &HERE), seed(b"a", &elsewhere)];
        assert!(seeds[0] != seeds[1] && seeds[0] != seeds[2] && seeds[1] != seeds[2]);
    }
}
