//! Text as the search index sees it: folded, and cut into words, or pairs where a script writes none.
//!
//! Folding drops case and accents, spells out letters that carry a stroke, and reads all digits as ASCII. Scripts that
//! put no space between words become runs of single characters; the index holds each run as overlapping pairs and its
//! last character, so that any part of a run of two characters or more is a phrase, and one character a prefix.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::compose;

/// A word, or one character of a run. Places count Unicode scalars of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unit {
    pub text: String,
    pub start: usize,
    pub end: usize,
    /// One character of a script without spaces.
    pub run: bool,
    /// Follows the unit before it in the same run.
    pub joined: bool,
}

/// Cuts a text into units.
pub(super) fn units(text: &str) -> Vec<Unit> {
    let mut list: Vec<Unit> = Vec::new();
    // Whether a next character may still belong to the last unit.
    let mut open = false;
    for (at, c) in text.chars().enumerate() {
        if is_dropped(c) {
            continue;
        }
        let last = list.last_mut().filter(|_| open);
        if let Some(last) = last
            && last.run
            && let Some(whole) = composed(&last.text, c)
        {
            // A voiced mark or a Hangul part written apart.
            last.text = whole.into();
            last.end = at + 1;
        } else if is_run(c) {
            let joined = open && list.last().is_some_and(|l| l.run);
            list.push(Unit { text: folded(c), start: at, end: at + 1, run: true, joined });
            open = true;
        } else if is_word(c) {
            match list.last_mut().filter(|l| open && !l.run) {
                Some(word) => {
                    push_folded(c, &mut word.text);
                    word.end = at + 1;
                }
                None => list.push(Unit { text: folded(c), start: at, end: at + 1, run: false, joined: false }),
            }
            open = true;
        } else {
            open = false;
        }
    }
    list.retain(|unit| !unit.text.is_empty());
    list
}

/// The tokens the index stores for a text, separated by spaces.
pub(super) fn indexed(text: &str) -> String {
    let units = units(text);
    tokens(&units, true).join(" ")
}

/// Tokens of units in a row. The last character of a run stands alone as well, unless the run is cut off there.
pub(super) fn tokens(units: &[Unit], last_alone: bool) -> Vec<String> {
    let mut list = Vec::with_capacity(units.len());
    for (i, unit) in units.iter().enumerate() {
        if !unit.run {
            list.push(unit.text.clone());
            continue;
        }
        match units.get(i + 1) {
            Some(next) if next.run && next.joined => list.push(format!("{}{}", unit.text, next.text)),
            None if !last_alone && unit.joined => {}
            _ => list.push(unit.text.clone()),
        }
    }
    list
}

/// Folds a whole text for comparing names: units joined by spaces.
pub(super) fn fold(text: &str) -> String {
    units(text).iter().map(|u| u.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Joins a mark to the character before it.
fn composed(before: &str, mark: char) -> Option<char> {
    let mark = std::iter::once(mark).nfkc().next()?;
    compose(before.chars().next()?, mark)
}

fn folded(c: char) -> String {
    let mut out = String::new();
    push_folded(c, &mut out);
    out
}

fn push_folded(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    if is_run(c) {
        // Decomposing would take kana and Hangul apart; compatibility forms alone are worth folding.
        out.extend(std::iter::once(c).nfkc().filter(|c| !is_dropped(*c)));
        return;
    }
    for part in std::iter::once(c).nfkd().flat_map(char::to_lowercase) {
        if let Some(spelled) = spelled(part) {
            out.push_str(spelled);
        } else if let Some(digit) = digit(part) {
            out.push(digit);
        } else if !is_dropped(part) && (is_word(part) || part.is_alphanumeric()) {
            out.push(part);
        }
    }
}

/// Letters that decomposition leaves whole.
fn spelled(c: char) -> Option<&'static str> {
    Some(match c {
        'ł' | 'ƚ' => "l",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ħ' => "h",
        'ŧ' => "t",
        'ŋ' => "n",
        'ı' | 'ɨ' => "i",
        'ƀ' => "b",
        'ǥ' => "g",
        'ĸ' => "k",
        'ς' => "σ",
        _ => return None,
    })
}

/// Digits of scripts whose people also write ASCII digits.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 8] = [0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xbe6, 0xc66];
    let c = u32::from(c);
    let zero = ZEROS.into_iter().find(|zero| (*zero..*zero + 10).contains(&c))?;
    char::from_digit(c - zero, 10)
}

