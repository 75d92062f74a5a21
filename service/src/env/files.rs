//! Durable files that only their owner may read: secrets, the first invite.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// No secret file of ours comes near this.
const PRIVATE_FILE_BYTES_MAX: u64 = 64 << 10;
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

/// Makes a directory and its parents for the owner alone. One that exists is left as it is.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY).create(path)
}

/// Creates a private file, all of it or nothing, and fails with `AlreadyExists` where there is one.
pub fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    let temporary = temporary_beside(path);
    let written = write_through(&temporary, content).and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    written?;
    File::open(directory)?.sync_all()
}

/// Writes a private file, replacing one that exists.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path);
    write_through(&temporary, content)?;
    fs::rename(&temporary, path)?;
    File::open(directory_of(path))?.sync_all()
}

/// Reads a private file; one that others may read or write is refused.
pub fn read_private(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may read or write it; expected mode 0600"));
    }
    if about.len() > PRIVATE_FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is far too long"));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(about.len() as usize + 1));
    io::Read::take(&mut file, PRIVATE_FILE_BYTES_MAX).read_to_end(&mut content)?;
    Ok(content)
}

fn write_through(path: &Path, content: &[u8]) -> io::Result<()> {
    // Left by a process that died between two steps: never read by anybody, so it may go.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_made_once_and_read_only_while_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/secret");
        make_private_dir(path.parent().unwrap()).unwrap();
        create_private(&path, b"one").unwrap();
        assert_eq!(create_private(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_private(&path).unwrap().as_slice(), b"one");
        replace_private(&path, b"three").unwrap();
        assert_eq!(read_private(&path).unwrap().as_slice(), b"three");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE_FILE);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        for wide in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
            assert_eq!(read_private(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
