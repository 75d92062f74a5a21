//! A small filter of chat ids: tells without a read that a run holds nothing of a chat.

use proto::wire::bytes::{Malformed, Result};

use crate::ids::ChatId;

/// 1,024 bits, four for each chat. No false "no"; some false "maybe".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChatFilter([u8; Self::BYTES]);

impl ChatFilter {
    pub const BYTES: usize = 128;

    pub fn add(&mut self, chat: &ChatId) {
        for (byte, bit) in bits(chat) {
            if let Some(byte) = self.0.get_mut(byte) {
                *byte |= bit;
            }
        }
    }

    pub fn may_hold(&self, chat: &ChatId) -> bool {
        bits(chat).all(|(byte, bit)| self.0.get(byte).is_some_and(|b| b & bit != 0))
    }

    /// Adds all chats of another filter.
    pub fn merge(&mut self, other: &Self) {
        for (byte, o) in self.0.iter_mut().zip(other.0) {
            *byte |= o;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|b| *b == 0)
    }

    pub(super) fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(Self(bytes.try_into().map_err(|_| Malformed::NotCanonical)?))
    }
}

impl Default for ChatFilter {
    fn default() -> Self {
        Self([0; Self::BYTES])
    }
}

/// Byte and mask of the four bits: the first four u16 of the id, modulo 1,024.
fn bits(chat: &ChatId) -> impl Iterator<Item = (usize, u8)> + '_ {
    chat.0.as_chunks::<2>().0.iter().take(4).map(|word| {
        let bit = u16::from_le_bytes(*word) % 1024;
        (usize::from(bit / 8), 1 << (bit % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(n: u32) -> ChatId {
        ChatId(*blake3::hash(&n.to_le_bytes()).as_bytes())
    }

    #[test]
    fn it_never_denies_and_seldom_errs() {
        let mut filter = ChatFilter::default();
        (0..60).for_each(|n| filter.add(&chat(n)));
        assert!((0..60).all(|n| filter.may_hold(&chat(n))));
        let wrong = (1000..11_000).filter(|n| filter.may_hold(&chat(*n))).count();
        assert!(wrong < 300, "{wrong} of 10,000");
        let mut other = ChatFilter::default();
        other.add(&chat(99));
        filter.merge(&other);
        assert!(filter.may_hold(&chat(99)) && ChatFilter::decode(filter.bytes()) == Ok(filter.clone()));
    }

    #[test]
    fn its_bits_stand_where_the_format_says() {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&[0x09, 0x04, 0x00, 0x00, 0xff, 0xff, 0x08, 0x00]);
        let mut filter = ChatFilter::default();
        filter.add(&ChatId(id));
        // 0x0409 mod 1024 = 9, 0, 0xffff mod 1024 = 1023, 8.
        let mut expected = [0; 128];
        (expected[0], expected[1], expected[127]) = (1, 3, 0x80);
        assert_eq!(filter.bytes(), &expected);
    }
}
