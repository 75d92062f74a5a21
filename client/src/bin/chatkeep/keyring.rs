//! The OS keyring as a key store. It is never touched where `CHATKEEP_HOME` names the home.

use std::path::{Path, PathBuf};

use client::home::{KeyError, KeyStore};
use zeroize::Zeroizing;

/// Entries of one home in the OS keyring.
pub struct OsKeys {
    /// Tells homes of one person apart.
    home: PathBuf,
}

/// Stands for a keyring that this session does not reach, and that holds this home's keys. Without it such a home would
/// look like one where nothing is set up, and be set up anew over what is there.
pub struct NoKeyring;

/// Lies in a home whose keys are in the OS keyring.
const MARK: &str = "keys-in-keyring";

impl OsKeys {
    /// None where this session has no OS keyring.
    pub fn find(home: &Path) -> Option<Self> {
        let ready = apart(|| keyring::Entry::store_status().is_ok());
        ready.then(|| Self { home: home.to_path_buf() })
    }

    /// Whether a home's keys were put into the OS keyring.
    pub fn has(home: &Path) -> bool {
        home.join(MARK).exists()
    }

    fn entry(&self, name: &str) -> Result<keyring::Entry, KeyError> {
        keyring::Entry::new(crate::NAME, &format!("{name} of {}", self.home.display())).map_err(failed)
    }
}

impl KeyStore for OsKeys {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        apart(|| match self.entry(name)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(failed(error)),
        })
    }

    fn store(&self, name: &str, secret: &[u8]) -> Result<(), KeyError> {
        std::fs::write(self.home.join(MARK), "")?;
        apart(|| self.entry(name)?.set_secret(secret).map_err(failed))
    }

    fn erase(&self, name: &str) -> Result<(), KeyError> {
        apart(|| match self.entry(name)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(failed(error)),
        })
    }
}

impl NoKeyring {
    fn unreachable<T>() -> Result<T, KeyError> {
        Err(KeyError::Store("this session has none".to_owned()))
    }
}

impl KeyStore for NoKeyring {
    fn load(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        Self::unreachable()
    }

    fn store(&self, _: &str, _: &[u8]) -> Result<(), KeyError> {
        Self::unreachable()
    }

    fn erase(&self, _: &str) -> Result<(), KeyError> {
        Self::unreachable()
    }
}

fn failed(error: keyring::Error) -> KeyError {
    KeyError::Store(error.to_string())
}

/// Some keyrings bring a runtime of their own, which must not start inside ours.
fn apart<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}
