//! The end of a deletion: rows of deleted messages leave this device, their tombstones stay.

use rusqlite::params;

use super::error::Result;
use super::graves::APART_MS;
use super::rows::{long_file, taken_away};
use super::statements::Statements as _;
use super::{Archive, Commit};
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::{EventId, FileId};

impl Commit<'_> {
    /// Removes every row of the message that an own deletion (its row) names and that the log held below a size; old
    /// runs cannot bring them back. Files they named are noted: see [`Archive::forget_unnamed`]. Answers how many went.
    pub fn purge(&mut self, chat: &Chat, deletion: &Row, below: u64) -> Result<u64> {
        let entry = self.chat(chat)?;
        let size = i64::try_from(below).unwrap_or(i64::MAX);
        let (first, last) = (deletion.time.saturating_sub(APART_MS), deletion.time.saturating_add(APART_MS));
        self.rows.dissolve_between(&entry, first, last)?;
        self.fold_dissolved();
        let [own_delete, undelete] = [Kind::OWN_DELETE, Kind::UNDELETE].map(|k| i64::from(k.0));
        let of = "chat = ?1 AND time BETWEEN ?2 AND ?3 AND (id = ?4 OR target = ?4) AND kind NOT IN (?5, ?6) \
                  AND (arrival IS NULL OR arrival < ?7)";
        let mut find = self.db.prepare(&format!("SELECT value FROM rows WHERE {of}"))?;
        let mut rows = self.db.prepare(&format!("DELETE FROM rows WHERE {of}"))?;
        let mut gone = 0;
        for EventId(id) in taken_away(self.parts, chat, deletion) {
            let which = params![entry.n, first, last, id, own_delete, undelete, size];
            let mut found = find.query(which)?;
            while let Some(r) = found.next()? {
                let row = Row::decode(r.get_ref(0)?.as_blob().unwrap_or_default())?;
                for file in self.parts.files_of(&row) {
                    self.db.run("INSERT OR IGNORE INTO purged_files VALUES (?1)", [file.0])?;
                }
            }
            gone += rows.execute(params![entry.n, first, last, id, own_delete, undelete, size])?;
            self.db.run(
                "INSERT INTO tombstones VALUES (?1, ?2, ?3, 1, 0, 0, ?4) \
                 ON CONFLICT (id) DO UPDATE SET purged = max(purged, ?4), open = 0",
                params![id, entry.n, deletion.time, size],
            )?;
            self.db.run("DELETE FROM long_fields WHERE chat = ?1 AND target = ?2", params![entry.n, id])?;
        }
        Ok(gone as u64)
    }
}

impl super::Parts {
    /// Files that a row names: attachments, and fields that were too long for it.
    pub(super) fn files_of(&self, row: &Row) -> Vec<FileId> {
        let attached = row.attachments();
        let attached = attached.iter().filter_map(|a| Some(self.ids.file(&a.hash?, a.size?)));
        attached.chain([tag::LONG_BODY, tag::LONG_EXTRA].into_iter().filter_map(|t| long_file(self, row, t))).collect()
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
