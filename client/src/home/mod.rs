//! The home: the folder that holds everything chatkeep keeps on this device, its lock and its keys.
//!
//! Folders are 0700 and files 0600. Everything in it but the key file is sealed.

mod keys;
mod lock;

pub use keys::{FileKeys, KeyError, KeyStore, MemoryKeys};
pub use lock::{Busy, Lock, LockError};

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Paths inside a home.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Takes a folder as home and makes it, private to its owner.
    pub fn open(dir: &Path) -> io::Result<Self> {
        private_dir(dir)?;
        Ok(Self { dir: dir.to_path_buf() })
    }

    /// Takes a folder as home as it is; nothing is made or changed.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the archive lies (`archive::Archive`).
    pub fn archive_dir(&self) -> PathBuf {
        self.dir.join("archive")
    }

    /// Removes the archive; none is no error. What it holds is gone.
    pub fn remove_archive(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.archive_dir()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    pub fn lock_path(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// Keys of this device where there is no OS keyring.
    pub fn key_path(&self) -> PathBuf {
        self.dir.join("device.key")
    }
}

/// Makes a folder, or takes away what others may do in it.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        if fs::metadata(dir)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
    #[cfg(not(unix))]
    fs::create_dir_all(dir)
}

/// Opens files for their owner only.
pub fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600)
    }
    #[cfg(not(unix))]
    options
}
