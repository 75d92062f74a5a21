//! The end of a deletion: rows of deleted messages leave this device, their tombstones stay.

use rusqlite::params;

use super::error::Result;
use super::rows::taken_away;
use super::statements::Statements as _;
use super::{Archive, Commit};
use crate::event::{Chat, Kind, Row};
use crate::ids::EventId;

/// Rows of one message lie this far apart at most: strands of formats without ids differ by up to 27 hours.
pub(super) const APART_MS: i64 = 28 * 3_600_000;

impl Commit<'_> {
    /// Removes every row of the message that an own deletion (its row) names; old runs cannot bring them back.
    /// Answers how many went.
    pub fn purge(&mut self, chat: &Chat, deletion: &Row) -> Result<u64> {
        let entry = self.chat(chat)?;
        let mut rows = self.db.prepare_cached(
            "DELETE FROM rows WHERE chat = ?1 AND time BETWEEN ?2 AND ?3 AND (id = ?4 OR target = ?4) \
             AND kind NOT IN (?5, ?6)",
        )?;
        let [own_delete, undelete] = [Kind::OWN_DELETE, Kind::UNDELETE].map(|k| i64::from(k.0));
        let (first, last) = (deletion.time.saturating_sub(APART_MS), deletion.time.saturating_add(APART_MS));
        self.rows.dissolve_between(&entry, first, last)?;
        self.fold_dissolved();
        let mut gone = 0;
        for EventId(id) in taken_away(self.parts, chat, deletion) {
            gone += rows.execute(params![entry.n, first, last, id, own_delete, undelete])?;
            self.db.run("INSERT OR REPLACE INTO tombstones VALUES (?1, 1)", [id])?;
            self.db.run("DELETE FROM long_fields WHERE chat = ?1 AND target = ?2", params![entry.n, id])?;
        }
        Ok(gone as u64)
    }
}

impl Archive {
    /// Removes files of the media store that no message names any more; answers how many. Not for while an import or
    /// a restore is under way, and not before deletions are past undoing.
    pub fn drop_unused_media(&mut self) -> Result<u64> {
        let unused: Vec<(Vec<u8>, i64)> = {
            let mut statement = self.db.prepare_cached(
                "SELECT file, here FROM files f WHERE here IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.file = f.file) \
                 AND NOT EXISTS (SELECT 1 FROM long_fields l WHERE l.file = f.file)",
            )?;
            let found = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
            found.collect::<rusqlite::Result<_>>()?
        };
        for (file, number) in &unused {
            self.media.remove(*number)?;
            self.db.run("DELETE FROM files WHERE file = ?1", params![file])?;
        }
        self.db.execute_batch(
            "DELETE FROM outside WHERE file NOT IN (SELECT file FROM attachments WHERE file IS NOT NULL) \
             AND file NOT IN (SELECT file FROM long_fields)",
        )?;
        Ok(unused.len() as u64)
    }
}
