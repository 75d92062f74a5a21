//! The native key of a row without an id of its own: `strand/unit/sender/class/k/body` (FORMATS §2a item 2).
//!
//! Sender: `~` for none, `=` and the name with `%` and `/` escaped, or `#` and a hash where that is long. Body: `=` and
//! the text, or `#` and a hash where that is long; it comes last, so it needs no escape. One key has one form.

use super::Class;

/// Names and bodies longer than this stand in the key as their hash.
const CLEAR_BYTES_MAX: usize = 512;

/// What of a body is compared: the front of its BLAKE3, the same whether the key holds text or hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Ident(pub [u8; Self::LEN]);

impl Ident {
    pub const LEN: usize = 16;

    pub fn of(normal: &str) -> Self {
        Self::from_hash(blake3::hash(normal.as_bytes()).as_bytes())
    }

    fn from_hash(hash: &[u8; 32]) -> Self {
        let mut front = [0; Self::LEN];
        front.copy_from_slice(&hash[..Self::LEN]);
        Self(front)
    }

    /// Eight bytes of it, for samples that tolerate a rare collision.
    pub fn short(&self) -> u64 {
        let (front, _) = self.0.split_first_chunk::<8>().expect("an ident has sixteen bytes");
        u64::from_le_bytes(*front)
    }
}

/// A native key taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Native<'a> {
    pub strand: i64,
    pub unit: i64,
    /// The sender's field, prefix included.
    pub sender: &'a str,
    pub class: Class,
    pub k: u32,
    /// The normalised body where the key holds it in clear.
    pub clear: Option<&'a str>,
    pub ident: Ident,
}

impl<'a> Native<'a> {
    /// Takes a key apart; anything but its one canonical form is none.
    pub fn parse(native: &'a str) -> Option<Self> {
        let mut parts = native.splitn(6, '/');
        let strand = number(parts.next()?)?;
        let unit = number(parts.next()?)?;
        let sender = parts.next().filter(|s| is_sender(s))?;
        let class = match parts.next()?.as_bytes() {
            [letter] => Class::from_letter(*letter)?,
            _ => return None,
        };
        let k = u32::try_from(number(parts.next()?)?).ok()?;
        let body = parts.next()?;
        let (clear, ident) = match body.split_at_checked(1)? {
            ("=", text) if text.len() <= CLEAR_BYTES_MAX => (Some(text), Ident::of(text)),
            ("#", hex) => (None, Ident::from_hash(blake3::Hash::from_hex(hex).ok()?.as_bytes())),
            _ => return None,
        };
        Some(Self { strand, unit, sender, class, k, clear, ident })
    }
}

/// Writes a message row's key.
pub(crate) fn message_key(strand: i64, unit: i64, sender: &str, class: Class, k: u32, normal: &str) -> String {
    let body = if normal.len() <= CLEAR_BYTES_MAX {
        format!("={normal}")
    } else {
        format!("#{}", blake3::hash(normal.as_bytes()).to_hex())
    };
    format!("{strand}/{unit}/{sender}/{}/{k}/{body}", class.letter())
}

/// Writes a view row's key; its content's hash stands where a message has class, number and body.
pub(crate) fn view_key(strand: i64, unit: i64, sender: &str, content: &[u8]) -> String {
    format!("{strand}/{unit}/{sender}/V/{}", &blake3::hash(content).to_hex()[..32])
}

/// Takes a view row's key apart: strand, unit, sender's field.
pub(crate) fn parse_view_key(native: &str) -> Option<(i64, i64, &str)> {
    let mut parts = native.splitn(5, '/');
    let (strand, unit) = (number(parts.next()?)?, number(parts.next()?)?);
    let sender = parts.next().filter(|s| is_sender(s))?;
    (parts.next()? == "V").then_some((strand, unit, sender))
}

/// Writes an import row's key.
pub(crate) fn import_key(strand: i64, content: &[u8]) -> String {
    format!("{strand}/import/{}", &blake3::hash(content).to_hex()[..32])
}

/// Writes a sender's field.
pub(crate) fn sender_field(name: Option<&str>) -> String {
    let Some(name) = name else { return "~".into() };
    let escaped = name.replace('%', "%25").replace('/', "%2F");
    if escaped.len() <= CLEAR_BYTES_MAX {
        format!("={escaped}")
    } else {
        format!("#{}", blake3::hash(name.as_bytes()).to_hex())
    }
}

fn is_sender(field: &str) -> bool {
    matches!(field.as_bytes().first(), Some(b'=' | b'#')) || field == "~"
}

/// Reads a decimal number in its one form.
fn number(text: &str) -> Option<i64> {
    let n: i64 = text.parse().ok()?;
    (n.to_string() == text).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Row;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_apart_as_they_were_put_together(
            strand in any::<i64>(), unit in any::<i64>(), k in any::<u32>(),
            name in proptest::option::of("[a%/=#~\u{200e}é]{0,400}"), body in "[a-z/%=#~\n]{0,600}",
        ) {
            let sender = sender_field(name.as_deref());
            let key = message_key(strand, unit, &sender, Class::Edited, k, &body);
            prop_assert!(key.len() <= Row::NATIVE_BYTES_MAX);
            let back = Native::parse(&key).expect("a key we wrote");
            prop_assert_eq!((back.strand, back.unit, back.sender, back.class, back.k), (strand, unit, &*sender, Class::Edited, k));
            prop_assert_eq!(back.ident, Ident::of(&body));
            prop_assert_eq!(back.clear, (body.len() <= 512).then_some(&*body));
        }

        #[test]
        fn different_names_have_different_fields(a in "[%/25F]{0,6}", b in "[%/25F]{0,6}") {
            prop_assert_eq!(a == b, sender_field(Some(&a)) == sender_field(Some(&b)));
            prop_assert!(!sender_field(Some(&a)).contains('/'));
            prop_assert_ne!(sender_field(Some(&a)), sender_field(None));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = (Native::parse(&text), parse_view_key(&text));
        }
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        assert!(Native::parse("0/0/=a/P/0/=x").is_some());
        for bad in [
            "+0/0/=a/P/0/=x",
            "0/00/=a/P/0/=x",
            "0/0/a/P/0/=x",
            "0/0/=a/V/0/=x",
            "0/0/=a/P/-1/=x",
            "0/0/=a/P/0/x",
            "0/0/=a/P/0/#12",
        ] {
            assert_eq!(Native::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_longest_key_fits() {
        let sender = sender_field(Some(&"n".repeat(512)));
        let key = message_key(i64::MIN, i64::MIN, &sender, Class::Plain, u32::MAX, &"x".repeat(512));
        assert!(key.len() <= Row::NATIVE_BYTES_MAX);
    }
}
