//! Devices and keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::secret::{NewPassphraseFrom, PassphraseFrom, ProofFrom, RecoveryKeyFrom};

#[derive(Subcommand)]
pub enum Device {
    /// List the account's devices
    #[command(after_long_help = "Examples:\n  chatkeep device list\n  chatkeep device list --json")]
    List,
    Revoke(Revoke),
}

/// End another device's access; copies it already holds stay there
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep device revoke ana-phone\n  chatkeep device revoke 3f9a --yes")]
pub struct Revoke {
    /// The device's name, or the first characters of its id
    pub device: String,
    /// Say what would be ended, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub proof: ProofFrom,
}

#[derive(Subcommand)]
pub enum Passphrase {
    Change(Change),
    /// Prove the passphrase to the server; nothing is changed
    #[command(after_long_help = "Examples:\n  chatkeep passphrase check\n  \
        chatkeep passphrase check --passphrase-file pass.txt")]
    Check(PassphraseFrom),
}

/// Set a new passphrase; other devices stay signed in
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep passphrase change\n  \
    chatkeep passphrase change --leaked --kit ~/new-kit.txt")]
pub struct Change {
    /// The old one is known to somebody else: make everything new that it opened, the recovery key too
    #[arg(long)]
    pub leaked: bool,
    /// With --leaked: write the kit of the new recovery key to this new file
    #[arg(long, value_name = "FILE", requires = "leaked")]
    pub kit: Option<PathBuf>,
    #[command(flatten)]
    pub proof: ProofFrom,
    #[command(flatten)]
    pub new_passphrase: NewPassphraseFrom,
}

#[derive(Subcommand)]
pub enum Recovery {
    New(New),
    /// Prove the recovery key to the server; nothing is changed
    #[command(after_long_help = "Examples:\n  chatkeep recovery check\n  \
        chatkeep recovery check --recovery-key-file ~/chatkeep-kit.txt")]
    Check(RecoveryKeyFrom),
}

/// Replace the recovery key; the old kit is worthless afterwards
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep recovery new --kit ~/chatkeep-kit-2.txt\n  \
    chatkeep recovery new --kit kit.txt --recovery-key-file old-kit.txt --new-passphrase-file pass.txt")]
pub struct New {
    /// Write the kit of the new key to this new file
    #[arg(long, value_name = "FILE")]
    pub kit: PathBuf,
    #[command(flatten)]
    pub proof: ProofFrom,
    #[command(flatten)]
    pub new_passphrase: NewPassphraseFrom,
}
