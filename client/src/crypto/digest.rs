//! LtHash over the joined rows (`docs/format.md` §3.7): rows enter and leave in any order.

use proto::wire::context::h;

use super::DigestKey;
use crate::event::{Chat, Row};

pub const LANES: usize = 1024;

/// 1,024 lanes of 16 bits, added modulo 2^16.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(Box<[u16; LANES]>);

impl Default for Digest {
    fn default() -> Self {
        Self(Box::new([0; LANES]))
    }
}

impl Digest {
    fn term(key: &DigestKey, chat: &Chat, row: &Row) -> [u8; 2 * LANES] {
        let mut out = [0; 2 * LANES];
        key.hasher(chat, row).finalize_xof().fill(&mut out);
        out
    }

    pub fn add(&mut self, key: &DigestKey, chat: &Chat, row: &Row) {
        let term = Self::term(key, chat, row);
        for (lane, pair) in self.0.iter_mut().zip(term.as_chunks::<2>().0) {
            *lane = lane.wrapping_add(u16::from_le_bytes(*pair));
        }
    }

    pub fn remove(&mut self, key: &DigestKey, chat: &Chat, row: &Row) {
        let term = Self::term(key, chat, row);
        for (lane, pair) in self.0.iter_mut().zip(term.as_chunks::<2>().0) {
            *lane = lane.wrapping_sub(u16::from_le_bytes(*pair));
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (pairs, []) = bytes.as_chunks::<2>() else { return None };
        let lanes: Vec<u16> = pairs.iter().map(|p| u16::from_le_bytes(*p)).collect();
        Some(Self(lanes.into_boxed_slice().try_into().ok()?))
    }

    /// What the head states of it.
    pub fn hash(&self) -> [u8; 32] {
        h("digest", &[&self.to_bytes()])
    }
}
