//! Passphrases: read, made and judged.

use bip39::Language;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::feedback::Warning;

use super::Entropy;
use super::entropy::draw;

/// What a person typed, normalised so that every keyboard means the same (NFKC).
pub struct Passphrase(Zeroizing<String>);

/// Why text is no passphrase at all.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoPassphrase {
    #[error("the passphrase is empty")]
    Empty,
    #[error("the passphrase is longer than {BYTES_MAX} bytes")]
    TooLong,
}

/// Why a passphrase is too weak to be chosen.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weak {
    #[error("it has {0} characters and needs at least {CHARACTERS_MIN}")]
    Short(usize),
    #[error("it would be guessed soon: {0}")]
    Guessable(&'static str),
}

const BYTES_MAX: usize = 1024;
const CHARACTERS_MIN: usize = 12;
const WORDS: usize = 7;

impl Passphrase {
    /// Takes text as it came from a prompt or a file, and drops exactly one newline at its end.
    pub fn new(text: &str) -> Result<Self, NoPassphrase> {
        let text = text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
        if text.is_empty() {
            return Err(NoPassphrase::Empty);
        }
        if text.len() > BYTES_MAX {
            return Err(NoPassphrase::TooLong);
        }
        // Measured first, so that no copy is left behind by growing.
        let mut normal = Zeroizing::new(String::with_capacity(text.nfkc().map(char::len_utf8).sum()));
        normal.extend(text.nfkc());
        Ok(Self(normal))
    }

    /// Makes one of seven words: 77 bits, and words that can be said on the telephone.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let list = Language::English.word_list();
        let longest = list.iter().map(|w| w.len()).max().unwrap_or(0) + 1;
        let mut text = Zeroizing::new(String::with_capacity(WORDS * longest));
        for at in 0..WORDS {
            if at > 0 {
                text.push(' ');
            }
            // 2,048 words: eleven bits choose one, without any bias.
            let index = usize::from(u16::from_le_bytes(draw(entropy)) & 0x7ff);
            text.push_str(list[index]);
        }
        Self(text)
    }

    /// The passphrase as text, to show a generated one.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The same passphrase once more: each proof of it takes one.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.clone())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Tells whether this may be chosen; `known` is what a guesser knows: account name, server, device.
    pub fn judge(&self, known: &[&str]) -> Result<(), Weak> {
        let characters = self.0.chars().count();
        if characters < CHARACTERS_MIN {
            return Err(Weak::Short(characters));
        }
        let estimate = zxcvbn::zxcvbn(&self.0, known);
        if u8::from(estimate.score()) >= 3 {
            return Ok(());
        }
        let warning = estimate.feedback().and_then(|f| f.warning());
        Err(Weak::Guessable(warning.map_or("its parts are too common", reason)))
    }
}

fn reason(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess | Warning::ShortKeyboardPatternsAreEasyToGuess => {
            "it follows the keys of a keyboard"
        }
        Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "it repeats itself"
        }
        Warning::ThisIsATop10Password
        | Warning::ThisIsATop100Password
        | Warning::ThisIsACommonPassword
        | Warning::ThisIsSimilarToACommonlyUsedPassword => "many people use it",
        Warning::SequencesLikeAbcAreEasyToGuess => "it counts or spells a sequence",
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => "it is mostly a date",
        Warning::AWordByItselfIsEasyToGuess => "it is a single word",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess | Warning::CommonNamesAndSurnamesAreEasyToGuess => {
            "it is a name"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;

    #[test]
    fn one_newline_is_dropped_and_no_more() {
        let read = |text: &str| Passphrase::new(text).map(|p| p.text().to_owned());
        assert_eq!(read("a b\n").unwrap(), "a b");
        assert_eq!(read("a b\r\n").unwrap(), "a b");
        assert_eq!(read("a b\n\n").unwrap(), "a b\n");
        assert_eq!(read(" a b ").unwrap(), " a b ");
        assert_eq!(read(""), Err(NoPassphrase::Empty));
        assert_eq!(read("\n"), Err(NoPassphrase::Empty));
        assert_eq!(read(&"x".repeat(1025)), Err(NoPassphrase::TooLong));
    }

    #[test]
    fn equal_looking_text_is_equal() {
        let read = |text: &str| Passphrase::new(text).unwrap().text().to_owned();
        assert_eq!(read("e\u{301}té ﬁre"), read("\u{e9}t\u{e9} fire"));
        assert_eq!(read("\u{fdfa}"), "صلى الله عليه وسلم", "the longest expansion there is");
    }

    #[test]
    fn generated_ones_are_seven_words_and_pass() {
        let mut entropy = Fixed::new("words");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let made = Passphrase::generate(&mut entropy);
            let words: Vec<&str> = made.text().split(' ').collect();
            assert_eq!(words.len(), 7);
            assert!(words.iter().all(|w| Language::English.word_list().contains(w)));
            assert_eq!(made.judge(&[]), Ok(()));
            seen.insert(made.text().to_owned());
        }
        assert_eq!(seen.len(), 50);
    }

    #[test]
    fn weak_ones_are_told_why() {
        let judge = |text: &str| Passphrase::new(text).unwrap().judge(&["anamaria", "vault.example.org"]);
        assert_eq!(judge("Tr0ub4dor&3"), Err(Weak::Short(11)));
        assert!(matches!(judge("aaaaaaaaaaaaaa"), Err(Weak::Guessable(_))));
        assert!(matches!(judge("password1234"), Err(Weak::Guessable(_))));
        assert!(matches!(judge("anamariaanamaria"), Err(Weak::Guessable(_))));
        assert_eq!(judge("seven otters paint slowly"), Ok(()));
    }
}
