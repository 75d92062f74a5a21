//! The service's own secrets, in files of their own: OPRF seed with key pair, and the token keys.
//!
//! Form of both files: lines `name hex`. They are made at first start, private to the owner, and never stand in the
//! database, the bucket or a state backup.

use std::io;
use std::path::{Path, PathBuf};

use proto::wire::context::PREFIX;
use proto::wire::slot::{AccountName, Argon2Cost};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::opaque::Setup;
use super::token::TokenKeys;
use crate::env::files::{create_private, make_private_dir, read_private};
use crate::env::{Entropy, random};

const OPAQUE_LINE: &str = "opaque";
const CURRENT_LINE: &str = "current";
const PREVIOUS_LINE: &str = "previous";

/// The cost asked of devices at registration, and pretended for most unknown names.
pub const ARGON2_DEFAULT: Argon2Cost = Argon2Cost { memory_kib: 64 << 10, passes: 3, lanes: 1 };
/// The cost people choose when all their devices are large.
pub const ARGON2_LARGE: Argon2Cost = Argon2Cost { memory_kib: 256 << 10, passes: 3, lanes: 1 };
/// One unknown name in this many claims the larger cost.
const LARGE_ONE_IN: u8 = 16;

#[derive(Debug, Error)]
pub enum SecretsError {
    #[error("cannot read the secret file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot make the secret file {path}: {source}")]
    Make { path: PathBuf, source: io::Error },
    #[error("{path} is not a secret file of this service")]
    Form { path: PathBuf },
}

/// All secrets the service holds.
pub struct Secrets {
    pub opaque: Setup,
    pub tokens: TokenKeys,
    pretend: PretendKey,
}

/// Derived from the OPRF seed: what unknown names are answered with must not change between restarts.
#[derive(Zeroize, ZeroizeOnDrop)]
struct PretendKey([u8; 32]);

/// What an unknown name is answered with.
pub struct Pretended {
    pub credential_id: [u8; 32],
    pub cost: Argon2Cost,
    /// Stands in for the account id wherever guesses are counted.
    pub guess_key: [u8; 32],
}

impl Secrets {
    /// Reads both files, making those that do not exist.
    pub fn load(opaque_seed: &Path, token_keys: &Path, entropy: &dyn Entropy) -> Result<Self, SecretsError> {
        let seed = read_or_make(opaque_seed, || line(OPAQUE_LINE, &Setup::generate(entropy).encode()))?;
        let keys = read_or_make(token_keys, || line(CURRENT_LINE, &*Zeroizing::new(random::<32>(entropy))))?;
        let form = |path: &Path| SecretsError::Form { path: path.to_owned() };
        let setup = value(&seed, OPAQUE_LINE).ok_or_else(|| form(opaque_seed))?;
        let setup = Setup::decode(&setup).map_err(|_| form(opaque_seed))?;
        let current = key(&keys, CURRENT_LINE).ok_or_else(|| form(token_keys))?;
        Ok(Self::new(setup, TokenKeys::new(current, key(&keys, PREVIOUS_LINE))))
    }

    /// Secrets that live only as long as the process.
    pub fn fresh(entropy: &dyn Entropy) -> Self {
        Self::new(Setup::generate(entropy), TokenKeys::new(random(entropy), None))
    }

    fn new(opaque: Setup, tokens: TokenKeys) -> Self {
        let pretend = blake3::derive_key(&format!("{PREFIX}pretended credential"), &opaque.encode());
        Self { opaque, tokens, pretend: PretendKey(pretend) }
    }

    pub fn pretend(&self, name: &AccountName) -> Pretended {
        let mut out = [0; 65];
        let mut hasher = blake3::Hasher::new_keyed(&self.pretend.0);
        hasher.update(name.as_str().as_bytes()).finalize_xof().fill(&mut out);
        let (credential_id, rest) = out.split_first_chunk().expect("65 bytes hold 32");
        let (guess_key, rest) = rest.split_first_chunk().expect("33 bytes hold 32");
        let large = rest.iter().all(|b| *b < u8::MAX / LARGE_ONE_IN);
        let cost = if large { ARGON2_LARGE } else { ARGON2_DEFAULT };
        Pretended { credential_id: *credential_id, cost, guess_key: *guess_key }
    }
}

fn read_or_make(path: &Path, content: impl FnOnce() -> Zeroizing<String>) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    match read_private(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(|source| SecretsError::Read { path: path.to_owned(), source }),
    }
    let made = path.parent().map_or(Ok(()), make_private_dir).and_then(|()| create_private(path, content().as_bytes()));
    match made {
        // Another instance made it first: its secret is the one to use.
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(SecretsError::Make { path: path.to_owned(), source })
        }
        _ => read_private(path).map_err(|source| SecretsError::Read { path: path.to_owned(), source }),
    }
}

fn line(name: &str, secret: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(name.len() + 2 + secret.len() * 2));
    text.push_str(name);
    text.push(' ');
    for byte in secret {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).expect("four bits are one hex digit"));
        }
    }
    text.push('\n');
    text
}

fn value(file: &[u8], name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(file).ok()?;
    let hex = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '))?.trim();
    let mut digits = hex.chars().map(|c| c.to_digit(16));
    let mut out = Zeroizing::new(Vec::with_capacity(hex.len() / 2));
    while let Some(high) = digits.next() {
        out.push((high? << 4 | digits.next()??) as u8);
    }
    Some(out)
}

fn key(file: &[u8], name: &str) -> Option<[u8; 32]> {
    value(file, name)?.as_slice().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::Caller;
    use crate::env::SystemEntropy;
    use proto::wire::ids::{AccountId, DeviceId};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn secrets_are_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (seed, keys) = (dir.path().join("s/opaque.seed"), dir.path().join("s/token.keys"));
        let first = Secrets::load(&seed, &keys, &SystemEntropy).unwrap();
        let again = Secrets::load(&seed, &keys, &SystemEntropy).unwrap();
        assert_eq!(first.opaque.encode(), again.opaque.encode());
        let caller = Caller { account: AccountId([1; 32]), device: DeviceId([2; 32]), generation: 1 };
        assert!(again.tokens.open(&first.tokens.make(&caller, 0), 0).is_some());
        let name = AccountName::new("ana").unwrap();
        assert_eq!(first.pretend(&name).credential_id, again.pretend(&name).credential_id);
        for path in [&seed, &keys] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&seed, "opaque 00ff\n").unwrap();
        assert!(matches!(Secrets::load(&seed, &keys, &SystemEntropy), Err(SecretsError::Form { .. })));
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Secrets::load(&seed, &keys, &SystemEntropy),
            Err(SecretsError::Form { .. } | SecretsError::Read { .. })
        ));
    }

    #[test]
    fn unknown_names_differ_among_themselves_and_some_claim_the_large_cost() {
        let secrets = Secrets::fresh(&SystemEntropy);
        let names = (0..400).map(|i| AccountName::new(&format!("n{i}")).unwrap());
        let answers: Vec<_> = names.map(|n| secrets.pretend(&n)).collect();
        let large = answers.iter().filter(|p| p.cost == ARGON2_LARGE).count();
        assert!((3..80).contains(&large), "{large}");
        let mut ids: Vec<_> = answers.iter().map(|p| p.credential_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 400);
    }
}
