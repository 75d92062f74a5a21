//! The end of messages with timers on this device, and by whose clock it comes.
//!
//! The time is the server's: the latest it has told, or that of the log's last entry, which devices agree on. A device's
//! own clock decides nothing early. It only puts off: what the server says is more than ten minutes ahead of it removes
//! nothing here, since a server that lies about the time would else empty a device.

use std::collections::BTreeMap;

use super::flow::{DayDigests, Flow};
use crate::crypto::Digest;
use crate::error::Result;
use crate::event::{gone_day, is_gone, last_day};
use crate::pack::BlockRow;

/// The server's time counts here up to so much after this device's.
const AHEAD_MS: i64 = 10 * 60_000;

impl Flow<'_> {
    /// The last of the days that are over for the server: what has such a last day may be gone there.
    pub(super) fn server_gone(&self) -> u32 {
        gone_day(self.server_time())
    }

    fn server_time(&self) -> i64 {
        i64::try_from(self.follower.time()).unwrap_or(i64::MAX)
    }

    /// Removes rows whose last day is over from this device, with all that was made of them.
    pub(super) fn expire(&mut self) -> Result<u64> {
        let here = self.vault.session.env.now_ms();
        let gone = gone_day(self.server_time().min(here.saturating_add(AHEAD_MS)));
        if gone <= self.archive.gone_day()? {
            return Ok(0);
        }
        let emptied = self.archive.tail_days()?.into_iter().filter(|(_, day)| is_gone(*day, gone));
        let emptied: Vec<(u64, u32)> = emptied.collect();
        let rows = self.archive.commit(|c| {
            for (index, day) in &emptied {
                c.set_tail(*index, &[], *day)?;
            }
            c.expire(gone)
        })?;
        if rows > 0 {
            self.archive.settle()?;
            tracing::info!(rows, "messages went by their timers");
        }
        Ok(rows)
    }

    /// Hashes of the digests of what the log holds, by last day.
    pub(super) fn day_digests(&self) -> Result<DayDigests> {
        Ok(hashes(self.archive.digests()?))
    }
}

pub(super) fn hashes(digests: BTreeMap<u32, Digest>) -> DayDigests {
    digests.into_iter().map(|(day, digest)| (day, digest.hash())).collect()
}

/// Whether a head's digests are a device's own. Those of days that are over for either say nothing: one may have let go
/// of their rows already. A day without rows may be absent.
pub(super) fn same(stated: &[(u32, [u8; 32])], own: &DayDigests, gone: u32) -> bool {
    let stated: DayDigests = stated.iter().copied().collect();
    let nothing = Digest::default().hash();
    let of = |digests: &DayDigests, day: u32| digests.get(&day).copied().unwrap_or(nothing);
    let mut days = stated.keys().chain(own.keys()).filter(|day| !is_gone(**day, gone));
    stated.contains_key(&0) && days.all(|day| of(&stated, *day) == of(own, *day))
}

/// Whether rows are all of the last day that their record states: its body goes after that day, head or no head, so rows
/// of another would be lost with it, or stay too long.
pub(super) fn are_of(rows: &[BlockRow], day: u32) -> bool {
    rows.iter().all(|row| last_day(&row.row) == day)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::crypto::Keyring;
    use crate::crypto::fixed::Fixed;
    use crate::event::{Chat, Kind, Row, tag};

    #[test]
    fn a_record_of_rows_of_two_last_days_is_noticed() {
        let ids = Keyring::generate(&mut Fixed::new("timers")).lifetime().event_key();
        let chat = Arc::new(Chat { source: "telegram".to_owned(), conversation: "1".to_owned() });
        let row = |n: i64, ends: Option<i64>| {
            let mut row = Row::new(Kind::MESSAGE, 0, n.to_string());
            if let Some(day) = ends {
                row.fields.set_number(tag::EXPIRES_AT, day * 86_400_000 + 1);
            }
            BlockRow::new(&ids, chat.clone(), 0, row)
        };
        assert!(are_of(&[row(1, None), row(2, None)], 0));
        assert!(are_of(&[row(1, Some(20)), row(2, Some(20))], 20));
        assert!(are_of(&[], 20));
        assert!(!are_of(&[row(1, Some(20)), row(2, None)], 20), "one without a timer would be lost");
        assert!(!are_of(&[row(1, None), row(2, Some(20))], 0), "one with a timer would stay");
        assert!(!are_of(&[row(1, Some(20)), row(2, Some(21))], 20));
    }

    #[test]
    fn days_that_are_over_are_not_compared_and_others_are() {
        let own = DayDigests::from([(0, [1; 32]), (20, [2; 32]), (21, [3; 32])]);
        let empty = Digest::default().hash();
        assert!(same(&[(0, [1; 32]), (20, [2; 32]), (21, [3; 32])], &own, 0));
        assert!(same(&[(0, [1; 32]), (21, [3; 32])], &own, 20));
        assert!(same(&[(0, [1; 32]), (20, [9; 32]), (21, [3; 32])], &own, 20));
        assert!(same(&[(0, [1; 32]), (20, [2; 32]), (21, [3; 32]), (22, empty)], &own, 0), "a day without rows");
        assert!(!same(&[(0, [1; 32]), (21, [3; 32])], &own, 19));
        assert!(!same(&[(0, [1; 32]), (20, [2; 32]), (21, [9; 32])], &own, 20));
        assert!(!same(&[(0, [9; 32]), (20, [2; 32]), (21, [3; 32])], &own, u32::MAX), "0 is never over");
        assert!(!same(&[], &DayDigests::new(), 0), "a head states day 0");
    }
}
