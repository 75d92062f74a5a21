//! Who wrote the records that brought own deletions, and when the log had them by the server's clock.
//!
//! What a deletion says of itself decides which act wins, never how long it can be undone: a device in a thief's hands
//! would say that it deleted everything long ago. So that is counted from the log.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};

use super::deletions::{OF_MEDIA, OF_MESSAGES};
use super::error::Result;
use super::statements::Statements as _;
use super::{Archive, Commit};
use crate::ids::DeviceId;

/// What is known of a record that brought own deletions, or a permit for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Author {
    /// None where a deletion came out of a run, and this device never saw its record.
    pub device: Option<DeviceId>,
    /// When the log had the record; where nobody can say, when this device first saw what it brought. Server's clock, ms.
    pub at: i64,
    /// The record carries a permit of the account's root that no record before it carried.
    pub permits: bool,
}

impl Commit<'_> {
    /// Notes who wrote a record of the log that brings own deletions or runs, or a verified permit (its signature).
    pub fn note_author(&mut self, arrival: u64, device: &DeviceId, at: i64, permit: Option<&[u8; 64]>) -> Result<()> {
        let again: Option<bool> = match permit {
            None => None,
            Some(permit) => {
                let sql = "SELECT EXISTS (SELECT 1 FROM authors WHERE permit = ?1 AND arrival < ?2)";
                self.db.one(sql, params![permit, arrival.cast_signed()], |r| r.get(0)).optional()?
            }
        };
        // Each permit speaks once: whoever sees one in the log could send it again for deletions of another day.
        let permit = permit.filter(|_| again == Some(false));
        self.db.run(
            "INSERT OR REPLACE INTO authors (arrival, device, at, permit) VALUES (?1, ?2, ?3, ?4)",
            params![arrival.cast_signed(), device.0, at, permit],
        )?;
        Ok(())
    }

    /// Notes that deletions whose records were never seen here are here now.
    pub fn note_strange_deletions(&mut self, now: i64) -> Result<()> {
        for of in [OF_MESSAGES, OF_MEDIA] {
            let sql = format!(
                "INSERT OR IGNORE INTO authors (arrival, device, at, permit) \
                 SELECT DISTINCT arrival, NULL, ?1, NULL FROM rows WHERE {of} AND arrival IS NOT NULL"
            );
            self.db.run(&sql, [now])?;
        }
        Ok(())
    }
}

impl Archive {
    pub(super) fn authors(&self) -> Result<BTreeMap<u64, Author>> {
        let mut statement = self.db.prepare_cached("SELECT arrival, device, at, permit IS NOT NULL FROM authors")?;
        let found = statement.query_map([], |r| {
            let (arrival, device): (i64, Option<[u8; 32]>) = (r.get(0)?, r.get(1)?);
            let author = Author { device: device.map(DeviceId), at: r.get(2)?, permits: r.get(3)? };
            Ok((arrival.cast_unsigned(), author))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
