//! The recovery key as people write it (`docs/format.md` §2.1, SURFACE §4).

use thiserror::Error;
use zeroize::Zeroizing;

use crate::env::Entropy;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DATA_SYMBOLS: usize = 32;
const SYMBOLS: usize = 35;

/// What was typed is not a complete recovery key. Found without any network.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("this is not a complete recovery key: the checksum does not match")]
pub struct Typo;

/// The machine-made second way in: 160 random bits.
pub struct RecoveryKey(Zeroizing<[u8; 20]>);

/// Multiplies in GF(32) with polynomial x^5 + x^2 + 1.
fn multiply(a: u8, b: u8) -> u8 {
    let mut product = 0u16;
    for bit in 0..5 {
        if b >> bit & 1 == 1 {
            product ^= u16::from(a) << bit;
        }
    }
    for bit in (5..9).rev() {
        if product >> bit & 1 == 1 {
            product ^= 0b10_0101 << (bit - 5);
        }
    }
    product as u8
}

/// The values of the symbols' polynomial at α, α², α³ (first symbol is the highest coefficient).
fn syndromes(symbols: &[u8]) -> [u8; 3] {
    [2, 4, 8].map(|x| symbols.iter().fold(0, |value, symbol| multiply(value, x) ^ symbol))
}

/// The three check symbols of 32 data symbols.
fn checks(data: &[u8; DATA_SYMBOLS]) -> [u8; 3] {
    // The generator (x − α)(x − α²)(x − α³), then division: the remainder makes all three values zero.
    let mut generator = vec![1u8];
    for root in [2u8, 4, 8] {
        let mut next = generator.clone();
        next.push(0);
        for (low, coefficient) in next.iter_mut().skip(1).zip(&generator) {
            *low ^= multiply(*coefficient, root);
        }
        generator = next;
    }
    let mut rest = Zeroizing::new([0u8; 3]);
    for symbol in data {
        let [first, second, third] = *rest;
        let lead = symbol ^ first;
        let taps: Vec<u8> = generator.iter().skip(1).map(|g| multiply(lead, *g)).collect();
        if let [a, b, c] = taps[..] {
            *rest = [second ^ a, third ^ b, c];
        }
    }
    *rest
}

impl RecoveryKey {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 20]);
        entropy.fill(&mut bytes[..]);
        Self(bytes)
    }

    fn symbols(&self) -> Zeroizing<[u8; DATA_SYMBOLS]> {
        let mut out = Zeroizing::new([0; DATA_SYMBOLS]);
        for (group, bytes) in out.chunks_exact_mut(8).zip(self.0.chunks_exact(5)) {
            let bits = bytes.iter().fold(0u64, |acc, b| acc << 8 | u64::from(*b));
            for (i, symbol) in group.iter_mut().enumerate() {
                *symbol = (bits >> (35 - 5 * i) & 31) as u8;
            }
        }
        out
    }

    /// The printed form: `CK1` and seven groups of five.
    pub fn to_text(&self) -> Zeroizing<String> {
        let data = self.symbols();
        let all = data.iter().copied().chain(checks(&data));
        let mut out = Zeroizing::new(String::from("CK1"));
        for (i, symbol) in all.enumerate() {
            if i % 5 == 0 {
                out.push('-');
            }
            out.push(char::from(ALPHABET.get(usize::from(symbol)).copied().unwrap_or(b'?')));
        }
        out
    }

    /// Reads what a person typed: case, spaces, dashes, a missing `CK1` and O/0, I/L/1 are forgiven.
    pub fn parse(text: &str) -> Result<Self, Typo> {
        let plain: Zeroizing<String> = Zeroizing::new(
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect(),
        );
        let body = if plain.chars().count() == SYMBOLS + 3 { plain.strip_prefix("CK1").ok_or(Typo)? } else { &plain };
        let mut symbols = Zeroizing::new(Vec::with_capacity(SYMBOLS));
        for c in body.chars() {
            let c = match c {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let at = ALPHABET.iter().position(|a| char::from(*a) == c).ok_or(Typo)?;
            symbols.push(at as u8);
        }
        if symbols.len() != SYMBOLS || syndromes(&symbols) != [0; 3] {
            return Err(Typo);
        }
        let mut bytes = Zeroizing::new([0; 20]);
        for (out, group) in bytes.chunks_exact_mut(5).zip(symbols.chunks_exact(8)) {
            let bits = group.iter().fold(0u64, |acc, s| acc << 5 | u64::from(*s));
            out.copy_from_slice(bits.to_be_bytes().split_at(3).1);
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEntropy;

    #[test]
    fn comes_back_however_it_is_typed() {
        let key = RecoveryKey::generate(&mut SystemEntropy);
        let text = key.to_text();
        assert_eq!(text.len(), 3 + 7 * 6);
        for typed in [
            text.to_lowercase(),
            text.replace('-', " "),
            text.replace("CK1-", ""),
            text.replace('0', "o").replace('1', "l"),
        ] {
            let typed = typed.replace("CKl", "CK1");
            assert_eq!(RecoveryKey::parse(&typed).ok().map(|k| *k.0), Some(*key.0), "{typed}");
        }
    }

    #[test]
    fn every_wrong_character_and_every_swap_of_neighbours_is_a_typo() {
        for _ in 0..20 {
            let text = RecoveryKey::generate(&mut SystemEntropy).to_text().replace('-', "")[3..].to_owned();
            let chars: Vec<char> = text.chars().collect();
            for at in 0..SYMBOLS {
                for wrong in ALPHABET.iter().map(|b| char::from(*b)).filter(|c| *c != chars[at]) {
                    let mut bad = chars.clone();
                    bad[at] = wrong;
                    assert!(RecoveryKey::parse(&bad.iter().collect::<String>()).is_err());
                }
                let mut bad = chars.clone();
                if at + 1 < SYMBOLS && bad[at] != bad[at + 1] {
                    bad.swap(at, at + 1);
                    assert!(RecoveryKey::parse(&bad.iter().collect::<String>()).is_err());
                }
            }
            assert!(RecoveryKey::parse(&text[..34]).is_err());
        }
    }
}
