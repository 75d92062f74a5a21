//! Attachments that lie in an export and not in the home: where they can be read, as long as the export stays.
//!
//! An export is not ours: its files may change or go at any time. What is read there is therefore held to the file's id
//! by whoever reads it, before it counts as that file.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};

use super::Archive;
use super::error::Result;
use super::media::MediaReader;
use crate::ids::FileId;
use crate::sources::export::Members;

/// A file's place in an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outside {
    /// The export: a zip, a folder, or a main file with its folders beside it.
    pub export: PathBuf,
    /// The file's path in it.
    pub member: String,
}

/// What the SQL of files asks to know whether one can be read without the vault.
pub(super) const AT_HAND: &str = "(here IS NOT NULL OR EXISTS (SELECT 1 FROM outside o WHERE o.file = f.file))";
/// Of `files f`: the vault shall have it. What the owner deleted, and no message shows any more, is not sent again.
pub(super) const WANTED: &str = "(NOT EXISTS (SELECT 1 FROM deleted_files d WHERE d.file = f.file) \
     OR EXISTS (SELECT 1 FROM attachments a WHERE a.file = f.file))";

/// Where a file's bytes can be had without the vault.
pub enum Hand {
    /// In the home, under the archive's own seal.
    Home(MediaReader),
    /// In an export, as it may be by now.
    Outside(Outside),
}

impl Archive {
    /// Where a file can be read on this device.
    pub fn at_hand(&self, file: &FileId) -> Result<Option<Hand>> {
        if let Some(reader) = self.media.open(&self.db, file)? {
            return Ok(Some(Hand::Home(reader)));
        }
        Ok(places(&self.db, file)?.into_iter().next().map(Hand::Outside))
    }

    /// Opens a file from an export if it holds, read to its end, what the file's id says.
    pub(super) fn outside(&self, file: &FileId) -> Result<Option<Reading>> {
        for place in places(&self.db, file)? {
            let mut members = Members::default();
            let Ok(mut content) = members.open(&place.export, &place.member) else { continue };
            let mut hasher = blake3::Hasher::new();
            let Ok(bytes) = io::copy(&mut content, &mut hasher) else { continue };
            if self.parts.ids.file(hasher.finalize().as_bytes(), bytes) == *file {
                return Ok(Some(Reading { place, members, bytes, at: 0, content: None }));
            }
        }
        Ok(None)
    }

    /// Exports that files wait in which the vault lacks, with how many they are; the first by name.
    pub fn waiting_outside(&self) -> Result<Vec<(PathBuf, u64)>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT o.export, count(DISTINCT o.file) FROM outside o JOIN files f ON f.file = o.file \
             WHERE f.vault = 0 AND f.here IS NULL AND {WANTED} GROUP BY o.export ORDER BY o.export",
        ))?;
        let found = statement
            .query_map([], |r| Ok((PathBuf::from(r.get::<_, String>(0)?), r.get::<_, i64>(1)?.cast_unsigned())))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

/// Notes where a file was read. A place holds one file: what was said to lie there before does not any more.
pub(super) fn insert(db: &Connection, place: &Outside, file: &FileId) -> Result<()> {
    let values = params![place.export.to_string_lossy(), place.member, file.0];
    db.prepare_cached("INSERT OR REPLACE INTO outside (export, member, file) VALUES (?1, ?2, ?3)")?.execute(values)?;
    Ok(())
}

fn places(db: &Connection, file: &FileId) -> Result<Vec<Outside>> {
    let mut statement = db.prepare_cached("SELECT export, member FROM outside WHERE file = ?1 ORDER BY rowid DESC")?;
    let found = statement
        .query_map([file.0], |r| Ok(Outside { export: PathBuf::from(r.get::<_, String>(0)?), member: r.get(1)? }))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Whether a file is known to lie in an export.
pub(super) fn is_there(db: &Connection, file: &FileId) -> Result<bool> {
    let sql = "SELECT 1 FROM outside WHERE file = ?1 LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row([file.0], |_| Ok(())).optional()?.is_some())
}

/// A file of an export, as it was when it was held to its id. Going back reads it from its beginning.
pub(super) struct Reading {
    place: Outside,
    members: Members,
    pub bytes: u64,
    at: u64,
    content: Option<(u64, Box<dyn Read + Send>)>,
}

impl Read for Reading {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.bytes {
            return Ok(0);
        }
        let mut stand = match self.content.take() {
            Some(stand) if stand.0 <= self.at => stand,
            _ => (0, self.members.open(&self.place.export, &self.place.member)?),
        };
        let skipped = io::copy(&mut stand.1.by_ref().take(self.at - stand.0), &mut io::sink())?;
        stand.0 += skipped;
        let n = if stand.0 == self.at { stand.1.read(out)? } else { 0 };
        if n == 0 && !out.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a file of an export became shorter"));
        }
        stand.0 += n as u64;
        self.at = stand.0;
        self.content = Some(stand);
        Ok(n)
    }
}

impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.bytes.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
