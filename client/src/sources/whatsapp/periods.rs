//! Words that stand in headers: halves of the day in many languages, and words that mean nothing to us.

use super::marks::{is_mark, is_space};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Half {
    Morning,
    Afternoon,
}

impl Half {
    /// The hour of the day; an hour above 12 already is one.
    pub fn hour(self, hour: u8) -> u8 {
        match (self, hour) {
            (Self::Morning, 12) => 0,
            (Self::Afternoon, 0..=11) => hour + 12,
            _ => hour,
        }
    }
}

pub(super) enum Word {
    Nothing,
    /// "at" and the like.
    Link,
    Half(Half),
}

/// Looks a word up; absent if no header holds it.
pub(super) fn word(text: &str) -> Option<Word> {
    let kept = |c: &char| !is_mark(*c) && !is_space(*c) && !matches!(c, '.' | '·');
    let lower = text.chars().filter(kept).collect::<String>().to_lowercase();
    if lower.is_empty() {
        return Some(Word::Nothing);
    }
    let lower = lower.as_str();
    if MORNING.contains(&lower) {
        Some(Word::Half(Half::Morning))
    } else if AFTERNOON.contains(&lower) {
        Some(Word::Half(Half::Afternoon))
    } else {
        LINKS.contains(&lower).then_some(Word::Link)
    }
}

const MORNING: &[&str] = &[
    "am",
    "ص",
    "قظ",
    "πμ",
    "vorm",
    "오전",
    "上午",
    "凌晨",
    "早上",
    "午前",
    "पूर्वाह्न",
    "পূর্বাহ্ণ",
    "sa",
    "öö",
    "fm",
    "de",
    "dop",
    "pg",
    "ap",
    "дп",
    "לפנהצ",
    "לפנה״צ",
    "முற்பகல்",
    "ก่อนเที่ยง",
    "pagi",
];

const AFTERNOON: &[&str] = &[
    "pm",
    "م",
    "بظ",
    "μμ",
    "nachm",
    "오후",
    "下午",
    "中午",
    "晚上",
    "午後",
    "अपराह्न",
    "অপরাহ্ণ",
    "ch",
    "ös",
    "em",
    "du",
    "odp",
    "ptg",
    "ip",
    "пп",
    "אחהצ",
    "אחה״צ",
    "பிற்பகல்",
    "หลังเที่ยง",
    "malam",
    "sore",
    "siang",
    "petang",
];

const LINKS: &[&str] = &[
    "klo", "kl", "um", "uhr", "at", "à", "às", "as", "a", "las", "alle", "ore", "г", "в", "ч", "om", "lúc", "tại",
    "pukul", "jam", "s",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_hold_only_what_can_be_found() {
        for entry in MORNING.iter().chain(AFTERNOON).chain(LINKS) {
            let found = word(entry);
            assert!(!matches!(found, None | Some(Word::Nothing)), "{entry}");
        }
        assert!(MORNING.iter().all(|m| !AFTERNOON.contains(m) && !LINKS.contains(m)));
        assert!(AFTERNOON.iter().all(|a| !LINKS.contains(a)));
    }

    #[test]
    fn noon_and_midnight() {
        assert_eq!(Half::Morning.hour(12), 0);
        assert_eq!(Half::Afternoon.hour(12), 12);
        assert_eq!(Half::Afternoon.hour(11), 23);
        assert_eq!(Half::Afternoon.hour(21), 21);
    }
}
