//! The service's own secrets, in files of their own: OPRF seed with key pair, and the token keys.
//!
//! Form of both files: lines `name hex`. They are made at first start, private to the owner, and never stand in the
//! database, the bucket or a state backup.

use std::io;
use std::path::{Path, PathBuf};

use proto::wire::context::PREFIX;
use proto::wire::ids::AccountId;
use proto::wire::slot::{AccountName, Argon2Cost};
use subtle::ConstantTimeEq as _;
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
const LOG_LABEL_CHARACTERS: usize = 12;
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
    /// A verifying key nobody can sign for, so that unknown names cost a verification too.
    pub nobodys_key: [u8; 32],
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
        let nobody = blake3::derive_key(&format!("{PREFIX}nobody's sign-in key"), &pretend);
        let nobodys_key = ed25519_dalek::SigningKey::from_bytes(&nobody).verifying_key().to_bytes();
        Self { opaque, tokens, nobodys_key, pretend: PretendKey(pretend) }
    }

    /// Makes the credential id of a registration: 16 random bytes, and 16 that bind them to the name.
    ///
    /// So nobody can register under the credential id of another account and evaluate that account's OPRF at the
    /// price of his own guesses, and no row has to be kept between the two halves of a registration.
    pub fn new_credential_id(&self, name: &AccountName, entropy: &dyn Entropy) -> [u8; 32] {
        self.bound_id(name, &random(entropy))
    }

    /// Whether a credential id was made here for this name.
    pub fn is_credential_id(&self, name: &AccountName, id: &[u8; 32]) -> bool {
        let (fresh, _) = id.split_first_chunk().expect("32 bytes hold 16");
        self.bound_id(name, fresh).ct_eq(id).into()
    }

    fn bound_id(&self, name: &AccountName, fresh: &[u8; 16]) -> [u8; 32] {
        let mut out = [0; 32];
        let (front, back) = out.split_at_mut(16);
        front.copy_from_slice(fresh);
        let mut hasher = blake3::Hasher::new_keyed(&self.pretend.0);
        hasher.update(b"credential\0").update(fresh).update(name.as_str().as_bytes()).finalize_xof().fill(back);
        out
    }

    /// What logs call an account on one day: enough to follow it through a day's lines, and no further.
    pub fn log_label(&self, account: &AccountId, day: u64) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.pretend.0);
        hasher.update(b"log label\0").update(&account.0).update(&day.to_le_bytes());
        hasher.finalize().to_hex().chars().take(LOG_LABEL_CHARACTERS).collect()
    }

    pub fn pretend(&self, name: &AccountName) -> Pretended {
        let mut out = [0; 65];
        let mut hasher = blake3::Hasher::new_keyed(&self.pretend.0);
        hasher.update(b"unknown\0").update(name.as_str().as_bytes()).finalize_xof().fill(&mut out);
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
    use proto::wire::ids::DeviceId;
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
    fn a_credential_id_belongs_to_one_name_and_one_service() {
        let secrets = Secrets::fresh(&SystemEntropy);
        let (ana, bob) = (AccountName::new("ana").unwrap(), AccountName::new("bob").unwrap());
        let id = secrets.new_credential_id(&ana, &SystemEntropy);
        assert!(secrets.is_credential_id(&ana, &id));
        assert!(!secrets.is_credential_id(&bob, &id));
        assert!(!Secrets::fresh(&SystemEntropy).is_credential_id(&ana, &id));
        assert_ne!(id, secrets.new_credential_id(&ana, &SystemEntropy));
        for bit in 0..256 {
            let mut bent = id;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(!secrets.is_credential_id(&ana, &bent));
        }
    }

    #[test]
    fn log_labels_hold_for_a_day() {
        let secrets = Secrets::fresh(&SystemEntropy);
        let label = |account: u8, day| secrets.log_label(&AccountId([account; 32]), day);
        assert_eq!(label(1, 7), label(1, 7));
        assert_ne!(label(1, 7), label(1, 8));
        assert_ne!(label(1, 7), label(2, 7));
        assert_eq!(label(1, 7).len(), LOG_LABEL_CHARACTERS);
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
