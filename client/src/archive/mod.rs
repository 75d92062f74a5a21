//! The archive: the readable copy of the account's history on this device, sealed at rest.
//!
//! One SQLCipher database beside a folder of sealed media. Rows are the truth; messages and the search index follow
//! from them. One writer and any number of readers work at the same time, in one process or several. Everything is
//! synchronous; what is async wraps it.

mod acts;
mod append;
mod as_of;
mod authors;
mod chats;
mod check;
mod chunks;
mod commit;
mod deletions;
mod error;
mod fill;
mod graves;
mod import;
mod log;
mod mass;
mod media;
mod media_deletions;
mod messages;
mod outside;
mod parts;
mod purge;
mod query;
mod read;
mod read_marks;
mod record;
mod rows;
mod rules;
mod schema;
mod search;
mod statements;
mod storing;
mod stream;
mod stretch;
mod tail;
#[cfg(test)]
mod tests;
mod timed;
mod timed_media;
mod trial;
mod unnamed;
mod words;

pub use acts::{Act, Acting, Deleting, Matching, Undeleted, Weighed};
pub use append::{REFUSED, fits};
pub use chunks::{Chunk, FileChunks};
pub use commit::{Commit, Put};
pub use deletions::{Deletion, HELD_MS, UNDO_MS};
pub use error::{ArchiveError, Result};
pub use fill::MediaPack;
pub use graves::{APART_MS, Grave};
pub use import::{ChatCount, Import, Imported};
pub use log::{Note, OwnRecord, PackState, StagedPack, leave_note, peek};
pub use mass::{MASS_MAX, MASS_MIN, Mass, mass, mass_limit};
pub use media::{MediaReader, hash_content};
pub use messages::Tally;
pub use outside::{Hand, Outside};
pub use parts::{Ids, MediaSealer, Parts, Rules, Weight};
pub use query::Query;
pub use read::{Anchor, ChatSummary, Counts, FrontChat, Position, Shown};
pub use rows::{RowKey, StoredRow};
pub use rules::MergeRules;
pub use search::{Filters, Has, Hit, Hits};
pub use storing::{MediaWriter, StoredFile};
pub use stream::ExportMessages;
pub use tail::{BulkRun, Unsynced, Waiting};
pub use unnamed::LongLists;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use self::messages::Messages;
use self::schema::Access;
use self::statements::Statements as _;
use self::trial::Scope;

/// One connection to an archive.
pub struct Archive {
    db: Connection,
    parts: Parts,
    media: media::Store,
    dir: PathBuf,
    /// Everything written is taken back in the end.
    trial: bool,
    /// Whether the last commits may not be on the disk yet.
    behind: bool,
}

/// How many messages are indexed in one transaction. Ids are random, so each transaction writes most pages of their index
/// anew, however few messages it has: many at once cost little more than few. They are held in memory meanwhile.
const INDEX_BATCH: usize = 25_000;
/// Up to so many messages are indexed as soon as they are here.
const INDEX_AT_ONCE: u64 = if cfg!(test) { 50 } else { 20_000 };

