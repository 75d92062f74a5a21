//! What holds an export: a file alone, a folder or a zip. Nothing in it is trusted.
//!
//! Names are checked before anything else sees them, sizes are bounded before anything is read, and an item that cannot
//! be taken is listed in [`Opened::skipped`] while the rest goes on.

mod alone;
mod find;
mod folder;
mod names;
mod take;
mod zipped;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use find::find_exports;
pub use names::{NAME_BYTES_MAX, NAME_PARTS_MAX, checked_name};
pub use take::{Taken, Taker};

use super::{FileEntry, Files, ImportError};

/// An export holds at most this many files.
pub const ENTRIES_MAX: usize = 500_000;
/// What a zip may unpack to, all files together.
pub const UNPACKED_BYTES_MAX: u64 = 64 << 30;
/// How many times larger than itself a zip, or a file in it, may unpack.
pub const RATIO_MAX: u64 = 200;
/// Below this size unpacked no ratio is suspicious: a small file of zeros harms nobody.
pub const RATIO_FLOOR_BYTES: u64 = 10 << 20;

/// An export opened for reading.
pub struct Opened {
    /// Name of the file or folder, for people.
    pub name: String,
    pub files: Box<dyn Files + Send + Sync>,
    /// Items that were left out, each with its reason.
    pub skipped: Vec<(String, String)>,
}

/// Opens what lies at `path`, whatever kind of container it is.
pub fn open_path(path: &Path) -> Result<Opened, ImportError> {
    let name = path.canonicalize()?.file_name().map_or("export".into(), |n| n.to_string_lossy().into_owned());
    if path.is_dir() {
        let (files, skipped) = folder::Folder::open(path)?;
        return Ok(Opened { name, files: Box::new(files), skipped });
    }
    let mut magic = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut magic)?;
    // An empty zip consists of its end record alone, so it starts with that one's signature.
    if magic == b"PK\x03\x04" || magic == b"PK\x05\x06" {
        let (files, skipped) = zipped::Zip::open(path, &name)?;
        return Ok(Opened { name, files: Box::new(files), skipped });
    }
    if let Some((files, skipped)) = folder::Folder::beside(path)? {
        return Ok(Opened { name, files: Box::new(files), skipped });
    }
    Ok(Opened { files: Box::new(alone::Alone::open(path, &name)?), name, skipped: Vec::new() })
}

/// Reads single files of exports again, long after they were read as a whole. Remembers the zip opened last: its
/// directory may be long, and files of one export are read one after another.
#[derive(Default)]
pub struct Members {
    zip: Option<(PathBuf, zipped::Zip)>,
}

impl Members {
    /// Opens the file `member` of the export at `path`, whatever it holds by now.
    pub fn open(&mut self, path: &Path, member: &str) -> io::Result<Box<dyn Read + Send>> {
        if path.is_dir() {
            return folder::open_member(path, member);
        }
        let mut magic = Vec::new();
        File::open(path)?.take(4).read_to_end(&mut magic)?;
        if magic != b"PK\x03\x04" {
            // A main file that was named stands for the folder around it.
            return folder::open_member(path.parent().unwrap_or(Path::new(".")), member);
        }
        if self.zip.as_ref().is_none_or(|(of, _)| of != path) {
            let (zip, _) = zipped::Zip::open(path, "the export").map_err(io::Error::other)?;
            self.zip = Some((path.to_owned(), zip));
        }
        self.zip.as_ref().map_or_else(|| Err(not_listed(member)), |(_, zip)| zip.open(member))
    }
}

/// Fails once more than `left` bytes have come: what was announced may not be exceeded.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(n)
    }
}

fn not_listed(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{path} is not in this export"))
}

fn too_many() -> ImportError {
    ImportError::Hostile(format!("holds more than {ENTRIES_MAX} files; refused"))
}

/// Looks a path up in a list sorted by path.
fn index_of(list: &[FileEntry], path: &str) -> io::Result<usize> {
    list.binary_search_by(|e| e.path.as_str().cmp(path)).map_err(|_| not_listed(path))
}

#[cfg(test)]
mod tests;
