//! When a message with a timer goes (`docs/format.md` §3.9).

use super::{Kind, Row, tag};

const DAY_MS: i64 = 86_400_000;
/// Above this a timer's end is rounded to weeks: of so long a wait the exact day tells more than it saves.
const LONG_MS: i64 = 30 * DAY_MS;
const WEEK: i64 = 7;

/// The last day on which a row lies anywhere, in days since 1970; 0 for a row without a timer.
///
/// What says that a message was deleted, and what says what an export held, stays: else it would come back.
pub fn last_day(row: &Row) -> u32 {
    let stays = matches!(
        row.kind,
        Kind::OWN_DELETE | Kind::UNDELETE | Kind::SAME_AS | Kind::VIEW | Kind::IMPORT | Kind::SNAPSHOT | Kind::SETTING
    );
    let Some(at) = row.fields.number(tag::EXPIRES_AT).filter(|_| !stays) else { return 0 };
    // At its end the day is over: a row that goes at midnight goes with the day before.
    let mut day = at.saturating_sub(1).div_euclid(DAY_MS);
    if at.saturating_sub(row.time) > LONG_MS {
        day = day.saturating_add(WEEK - 1 - day.rem_euclid(WEEK));
    }
    // 0 stands for none, and no day is later than a header can say.
    u32::try_from(day.max(1)).unwrap_or(u32::MAX)
}

/// The last of the days that are over at a time, ms; 0 where none is.
pub fn gone_day(now_ms: i64) -> u32 {
    u32::try_from(now_ms.div_euclid(DAY_MS).saturating_sub(1).max(0)).unwrap_or(u32::MAX)
}

/// Whether what has this last day is gone when `gone` is the last of the days that are over.
pub fn is_gone(last_day: u32, gone: u32) -> bool {
    last_day != 0 && last_day <= gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(kind: Kind, time: i64, expires_at: i64) -> u32 {
        let mut row = Row::new(kind, time, "1");
        row.fields.set_number(tag::EXPIRES_AT, expires_at);
        last_day(&row)
    }

    #[test]
    fn a_row_goes_with_the_day_in_which_its_timer_ends() {
        let day = 20_000 * DAY_MS;
        assert_eq!(last_day(&Row::new(Kind::MESSAGE, day, "1")), 0);
        assert_eq!(timed(Kind::MESSAGE, day, day + 1), 20_000);
        assert_eq!(timed(Kind::MESSAGE, day, day + DAY_MS), 20_000, "midnight ends its day");
        assert_eq!(timed(Kind::MESSAGE, day, day + DAY_MS + 1), 20_001);
        for at in [day + 1, day + 5_000, day + DAY_MS, day + 29 * DAY_MS + 7] {
            let last = i64::from(timed(Kind::MESSAGE, day, at));
            assert!((last + 1) * DAY_MS >= at, "never before its time");
            assert!((last + 1) * DAY_MS - at < DAY_MS, "and within the day");
        }
    }

    #[test]
    fn long_timers_end_with_a_week() {
        let day = 20_000 * DAY_MS;
        assert_eq!(timed(Kind::MESSAGE, day, day + LONG_MS), 20_029);
        for days in 31..60 {
            let last = timed(Kind::MESSAGE, day, day + days * DAY_MS);
            assert_eq!(last % 7, 6);
            let exact = 20_000 + days - 1;
            assert!((exact..exact + 7).contains(&i64::from(last)));
        }
    }

    #[test]
    fn what_keeps_a_message_from_coming_back_has_no_timer() {
        for kind in [Kind::OWN_DELETE, Kind::UNDELETE, Kind::IMPORT, Kind::VIEW, Kind::SETTING, Kind::SNAPSHOT] {
            assert_eq!(timed(kind, 0, 5 * DAY_MS), 0);
        }
        assert_ne!(timed(Kind::EDIT, 0, 5 * DAY_MS), 0, "an edit holds text");
    }

    #[test]
    fn times_far_off_have_a_day_as_well() {
        assert_eq!(timed(Kind::MESSAGE, 0, i64::MIN), 1);
        assert_eq!(timed(Kind::MESSAGE, 0, 0), 1);
        assert_eq!(timed(Kind::MESSAGE, i64::MIN, i64::MAX), u32::MAX);
    }

    #[test]
    fn a_day_is_gone_when_the_next_begins() {
        let day = 20_000 * DAY_MS;
        assert!(!is_gone(20_000, gone_day(day)));
        assert!(!is_gone(20_000, gone_day(day + DAY_MS - 1)));
        assert!(is_gone(20_000, gone_day(day + DAY_MS)));
        assert!(!is_gone(0, gone_day(i64::MAX)), "0 is no day");
        assert_eq!((gone_day(0), gone_day(i64::MIN)), (0, 0));
    }
}
