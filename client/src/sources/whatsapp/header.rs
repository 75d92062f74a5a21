//! The header of a message: date, time, and the signs around them (FORMATS §3.1).

use super::marks::{digit, is_mark, is_space, skip_marks};
use super::periods::{self, Word};

/// What stands around date and time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    /// `[DATE, TIME] …`: iOS.
    Bracket,
    /// `DATE, TIME - …`: Android.
    Dash,
    /// The same with a longer dash.
    LongDash,
    /// `DATE TIME: …`: old exports.
    Colon,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum YearPlace {
    /// Four digits, first.
    First,
    /// Four digits, last.
    Last,
    /// Two digits: first or last.
    Short,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PeriodPlace {
    None,
    Before,
    After,
}

/// The way a file writes its headers. One export has one pattern: a line in another one is part of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    pub frame: Frame,
    pub year: YearPlace,
    pub separator: char,
    pub seconds: bool,
    comma: bool,
    period: PeriodPlace,
    time_separator: char,
}

/// A header as it was read; which field is the day is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub pattern: Pattern,
    pub fields: [u16; 3],
    pub hour: u8,
    pub minute: u8,
    pub second: Option<u8>,
    /// Date and time as they stood.
    pub stamp: &'a str,
    /// A mark stands before the header.
    pub marked: bool,
    /// What follows the header.
    pub rest: &'a str,
}

/// Reads the header a line starts with.
pub(super) fn parse(line: &str) -> Option<Head<'_>> {
    let start = skip_marks(line);
    let marked = start.len() < line.trim_start_matches('\u{feff}').len();
    let (bracket, s) = match start.strip_prefix('[') {
        Some(s) => (true, skip_marks(s)),
        None => (false, start),
    };
    let date = Date::parse(s)?;
    let gap = Gap::parse(date.rest)?;
    let time = Time::parse(gap.rest)?;
    let tail = Tail::parse(time.rest, bracket)?;

    let (period, place) = match (gap.period, tail.period) {
        (None, None) => (None, PeriodPlace::None),
        (Some(p), None) => (Some(p), PeriodPlace::Before),
        (None, Some(p)) => (Some(p), PeriodPlace::After),
        (Some(_), Some(_)) => return None,
    };
    let pattern = Pattern {
        frame: tail.frame,
        year: date.year,
        separator: date.separator,
        seconds: time.second.is_some(),
        comma: gap.comma,
        period: place,
        time_separator: time.separator,
    };
    let stamp = s.get(..s.len().checked_sub(tail.stamp_after)?)?.trim_end_matches(|c| is_space(c) || is_mark(c));
    let hour = period.map_or(time.hour, |p| p.hour(time.hour));
    let Time { minute, second, .. } = time;
    Some(Head { pattern, fields: date.fields, hour, minute, second, stamp, marked, rest: tail.rest })
}

struct Date<'a> {
    fields: [u16; 3],
    year: YearPlace,
    separator: char,
    rest: &'a str,
}

impl<'a> Date<'a> {
    fn parse(s: &'a str) -> Option<Self> {
        let (first, first_len, s) = number(s)?;
        let (separator, s) = date_separator(s)?;
        let (second, second_len, s) = number(s)?;
        let (again, s) = date_separator(s)?;
        let (third, third_len, rest) = number(s)?;
        if separator != again || second_len > 2 {
            return None;
        }
        let year = match (first_len, third_len) {
            (4, 1 | 2) => YearPlace::First,
            (1 | 2, 4) => YearPlace::Last,
            (1 | 2, 2) => YearPlace::Short,
            _ => return None,
        };
        Some(Self { fields: [first, second, third], year, separator, rest })
    }
}

/// What stands between date and time: a comma or space, perhaps a word, perhaps the half of the day.
struct Gap<'a> {
    comma: bool,
    period: Option<periods::Half>,
    rest: &'a str,
}

impl<'a> Gap<'a> {
    fn parse(s: &'a str) -> Option<Self> {
        const CHARS_MAX: usize = 24;
        let at = s.char_indices().take(CHARS_MAX).find(|(_, c)| digit(*c).is_some())?.0;
        let (gap, rest) = s.split_at_checked(at)?;
        let comma = gap.contains([',', '،']);
        if !comma && !gap.contains(is_space) {
            return None;
        }
        let mut period = None;
        for word in gap.split(|c| is_space(c) || c == ',' || c == '،') {
            match periods::word(word)? {
                Word::Nothing | Word::Link => {}
                Word::Half(half) if period.is_none() => period = Some(half),
                Word::Half(_) => return None,
            }
        }
        Some(Self { comma, period, rest })
    }
}

