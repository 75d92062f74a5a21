//! An account with homes of its own for one measurement.

use std::path::Path;

use client::crypto::RecoveryKey;
use client::crypto::opaque::Cost;
use client::crypto::passphrase::Passphrase;
use client::crypto::roster::Label;
use client::env::Env;
use client::event::{Chat, Kind, Party, Row, tag};
use client::home::{FileKeys, Home};
use client::vault::{Joined, Secret, Vault};
use proto::wire::slot::AccountName;
use zeroize::Zeroizing;

use crate::service::at;
use crate::{Done, Failed};

const PASSPHRASE: &str = "seven otters paint slowly";

fn passphrase() -> Done<Passphrase> {
    Passphrase::new(PASSPHRASE).map_err(|_| Failed::from("a passphrase"))
}

fn name(account: &str) -> Done<AccountName> {
    AccountName::new(account).ok_or_else(|| Failed::from("a name"))
}

fn label(device: &str) -> Label {
    Label::new(device, "linux", 1_700_000_000_000)
}

fn install(joined: Joined, dir: &Path) -> Done<Vault> {
    let home = Home::at(dir);
    Ok(joined.install(&home, &FileKeys::new(&home.key_path()))?)
}

/// Sets up an account whose first device lives in `dir`; answers it and the recovery key's text.
pub async fn register(server: &str, account: &str, dir: &Path) -> Done<(Vault, Zeroizing<String>)> {
    let key = RecoveryKey::generate(&mut Env::system().entropy.clone());
    let cost = Some(Cost::CHEAP_FOR_TESTS);
    let made = Vault::register(at(server)?, name(account)?, passphrase()?, Some(&key), label("first"), None, cost);
    Ok((install(made.await?, dir)?, key.text()))
}

/// Adds a device that lives in `dir`. By the recovery key, since only so many passphrases may be tried in an hour.
pub async fn login(server: &str, account: &str, key: &str, dir: &Path) -> Done<Vault> {
    let device = dir.file_name().and_then(|n| n.to_str()).unwrap_or("another");
    let key = RecoveryKey::parse(key).map_err(|_| Failed::from("a recovery key"))?;
    let joined = Vault::login(at(server)?, name(account)?, Secret::Recovery(key), label(device)).await?;
    install(joined, dir)
}

/// Opens a home again.
pub fn open(server: &str, dir: &Path) -> Done<Vault> {
    let home = Home::at(dir);
    Ok(Vault::open(&home, &FileKeys::new(&home.key_path()), at(server)?)?)
}

pub fn chat() -> Chat {
    Chat { source: "jsonl".to_owned(), conversation: "family".to_owned() }
}

/// A message written now.
pub fn message(native: &str) -> Row {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let mut row = Row::new(Kind::MESSAGE, now, native);
    row.fields.set(tag::BODY, format!("message {native}: are you coming along on Sunday?").as_bytes());
    row.set_sender(&Party { name: Some("Mum".to_owned()), ..Party::default() });
    row
}
