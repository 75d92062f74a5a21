//! Rows with a timer: which there are, and their end on this device.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::chats;
use super::error::{ArchiveError, Result};
use super::rows::{self, RowKey, StoredRow, long_file};
use super::statements::Statements as _;
use super::{Archive, Commit, Note};
use crate::event::{Row, Target, is_gone, last_day, tag};
use crate::ids::{EventId, FileId};
use crate::pack::BlockRow;

/// Whether any row may have a timer.
pub(super) fn any(db: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM timed) OR EXISTS (SELECT 1 FROM lanes WHERE last_day <> 0)";
    Ok(db.one(sql, [], |r| r.get(0))?)
}

/// The last of the days whose rows have gone from here; 0 where none has.
pub(super) fn gone(db: &Connection) -> Result<u32> {
    let sql = "SELECT value FROM notes WHERE name = 'gone'";
    let note: Option<Vec<u8>> = db.one(sql, [], |r| r.get(0)).optional()?;
    let Some(note) = note else { return Ok(0) };
    let day: [u8; 4] = note.try_into().map_err(|_| ArchiveError::Damaged("a note of a day".into()))?;
    Ok(u32::from_le_bytes(day))
}

/// Notes the last day of a row, which was another before; 0 stands for none.
pub(super) fn note(db: &Connection, chat: i64, key: &RowKey, before: u32, now: u32) -> Result<()> {
    let RowKey { time, target, kind, id, .. } = key;
    if before != 0 && before != now {
        let sql = "DELETE FROM timed WHERE last_day = ?1 AND chat = ?2 AND time = ?3 AND target = ?4 AND kind = ?5 \
                   AND id = ?6";
        db.run(sql, params![before, chat, time, target.0, i64::from(kind.0), id.0])?;
    }
    if now != 0 {
        let sql = "INSERT OR IGNORE INTO timed VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        db.run(sql, params![now, chat, time, target.0, i64::from(kind.0), id.0])?;
    }
    Ok(())
}

impl Archive {
    /// Rows with a timer that wait to be sent, day by day: a record holds those of one last day.
    pub fn unsynced_timed(&self, limit: usize) -> Result<Vec<StoredRow>> {
        let mut statement = self.db.prepare_cached(
            "SELECT r.time, r.target, r.kind, r.id, r.value, r.arrival, r.chat FROM timed t \
             JOIN rows r USING (chat, time, target, kind, id) WHERE r.state = -1 \
             ORDER BY t.last_day, r.chat, r.time, r.target, r.kind, r.id LIMIT ?1",
        )?;
        let mut found = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut list = Vec::new();
        let mut chat: Option<chats::Entry> = None;
        while let Some(r) = found.next()? {
            let n: i64 = r.get(6)?;
            let entry = match chat.take().filter(|chat| chat.n == n) {
                Some(entry) => entry,
                None => chats::by_number(&self.db, n)?,
            };
            list.push(rows::read(&entry, r)?);
            chat = Some(entry);
        }
        // In the order of keys within a day, which is not that of the chats' numbers.
        let mut days = Vec::with_capacity(list.len());
        for row in list {
            days.push((rows::day_of(&row.value)?, row));
        }
        days.sort_by_key(|(day, row)| (*day, row.key));
        Ok(days.into_iter().map(|(_, row)| row).collect())
    }

    /// Whether rows that this device brings would be stored as they are: their timers have not ended, and what they are
    /// about has none that they lack.
    pub fn keeps_as_given(&self, rows: &[BlockRow]) -> Result<bool> {
        let gone = self.gone_day()?;
        let about = |row: &Row| row.target != Target::Own && row.fields.get(tag::EXPIRES_AT).is_none();
        let may_lack = rows.iter().any(|row| about(&row.row)) && any(&self.db)?;
        Ok(!may_lack && !rows.iter().any(|row| is_gone(last_day(&row.row), gone)))
    }