struct Time<'a> {
    hour: u8,
    minute: u8,
    second: Option<u8>,
    separator: char,
    rest: &'a str,
}

impl<'a> Time<'a> {
    fn parse(s: &'a str) -> Option<Self> {
        let (hour, hour_len, s) = number(s)?;
        let (separator, s) = time_separator(s)?;
        let (minute, minute_len, s) = number(s)?;
        if hour_len > 2 || minute_len != 2 {
            return None;
        }
        let (second, rest) = match seconds(s, separator) {
            Some((second, rest)) => (Some(second), rest),
            None => (None, s),
        };
        // Some locales write midnight as 24.
        let hour = u8::try_from(hour % 24).ok().filter(|_| hour <= 24)?;
        let minute = u8::try_from(minute).ok().filter(|m| *m < 60)?;
        if second.is_some_and(|s| s > 59) {
            return None;
        }
        Some(Self { hour, minute, second, separator, rest })
    }
}

/// The rest of the header: perhaps the half of the day, then the sign that ends it.
struct Tail<'a> {
    frame: Frame,
    period: Option<periods::Half>,
    /// How many bytes of the line follow date and time.
    stamp_after: usize,
    rest: &'a str,
}

impl<'a> Tail<'a> {
    fn parse(s: &'a str, bracket: bool) -> Option<Self> {
        let (frame, at, rest) = Self::end(s, bracket)?;
        let between = s.get(..at)?;
        let spoken: String = between.chars().filter(|c| !is_space(*c)).collect();
        let period = match periods::word(&spoken)? {
            Word::Nothing | Word::Link => None,
            Word::Half(half) => Some(half),
        };
        Some(Self { frame, period, stamp_after: s.len() - at, rest })
    }

    /// Finds the ending sign: its frame, where it stands, and what follows it.
    fn end(s: &'a str, bracket: bool) -> Option<(Frame, usize, &'a str)> {
        const CHARS_MAX: usize = 24;
        let mut spaced = false;
        for (at, c) in s.char_indices().take(CHARS_MAX) {
            let after = s.get(at + c.len_utf8()..)?;
            let open = after.is_empty() || after.starts_with(is_space);
            let frame = match c {
                ']' if bracket => Frame::Bracket,
                '-' if !bracket && spaced && open => Frame::Dash,
                '–' | '—' if !bracket && spaced && open => Frame::LongDash,
                ':' if !bracket && open => Frame::Colon,
                _ => {
                    spaced = is_space(c);
                    continue;
                }
            };
            let rest = after.strip_prefix(is_space).unwrap_or(after);
            return Some((frame, at, rest));
        }
        None
    }
}

/// Reads up to four digits of any script: value, how many there were, and the rest.
fn number(s: &str) -> Option<(u16, usize, &str)> {
    let s = skip_marks(s);
    let mut value = 0u16;
    let mut len = 0usize;
    let mut rest = s;
    while let Some(d) = rest.chars().next().and_then(digit) {
        if len == 4 {
            return None;
        }
        value = value * 10 + u16::from(d);
        len += 1;
        rest = after_first(rest);
    }
    (len > 0).then_some((value, len, skip_marks(rest)))
}

/// Drops the first character.
fn after_first(s: &str) -> &str {
    let mut chars = s.chars();
    chars.next();
    chars.as_str()
}

fn date_separator(s: &str) -> Option<(char, &str)> {
    let c = s.chars().next().filter(|c| matches!(c, '/' | '.' | '-'))?;
    let s = after_first(s);
    // Korean and Hungarian put a space after the full stop.
    Some((c, if c == '.' { s.trim_start_matches(is_space) } else { s }))
}

/// `:`, `.`, or the `h` of Canadian French.
fn time_separator(s: &str) -> Option<(char, &str)> {
    match s.chars().next()? {
        c @ (':' | '.') => Some((c, after_first(s))),
        _ => {
            let s = s.trim_start_matches(is_space).strip_prefix('h')?;
            Some(('h', s.trim_start_matches(is_space)))
        }
    }
}

