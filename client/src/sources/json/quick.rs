//! The short way for texts that are short and clean, as nearly every line of an export is.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{DEPTH_MAX, Json, Map};

/// Texts longer than this are walked through.
const BYTES_MAX: usize = 256 << 10;

/// Reads one JSON value that is all of `bytes`, if it comes out exactly as [`Walker`](super::Walker) would read it.
/// Nothing says only that this is not the way: the walker reads what can be read, and says what is wrong.
pub fn quick(bytes: &[u8]) -> Option<Json> {
    if bytes.len() > BYTES_MAX {
        return None;
    }
    let Quick(value) = serde_json::from_slice(bytes).ok()?;
    (depth(&value) <= DEPTH_MAX).then_some(value)
}

fn depth(value: &Json) -> u32 {
    match value {
        Json::List(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Json::Map(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

struct Quick(Json);

impl<'de> Deserialize<'de> for Quick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Quick)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    // Whole numbers have one form. A fraction has many, and which one it was is not told here.
    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Err(E::custom("a number whose text counts"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(Quick(value)) = items.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some((name, Quick(value))) = members.next_entry()? {
            map.insert(name, value);
        }
        Ok(Json::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Walker;
    use super::*;
    use proptest::prelude::*;

    fn walked(bytes: &[u8]) -> Option<Json> {
        let mut walker = Walker::new(bytes);
        let value = walker.value(1 << 20).ok().flatten()?;
        let clean = walker.mended() == 0;
        walker.finish().ok()?;
        clean.then_some(value)
    }

    #[test]
    fn what_it_reads_is_what_the_walker_reads() {
        for text in [
            r#"{"a":1,"b":[true,null,"x\u00e9\ud83d\ude00"],"a":-2}"#,
            r#" {"n":18446744073709551615,"m":-9223372036854775808} "#,
            r#"{"empty":{},"list":[]}"#,
            "\"a\"",
            "0",
        ] {
            assert_eq!(quick(text.as_bytes()), walked(text.as_bytes()), "{text}");
            assert!(quick(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn what_it_cannot_keep_exactly_is_left_to_the_walker() {
        let deep = "[".repeat(65) + &"]".repeat(65);
        for text in ["1.0", "1e3", "-0", "18446744073709551616", r#""\ud800""#, "{", "1 2", &deep] {
            assert_eq!(quick(text.as_bytes()), None, "{text}");
        }
        assert_eq!(quick(b"\"\xff\""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_the_walker_reads_them(text in "[\\[\\]{}:, \"a-c0-9\\\\ue.-]{0,24}") {
            if let Some(value) = quick(text.as_bytes()) {
                prop_assert_eq!(Some(value), walked(text.as_bytes()));
            }
        }
    }
}
