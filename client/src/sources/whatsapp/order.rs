//! Which field of a date is the day: decided once per file (FORMATS §3.1).

use chrono::NaiveDate;

use super::header::{Head, YearPlace};
use super::marks::digit;
use crate::sources::DateOrder;

pub(super) const ORDERS: [DateOrder; 3] = [DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd];

/// WhatsApp appeared in this year: a two-digit year before it is read from the wrong field.
const FIRST_YEAR: u16 = 2009;

/// Reads three fields in an order; absent where no such day exists.
pub(super) fn day(fields: [u16; 3], order: DateOrder) -> Option<NaiveDate> {
    let [a, b, c] = fields;
    let (year, month, day) = match order {
        DateOrder::Dmy => (c, b, a),
        DateOrder::Mdy => (c, a, b),
        DateOrder::Ymd => (a, b, c),
    };
    let year = if year < 100 { year + 2000 } else { year };
    NaiveDate::from_ymd_opt(i32::from(year), u32::from(month), u32::from(day))
}

/// The minute's start in ms, local time read as UTC.
pub(super) fn minute(head: &Head<'_>, order: DateOrder) -> Option<i64> {
    let at = day(head.fields, order)?.and_hms_opt(u32::from(head.hour), u32::from(head.minute), 0)?;
    at.and_utc().timestamp().checked_mul(1000)
}

/// What the lines of one pattern say about one order.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Evidence {
    /// Lines that are no date in this order.
    impossible: u64,
    /// Lines that name a media file of this very day.
    named: u64,
    /// Lines before the line above them.
    backward: u64,
    above: Option<i64>,
    pub first: Option<(u64, i64)>,
    pub latest: Option<i64>,
}

/// What the lines of one pattern say about every order.
#[derive(Clone, Default, Debug)]
pub(super) struct Weighing {
    by_order: [Evidence; 3],
    /// Some line is another day in another order.
    differs: bool,
}

impl Weighing {
    /// Takes a header in. `line` is its number, for [`Evidence::first`].
    pub fn add(&mut self, head: &Head<'_>, line: u64) {
        let named = media_day(head.rest);
        let [a, b, _] = head.fields;
        self.differs |= a != b;
        for (order, e) in ORDERS.into_iter().zip(&mut self.by_order) {
            let (Some(date), Some(unit)) = (day(head.fields, order), minute(head, order)) else {
                e.impossible = e.impossible.saturating_add(1);
                continue;
            };
            if head.pattern.year == YearPlace::Short && date < first_day() {
                e.impossible = e.impossible.saturating_add(1);
            }
            if named == Some(date) {
                e.named = e.named.saturating_add(1);
            }
            let time = unit.saturating_add(i64::from(head.second.unwrap_or(0)) * 1000);
            if e.above.is_some_and(|above| time < above) {
                e.backward = e.backward.saturating_add(1);
            }
            e.above = Some(time);
            e.first.get_or_insert((line, unit));
            e.latest = e.latest.max(Some(time));
        }
    }

    pub fn of(&self, order: DateOrder) -> &Evidence {
        let [dmy, mdy, ymd] = &self.by_order;
        match order {
            DateOrder::Dmy => dmy,
            DateOrder::Mdy => mdy,
            DateOrder::Ymd => ymd,
        }
    }

    /// Decides the order, or answers none where only a person can: by fields that cannot be a month and by
    /// the days in media names, then by the person's word, then by the fewest steps back in time.
    pub fn decide(&self, year: YearPlace, separator: char, answer: Option<DateOrder>) -> Option<DateOrder> {
        let mut open: Vec<DateOrder> = match year {
            YearPlace::First => return Some(DateOrder::Ymd),
            YearPlace::Last => vec![DateOrder::Dmy, DateOrder::Mdy],
            YearPlace::Short => ORDERS.to_vec(),
        };
        self.keep_least(&mut open, |e| e.impossible);
        self.keep_least(&mut open, |e| u64::MAX - e.named);
        if let Some(answer) = answer.filter(|a| open.contains(a)) {
            return Some(answer);
        }
        self.keep_least(&mut open, |e| e.backward);
        // A short year first is so rare that it must be proven; and where dots part the fields, the day is first.
        if open.len() > 1 {
            open.retain(|o| *o != DateOrder::Ymd);
        }
        if separator == '.' || !self.differs {
            open.truncate(1);
        }
        match open.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    fn keep_least(&self, open: &mut Vec<DateOrder>, cost: impl Fn(&Evidence) -> u64) {
        let least = open.iter().map(|o| cost(self.of(*o))).min();
        open.retain(|o| Some(cost(self.of(*o))) == least);
    }
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(i32::from(FIRST_YEAR), 1, 1).unwrap_or_default()
}

/// Finds the day in a media name: `IMG-20240301-WA0005.jpg` or `00000005-PHOTO-2024-03-01-10-11-17.jpg`.
fn media_day(text: &str) -> Option<NaiveDate> {
    let android = text.split_once("-WA").and_then(|(before, _)| {
        let (_, digits) = before.rsplit_once('-')?;
        (digits.len() == 8).then(|| compact_day(digits)).flatten()
    });
    android.or_else(|| {
        const KINDS: [&str; 5] = ["-PHOTO-", "-VIDEO-", "-AUDIO-", "-STICKER-", "-GIF-"];
        let after = KINDS.iter().find_map(|kind| text.split_once(kind))?.1;
        let digits: String = after.chars().take(10).filter(|c| *c != '-').collect();
        compact_day(&digits)
    })
}

fn compact_day(digits: &str) -> Option<NaiveDate> {
    let values: Vec<u32> = digits.chars().map(|c| digit(c).map(u32::from)).collect::<Option<_>>()?;
    let number = |d: &[u32]| d.iter().fold(0, |n, d| n * 10 + d);
    if values.len() != 8 {
        return None;
    }
    let (year, rest) = values.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    NaiveDate::from_ymd_opt(i32::try_from(number(year)).ok()?, number(month), number(day))
}

#[cfg(test)]
mod tests {
    use super::super::header;
    use super::*;

