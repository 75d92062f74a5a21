//! The media store: attachments on this device, each a file of sealed blocks under a number that tells nothing.
//!
//! A file is written under `media/new/` and moved once the database names it, so a kill leaves nothing half known.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{ArchiveError, Result};
use super::outside;
use super::parts::{MediaSealer, Parts};
use super::statements::Statements as _;
use crate::crypto::Wiped;
use crate::ids::FileId;
use crate::sources::FileTaken;

/// Read at once where a content is only hashed.
const LOOK_BYTES: usize = 256 << 10;
/// Bytes of a file in one sealed block.
const BLOCK_BYTES: usize = 64 << 10;
/// A sealed block is at most this much longer.
const SEAL_BYTES_MAX: usize = 1 << 10;
/// Long texts above this are not read into memory; their beginning is shown.
const TEXT_BYTES_MAX: u64 = 64 << 20;
/// Blocks of one file are counted in 32 bits.
const FILE_BYTES_MAX: u64 = (BLOCK_BYTES as u64) << 31;

pub(super) struct Store {
    dir: PathBuf,
    sealer: Arc<dyn MediaSealer>,
}

/// A file taken in, not yet named by the database.
pub(super) struct Taken {
    pub file: FileId,
    pub hash: [u8; 32],
    pub bytes: u64,
    /// Its number; absent where the content was known here already.
    pub number: Option<i64>,
}

/// Reads a content to its end and tells what it is, without keeping it.
pub(super) fn look(parts: &Parts, content: &mut dyn Read) -> Result<(FileId, FileTaken)> {
    let taken = hash_content(content)?;
    Ok((parts.ids.file(&taken.hash, taken.bytes), taken))
}

