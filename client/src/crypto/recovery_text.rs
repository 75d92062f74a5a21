//! The recovery key's text: Crockford base32 with three Reed–Solomon check symbols (`docs/format.md` §2.1).
//!
//! The check symbols catch every single wrong character and every swap of neighbours, so that a typo is told as a
//! typo before anything is sent.

use thiserror::Error;
use zeroize::Zeroizing;

/// The text is not a complete recovery key.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("this is not a complete recovery key: the checksum does not match")]
pub struct Typo;

/// The key itself.
pub(super) const KEY_BYTES: usize = 20;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DATA: usize = 32;
const CHECKS: usize = 3;
const SYMBOLS: usize = DATA + CHECKS;
const GROUP: usize = 5;
const MARK: &str = "CK1";

/// Writes `CK1-` and seven groups of five.
pub(super) fn encode(key: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    let symbols = symbols_of(key);
    // Reserved in full, so that no half-written copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(MARK.len() + SYMBOLS + SYMBOLS / GROUP));
    text.push_str(MARK);
    for group in symbols.chunks(GROUP) {
        text.push('-');
        text.extend(group.iter().map(|s| char::from(ALPHABET[usize::from(*s)])));
    }
    text
}

/// Reads a key, forgiving case, spaces, dashes, `O` for `0`, `I` and `L` for `1`, and a missing `CK1`.
pub(super) fn decode(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, Typo> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(MARK.len() + SYMBOLS));
    for c in text.chars().filter(|c| !is_separator(*c)) {
        if symbols.len() == MARK.len() + SYMBOLS {
            return Err(Typo);
        }
        symbols.push(symbol(c).ok_or(Typo)?);
    }
    let mark = MARK.chars().map(|c| symbol(c).expect("the mark is written in the alphabet"));
    let symbols: &[u8] = match symbols.len().checked_sub(SYMBOLS) {
        Some(0) => &symbols,
        Some(n) if n == MARK.len() && symbols.iter().copied().take(n).eq(mark) => symbols.split_at(n).1,
        _ => return Err(Typo),
    };
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    // Eight symbols are five bytes.
    for (bytes, symbols) in key.as_chunks_mut::<5>().0.iter_mut().zip(symbols.as_chunks::<8>().0) {
        let bits = symbols.iter().fold(0u64, |bits, s| bits << 5 | u64::from(*s));
        let [_, _, _, five @ ..] = bits.to_be_bytes();
        *bytes = five;
    }
    if *symbols_of(&key) == *symbols { Ok(key) } else { Err(Typo) }
}

