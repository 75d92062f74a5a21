//! The words a line is written in: one table for reader and writer.

use crate::event::{Kind, Precision, Presence, Role, ZoneSource};
use crate::sources::natives::is_derived;

const KINDS: [(&str, Kind); 5] = [
    ("message", Kind::MESSAGE),
    ("system", Kind::SYSTEM),
    ("call", Kind::CALL),
    ("poll", Kind::POLL),
    ("pin", Kind::PIN),
];
const PRECISIONS: [(&str, Precision); 5] = [
    ("minute", Precision::Minute),
    ("second", Precision::Second),
    ("ms", Precision::Milli),
    ("us", Precision::Micro),
    ("ns", Precision::Nano),
];
const ZONES: [(&str, ZoneSource); 3] =
    [("explicit", ZoneSource::Explicit), ("assumed", ZoneSource::Assumed), ("unknown", ZoneSource::Unknown)];
const ROLES: [(&str, Role); 8] = [
    ("photo", Role::Photo),
    ("video", Role::Video),
    ("voice", Role::Voice),
    ("file", Role::File),
    ("sticker", Role::Sticker),
    ("contact", Role::Contact),
    ("location", Role::Location),
    ("gif", Role::Gif),
];
const STATES: [(&str, Presence); 5] = [
    ("present", Presence::Present),
    ("omitted", Presence::Omitted),
    ("expired", Presence::Expired),
    ("missing", Presence::Missing),
    ("deleted", Presence::Deleted),
];

/// A value that has a word in a line.
pub trait Word: Sized + Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];

    fn word(self) -> Option<&'static str> {
        Self::WORDS.iter().find(|(_, v)| *v == self).map(|(w, _)| *w)
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, v)| *v)
    }
}

impl Word for Kind {
    const WORDS: &'static [(&'static str, Self)] = &KINDS;
}
impl Word for Precision {
    const WORDS: &'static [(&'static str, Self)] = &PRECISIONS;
}
impl Word for ZoneSource {
    const WORDS: &'static [(&'static str, Self)] = &ZONES;
}
impl Word for Role {
    const WORDS: &'static [(&'static str, Self)] = &ROLES;
}
impl Word for Presence {
    const WORDS: &'static [(&'static str, Self)] = &STATES;
}

/// Sources whose native keys are made of content, not given by the app (FORMATS §2).
const WITHOUT_IDS: [&str; 4] = ["whatsapp", "meta", "irc", "sms"];

/// Whether a message of this source is one row, whose key is its identity: the others are merged from several.
pub fn has_ids(source: &str) -> bool {
    !matches!(source, "whatsapp" | "meta" | "irc")
}

/// The `id` of a line: the source's own, else derived from source and native key, without a secret, so that every home
/// writes the same.
pub fn id_of(source: &str, native: &str) -> String {
    if !WITHOUT_IDS.contains(&source) && !is_derived(native) {
        return native.to_owned();
    }
    let mut hasher = blake3::Hasher::new_derive_key("chatkeep 2026 v1 line id");
    hasher.update(&(source.len() as u64).to_le_bytes()).update(source.as_bytes()).update(native.as_bytes());
    hasher.finalize().to_hex().chars().take(32).collect()
}