/// Reads a content to its end and hashes it.
pub fn hash_content(content: &mut dyn Read) -> io::Result<FileTaken> {
    let mut buffer = Wiped::zeros(LOOK_BYTES);
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    loop {
        let n = match content.read(&mut buffer) {
            Ok(0) => return Ok(FileTaken { hash: *hasher.finalize().as_bytes(), bytes }),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        hasher.update(buffer.split_at(n).0);
        bytes += n as u64;
    }
}

impl Store {
    pub fn new(dir: &Path, sealer: Arc<dyn MediaSealer>) -> Self {
        Self { dir: dir.to_path_buf(), sealer }
    }

    /// Another handle of the same store.
    pub fn again(&self) -> Self {
        Self { dir: self.dir.clone(), sealer: self.sealer.clone() }
    }

    /// Makes the folders, and settles what a killed writer left behind.
    pub fn prepare(&self, db: &Connection) -> Result<()> {
        for dir in [self.dir.clone(), self.dir.join("new")] {
            crate::home::private_dir(&dir)?;
        }
        for entry in fs::read_dir(self.dir.join("new"))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let number = i64::from_str_radix(name, 16).ok();
            let known = match number {
                Some(n) => db.one("SELECT EXISTS (SELECT 1 FROM files WHERE here = ?1)", [n], |r| r.get(0))?,
                None => false,
            };
            match number.filter(|_| known) {
                Some(n) => fs::rename(&path, self.path(n))?,
                None => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }

    /// Reads a content to its end and stores it under `number`, unless `known` says that it is here.
    pub fn take(
        &self,
        parts: &Parts,
        content: &mut dyn Read,
        number: i64,
        known: &dyn Fn(&FileId) -> Result<bool>,
    ) -> Result<Taken> {
        // What fits one buffer is hashed before anything is written: a known sticker costs no file.
        let mut head = vec![0; 1 << 20];
        let filled = fill(content, &mut head)?;
        head.truncate(filled);
        if filled < 1 << 20 {
            let (hash, bytes) = (*blake3::hash(&head).as_bytes(), filled as u64);
            let file = parts.ids.file(&hash, bytes);
            if known(&file)? {
                return Ok(Taken { file, hash, bytes, number: None });
            }
        }
        let path = self.new_path(number);
        let mut hasher = blake3::Hasher::new();
        let bytes = self.write(&path, number, &mut head.as_slice().chain(content), &mut hasher)?;
        let hash = *hasher.finalize().as_bytes();
        let file = parts.ids.file(&hash, bytes);
        if known(&file)? {
            fs::remove_file(&path)?;
            return Ok(Taken { file, hash, bytes, number: None });
        }
        Ok(Taken { file, hash, bytes, number: Some(number) })
    }

    fn write(&self, path: &Path, number: i64, content: &mut dyn Read, hasher: &mut blake3::Hasher) -> Result<u64> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut out = crate::home::private_file(&mut options).open(path)?;
        let place = place(number);
        let (mut block, mut next) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
        let mut filled = fill(content, &mut block)?;
        let mut total = 0u64;
        for n in 0u32.. {
            let following = if filled == BLOCK_BYTES { fill(content, &mut next)? } else { 0 };
            let plain = block.get(..filled).unwrap_or_default();
            hasher.update(plain);
            total += filled as u64;
            if total > FILE_BYTES_MAX {
                return Err(ArchiveError::Refused("an attachment is larger than an archive holds"));
            }
            let sealed = self.sealer.seal_block(&place, n, following == 0, plain);
            let length = u32::try_from(sealed.len())
                .ok()
                .filter(|_| sealed.len() <= BLOCK_BYTES + SEAL_BYTES_MAX)
                .ok_or(ArchiveError::Refused("a sealed block is too long"))?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(&sealed)?;
            if following == 0 {
                break;
            }
            std::mem::swap(&mut block, &mut next);
            filled = following;
        }
        // The row that names the file must not outlive its bytes.
        out.sync_all()?;
        Ok(total)
    }

    /// Moves files that the database now names to their place.
    pub fn keep(&self, numbers: &[i64]) -> Result<()> {
        for n in numbers {
            fs::rename(self.new_path(*n), self.path(*n))?;
        }
        Ok(())
    }

    /// Opens a file that is here.
    pub fn open(&self, db: &Connection, file: &FileId) -> Result<Option<MediaReader>> {
        let found = db.one("SELECT here, bytes FROM files WHERE file = ?1", [file.0], |r| {
            Ok((r.get::<_, Option<i64>>(0)?, r.get::<_, i64>(1)?))
        });
        let Some((Some(number), bytes)) = found.optional()? else { return Ok(None) };
        let opened = File::open(self.path(number)).or_else(|_| File::open(self.new_path(number)));
        let sealed = match opened {
            Ok(sealed) => sealed,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(ArchiveError::Damaged("a media file is gone".into()));
            }
            Err(e) => return Err(e.into()),
        };
        let sealer = self.sealer.clone();
        Ok(Some(MediaReader::blocks(sealed, sealer, place(number), bytes.cast_unsigned())))
    }

    /// Reads a whole text that is stored as a file; none where it is not here.
    pub fn read_text(&self, db: &Connection, file: &FileId) -> Result<Option<Vec<u8>>> {
        let Some(reader) = self.open(db, file)? else { return Ok(None) };
        let mut whole = Vec::new();
        reader.take(TEXT_BYTES_MAX).read_to_end(&mut whole)?;
        Ok(Some(whole).filter(|w| std::str::from_utf8(w).is_ok()))
    }

    pub fn remove(&self, number: i64) -> Result<()> {
        match fs::remove_file(self.path(number)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Removes a file that was stored and not named.
    pub fn remove_new(&self, number: i64) -> Result<()> {
        match fs::remove_file(self.new_path(number)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn path(&self, number: i64) -> PathBuf {
        self.dir.join(format!("{number:x}"))
    }

    fn new_path(&self, number: i64) -> PathBuf {
        self.dir.join("new").join(format!("{number:x}"))
    }
}

/// Names a file taken in, and the bytes it brings.
pub(super) fn insert(db: &Connection, taken: &Taken) -> Result<()> {
    db.run(
        "INSERT INTO files (file, hash, bytes, here, vault) VALUES (?1, ?2, ?3, ?4, 0) \
         ON CONFLICT (file) DO UPDATE SET here = coalesce(here, excluded.here)",
        params![taken.file.0, taken.hash, taken.bytes.cast_signed(), taken.number],
    )?;
    Ok(())
}

pub(super) fn next_number(db: &Connection) -> Result<i64> {
    let last: Option<i64> = db.one("SELECT max(here) FROM files WHERE here IS NOT NULL", [], |r| r.get(0))?;
    Ok(last.unwrap_or(0) + 1)
}

pub(super) fn is_here(db: &Connection, file: &FileId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM files WHERE file = ?1 AND here IS NOT NULL)";
    Ok(db.one(sql, [file.0], |r| r.get(0))?)
}

/// Whether a file is known: it is here, in an export, or in the vault.
pub(super) fn is_known(db: &Connection, file: &FileId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM files WHERE file = ?1 AND (here IS NOT NULL OR vault <> 0))";
    Ok(db.prepare_cached(sql)?.query_row([file.0], |r| r.get(0))? || outside::is_there(db, file)?)
}

/// What binds a block to its file: the file's number, which the sealed database ties to its content.
fn place(number: i64) -> [u8; 32] {
    let mut place = [0; 32];
    for (to, from) in place.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    place
}

/// Fills a buffer as far as the content goes.
fn fill(content: &mut dyn Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|r| !r.is_empty()) {
        match content.read(room) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(filled)
}

/// An attachment's content. Seeking costs one block, or for a file that lies in an export another reading of it.
pub struct MediaReader(Source);

enum Source {
    Blocks(Box<Blocks>),
    Outside(Box<outside::Reading>),
}

impl MediaReader {
    fn blocks(sealed: File, sealer: Arc<dyn MediaSealer>, place: [u8; 32], bytes: u64) -> Self {
        let sealed = BufReader::new(sealed);
        Self(Source::Blocks(Box::new(Blocks { sealed, sealer, place, bytes, at: 0, block: None, in_order: true })))
    }

    pub(super) fn outside(reading: outside::Reading) -> Self {
        Self(Source::Outside(Box::new(reading)))
    }

    /// Size of the content.
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Source::Blocks(blocks) => blocks.bytes,
            Source::Outside(reading) => reading.bytes,
        }
    }
}