/// Accents, vowel points, joiners and direction marks: never part of what is searched for.
fn is_dropped(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x300..=0x36f | 0x483..=0x487 | 0x591..=0x5bd | 0x5bf | 0x5c1..=0x5c2 | 0x5c4..=0x5c5 | 0x5c7
        | 0x610..=0x61a | 0x640 | 0x64b..=0x65f | 0x670 | 0x6d6..=0x6dc | 0x6df..=0x6e4 | 0x6e7..=0x6e8
        | 0x6ea..=0x6ed | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x200c..=0x200f | 0x202a..=0x202e | 0x2060..=0x2069
        | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f | 0xfeff | 0xe0100..=0xe01ef)
}

/// Scripts written without spaces between words.
fn is_run(c: char) -> bool {
    matches!(u32::from(c),
        0xe00..=0xeff | 0x1000..=0x109f | 0x1100..=0x11ff | 0x1780..=0x17ff | 0x3005..=0x3007 | 0x3040..=0x30ff
        | 0x3100..=0x318f | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xa960..=0xa97f
        | 0xac00..=0xd7ff | 0xf900..=0xfaff | 0xff66..=0xffdc | 0x20000..=0x3ffff)
        && !matches!(c, '\u{30fb}' | '\u{e3f}' | '\u{e4f}' | '\u{e5a}' | '\u{e5b}' | '\u{104a}' | '\u{104b}')
}

/// Letters and digits, and the vowel signs that belong to them in Indic scripts.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(u32::from(c), 0x900..=0xdff) && !matches!(c, '\u{964}' | '\u{965}' | '\u{970}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_lose_case_accents_and_strokes() {
        for (text, expected) in [
            ("Żółć, ŁÓDŹ!", "zolc lodz"),
            ("Straße Œuvre þing Ærø", "strasse oeuvre thing aero"),
            ("don't e\u{301}te\u{301}", "don t ete"),
            ("Ναός ναοσ", "ναοσ ναοσ"),
            ("İstanbul ısı", "istanbul isi"),
            ("٢٠٢٤ ۲۰۲۴ २०२४", "2024 2024 2024"),
            ("مُحَمَّد", "محمد"),
            ("ﬁne ①", "fine 1"),
            ("नमस्ते दुनिया।", "नमस्ते दुनिया"),
        ] {
            assert_eq!(indexed(text), expected);
        }
    }

    #[test]
    fn runs_become_pairs_and_their_last_character() {
        assert_eq!(indexed("東京タワー2号"), "東京 京タ タワ ワー ー 2 号");
        assert_eq!(indexed("백업, 완료"), "백업 업 완료 료");
        // Written apart: a voiced mark, half width kana.
        assert_eq!(indexed("か\u{3099}く"), indexed("がく"));
        assert_eq!(indexed("ﾃﾞｰﾀ"), indexed("データ"));
        assert_eq!(indexed("\u{1112}\u{1161}\u{11ab}"), "한");
    }

    #[test]
    fn places_count_scalars() {
        let units = units("👍 É東京");
        let places: Vec<_> = units.iter().map(|u| (u.text.as_str(), u.start, u.end, u.joined)).collect();
        assert_eq!(places, [("e", 2, 3, false), ("東", 3, 4, false), ("京", 4, 5, true)]);
    }

    proptest! {
        #[test]
        fn any_text_is_cut_inside_itself(text in "\\PC{0,60}") {
            let count = text.chars().count();
            let mut before = 0;
            for unit in units(&text) {
                prop_assert!(unit.start >= before && unit.end > unit.start && unit.end <= count);
                before = unit.end;
            }
            prop_assert!(!indexed(&text).contains('"'));
        }
    }
}
