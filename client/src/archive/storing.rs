//! Files that are stored by other hands than the writer's, which makes them durable afterwards.

use std::io::Read;

use super::error::Result;
use super::media::{self, Store, Taken};
use super::{Archive, Parts};
use crate::ids::FileId;

/// Seals files into the media store, without the database: any number of them, each under a number of its own.
pub struct MediaWriter {
    store: Store,
    parts: Parts,
}

/// A file that lies in the store and that nothing names yet.
pub struct StoredFile(Taken);

impl StoredFile {
    pub fn file(&self) -> FileId {
        self.0.file
    }

    /// Size of the content.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }
}

impl MediaWriter {
    /// Reads a content to its end and stores it. `number` is one from [`Archive::next_file_number`] on, and used once.
    pub fn write(&self, number: i64, content: &mut dyn Read) -> Result<StoredFile> {
        self.store.take(&self.parts, content, number, &|_| Ok(false)).map(StoredFile)
    }
}

impl Archive {
    pub fn media_writer(&self) -> MediaWriter {
        MediaWriter { store: self.media.again(), parts: self.parts.clone() }
    }

    /// The first number that no file has.
    pub fn next_file_number(&self) -> Result<i64> {
        media::next_number(&self.db)
    }

    /// Names files that came from the vault, all of them or none.
    pub fn keep_files(&mut self, files: Vec<StoredFile>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        self.commit(|commit| {
            for StoredFile(taken) in &files {
                commit.insert_file(taken)?;
                commit.set_in_vault(&taken.file, true)?;
            }
            Ok(())
        })?;
        let numbers: Vec<i64> = files.iter().filter_map(|StoredFile(taken)| taken.number).collect();
        self.media.keep(&numbers)
    }

    /// Removes a file that is not what it should have been.
    pub fn discard(&self, StoredFile(taken): StoredFile) -> Result<()> {
        taken.number.map_or(Ok(()), |number| self.media.remove_new(number))
    }
}
