//! One writer per home. Readers never take the lock.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use fs4::{FileExt, TryLockError};
use thiserror::Error;

/// The lock, held until dropped or until the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Who holds the lock, as it wrote itself down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Busy {
    pub pid: u32,
    pub command: String,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// E_BUSY (11).
    #[error("another chatkeep (pid {}, {}) is using this archive", .0.pid, .0.command)]
    Busy(Busy),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is read of a holder's own words.
const HOLDER_BYTES_MAX: u64 = 256;

impl Lock {
    /// Takes the lock at once or says who has it. `command` is what the holder does, such as `backup`.
    pub fn take(path: &Path, pid: u32, command: &str) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = super::private_file(&mut options).open(path)?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Busy(holder(&mut file)?)),
            Err(TryLockError::Error(e)) => return Err(e.into()),
        }
        file.set_len(0)?;
        let command: String = command.chars().filter(|c| !c.is_control()).take(64).collect();
        file.write_all(format!("{pid} {command}\n").as_bytes())?;
        file.flush()?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The words go first: whoever locks next writes its own. Closing the file would free the lock as well.
        let _ = self.file.set_len(0);
        let _ = FileExt::unlock(&self.file);
    }
}

fn holder(file: &mut File) -> io::Result<Busy> {
    file.rewind()?;
    let mut text = Vec::new();
    file.take(HOLDER_BYTES_MAX).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let (pid, command) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    Ok(Busy { pid: pid.parse().unwrap_or(0), command: command.chars().filter(|c| !c.is_control()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::take(&path, 4121, "backup").unwrap();
        let Err(LockError::Busy(busy)) = Lock::take(&path, 5, "import") else { panic!("two writers") };
        assert_eq!(busy, Busy { pid: 4121, command: "backup".into() });
        drop(lock);
        let lock = Lock::take(&path, 5, "sync --watch\u{1b}[2J").unwrap();
        let Err(LockError::Busy(busy)) = Lock::take(&path, 6, "x") else { panic!("two writers") };
        assert_eq!((busy.pid, busy.command.contains('\u{1b}')), (5, false));
        drop(lock);
    }
}