fn is_separator(c: char) -> bool {
    // Phones and word processors turn dashes into their typographic cousins.
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn symbol(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    ALPHABET.iter().position(|a| char::from(*a) == c).and_then(|at| u8::try_from(at).ok())
}

fn symbols_of(key: &[u8; KEY_BYTES]) -> Zeroizing<[u8; SYMBOLS]> {
    let mut out = Zeroizing::new([0; SYMBOLS]);
    let (data, checks) = out.split_at_mut(DATA);
    for (symbols, bytes) in data.as_chunks_mut::<8>().0.iter_mut().zip(key.as_chunks::<5>().0) {
        let bits = bytes.iter().fold(0u64, |bits, b| bits << 8 | u64::from(*b));
        for (at, symbol) in symbols.iter_mut().enumerate() {
            *symbol = (bits >> (35 - 5 * at) & 31) as u8;
        }
    }
    checks.copy_from_slice(&remainder(data));
    out
}

/// The remainder of data · x³ by the generator (x + α)(x + α²)(x + α³): what makes the whole vanish at its roots.
fn remainder(data: &[u8]) -> [u8; CHECKS] {
    let generator = generator();
    let mut rest = [0u8; CHECKS];
    for symbol in data {
        let [first, second, third] = rest;
        let carry = first ^ symbol;
        rest = [second, third, 0];
        for (r, g) in rest.iter_mut().zip(generator) {
            *r ^= times(carry, g);
        }
    }
    rest
}

/// The generator's coefficients below x³, highest first.
fn generator() -> [u8; CHECKS] {
    let (a, b, c) = (2, times(2, 2), times(2, times(2, 2)));
    [a ^ b ^ c, times(a, b) ^ times(a, c) ^ times(b, c), times(a, times(b, c))]
}

/// Multiplies in GF(32) with x⁵ + x² + 1.
fn times(a: u8, b: u8) -> u8 {
    let mut product = 0u16;
    for bit in 0..5 {
        // Masks, not branches: one of the factors may be part of the key.
        product ^= (u16::from(a) << bit) & (u16::from(b >> bit & 1)).wrapping_neg();
    }
    for bit in (5..9).rev() {
        product ^= (0b10_0101 << (bit - 5)) & (product >> bit & 1).wrapping_neg();
    }
    product as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The format's own words, computed another way: powers by repeated doubling, no polynomial division.
    fn vanishes(symbols: &[u8]) -> bool {
        let double = |v: u8| if v & 16 != 0 { (v << 1) ^ 0b10_0101 } else { v << 1 };
        let mul = |a: u8, b: u8| (0..5).rev().fold(0, |acc, bit| double(acc) ^ if b >> bit & 1 == 1 { a } else { 0 });
        [2u8, 4, 8].iter().all(|root| symbols.iter().fold(0, |value, s| mul(value, *root) ^ s) == 0)
    }

    fn texts() -> Vec<Zeroizing<String>> {
        let random = blake3::hash(b"recovery");
        let mut keys = vec![[0; 20], [0xff; 20], *random.as_bytes().first_chunk::<20>().unwrap()];
        keys.extend((0..160).map(|bit| {
            let mut key = [0; 20];
            key[bit / 8] = 1 << (bit % 8);
            key
        }));
        keys.iter().map(encode).collect()
    }

    #[test]
    fn every_wrong_character_and_every_swap_is_a_typo() {
        for text in texts().iter().take(4) {
            let symbols: Vec<char> = text.chars().filter(|c| *c != '-').collect();
            for at in 3..symbols.len() {
                for other in ALPHABET.iter().map(|a| char::from(*a)).filter(|c| *c != symbols[at]) {
                    let mut wrong = symbols.clone();
                    wrong[at] = other;
                    assert_eq!(decode(&wrong.iter().collect::<String>()).err(), Some(Typo));
                }
                if at + 1 < symbols.len() && symbols[at] != symbols[at + 1] {
                    let mut swapped = symbols.clone();
                    swapped.swap(at, at + 1);
                    assert_eq!(decode(&swapped.iter().collect::<String>()).err(), Some(Typo));
                }
            }
        }
    }

    #[test]
    fn the_whole_vanishes_at_the_three_roots() {
        for text in texts() {
            let symbols: Vec<u8> = text.chars().skip(3).filter(|c| *c != '-').map(|c| symbol(c).unwrap()).collect();
            assert_eq!(symbols.len(), 35);
            assert!(vanishes(&symbols), "{}", *text);
        }
    }

    #[test]
    fn missing_and_added_characters_are_typos() {
        let text = encode(&[7; 20]);
        for at in 0..text.len() {
            let mut less = text.to_string();
            let removed = less.remove(at);
            assert_eq!(decode(&less).is_ok(), removed == '-', "{less}");
            let mut more = text.to_string();
            more.insert(at, 'Z');
            assert!(decode(&more).is_err());
        }
        for nonsense in ["", "CK1", "CK1-", "CK2-00000-00000-00000-00000-00000-00000-00000", &"0".repeat(10_000), "é"]
        {
            assert!(decode(nonsense).is_err());
        }
        assert!(decode(&"-".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn what_people_do_to_it_is_forgiven(key in any::<[u8; 20]>(), drop_mark: bool, lower: bool, look_alike: bool) {
            let mut text = encode(&key).to_string();
            if drop_mark {
                text = text.replacen("CK1-", "", 1);
            }
            if look_alike {
                text = text.replace('0', "o").replace('1', "l").replace('-', " \u{2013} ");
            }
            if lower {
                text = text.to_lowercase();
            }
            prop_assert_eq!(*decode(&text).unwrap(), key);
        }
    }
}
