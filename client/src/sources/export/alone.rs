//! A single file as an export.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{FileEntry, Files, ImportError, Limited, checked_name, not_listed};

pub struct Alone {
    path: PathBuf,
    entry: [FileEntry; 1],
}

impl Alone {
    pub fn open(path: &Path, name: &str) -> Result<Self, ImportError> {
        let facts = path.metadata()?;
        if !facts.is_file() {
            return Err(ImportError::Unreadable(format!("{name:?} is neither a file nor a folder")));
        }
        // The name is only shown and compared; one that could not stand in a folder is replaced.
        let shown = checked_name(name).unwrap_or_else(|_| "export".into());
        Ok(Self { path: path.into(), entry: [FileEntry { path: shown, bytes: facts.len() }] })
    }
}

impl Files for Alone {
    fn list(&self) -> &[FileEntry] {
        &self.entry
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        let [entry] = &self.entry;
        if entry.path != path {
            return Err(not_listed(path));
        }
        Ok(Box::new(Limited { inner: File::open(&self.path)?, left: entry.bytes }))
    }
}
