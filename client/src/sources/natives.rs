//! Native keys that readers derive: for rows about a message, and for messages that have no id of their own.

use std::collections::HashMap;

use super::json::Json;
use crate::event::{Party, Row};

/// Key of a person's reaction. The same person and emoji on the same message is the same event, whoever reads it.
pub fn reaction(target: &str, by: &Party, emoji: &str) -> String {
    let person = by.native_id.as_deref().or(by.name.as_deref()).unwrap_or_default();
    tuple(&[target, "reaction", person, emoji])
}

/// Key of an earlier text of a message. It begins as those of versions that a join makes, so that no fold takes it for
/// something the person wrote here.
pub fn version(target: &str, text: &str) -> String {
    format!("version/{}", short_hash(tuple(&[target, text]).as_bytes()))
}

/// Keys from content, for messages without an id: equal ones are counted, so that each keeps its own.
#[derive(Default)]
pub struct Derived {
    seen: HashMap<[u8; 16], u32>,
}

/// What a key derived from content begins with.
const CONTENT_PREFIX: &str = "content:";

impl Derived {
    pub fn next(&mut self, content: &str) -> String {
        let hash = blake3::hash(content.as_bytes());
        let short = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
        let count = self.seen.entry(short).or_default();
        *count += 1;
        let name = short_hash(content.as_bytes());
        if *count == 1 { format!("{CONTENT_PREFIX}{name}") } else { format!("{CONTENT_PREFIX}{name}:{count}") }
    }
}

/// Whether a key was derived and so is not the source's own id.
pub fn is_derived(native: &str) -> bool {
    native.starts_with(CONTENT_PREFIX)
}

/// Joins texts so that different ones never give the same key: as a JSON list, or its hash where that is too long.
fn tuple(parts: &[&str]) -> String {
    let text = Json::List(parts.iter().map(|p| Json::Text((*p).to_owned())).collect()).canonical();
    if text.len() <= Row::NATIVE_BYTES_MAX { text } else { format!("long:{}", short_hash(text.as_bytes())) }
}

/// The first 32 hex characters of a BLAKE3 hash.
fn short_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_content_is_counted() {
        let mut derived = Derived::default();
        let (a, b, c) = (derived.next("x"), derived.next("x"), derived.next("y"));
        assert!(a != b && a != c && b != c && [&a, &b, &c].iter().all(|n| is_derived(n)));
        assert_eq!(Derived::default().next("x"), a);
    }

    proptest! {
        #[test]
        fn keys_tell_their_parts_apart(a in "[\",\\[\\\\x]{0,4}", b in "[\",\\[\\\\x]{0,4}", c in "[\",\\[\\\\x]{0,4}", d in "[\",\\[\\\\x]{0,4}") {
            prop_assert_eq!(tuple(&[&a, &b]) == tuple(&[&c, &d]), (a, b) == (c, d));
        }

        #[test]
        fn keys_stay_short(target in "\\PC{0,3000}") {
            prop_assert!(reaction(&target, &Party::named("n"), "e").len() <= Row::NATIVE_BYTES_MAX);
        }
    }
}
