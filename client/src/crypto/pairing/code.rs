//! Pairing codes: a number that names the mailbox, and three words that only two people know (`docs/format.md` §8.1).

use bip39::Language;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto::Entropy;

/// A pairing code, such as `417-lamp-orbit-civil`.
pub struct PairingCode {
    number: u32,
    /// In small letters, joined by dashes.
    words: Zeroizing<String>,
}

/// Text that cannot be a code. It was compared with the list of words here and sent nowhere.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoCode {
    #[error("a pairing code is a number and three words, such as 417-lamp-orbit-civil")]
    Form,
    /// Which of the three. The word itself is not repeated: it may be most of a code.
    #[error("word {0} of the pairing code is none of those that codes are made of")]
    Word(usize),
}

/// Three of 2,048 words: 33 bits, and one try.
const WORDS: usize = 3;
/// Longer than any code.
const BYTES_MAX: usize = 64;

impl PairingCode {
    /// Makes the words for a mailbox.
    pub fn generate(number: u32, entropy: &mut dyn Entropy) -> Self {
        let mut words = Zeroizing::new(String::with_capacity(BYTES_MAX));
        for at in 0..WORDS {
            if at > 0 {
                words.push('-');
            }
            // Eleven bits choose one of 2,048 words, without any bias.
            let mut index = Zeroizing::new([0; 2]);
            entropy.fill(&mut index[..]);
            words.push_str(word(u16::from_le_bytes(*index)));
        }
        Self { number, words }
    }

    /// Reads a code as people type it: any case, spaces or dashes between its parts.
    pub fn parse(text: &str) -> Result<Self, NoCode> {
        if text.len() > BYTES_MAX {
            return Err(NoCode::Form);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        let mut parts = lower.split(|c: char| c == '-' || c.is_whitespace()).filter(|part| !part.is_empty());
        let number = parts.next().filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let number = number.and_then(|part| part.parse().ok()).ok_or(NoCode::Form)?;
        let mut words = Zeroizing::new(String::with_capacity(BYTES_MAX));
        for at in 1..=WORDS {
            let given = parts.next().ok_or(NoCode::Form)?;
            if Language::English.find_word(given).is_none() {
                return Err(NoCode::Word(at));
            }
            if at > 1 {
                words.push('-');
            }
            words.push_str(given);
        }
        if parts.next().is_some() { Err(NoCode::Form) } else { Ok(Self { number, words }) }
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    /// The code as it is shown and said.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}-{}", self.number, &*self.words))
    }

    pub(super) fn words(&self) -> &str {
        &self.words
    }
}

/// A word of the list; the index is taken modulo its length.
pub(super) fn word(index: u16) -> &'static str {
    let list = Language::English.word_list();
    list.get(usize::from(index) % list.len()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;

    #[test]
    fn a_code_is_read_as_it_is_said() {
        let mut entropy = Fixed::new("code");
        let mut seen = std::collections::BTreeSet::new();
        for number in [100, 417, 900_000] {
            let code = PairingCode::generate(number, &mut entropy);
            let text = code.text();
            let said = text.to_uppercase().replace('-', "  ") + " \n";
            for form in [&**text, &said] {
                let read = PairingCode::parse(form).unwrap();
                assert_eq!((read.number(), read.words()), (number, code.words()), "{form}");
            }
            seen.insert(code.words().to_owned());
        }
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn typing_errors_are_caught_here() {
        let no = |text: &str| PairingCode::parse(text).err();
        assert_eq!(no("417-lamp-orbit-civil"), None);
        assert_eq!(no("417-lamq-orbit-civil"), Some(NoCode::Word(1)));
        assert_eq!(no("417-lamp-orbit-civill"), Some(NoCode::Word(3)));
        let forms = ["", "lamp-orbit-civil", "417-lamp-orbit", "417-lamp-orbit-civil-zoo", "-1", "99999999999-a-b-c"];
        for form in forms {
            assert_eq!(no(form), Some(NoCode::Form), "{form}");
        }
        assert_eq!(no(&"x".repeat(10_000)), Some(NoCode::Form));
        let told = format!("{} {}", NoCode::Form, NoCode::Word(2));
        assert!(!told.contains("lamq"), "{told}");
    }
}
