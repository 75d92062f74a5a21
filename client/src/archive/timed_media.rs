//! Attachments that only messages with timers name: they lie in packs with a last day, and go with them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};

use super::error::Result;
use super::statements::Statements as _;
use super::{Archive, Chunk, Commit, FileChunks};
use crate::event::Row;
use crate::ids::{ChunkId, FileId, PackId};

/// Whether what goes after one last day is there until another; 0 is for ever.
fn outlasts(day: u32, needed: u32) -> bool {
    day == 0 || (needed != 0 && day >= needed)
}

/// Whether any message that is shown names a file, or a text too long for its row, without a timer on its row.
const NAMED_FOR_EVER: &str = "SELECT EXISTS (SELECT 1 FROM attachments a JOIN messages m ON m.chat = a.chat AND m.n = a.n \
     WHERE a.file = ?1 AND NOT EXISTS \
       (SELECT 1 FROM timed t WHERE t.chat = m.chat AND t.time = m.time AND t.target = m.id)) \
   OR EXISTS (SELECT 1 FROM long_fields l WHERE l.file = ?1 AND NOT EXISTS \
       (SELECT 1 FROM timed t WHERE t.chat = l.chat AND t.time = l.time AND t.target = l.target))";

impl Archive {
    /// The last day of a pack of attachments; 0 where it has none.
    pub fn pack_day(&self, pack: &PackId) -> Result<u32> {
        let found = self.db.one("SELECT last_day FROM timed_packs WHERE pack = ?1", [pack.0], |r| r.get(0));
        Ok(found.optional()?.unwrap_or(0))
    }

    /// The last day until which the vault has a file; 0 where it has none.
    pub fn file_day(&self, file: &FileId) -> Result<u32> {
        let found = self.db.one("SELECT last_day FROM timed_vault WHERE file = ?1", [file.0], |r| r.get(0));
        Ok(found.optional()?.unwrap_or(0))
    }

    /// Whether a chunk has a place in the vault that is there until a last day.
    pub fn has_chunk_until(&self, chunk: &ChunkId, day: u32) -> Result<bool> {
        let Some(chunk) = self.chunk(chunk)? else { return Ok(false) };
        Ok(outlasts(self.pack_day(&chunk.pack)?, day))
    }

    /// Files that only messages with timers name, each with the latest last day. Chats must be settled.
    pub fn timed_only(&self) -> Result<BTreeMap<FileId, u32>> {
        let mut days: BTreeMap<FileId, u32> = BTreeMap::new();
        {
            let mut statement = self
                .db
                .prepare("SELECT r.value, t.last_day FROM timed t JOIN rows r USING (chat, time, target, kind, id)")?;
            let mut found = statement.query([])?;
            while let Some(r) = found.next()? {
                let row = Row::decode(r.get_ref(0)?.as_blob().unwrap_or_default())?;
                let day: u32 = r.get(1)?;
                for file in self.parts.files_of(&row) {
                    let last = days.entry(file).or_default();
                    *last = day.max(*last);
                }
            }
        }
        let mut for_ever = self.db.prepare_cached(NAMED_FOR_EVER)?;
        let mut only = BTreeMap::new();
        for (file, day) in days {
            if !for_ever.query_row([file.0], |r| r.get::<_, bool>(0))? {
                only.insert(file, day);
            }
        }
        Ok(only)
    }

    /// Whether rows with timers are here, or places of attachments that go by one.
    pub fn has_timers(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM timed) OR EXISTS (SELECT 1 FROM timed_vault)";
        Ok(self.db.one(sql, [], |r| r.get(0))?)
    }
}

impl Commit<'_> {
    /// Notes where a chunk lies that is there until a last day. A place that is there longer is kept.
    pub fn set_timed_chunk(&mut self, chunk: &Chunk, day: u32) -> Result<()> {
        if day != 0 {
            let known = "SELECT coalesce((SELECT last_day FROM timed_packs p WHERE p.pack = c.pack), 0) \
                         FROM chunks c WHERE chunk = ?1 AND pack <> ?2";
            let known: Option<u32> = self.db.one(known, params![chunk.id.0, chunk.pack.0], |r| r.get(0)).optional()?;
            if known.is_some_and(|known| outlasts(known, day)) {
                return Ok(());
            }
            self.db.run("INSERT OR REPLACE INTO timed_packs VALUES (?1, ?2)", params![chunk.pack.0, day])?;
        }
        self.set_chunk(chunk)
    }

    /// Notes that the vault has a file until a last day, or longer where it had it longer.
    pub fn set_timed_file(&mut self, chunks: &FileChunks, day: u32) -> Result<()> {
        let file = &chunks.file;
        if day == 0 {
            self.db.run("DELETE FROM timed_vault WHERE file = ?1", [file.0])?;
        } else {
            let known =
                "SELECT (SELECT last_day FROM timed_vault v WHERE v.file = c.file) FROM file_chunks c WHERE file = ?1";
            let known: Option<Option<u32>> = self.db.one(known, [file.0], |r| r.get(0)).optional()?;
            let in_vault = "SELECT EXISTS (SELECT 1 FROM files WHERE file = ?1 AND vault = 0)";
            let waits: bool = self.db.one(in_vault, [file.0], |r| r.get(0))?;
            if known.is_some_and(|known| !waits && outlasts(known.unwrap_or(0), day)) {
                return Ok(());
            }
            self.db.run("INSERT OR REPLACE INTO timed_vault VALUES (?1, ?2)", params![file.0, day])?;
        }
        self.set_file_chunks(chunks)?;
        self.set_in_vault(file, true)
    }

    /// Lets files wait that the vault does not have as long as their messages need them. `only` is what
    /// [`Archive::timed_only`] says.
    pub fn want_longer(&mut self, only: &BTreeMap<FileId, u32>) -> Result<()> {
        let kept: Vec<(FileId, u32)> = {
            let mut statement = self.db.prepare("SELECT file, last_day FROM timed_vault")?;
            let found = statement.query_map([], |r| Ok((FileId(r.get(0)?), r.get(1)?)))?;
            found.collect::<rusqlite::Result<_>>()?
        };
        for (file, day) in kept {
            if !outlasts(day, only.get(&file).copied().unwrap_or(0)) {
                self.set_in_vault(&file, false)?;
            }
        }
        Ok(())
    }

    /// Forgets places of attachments whose last day is over.
    pub(super) fn expire_places(&mut self, gone: u32) -> Result<()> {
        for sql in [
            "DELETE FROM chunks WHERE pack IN (SELECT pack FROM timed_packs WHERE last_day <= ?1)",
            "DELETE FROM timed_packs WHERE last_day <= ?1",
            "UPDATE files SET vault = 0 WHERE file IN (SELECT file FROM timed_vault WHERE last_day <= ?1)",
            "DELETE FROM file_chunks WHERE file IN (SELECT file FROM timed_vault WHERE last_day <= ?1)",
            "DELETE FROM timed_vault WHERE last_day <= ?1",
        ] {
            self.db.run(sql, [gone])?;
        }
        Ok(())
    }
}
