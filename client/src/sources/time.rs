//! Times as exports write them.

use chrono::{DateTime, NaiveDateTime, SecondsFormat};

use crate::event::{Precision, Stamp, ZoneSource};

/// Times outside the years 1 to 9999 are not dates any calendar text can hold.
const MS_MIN: i64 = -62_135_596_800_000;
const MS_MAX: i64 = 253_402_300_799_999;

/// A time read from text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// UTC, or local time read as UTC.
    pub ms: i64,
    pub is_utc: bool,
    pub offset_min: Option<i64>,
    pub precision: Precision,
}

impl Parsed {
    /// The stamp of this time. The text is kept where it says more than the instant does.
    pub fn stamp(&self, text: &str) -> Stamp {
        if !self.is_utc {
            return Stamp::local(text, self.precision);
        }
        let mut stamp = Stamp::utc(self.ms, self.precision);
        if let Some(offset) = self.offset_min.filter(|o| *o != 0) {
            stamp.local_text = Some(text.to_owned());
            stamp.offset_min = Some(offset);
            stamp.zone = ZoneSource::Explicit;
        }
        stamp
    }
}

/// Reads an ISO 8601 / RFC 3339 time, with or without a zone.
pub fn parse_iso(text: &str) -> Option<Parsed> {
    let text = text.trim();
    let precision = match text.split_once('.').map_or(0, |(_, f)| f.bytes().take_while(u8::is_ascii_digit).count()) {
        0 => Precision::Second,
        1..=3 => Precision::Milli,
        4..=6 => Precision::Micro,
        _ => Precision::Nano,
    };
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        let offset_min = i64::from(time.offset().local_minus_utc() / 60);
        let ms = in_range(time.timestamp_millis())?;
        return Some(Parsed { ms, is_utc: true, offset_min: Some(offset_min), precision });
    }
    let time = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    let ms = in_range(time.and_utc().timestamp_millis())?;
    Some(Parsed { ms, is_utc: false, offset_min: None, precision })
}

/// Reads whole seconds since 1970.
pub fn from_seconds(seconds: i64) -> Option<i64> {
    in_range(seconds.checked_mul(1000)?)
}

/// Writes a time with milliseconds: `2024-03-01T08:00:04.000`, followed by `Z` for UTC.
///
/// A number no date can show is written as `@MS`, so that it still comes back.
pub fn format_iso(ms: i64, is_utc: bool) -> String {
    let mut text = match in_range(ms).and_then(DateTime::from_timestamp_millis) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("@{ms}Z"),
    };
    if !is_utc {
        text.pop();
    }
    text
}

/// Reads what [`format_iso`] writes, and any other ISO time.
pub fn parse_any(text: &str) -> Option<Parsed> {
    let Some(number) = text.strip_prefix('@') else { return parse_iso(text) };
    let (number, is_utc) = number.strip_suffix('Z').map_or((number, false), |n| (n, true));
    Some(Parsed { ms: number.parse().ok()?, is_utc, offset_min: None, precision: Precision::Milli })
}

fn in_range(ms: i64) -> Option<i64> {
    (MS_MIN..=MS_MAX).contains(&ms).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_style_is_read_as_it_is_meant() {
        let parsed = |text| parse_iso(text).map(|p| (p.ms, p.is_utc, p.offset_min, p.precision));
        assert_eq!(parsed("2017-01-01T06:20:09.248Z"), Some((1_483_251_609_248, true, Some(0), Precision::Milli)));
        assert_eq!(parsed("2017-01-01T06:20:09+02:00"), Some((1_483_244_409_000, true, Some(120), Precision::Second)));
        assert_eq!(parsed("2017-01-01T06:20:09"), Some((1_483_251_609_000, false, None, Precision::Second)));
        assert_eq!(parsed("yesterday"), None);
        assert_eq!(parsed("2017-13-01T06:20:09"), None);
        assert_eq!(from_seconds(i64::MAX), None);
        let stamp = parse_iso("2017-01-01T06:20:09+02:00").unwrap().stamp("2017-01-01T06:20:09+02:00");
        assert_eq!((stamp.offset_min, stamp.local_text.as_deref()), (Some(120), Some("2017-01-01T06:20:09+02:00")));
    }

    proptest! {
        #[test]
        fn every_number_comes_back(ms in any::<i64>(), near in -1_000_000_000_000i64..4_000_000_000_000, utc in any::<bool>()) {
            for ms in [ms, near] {
                let back = parse_any(&format_iso(ms, utc)).unwrap();
                prop_assert_eq!((back.ms, back.is_utc), (ms, utc));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse_any(&text);
        }
    }
}
