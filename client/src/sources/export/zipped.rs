//! A zip as an export.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::{
    ENTRIES_MAX, FileEntry, Files, ImportError, Limited, RATIO_FLOOR_BYTES, RATIO_MAX, UNPACKED_BYTES_MAX,
    checked_name, index_of, too_many,
};

/// A zip's directory is read whole into memory, so it may not be longer than this.
const DIRECTORY_BYTES_MAX: u64 = 32 << 20;

/// A zip file. Every open reads through a handle of its own, so files may be read side by side.
pub struct Zip {
    path: PathBuf,
    archive: Mutex<ZipArchive<Metered>>,
    list: Vec<FileEntry>,
    /// Where each entry of `list` stands in the directory.
    indices: Vec<usize>,
}

impl Zip {
    pub fn open(path: &Path, name: &str) -> Result<(Self, Vec<(String, String)>), ImportError> {
        let file = File::open(path)?;
        let packed = file.metadata()?.len();
        let left = Arc::new(AtomicU64::new(DIRECTORY_BYTES_MAX));
        let archive = ZipArchive::new(Metered { file, left: left.clone() });
        if left.load(Ordering::Relaxed) == 0 {
            return Err(ImportError::Hostile(format!("{name:?} has a directory above 32 MiB; refused")));
        }
        let mut archive =
            archive.map_err(|e| ImportError::Unreadable(format!("{name:?} is not a readable zip: {e}")))?;
        left.store(u64::MAX, Ordering::Relaxed);
        let (entries, skipped) = survey(&mut archive, packed, name)?;
        let (list, indices) = entries.into_iter().unzip();
        Ok((Self { path: path.into(), archive: Mutex::new(archive), list, indices }, skipped))
    }
}

type Entries = Vec<(FileEntry, usize)>;

/// Lists the files and holds their announced sizes to the limits; reading then holds them to what they announced.
fn survey(
    archive: &mut ZipArchive<Metered>,
    packed: u64,
    name: &str,
) -> Result<(Entries, Vec<(String, String)>), ImportError> {
    if archive.len() > ENTRIES_MAX {
        return Err(too_many());
    }
    let (mut entries, mut skipped, mut total) = (Vec::new(), Vec::new(), 0u64);
    for index in 0..archive.len() {
        let Ok(entry) = archive.by_index_data(index) else {
            skipped.push((format!("entry {index}"), "its record is broken".into()));
            continue;
        };
        let shown = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let reason = match entry.compression() {
            _ if entry.is_dir() => continue,
            _ if entry.is_symlink() => Some("a symbolic link".to_owned()),
            _ if entry.encrypted() => Some("encrypted".to_owned()),
            CompressionMethod::Stored | CompressionMethod::Deflated => None,
            other => Some(format!("compressed by a method we do not read ({other})")),
        };
        let path = match (reason, entry.name().map_err(|_| "the name is not valid text").and_then(|n| checked_name(&n)))
        {
            (None, Ok(path)) => path,
            (Some(reason), _) => {
                skipped.push((shown, reason));
                continue;
            }
            (None, Err(reason)) => {
                skipped.push((shown, reason.into()));
                continue;
            }
        };
        let (bytes, inside) = (entry.size(), entry.compressed_size());
        total = total.saturating_add(bytes);
        held(name, bytes, inside.min(packed))?;
        entries.push((FileEntry { path, bytes }, index));
    }
    if total > UNPACKED_BYTES_MAX {
        return Err(ImportError::Hostile(format!(
            "{name:?} unpacks to more than {} GiB; refused",
            UNPACKED_BYTES_MAX >> 30
        )));
    }
    // Entries that share bytes pass one by one; together they give themselves away.
    held(name, total, packed)?;
    entries.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    entries.dedup_by(|b, a| {
        let twice = a.0.path == b.0.path;
        if twice {
            skipped.push((b.0.path.clone(), "a second file of this name".into()));
        }
        twice
    });
    Ok((entries, skipped))
}

/// Refuses what expands beyond the ratio.
fn held(name: &str, unpacked: u64, packed: u64) -> Result<(), ImportError> {
    if unpacked <= RATIO_FLOOR_BYTES || unpacked / RATIO_MAX <= packed {
        return Ok(());
    }
    let times = unpacked / packed.max(1);
    Err(ImportError::Hostile(format!("{name:?} expands {times}-fold (limit {RATIO_MAX}); refused")))
}

impl Files for Zip {
    fn list(&self) -> &[FileEntry] {
        &self.list
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        let at = index_of(&self.list, path)?;
        let index = *self.indices.get(at).ok_or_else(|| super::not_listed(path))?;
        let (start, inside, bytes, method, crc) = {
            let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = archive.by_index_raw(index).map_err(io::Error::other)?;
            let start = entry.data_start().ok_or(io::ErrorKind::InvalidData)?;
            (start, entry.compressed_size(), entry.size(), entry.compression(), entry.crc32())
        };
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(start))?;
        let packed = file.take(inside);
        let unpacked: Box<dyn Read + Send> = match method {
            CompressionMethod::Stored => Box::new(packed),
            _ => Box::new(DeflateDecoder::new(packed)),
        };
        Ok(Box::new(Checked { inner: CrcReader::new(Limited { inner: unpacked, left: bytes }), crc }))
    }
}

/// Fails at the end when the content is not what the zip's directory says.
struct Checked<R> {
    inner: CrcReader<R>,
    crc: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        if n == 0 && !buf.is_empty() && self.inner.crc().sum() != self.crc {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the zip's checksum does not match"));
        }
        Ok(n)
    }
}

/// A file that gives at most so many bytes. It bounds what the zip library can take in before we see the result.
struct Metered {
    file: File,
    left: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let room = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.file.read(buf.get_mut(..room).unwrap_or_default())?;
        if left != u64::MAX {
            self.left.store(left - n as u64, Ordering::Relaxed);
        }
        Ok(n)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
