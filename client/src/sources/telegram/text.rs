//! A message's text and the styles in it.

use super::super::json::{Json, Map, canonical_map};
use crate::event::Range;

/// A text with its styled parts.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Styled {
    pub text: String,
    pub ranges: Vec<Range>,
    /// There were more styled parts than a row keeps.
    pub cut: bool,
}

/// Reads `text` or `text_entities`: a string, or a list of strings and styled parts. Nothing when it is neither.
pub fn styled(value: &Json) -> Option<Styled> {
    let mut out = Styled::default();
    let list = match value {
        Json::Text(text) => return Some(Styled { text: text.clone(), ..out }),
        Json::List(list) => list,
        _ => return None,
    };
    let mut units = 0u32;
    for part in list {
        let (text, map) = match part {
            Json::Text(text) => (text.as_str(), None),
            Json::Map(map) => (map.get("text")?.text()?, Some(map)),
            _ => return None,
        };
        let len = u32::try_from(text.encode_utf16().count()).ok()?;
        let style = map.and_then(|m| m.get("type")).and_then(Json::text).filter(|s| *s != "plain");
        if let Some((style, map)) = style.zip(map) {
            if out.ranges.len() == Range::COUNT_MAX {
                out.cut = true;
            } else {
                out.ranges.push(Range { start: units, len, style: style.to_owned(), value: value_of(map) });
            }
        }
        units = units.checked_add(len)?;
        out.text.push_str(text);
    }
    Some(out)
}

/// What a styled part says beside its text: the target alone where there is just one, else all of it as JSON.
fn value_of(map: &Map) -> Option<String> {
    let mut more = map.clone();
    more.remove("type");
    more.remove("text");
    let mut values = more.iter();
    match (values.next(), values.next()) {
        (None, _) => None,
        (Some((name, value)), None) if matches!(name.as_str(), "href" | "user_id" | "language" | "document_id") => {
            Some(value.text_or_number().map_or_else(|| canonical_map(&more), str::to_owned))
        }
        _ => Some(canonical_map(&more)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::json::whole;
    use super::*;

    fn read(json: &str) -> Option<Styled> {
        styled(&whole(json.as_bytes(), 1 << 20).unwrap().unwrap())
    }

    fn range(start: u32, len: u32, style: &str, value: Option<&str>) -> Range {
        Range { start, len, style: style.into(), value: value.map(str::to_owned) }
    }

    #[test]
    fn parts_join_and_count_utf16_units() {
        let text = read(
            r#"["a😀",{"type":"bold","text":"é"}," ",{"type":"text_link","text":"x","href":"http://h"},{"type":"plain","text":"."}]"#,
        );
        let text = text.unwrap();
        assert_eq!(text.text, "a😀é x.");
        assert_eq!(text.ranges, [range(3, 1, "bold", None), range(5, 1, "text_link", Some("http://h"))]);
    }

    #[test]
    fn values_of_a_part_are_kept() {
        let text = read(
            r#"[{"type":"mention_name","text":"A","user_id":7},{"type":"blockquote","text":"q","collapsed":true},{"type":"pre","text":"c","language":""}]"#,
        );
        let ranges = text.unwrap().ranges;
        assert_eq!(
            ranges,
            [
                range(0, 1, "mention_name", Some("7")),
                range(1, 1, "blockquote", Some("{\"collapsed\":true}")),
                range(2, 1, "pre", Some(""))
            ]
        );
    }

    #[test]
    fn what_is_no_text_is_none() {
        for json in ["7", "{}", "[7]", "[{\"type\":\"bold\"}]", "null"] {
            assert_eq!(read(json), None, "{json}");
        }
        assert_eq!(read("[]").unwrap(), Styled::default());
    }
}
