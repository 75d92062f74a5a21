//! Places for work that goes away: archives that prove a restore, or show an older state. They lie sealed in the cache
//! folder, which may be deleted at any time.

use std::path::{Path, PathBuf};

use client::home::private_dir;
use tempfile::TempDir;

use crate::problem::{Problem, Result};

/// Goes away with this value, and the cache folder with it where nothing else is in it.
pub struct Scratch {
    place: Option<TempDir>,
    cache: PathBuf,
}

impl Scratch {
    pub fn new(cache: &Path, prefix: &str) -> Result<Self> {
        let failed = |e: std::io::Error| Problem::io(cache, &e);
        private_dir(cache).map_err(failed)?;
        let place = tempfile::Builder::new().prefix(prefix).tempdir_in(cache).map_err(failed)?;
        Ok(Self { place: Some(place), cache: cache.to_path_buf() })
    }

    pub fn path(&self) -> &Path {
        self.place.as_ref().map_or(&self.cache, TempDir::path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.place = None;
        let _ = std::fs::remove_dir(&self.cache);
    }
}