impl Archive {
    /// Makes a new archive in `dir`, sealed under `key`.
    pub fn create(dir: &Path, key: &[u8; 32], parts: Parts) -> Result<Self> {
        crate::home::private_dir(dir)?;
        let path = database(dir);
        match schema::connect(&path, key, Access::Write) {
            // A kill while it was made leaves a file without tables, of any or no key.
            Err(ArchiveError::Missing) => {}
            Ok(_) | Err(ArchiveError::Newer | ArchiveError::WrongKey) => return Err(ArchiveError::Exists),
            Err(e) => return Err(e),
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        crate::home::private_file(&mut options).open(&path)?;
        Self::with(dir, key, parts, Access::Create)
    }

    /// Opens the archive for writing. The caller holds the home's lock.
    pub fn open(dir: &Path, key: &[u8; 32], parts: Parts) -> Result<Self> {
        Self::with(dir, key, parts, Access::Write)
    }

    /// Opens the archive for reading only, also while another process writes.
    pub fn reader(dir: &Path, key: &[u8; 32], parts: Parts) -> Result<Self> {
        Self::with(dir, key, parts, Access::Read)
    }

    fn with(dir: &Path, key: &[u8; 32], parts: Parts, access: Access) -> Result<Self> {
        let db = schema::connect(&database(dir), key, access)?;
        let media = media::Store::new(&dir.join("media"), parts.sealer.clone());
        if access != Access::Read {
            media.prepare(&db)?;
        }
        Ok(Self { db, parts, media, dir: dir.to_path_buf(), trial: false, behind: false })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs writes that belong together: all of them become durable, or none.
    ///
    /// Messages of chats with ids are brought up to date in the same transaction; chats without ids wait for
    /// [`settle`](Self::settle).
    pub fn commit<T>(&mut self, write: impl FnOnce(&mut Commit<'_>) -> Result<T>) -> Result<T> {
        let (out, _) = self.commit_counted(write)?;
        self.behind = false;
        Ok(out)
    }

    /// As [`commit`](Self::commit), for what can be had again from elsewhere: it is whole at any time, and durable with the
    /// next commit, or after [`sync`](Self::sync); a power cut before takes it back. Before it is committed, `show` reads
    /// in this archive what all others read once it is; it keeps the writer waiting.
    pub fn commit_shown<T>(
        &mut self,
        write: impl FnOnce(&mut Commit<'_>) -> Result<T>,
        show: impl FnOnce(&Self, &T),
    ) -> Result<T> {
        schema::set_durable(&self.db, false)?;
        let done = self.in_parts(write, show);
        schema::set_durable(&self.db, true)?;
        self.behind = true;
        done
    }

    fn in_parts<T>(
        &mut self,
        write: impl FnOnce(&mut Commit<'_>) -> Result<T>,
        show: impl FnOnce(&Self, &T),
    ) -> Result<T> {
        self.db.run("BEGIN IMMEDIATE", [])?;
        let before = std::mem::replace(&mut self.trial, true);
        let written = self.commit_counted(write);
        self.trial = before;
        let committed = written.and_then(|(out, _)| {
            show(self, &out);
            self.db.run("COMMIT", [])?;
            Ok(out)
        });
        if !self.db.is_autocommit() {
            self.db.run("ROLLBACK", [])?;
        }
        committed
    }

    /// Makes durable what was committed before.
    pub fn sync(&mut self) -> Result<()> {
        if self.behind {
            self.commit(|c| Ok(c.db.run("UPDATE notes SET value = value WHERE name = 'log'", []).map(drop)?))?;
        }
        Ok(())
    }

    fn commit_counted<T>(
        &mut self,
        write: impl FnOnce(&mut Commit<'_>) -> Result<T>,
    ) -> Result<(T, Vec<(crate::ids::ChatId, Tally)>)> {
        let transaction = Scope::begin(&mut self.db, self.trial)?;
        let mut commit = Commit::new(&transaction, &self.parts, &self.media)?;
        let out = write(&mut commit)?;
        let tallies = commit.finish()?;
        transaction.commit()?;
        Ok((out, tallies))
    }

    /// Folds chats that wait to be folded as a whole, and brings the search index up to date while little waits for it;
    /// more is left to [`index`](Self::index). Cheap when nothing waits.
    pub fn settle(&mut self) -> Result<Vec<(crate::event::Chat, Tally)>> {
        let mut tallies = Vec::new();
        for chat in chats::dirty(&self.db)? {
            let transaction = Scope::begin(&mut self.db, self.trial)?;
            let mut messages = Messages::new(&transaction, &self.parts, &self.media)?;
            let tally = messages.refold_chat(&chat)?;
            messages.finish()?;
            drop(messages);
            transaction.commit()?;
            self.behind = false;
            tallies.push((chat.chat, tally));
        }
        if !self.trial && self.unindexed()? <= INDEX_AT_ONCE {
            self.index(|_| true)?;
        }
        Ok(tallies)
    }

    /// Brings what search needs up to date. Everything can be read and sent before; a search says whether it saw all.
    /// `told` hears how many messages are still to come, and stops it with false.
    pub fn index(&mut self, mut told: impl FnMut(u64) -> bool) -> Result<()> {
        schema::widen_cache(&self.db, true)?;
        let mut left = self.unindexed()?;
        while told(left) && (self.settle_stretches(INDEX_BATCH)? || self.fill_index(INDEX_BATCH)?) {
            left = left.saturating_sub(INDEX_BATCH as u64 / 2);
        }
        schema::widen_cache(&self.db, false)
    }
}

fn database(dir: &Path) -> PathBuf {
    dir.join("archive.db")
}
