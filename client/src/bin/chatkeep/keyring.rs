//! The OS keyring as a key store. It is never touched where `CHATKEEP_HOME` names the home.

use client::home::{KeyError, KeyStore};
use zeroize::Zeroizing;

/// Entries of one home in the OS keyring.
pub struct OsKeys {
    /// Tells homes of one person apart.
    home: String,
}

impl OsKeys {
    /// None where this session has no OS keyring.
    pub fn find(home: &std::path::Path) -> Option<Self> {
        let ready = apart(|| keyring::Entry::store_status().is_ok());
        ready.then(|| Self { home: home.display().to_string() })
    }

    fn entry(&self, name: &str) -> Result<keyring::Entry, KeyError> {
        keyring::Entry::new(crate::NAME, &format!("{name} of {}", self.home)).map_err(failed)
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
        apart(|| self.entry(name)?.set_secret(secret).map_err(failed))
    }

    fn erase(&self, name: &str) -> Result<(), KeyError> {
        apart(|| match self.entry(name)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(failed(error)),
        })
    }
}

fn failed(error: keyring::Error) -> KeyError {
    KeyError::Store(error.to_string())
}

/// Some keyrings bring a runtime of their own, which must not start inside ours.
fn apart<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}
