//! Exports that were imported and have not changed since: they are not read again, and what was told of them is told
//! again (SURFACE §3 `backup`).

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{FilesOf, ImportOptions, Report};
use crate::archive::Archive;
use crate::error::Result;
use crate::sources::FileEntry;

/// Bytes at either edge of a file that are compared.
const EDGE_BYTES: u64 = 64 << 10;
/// Files whose edges are compared: texts. Of all others in a folder size, times and inode are.
const TEXTS: [&str; 4] = ["txt", "json", "jsonl", "ndjson"];
/// A folder of more files is always read again.
const FILES_MAX: usize = 200_000;
/// What is kept of an import: bytes of its report. A longer one is not kept.
const REPORT_BYTES_MAX: usize = 4 << 20;

/// What tells whether an export is the one that was read, and read in the same way.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mark([u8; 32]);

impl Mark {
    /// `list` are the export's files: media beside a file that was named belongs to it.
    pub fn of(path: &Path, list: &[FileEntry], options: &ImportOptions) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let ImportOptions { format, answers, exclude, dry_run: _, reread: _, files: _ } = options;
        hasher.update(format!("{format:?} {answers:?} {exclude:?}").as_bytes());
        for entry in list {
            hasher.update(entry.path.as_bytes()).update(&[0]).update(&entry.bytes.to_le_bytes());
        }
        let facts = fs::metadata(path)?;
        if facts.is_dir() {
            let mut left = FILES_MAX;
            folder(path, &mut hasher, &mut left)?;
        } else {
            file(path, &facts, true, &mut hasher)?;
        }
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The mark of an export whose files were treated like this.
    pub fn read(&self, files: FilesOf) -> Self {
        match files {
            FilesOf::Copied => self.clone(),
            FilesOf::LeftThere => Self(*blake3::hash(&self.0).as_bytes()),
        }
    }
}

fn folder(path: &Path, hasher: &mut blake3::Hasher, left: &mut usize) -> io::Result<()> {
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("more files than are compared"))?;
        let (path, facts) = (entry.path(), entry.metadata()?);
        hasher.update(path.as_os_str().as_encoded_bytes()).update(&[0]);
        if facts.is_dir() {
            folder(&path, hasher, left)?;
        } else if facts.is_file() {
            let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
            file(&path, &facts, TEXTS.contains(&ending.as_str()), hasher)?;
        }
    }
    Ok(())
}

fn file(path: &Path, facts: &Metadata, edges: bool, hasher: &mut blake3::Hasher) -> io::Result<()> {
    hasher.update(&facts.len().to_le_bytes());
    for number in identity(facts) {
        hasher.update(&number.to_le_bytes());
    }
    if !edges {
        return Ok(());
    }
    let mut content = File::open(path)?;
    hasher.update_reader(Read::by_ref(&mut content).take(EDGE_BYTES))?;
    content.seek(SeekFrom::Start(facts.len().saturating_sub(EDGE_BYTES)))?;
    hasher.update_reader(content.take(EDGE_BYTES))?;
    Ok(())
}

/// Inode and times.
#[cfg(unix)]
fn identity(facts: &Metadata) -> [i64; 6] {
    use std::os::unix::fs::MetadataExt;
    let (device, inode) = (facts.dev().cast_signed(), facts.ino().cast_signed());
    [device, inode, facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec()]
}

#[cfg(not(unix))]
fn identity(facts: &Metadata) -> [i64; 1] {
    let modified = facts.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    [modified.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))]
}

/// What was told of an export when it was imported, if it is the same still.
///
/// Where files were copied nothing is left to do for an import that leaves them there; not so the other way round.
pub(super) fn recall(
    archive: &Archive,
    path: &Path,
    shown: &str,
    mark: &Mark,
    files: FilesOf,
) -> Result<Option<Report>> {
    let Some(kept) = archive.source(&path.to_string_lossy())? else { return Ok(None) };
    let Some((known, report)) = kept.split_first_chunk::<32>() else { return Ok(None) };
    // A report of another version is read again, from the export.
    let report =
        serde_json::from_slice::<Report>(report).ok().filter(|_| *known == mark.0 || *known == mark.read(files).0);
    Ok(report.map(|report| report.again(shown)))
}

/// Keeps what was told of an export. Called once all of it is in the archive.
pub(super) fn remember(archive: &mut Archive, path: &Path, mark: &Mark, report: &Report, now_ms: i64) -> Result<()> {
    let told = serde_json::to_vec(report).unwrap_or_default();
    if told.len() <= REPORT_BYTES_MAX {
        let kept = [&mark.0, told.as_slice()].concat();
        archive.commit(|c| c.set_source(&path.to_string_lossy(), &kept, now_ms))?;
    }
    Ok(())
}
