//! Sizes and spans as operators write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes: `20GiB`, `1.5GB`, `4096`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteSize(pub u64);

/// A length of time: `500ms`, `3s`, `10m`, `7d`; a bare number is seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span(pub Duration);

/// Text that is neither.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected {0}")]
pub struct NotA(&'static str);

const SIZE_UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
const SPAN_UNITS: [(&str, u64); 7] =
    [("", 1000), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Reads `NUMBER UNIT`, the number a whole one or a decimal fraction of the unit.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut total = whole.parse::<u64>().ok()?.checked_mul(*factor)?;
    if number.contains('.') {
        let digits = u32::try_from(fraction.len()).ok().filter(|n| (1..=9).contains(n))?;
        total = total.checked_add(
            (u128::from(fraction.parse::<u64>().ok()?) * u128::from(*factor) / 10u128.pow(digits)) as u64,
        )?;
    }
    Some(total)
}

impl FromStr for ByteSize {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        measured(text, &SIZE_UNITS).map(Self).ok_or(NotA("a size such as 20GiB"))
    }
}

impl FromStr for Span {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        measured(text, &SPAN_UNITS).map(|ms| Self(Duration::from_millis(ms))).ok_or(NotA("a time such as 30s or 7d"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = SIZE_UNITS.iter().filter(|(name, factor)| *factor == 1 && *name == "B" || name.ends_with("iB"));
        let fits = |factor: u64| self.0 != 0 && self.0.is_multiple_of(factor);
        let largest = units.filter(|(_, factor)| fits(*factor)).max_by_key(|(_, factor)| *factor);
        let (name, factor) = largest.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let units = SPAN_UNITS.iter().filter(|(name, _)| !name.is_empty());
        let largest =
            units.filter(|(_, factor)| ms != 0 && ms.is_multiple_of(*factor)).max_by_key(|(_, factor)| *factor);
        let (name, factor) = largest.unwrap_or(&("s", 1000));
        write!(f, "{}{name}", ms / factor)
    }
}

/// Either value may stand in a file as text or as a bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl Written {
    fn read<T: FromStr<Err = NotA>, E: de::Error>(self) -> Result<T, E> {
        let text = match self {
            Self::Number(n) => n.to_string(),
            Self::Text(text) => text,
        };
        text.parse().map_err(|e| E::custom(format!("{e}, found \"{text}\"")))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Written::deserialize(d)?.read()
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Written::deserialize(d)?.read()
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans() {
        let size = |t: &str| t.parse::<ByteSize>().map(|b| b.0).ok();
        assert_eq!(size("20GiB"), Some(20 << 30));
        assert_eq!(size("1.5 GB"), Some(1_500_000_000));
        assert_eq!(size("4096"), Some(4096));
        assert_eq!(size("0.5KiB"), Some(512));
        for bad in ["", "GiB", "-1", "1.GiB", "1.2.3", "99999999999TiB", "1PiB", "0x10"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        let span = |t: &str| t.parse::<Span>().map(|s| s.0.as_millis()).ok();
        assert_eq!(span("30s"), Some(30_000));
        assert_eq!(span("7d"), Some(604_800_000));
        assert_eq!(span("250ms"), Some(250));
        assert_eq!(span("5"), Some(5000));
        assert_eq!(span("soon"), None);
        assert_eq!(ByteSize(20 << 30).to_string(), "20GiB");
        assert_eq!(ByteSize(1000).to_string(), "1000B");
        assert_eq!(ByteSize(0).to_string(), "0B");
        assert_eq!(Span(Duration::from_secs(90)).to_string(), "90s");
        assert_eq!(Span(Duration::from_secs(86_400)).to_string(), "1d");
        assert_eq!(Span(Duration::ZERO).to_string(), "0s");
    }
}