    /// Whether files are noted that messages named whose timers have ended.
    pub fn has_timed_files(&self) -> Result<bool> {
        Ok(self.db.one("SELECT EXISTS (SELECT 1 FROM timed_files)", [], |r| r.get(0))?)
    }

    /// The last of the days whose rows have gone from here.
    pub fn gone_day(&self) -> Result<u32> {
        gone(&self.db)
    }

    /// Files of messages whose timers have ended that no other message names. Chats must be settled.
    pub fn expired_files(&self) -> Result<BTreeSet<FileId>> {
        let mut statement = self.db.prepare("SELECT file FROM timed_files")?;
        let found = statement.query_map([], |r| Ok(FileId(r.get(0)?)))?;
        let noted = found.collect::<rusqlite::Result<Vec<_>>>()?;
        if noted.is_empty() { Ok(BTreeSet::new()) } else { self.unnamed(noted) }
    }
}

impl Commit<'_> {
    /// Removes rows whose last day is at most `gone`, and refuses them from now on; their messages go with them. Files
    /// they named are noted: see [`Archive::expired_files`]. Answers how many rows went.
    pub fn expire(&mut self, gone: u32) -> Result<u64> {
        self.rows.set_gone(gone);
        let found: Vec<(i64, i64, EventId, u16, EventId)> = {
            let sql = "SELECT chat, time, target, kind, id FROM timed WHERE last_day <= ?1";
            let mut statement = self.db.prepare(sql)?;
            let found = statement
                .query_map([gone], |r| Ok((r.get(0)?, r.get(1)?, EventId(r.get(2)?), r.get(3)?, EventId(r.get(4)?))))?;
            found.collect::<rusqlite::Result<_>>()?
        };
        let of = "chat = ?1 AND time = ?2 AND target = ?3 AND kind = ?4 AND id = ?5";
        let mut find =
            self.db.prepare(&format!("SELECT value, coalesce(logged, value), arrival FROM rows WHERE {of}"))?;
        let mut remove = self.db.prepare(&format!("DELETE FROM rows WHERE {of}"))?;
        for (n, time, target, kind, id) in &found {
            let chat = chats::by_number(self.db, *n)?;
            let place = params![n, time, target.0, kind, id.0];
            let known = find.query_row(place, |r| {
                Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, Vec<u8>>(1)?, r.get::<_, Option<i64>>(2)?))
            });
            let Some((value, logged, arrival)) = known.optional()? else { continue };
            let row = Row::decode(&value)?;
            for file in self.parts.files_of(&row) {
                self.db.run("INSERT OR IGNORE INTO timed_files VALUES (?1)", [file.0])?;
            }
            for file in [tag::LONG_BODY, tag::LONG_EXTRA].into_iter().filter_map(|t| long_file(self.parts, &row, t)) {
                let sql = "DELETE FROM long_fields WHERE file = ?1 AND chat = ?2 AND time = ?3 AND target = ?4";
                self.db.run(sql, params![file.0, n, time, target.0])?;
            }
            if arrival.is_some() {
                self.rows.unlogged(&chat.chat, &[*id, *target], &logged)?;
            }
            remove.execute(place)?;
            self.touch_target(&chat, *time, *target);
        }
        self.db.run("DELETE FROM timed WHERE last_day <= ?1", [gone])?;
        self.expire_places(gone)?;
        self.db.run("DELETE FROM lanes WHERE last_day <> 0 AND last_day <= ?1", [gone])?;
        self.set_note(Note::Gone, Some(&gone.to_le_bytes()))?;
        Ok(found.len() as u64)
    }

    /// Files of messages that went by their timers are looked after: those that nothing names any more have left the
    /// vault. They leave this device as those of purged messages do.
    pub fn settle_expired_files(&mut self) -> Result<()> {
        self.db.run("INSERT OR IGNORE INTO purged_files SELECT file FROM timed_files", [])?;
        self.db.run("DELETE FROM timed_files", []).map(drop)?;
        Ok(())
    }
}
