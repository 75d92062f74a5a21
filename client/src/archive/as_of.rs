//! The archive as it was when the log had a certain size: another archive beside it, for reading.

use std::path::Path;

use rusqlite::params;

use super::error::Result;
use super::{Archive, StoredRow, media};

/// Rows of one transaction.
const BATCH_ROWS: usize = 10_000;

impl Archive {
    /// Builds in `dir`, sealed under `key`, what this archive held when its log had `size` records. Own deletions count
    /// whenever they were made. Attachments are read from this archive's own store.
    ///
    /// Rows are taken as they are now: where a later record brought more of a row that stood already, it shows that.
    pub fn as_of(&self, size: u64, dir: &Path, key: &[u8; 32]) -> Result<Self> {
        let mut view = Self::create(dir, key, self.parts.clone())?;
        // Before the rows: texts that are files of their own are put in as rows come.
        view.media = media::Store::new(&self.dir.join("media"), self.parts.sealer.clone());
        let mut files = self.db.prepare_cached("SELECT file, hash, bytes, here FROM files WHERE here IS NOT NULL")?;
        let mut found = files.query([])?;
        let transaction = view.db.transaction()?;
        while let Some(r) = found.next()? {
            let (file, hash, bytes, here): (Vec<u8>, Vec<u8>, i64, i64) = (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
            let values = params![file, hash, bytes, here];
            transaction
                .execute("INSERT INTO files (file, hash, bytes, here, vault) VALUES (?1, ?2, ?3, ?4, 1)", values)?;
        }
        let mut places = self.db.prepare_cached("SELECT export, member, file FROM outside")?;
        let mut found = places.query([])?;
        while let Some(r) = found.next()? {
            let values: [rusqlite::types::Value; 3] = [r.get(0)?, r.get(1)?, r.get(2)?];
            transaction.execute("INSERT INTO outside (export, member, file) VALUES (?1, ?2, ?3)", values)?;
        }
        transaction.commit()?;
        let mut batch: Vec<StoredRow> = Vec::new();
        self.each_row(None, true, |row| {
            if row.key.kind.deletes() || row.arrival.is_some_and(|at| at < size) {
                batch.push(row);
            }
            if batch.len() >= BATCH_ROWS {
                view.apply(&mut batch)?;
            }
            Ok(true)
        })?;
        view.apply(&mut batch)?;
        view.settle()?;
        Ok(view)
    }

    fn apply(&mut self, batch: &mut Vec<StoredRow>) -> Result<()> {
        self.commit(|commit| {
            for stored in batch.drain(..) {
                commit.apply_row(&stored.chat, &stored.row()?, stored.arrival.unwrap_or(0))?;
            }
            Ok(())
        })
    }
}
