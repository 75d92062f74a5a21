//! Where a device keeps its secrets: in a file, in memory, or (the application's own) in an OS keyring.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use proto::wire::bytes::{Reader, Writer};
use thiserror::Error;
use zeroize::Zeroizing;

/// Secrets of one device by name. An application may bring its own, such as a phone's keystore.
pub trait KeyStore: Send + Sync {
    /// The secret of this name; none where there is none.
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError>;
    /// Stores a secret durably, in place of an earlier one.
    fn store(&self, name: &str, secret: &[u8]) -> Result<(), KeyError>;
    /// Removes a secret; none is no error.
    fn erase(&self, name: &str) -> Result<(), KeyError>;
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    #[error("others may read the key file {}: take their permission away (chmod 600)", .0.display())]
    Exposed(PathBuf),
    #[error("the key file is damaged")]
    Damaged,
    #[error("a secret or its name is too long")]
    TooLong,
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An OS keyring or an application's store failed.
    #[error("the key store failed: {0}")]
    Store(String),
}

type Secrets = BTreeMap<String, Zeroizing<Vec<u8>>>;

const NAME_BYTES_MAX: usize = 64;
const SECRET_BYTES_MAX: usize = 64 << 10;
const SECRETS_MAX: usize = 64;
const FILE_BYTES_MAX: u64 = (SECRETS_MAX * (NAME_BYTES_MAX + SECRET_BYTES_MAX + 8)) as u64;
const FILE_VERSION: u8 = 1;

/// Keeps secrets in memory, for tests and for whoever stores them elsewhere.
#[derive(Default)]
pub struct MemoryKeys(Mutex<Secrets>);

impl KeyStore for MemoryKeys {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn store(&self, name: &str, secret: &[u8]) -> Result<(), KeyError> {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(name.to_owned(), Zeroizing::new(secret.to_vec()));
        Ok(())
    }

    fn erase(&self, name: &str) -> Result<(), KeyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }
}

/// Keeps secrets in one file that only its owner may read. A file open to others is refused, not repaired: who could
/// read it may have done so.
pub struct FileKeys {
    path: PathBuf,
    /// Changes within this process come one after another; between processes the home's lock sees to that.
    changing: Mutex<()>,
}

impl FileKeys {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), changing: Mutex::new(()) }
    }

    fn read(&self) -> Result<Secrets, KeyError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Secrets::new()),
            Err(e) => return Err(e.into()),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                return Err(KeyError::Exposed(self.path.clone()));
            }
        }
        let length = file.metadata()?.len();
        if length > FILE_BYTES_MAX {
            return Err(KeyError::Damaged);
        }
        // Room for all of it at once: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length as usize + 1));
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        decode(&bytes).ok_or(KeyError::Damaged)
    }

    fn write(&self, secrets: &Secrets) -> Result<(), KeyError> {
        let bytes = encode(secrets);
        let new = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file = super::private_file(&mut options).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        #[cfg(unix)]
        if let Some(dir) = self.path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Secrets)) -> Result<(), KeyError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut secrets = self.read()?;
        change(&mut secrets);
        if secrets.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e.into()),
                _ => Ok(()),
            };
        }
        self.write(&secrets)
    }
}

impl KeyStore for FileKeys {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        Ok(self.read()?.remove(name))
    }

    fn store(&self, name: &str, secret: &[u8]) -> Result<(), KeyError> {
        if name.len() > NAME_BYTES_MAX || secret.len() > SECRET_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        self.change(|secrets| {
            secrets.insert(name.to_owned(), Zeroizing::new(secret.to_vec()));
        })
    }

    fn erase(&self, name: &str) -> Result<(), KeyError> {
        self.change(|secrets| {
            secrets.remove(name);
        })
    }
}

/// `u8 1 ‖ { lp(name) ‖ lp(secret) }*`, names ascending.
fn encode(secrets: &Secrets) -> Zeroizing<Vec<u8>> {
    let mut w = Writer::new();
    w.u8(FILE_VERSION);
    for (name, secret) in secrets {
        w.prefixed(name.as_bytes()).prefixed(secret);
    }
    Zeroizing::new(w.finish())
}

fn decode(bytes: &[u8]) -> Option<Secrets> {
    let mut r = Reader::new(bytes);
    let mut secrets = Secrets::new();
    if r.u8().ok()? != FILE_VERSION {
        return None;
    }
    while !r.is_empty() {
        let name = r.text(NAME_BYTES_MAX).ok()?.to_owned();
        let secret = Zeroizing::new(r.prefixed(SECRET_BYTES_MAX).ok()?.to_vec());
        if secrets.len() == SECRETS_MAX || secrets.keys().next_back().is_some_and(|last| *last >= name) {
            return None;
        }
        secrets.insert(name, secret);
    }
    Some(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(store: &dyn KeyStore) {
        assert!(store.load("device").unwrap().is_none());
        store.store("device", b"one").unwrap();
        store.store("archive", b"two").unwrap();
        store.store("device", b"three").unwrap();
        assert_eq!(store.load("device").unwrap().unwrap().as_slice(), b"three");
        store.erase("device").unwrap();
        store.erase("device").unwrap();
        assert!(store.load("device").unwrap().is_none());
        assert_eq!(store.load("archive").unwrap().unwrap().as_slice(), b"two");
        store.erase("archive").unwrap();
    }

    #[test]
    fn memory_and_file_keep_secrets_alike() {
        let dir = tempfile::tempdir().unwrap();
        keeps(&MemoryKeys::default());
        keeps(&FileKeys::new(&dir.path().join("device.key")));
        assert!(!dir.path().join("device.key").exists(), "nothing is left of erased secrets");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_open_to_others_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        let store = FileKeys::new(&path);
        store.store("device", b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(store.load("device"), Err(KeyError::Exposed(_))));
        assert!(matches!(store.store("device", b"x"), Err(KeyError::Exposed(_))));
    }

    #[test]
    fn no_damaged_key_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        let store = FileKeys::new(&path);
        store.store("a", b"secret").unwrap();
        let good = fs::read(&path).unwrap();
        for cut in 2..good.len() {
            fs::write(&path, &good[..cut]).unwrap();
            assert!(matches!(store.load("a"), Err(KeyError::Damaged)), "cut at {cut}");
        }
    }
}