fn seconds(s: &str, separator: char) -> Option<(u8, &str)> {
    let s = match separator {
        'h' => s.trim_start_matches(is_space).strip_prefix("min")?.trim_start_matches(is_space),
        c => s.strip_prefix(c)?,
    };
    let (second, len, rest) = number(s)?;
    (len == 2).then_some((u8::try_from(second).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = ([u16; 3], u8, u8, Option<u8>);

    fn stamp(line: &str) -> &str {
        parse(line).unwrap().stamp
    }

    #[test]
    fn headers_of_many_phones() {
        let is = |line: &str, fields: [u16; 3], h: u8, m: u8, s: Option<u8>| {
            let got = parse(line).unwrap_or_else(|| panic!("{line:?} is a header"));
            let parts: Parts = (got.fields, got.hour, got.minute, got.second);
            assert_eq!((parts, got.rest), ((fields, h, m, s), "Ana: hi"), "{line:?}");
        };
        is("[01.03.24, 09:59:04] Ana: hi", [1, 3, 24], 9, 59, Some(4));
        is("\u{200e}[3/1/24, 9:59:04\u{202f}PM] Ana: hi", [3, 1, 24], 21, 59, Some(4));
        is("3/1/24, 12:05\u{a0}a.\u{a0}m. - Ana: hi", [3, 1, 24], 0, 5, None);
        is("01/03/2024, 00:08 p. m. - Ana: hi", [1, 3, 2024], 12, 8, None);
        is("2024/12/01, 10:04 pm - Ana: hi", [2024, 12, 1], 22, 4, None);
        is("2018-06-13 1:55:00 – Ana: hi", [2018, 6, 13], 1, 55, Some(0));
        is("25/12/2011 14:05:33: Ana: hi", [25, 12, 2011], 14, 5, Some(33));
        is("1.3.2024 klo 21.25 - Ana: hi", [1, 3, 2024], 21, 25, None);
        is("[1.3.2024 klo 21.25.15] Ana: hi", [1, 3, 2024], 21, 25, Some(15));
        is("2024. 3. 1. 오후 9:05 - Ana: hi", [2024, 3, 1], 21, 5, None);
        is("2024/3/1 下午9:05 - Ana: hi", [2024, 3, 1], 21, 5, None);
        is("1.03.24 г., 21:05 ч. - Ana: hi", [1, 3, 24], 21, 5, None);
        is("[2024-01-05, 14 h 30 min 12 s] Ana: hi", [2024, 1, 5], 14, 30, Some(12));
        is("١٣\u{200f}/١١\u{200f}/٢٠٢٥، ٩:٢٥ م - Ana: hi", [13, 11, 2025], 21, 25, None);
    }

    #[test]
    fn the_stamp_stays_as_it_stood() {
        assert_eq!(stamp("\u{200e}[3/1/24, 9:59:04\u{202f}PM] A: b"), "3/1/24, 9:59:04\u{202f}PM");
        assert_eq!(stamp("01/03/2024, 10:11 - A: b"), "01/03/2024, 10:11");
        assert_eq!(stamp("25/12/2011 14:05:33: A: b"), "25/12/2011 14:05:33");
    }

    #[test]
    fn look_alikes_are_no_headers() {
        for line in [
            "",
            "[",
            "hello",
            "12:30 - late",
            "1/2 - half",
            "1/2/3, 10:00 - x",
            "[10:00:00] x",
            "1/2/20241, 10:00 - x",
            "01/03/2024 10:00",
            "01/03/2024, 10:00 soon - x: y",
            "01/03/2024, 25:00 - x: y",
            "01/03/2024, 10:61 - x",
            "01/03-2024, 10:00 - x: y",
            "01/03/2024, 10:00-11:00 - x: y",
            "[01/03/2024, 10:00 - x: y",
        ] {
            assert!(parse(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn one_pattern_per_way_of_writing() {
        let pattern = |line| parse(line).unwrap().pattern;
        let android = pattern("01/03/2024, 10:00 - A: b");
        assert_eq!(android, pattern("9/12/2024, 9:05 - You left"));
        for other in [
            "[01/03/2024, 10:00] A: b",
            "01/03/24, 10:00 - A: b",
            "01.03.2024, 10:00 - A: b",
            "01/03/2024 10:00 - A: b",
            "01/03/2024, 10:00:01 - A: b",
            "01/03/2024, 10:00 am - A: b",
            "01/03/2024, 10.00 - A: b",
            "01/03/2024, 10:00 – A: b",
        ] {
            assert_ne!(android, pattern(other), "{other}");
        }
    }
}