    fn decide(lines: &[&str], answer: Option<DateOrder>) -> Option<DateOrder> {
        let mut w = Weighing::default();
        for (n, line) in lines.iter().enumerate() {
            w.add(&header::parse(line).unwrap(), n as u64);
        }
        let pattern = header::parse(lines[0]).unwrap().pattern;
        w.decide(pattern.year, pattern.separator, answer)
    }

    #[test]
    fn a_field_above_twelve_decides() {
        let us = ["1/2/24, 10:00 - A: x", "1/13/24, 10:00 - A: x"];
        assert_eq!(decide(&us, None), Some(DateOrder::Mdy));
        assert_eq!(decide(&us, Some(DateOrder::Dmy)), Some(DateOrder::Mdy), "the file proves the answer wrong");
        assert_eq!(decide(&["1/2/24, 10:00 - A: x", "13/2/24, 10:00 - A: x"], None), Some(DateOrder::Dmy));
    }

    #[test]
    fn fewest_steps_back_decide() {
        let lines = ["3/1/24, 10:00 - A: x", "4/1/24, 10:00 - A: x", "1/2/24, 10:00 - A: x", "2/2/24, 10:00 - A: x"];
        assert_eq!(decide(&lines, None), Some(DateOrder::Dmy));
        let lines = ["1/3/24, 10:00 - A: x", "1/4/24, 10:00 - A: x", "2/1/24, 10:00 - A: x", "2/2/24, 10:00 - A: x"];
        assert_eq!(decide(&lines, None), Some(DateOrder::Mdy));
    }

    #[test]
    fn media_names_decide() {
        assert_eq!(decide(&["02/12/24, 15:00 - A: IMG-20241202-WA0001.jpg (x)"], None), Some(DateOrder::Dmy));
        let ios = ["[2/12/24, 15:00:00] A: <attached: 00000005-PHOTO-2024-02-12-15-00-00.jpg>"];
        assert_eq!(decide(&ios, None), Some(DateOrder::Mdy));
    }

    #[test]
    fn a_tie_asks_and_takes_the_answer() {
        let tie = ["10/12/2024, 14:30 - A: x", "10/12/2024, 14:31 - B: y"];
        assert_eq!(decide(&tie, None), None);
        assert_eq!(decide(&tie, Some(DateOrder::Mdy)), Some(DateOrder::Mdy));
        assert_eq!(decide(&["1/1/21, 12:00 - A: x"], None), Some(DateOrder::Dmy), "both readings are one day");
        assert_eq!(decide(&["10.12.2024, 14:30 - A: x"], None), Some(DateOrder::Dmy), "dots");
    }

    #[test]
    fn short_years_may_come_first() {
        assert_eq!(decide(&["24/03/01, 10:00 - A: x", "24/03/02, 10:00 - A: x"], None), Some(DateOrder::Ymd));
        assert_eq!(decide(&["15-01-20, 10:00 - A: x", "16-01-20, 10:00 - A: x"], None), Some(DateOrder::Dmy));
    }

    #[test]
    fn days_that_do_not_exist_are_no_days() {
        assert_eq!(day([30, 2, 2024], DateOrder::Dmy), None);
        assert!(day([29, 2, 2024], DateOrder::Dmy).is_some());
        assert_eq!(day([0, 1, 2024], DateOrder::Dmy), None);
    }
}
