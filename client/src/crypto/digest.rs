//! The digest devices compare: a sum over rows that does not depend on their order (`docs/format.md` §3.7).
//!
//! LtHash: each row expands to 1,024 lanes of 16 bits, and lanes add. A row can be taken out again, and digests of
//! disjoint sets combine, so a device keeps it up to date at the price of what changed.

use proto::wire::bytes::Malformed;

use super::derive::{derive_public, purpose};
use super::lifetime::DigestKey;

const LANES: usize = 1024;

/// The sum of a set of rows.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(Box<[u16; LANES]>);

/// What one row adds.
#[derive(Clone, PartialEq, Eq)]
pub struct Term(Box<[u16; LANES]>);

impl DigestKey {
    /// Expands a row of a chat.
    pub fn term(&self, source: &str, conversation: &str, row: &[u8]) -> Term {
        let mut bytes = [0; Digest::BYTES];
        self.lanes(source, conversation, row, &mut bytes);
        Term(lanes(&bytes))
    }
}

impl Digest {
    pub const BYTES: usize = LANES * 2;

    pub fn add(&mut self, term: &Term) {
        for (lane, t) in self.0.iter_mut().zip(term.0.iter()) {
            *lane = lane.wrapping_add(*t);
        }
    }

    pub fn remove(&mut self, term: &Term) {
        for (lane, t) in self.0.iter_mut().zip(term.0.iter()) {
            *lane = lane.wrapping_sub(*t);
        }
    }

    /// Adds the digest of a disjoint set.
    pub fn combine(&mut self, other: &Self) {
        for (lane, o) in self.0.iter_mut().zip(other.0.iter()) {
            *lane = lane.wrapping_add(*o);
        }
    }

    /// What a head states.
    pub fn hash(&self) -> [u8; 32] {
        derive_public(purpose::DIGEST, &[&self.encode()])
    }

    /// Encodes the lanes for the device's own archive.
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(Self(lanes(bytes.try_into().map_err(|_| Malformed::Short)?)))
    }
}

impl Default for Digest {
    /// The digest of no rows.
    fn default() -> Self {
        Self(Box::new([0; LANES]))
    }
}

fn lanes(bytes: &[u8; Digest::BYTES]) -> Box<[u16; LANES]> {
    let mut lanes = Box::new([0; LANES]);
    for (lane, bytes) in lanes.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *lane = u16::from_le_bytes(*bytes);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Lifetime;
    use crate::crypto::entropy::fixed::Fixed;
    use proptest::prelude::*;

    fn key() -> DigestKey {
        Lifetime::generate(&mut Fixed::new("digest")).digest_key()
    }

    fn of(rows: &[Vec<u8>]) -> Digest {
        let mut digest = Digest::default();
        for row in rows {
            digest.add(&key().term("whatsapp", "ana", row));
        }
        digest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn order_does_not_matter_and_content_does(rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..12)) {
            let mut reversed = rows.clone();
            reversed.reverse();
            prop_assert_eq!(of(&rows).hash(), of(&reversed).hash());
            let (left, right) = rows.split_at(rows.len() / 2);
            let mut both = of(left);
            both.combine(&of(right));
            prop_assert!(both == of(&rows));
            let mut less = of(&rows);
            less.remove(&key().term("whatsapp", "ana", &rows[0]));
            prop_assert!(less == of(&rows[1..]));
            prop_assert_ne!(less.hash(), of(&rows).hash());
            prop_assert!(Digest::decode(&both.encode()) == Ok(both.clone()));
        }
    }

    #[test]
    fn the_same_row_of_another_chat_counts_differently() {
        let key = key();
        assert!(key.term("whatsapp", "ana", b"x") != key.term("whatsapp", "bob", b"x"));
        assert!(key.term("whatsapp", "ana", b"x") != key.term("whatsappa", "na", b"x"));
    }

    #[test]
    fn lanes_do_not_carry_into_each_other() {
        let mut digest = Digest::default();
        let most = Term(Box::new([u16::MAX; LANES]));
        let one = Term(Box::new([1; LANES]));
        digest.add(&most);
        digest.add(&one);
        assert!(digest == Digest::default());
    }

    #[test]
    fn other_lengths_are_refused() {
        assert!(Digest::decode(&[0; Digest::BYTES - 1]).is_err());
        assert!(Digest::decode(&[0; Digest::BYTES + 1]).is_err());
    }
}
