//! Getting in and out.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::secret::{InviteFrom, PairingCodeFrom, PassphraseFrom, ProofFrom};

/// Create an account and its vault, with this device as the first
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep register ana@vault.example.org --kit ~/chatkeep-kit.txt\n  \
    chatkeep register ana@127.0.0.1:8443 --no-recovery-key --passphrase-file pass.txt")]
pub struct Register {
    /// The account's name, and the server that keeps it: host[:port]
    #[arg(value_name = "NAME@SERVER")]
    pub account: String,
    /// What this device is called in the list of devices
    #[arg(long, value_name = "NAME")]
    pub device_name: Option<String>,
    /// Write the recovery kit to this new file: the recovery key, and how to use it
    #[arg(long, value_name = "FILE", conflicts_with = "no_recovery_key")]
    pub kit: Option<PathBuf>,
    /// Make no recovery key: whoever forgets the passphrase has then lost everything
    #[arg(long)]
    pub no_recovery_key: bool,
    #[command(flatten)]
    pub passphrase: PassphraseFrom,
    #[command(flatten)]
    pub invite: InviteFrom,
}

/// Join this device to an account, with its passphrase or recovery key
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep login ana@vault.example.org\n  \
    chatkeep login --kit ~/chatkeep-kit.txt\n  chatkeep login ana@vault.example.org --recovery")]
pub struct Login {
    /// The account; a kit file names it
    #[arg(value_name = "NAME@SERVER", required_unless_present = "kit")]
    pub account: Option<String>,
    /// Use the recovery key instead of the passphrase
    #[arg(long)]
    pub recovery: bool,
    /// Use the recovery key of this kit file, which also names the account and its server
    #[arg(long, value_name = "FILE")]
    pub kit: Option<PathBuf>,
    /// What this device is called in the list of devices
    #[arg(long, value_name = "NAME")]
    pub device_name: Option<String>,
    #[command(flatten)]
    pub proof: ProofFrom,
}

/// Join this new device to an account, with the pairing code another of its devices shows
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep join vault.example.org\n  \
    chatkeep join vault.example.org --pairing-code-file code.txt --device-name ana-phone")]
pub struct Join {
    /// The account's server: host[:port]
    #[arg(value_name = "SERVER")]
    pub address: Option<String>,
    /// What this device is called in the list of devices
    #[arg(long, value_name = "NAME")]
    pub device_name: Option<String>,
    #[command(flatten)]
    pub code: PairingCodeFrom,
}

/// End this device: take its keys and its archive away
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep logout\n  chatkeep logout --keep-archive --yes")]
pub struct Logout {
    /// Keep the archive and the key that opens it
    #[arg(long)]
    pub keep_archive: bool,
    /// Say what would go, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Subcommand)]
pub enum Account {
    /// Say what the account is, who belongs to it, and how much of it is used
    #[command(after_long_help = "Examples:\n  chatkeep account show\n  chatkeep account show --json")]
    Show,
    Delete(Delete),
}

/// Delete the account with everything the server keeps of it; archives on its devices stay
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep account delete --dry-run --really ana@vault.example.org\n  \
    chatkeep account delete --really ana@vault.example.org")]
pub struct Delete {
    /// The account's name in full: nothing brings it back
    #[arg(long, value_name = "NAME@SERVER")]
    pub really: Option<String>,
    /// Say what would go, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub proof: ProofFrom,
}