impl Read for MediaReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Blocks(blocks) => blocks.read(out),
            Source::Outside(reading) => reading.read(out),
        }
    }
}

impl Seek for MediaReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.0 {
            Source::Blocks(blocks) => blocks.seek(to),
            Source::Outside(reading) => reading.seek(to),
        }
    }
}

/// A file of the store, opened block by block.
struct Blocks {
    sealed: BufReader<File>,
    sealer: Arc<dyn MediaSealer>,
    place: [u8; 32],
    bytes: u64,
    at: u64,
    /// The block in hand, by number.
    block: Option<(u32, Vec<u8>)>,
    /// Whether the file stands just behind the block in hand.
    in_order: bool,
}

impl Blocks {
    fn load(&mut self, number: u32) -> io::Result<()> {
        let expected = self.block.as_ref().map_or(0, |(n, _)| n + 1);
        if !self.in_order || expected != number {
            // All blocks but the last are of one length.
            self.sealed.seek(SeekFrom::Start(0))?;
            if number > 0 {
                let step = u64::from(self.length()?) + 4;
                self.sealed.seek(SeekFrom::Start(step * u64::from(number)))?;
            }
        }
        let mut sealed = vec![0; self.length()? as usize];
        self.sealed.read_exact(&mut sealed)?;
        let last = u64::from(number) == self.bytes.saturating_sub(1) / BLOCK_BYTES as u64;
        let plain = self.sealer.open_block(&self.place, number, last, &sealed).ok_or_else(damaged)?;
        self.block = Some((number, plain));
        self.in_order = true;
        Ok(())
    }

    fn length(&mut self) -> io::Result<u32> {
        let mut length = [0; 4];
        self.sealed.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length as usize > BLOCK_BYTES + SEAL_BYTES_MAX { Err(damaged()) } else { Ok(length) }
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a media file is damaged")
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.bytes || out.is_empty() {
            return Ok(0);
        }
        let number = u32::try_from(self.at / BLOCK_BYTES as u64).map_err(|_| damaged())?;
        if self.block.as_ref().is_none_or(|(n, _)| *n != number) {
            self.load(number)?;
        }
        let inside = (self.at % BLOCK_BYTES as u64) as usize;
        let rest = self.block.as_ref().and_then(|(_, b)| b.get(inside..)).filter(|r| !r.is_empty());
        let n = rest.ok_or_else(damaged)?.read(out)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Blocks {
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
