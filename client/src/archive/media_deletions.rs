//! Deletions of attachments alone: the message stays, and its files go once that can be undone no more.
//!
//! A file goes only where nothing else needs it: no message that is shown, no message whose deletion can be undone, and
//! no other deletion of it that can.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::deletions::Deletion;
use super::error::Result;
use super::parts::Parts;
use super::statements::Statements as _;
use super::{Archive, rows};
use crate::event::{Kind, Row};
use crate::ids::{ChunkId, EventId, FileId};

/// Keeps in mind that the files a deletion names are not sent again unless a message shows them.
pub(super) fn note(db: &Connection, parts: &Parts, deletion: &Row) -> Result<()> {
    for file in files(parts, deletion) {
        db.run("INSERT OR IGNORE INTO deleted_files VALUES (?1)", [file.0])?;
    }
    Ok(())
}

fn files(parts: &Parts, deletion: &Row) -> Vec<FileId> {
    deletion.contents().iter().map(|(hash, size)| parts.ids.file(hash, *size)).collect()
}

impl Deletion {
    /// Whether it is about a message's attachments alone.
    pub fn is_media(&self) -> bool {
        self.key.kind == Kind::MEDIA_DELETE
    }
}

impl Archive {
    /// Whether a file that was deleted is still here, or known to be in the vault.
    pub fn has_deleted_media(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deleted_files d WHERE EXISTS (SELECT 1 FROM files f WHERE f.file = d.file) \
                   OR EXISTS (SELECT 1 FROM file_chunks c WHERE c.file = d.file))";
        Ok(self.db.one(sql, [], |r| r.get(0))?)
    }

    /// Files of which nothing may stay: their deletion is in the log below a size, and could be undone until `now`.
    pub fn media_due(&self, all: &[Deletion], below: u64, now: i64) -> Result<BTreeSet<FileId>> {
        let (mut due, mut kept) = (BTreeSet::new(), BTreeSet::new());
        for deletion in all.iter().filter(|d| d.is_media()) {
            let Some(row) = self.deletion_row(deletion)? else { continue };
            let over = deletion.until <= now && deletion.arrival.is_some_and(|at| at < below);
            let into = if over { &mut due } else { &mut kept };
            into.extend(files(&self.parts, &row));
        }
        if due.is_empty() {
            return Ok(due);
        }
        let none = BTreeSet::new();
        kept.extend(self.hidden_with_messages(&none)?);
        let mut gone = BTreeSet::new();
        for file in due.difference(&kept) {
            if self.has_file(file)? && !self.is_named(file, &none)? {
                gone.insert(*file);
            }
        }
        Ok(gone)
    }

    /// Files of media deletions in force, those of messages with these ids aside.
    pub(super) fn media_in_force(&self, except: &BTreeSet<EventId>) -> Result<BTreeSet<FileId>> {
        let mut found = BTreeSet::new();
        for chat in self.chats_with_deletions()? {
            let undone = self.undone(&chat, Kind::MEDIA_UNDELETE)?;
            self.each_act(&chat, Kind::MEDIA_DELETE, |stored| {
                let row = stored.row()?;
                let aside = rows::named(&row).iter().any(|id| except.contains(id));
                if !aside && !super::deletions::is_undone(&stored.key.id, &row, &undone) {
                    found.extend(files(&self.parts, &row));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Whether a file that a media deletion names is still somewhere, and only for it.
    pub(super) fn has_media_left(&self, deletion: &Row) -> Result<bool> {
        for file in files(&self.parts, deletion) {
            if self.has_file(&file)? && !self.is_named(&file, &BTreeSet::new())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the bytes of files from this device; where they lie in the vault stays known.
    pub fn drop_media_here(&mut self, files: &BTreeSet<FileId>) -> Result<()> {
        self.forget_files(files, &BTreeSet::new(), false)
    }

    /// Forgets files, and the places of chunks that only they had.
    pub fn forget_media(&mut self, files: &BTreeSet<FileId>, chunks: &BTreeSet<ChunkId>) -> Result<()> {
        self.forget_files(files, chunks, true)
    }

    /// Whether the vault is known to hold chunks of a file.
    pub fn is_in_runs(&self, file: &FileId) -> Result<bool> {
        Ok(self.file_chunks(file)?.is_some())
    }

    fn has_file(&self, file: &FileId) -> Result<bool> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM files WHERE file = ?1) OR EXISTS (SELECT 1 FROM file_chunks WHERE file = ?1)";
        Ok(self.db.one(sql, [file.0], |r| r.get(0))?)
    }
}
