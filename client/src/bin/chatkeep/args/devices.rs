//! Devices and keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::secret::{NewPassphraseFrom, PassphraseFrom, ProofFrom, RecoveryKeyFrom};

#[derive(Subcommand)]
pub enum Device {
    /// List the account's devices
    #[command(after_long_help = "Examples:\n  chatkeep device list\n  chatkeep device list --json")]
    List,
    Link(Link),
    Rename(Rename),
    Revoke(Revoke),
}

/// Let a new device in by a pairing code; it runs `chatkeep join` meanwhile
///
/// It needs a terminal: somebody has to say that both screens show the same three words. --yes does not say it.
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep device link\n  \
    chatkeep device link --recovery-key-file ~/chatkeep-kit.txt")]
pub struct Link {
    #[command(flatten)]
    pub proof: ProofFrom,
}

/// Call a device something else, on all devices
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep device rename ana-phone old-phone\n  \
    chatkeep device rename 3f9a living-room")]
pub struct Rename {
    /// The device's name, or the first characters of its id
    pub device: String,
    /// What it is called from now on
    pub name: String,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
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
