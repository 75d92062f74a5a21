//! JSON from strangers: read value by value in bounded memory, kept exactly, written in one canonical form.

mod mend;
mod quick;
mod read;

use std::collections::BTreeMap;

pub use mend::Mend;
pub use quick::quick;
pub use read::{Broken, DEPTH_MAX, Walker, whole};

/// A JSON object. Keys are sorted; of a key that stands twice the last value counts.
pub type Map = BTreeMap<String, Json>;

/// A JSON value. Numbers keep the text they had, so that no digit of an id or coordinate is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Map(Map),
}

impl Json {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The value of a text or number as text: sources write ids and times as either.
    pub fn text_or_number(&self) -> Option<&str> {
        match self {
            Self::Text(t) | Self::Number(t) => Some(t),
            _ => None,
        }
    }

    /// A whole number, also where the source wrote it as text.
    pub fn integer(&self) -> Option<i64> {
        self.text_or_number()?.parse().ok()
    }

    pub fn map(&self) -> Option<&Map> {
        match self {
            Self::Map(m) => Some(m),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Json]> {
        match self {
            Self::List(l) => Some(l),
            _ => None,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The canonical text: keys sorted, no white space, numbers as they stood.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(n) => out.push_str(n),
            Self::Text(t) => quote(t, out),
            Self::List(list) => {
                out.push('[');
                for (i, item) in list.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(map) => write_map(map, out),
        }
    }
}

/// The canonical text of an object that was not wrapped in a [`Json`].
pub fn canonical_map(map: &Map) -> String {
    let mut out = String::new();
    write_map(map, &mut out);
    out
}

fn write_map(map: &Map, out: &mut String) {
    out.push('{');
    for (i, (key, value)) in map.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        quote(key, out);
        out.push(':');
        value.write(out);
    }
    out.push('}');
}

/// Writes a JSON string: only quote, backslash and control characters are escaped.
pub fn quote(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes every write"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(|n| Json::Number(n.to_string())),
            "-?[1-9][0-9]{0,30}\\.[0-9]{1,12}(e-?[1-9])?".prop_map(Json::Number),
            any::<String>().prop_map(Json::Text),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
                prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(Json::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_text_comes_back(value in json()) {
            let text = value.canonical();
            prop_assert_eq!(whole(text.as_bytes(), 1 << 20).unwrap(), Some(value));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }

        #[test]
        fn no_bytes_panic(soup in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = whole(&soup, 100);
        }

        #[test]
        fn no_json_like_text_panics(soup in "[\\[\\]{}:,\"\\\\u0-9a-fA-Fdtrue nul\u{1}\u{e9}-]{0,120}") {
            let _ = whole(soup.as_bytes(), 100);
        }
    }

    #[test]
    fn a_text_json_reader_of_another_make_agrees() {
        let source = "{\"b\":[1,2.50,-3e2,null,true,\"\\ud83d\\ude00\\u0000\"],\"a\":{\"z\":\"\",\"y\":[]}}";
        let ours = whole(source.as_bytes(), 1 << 20).unwrap().unwrap();
        assert_eq!(
            ours.canonical(),
            "{\"a\":{\"y\":[],\"z\":\"\"},\"b\":[1,2.50,-3e2,null,true,\"\u{1f600}\\u0000\"]}"
        );
    }
}
