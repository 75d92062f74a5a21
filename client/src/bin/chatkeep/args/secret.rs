//! Where secrets are read from. No secret is ever a value on the command line.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Default, Clone)]
pub struct PassphraseFrom {
    /// Read the passphrase from this file (- is stdin)
    #[arg(long, value_name = "PATH")]
    pub passphrase_file: Option<PathBuf>,
    /// Read the passphrase from what this command prints
    #[arg(long, value_name = "CMD")]
    pub passphrase_command: Option<String>,
}

#[derive(Args, Default, Clone)]
pub struct NewPassphraseFrom {
    /// Read the new passphrase from this file (- is stdin)
    #[arg(long, value_name = "PATH")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Read the new passphrase from what this command prints
    #[arg(long, value_name = "CMD")]
    pub new_passphrase_command: Option<String>,
}

#[derive(Args, Default, Clone)]
pub struct RecoveryKeyFrom {
    /// Read the recovery key from this file (- is stdin); a kit file does
    #[arg(long, value_name = "PATH")]
    pub recovery_key_file: Option<PathBuf>,
    /// Read the recovery key from what this command prints
    #[arg(long, value_name = "CMD")]
    pub recovery_key_command: Option<String>,
}

/// What opens the account's root for one act: either of its secrets.
#[derive(Args, Default, Clone)]
pub struct ProofFrom {
    #[command(flatten)]
    pub passphrase: PassphraseFrom,
    #[command(flatten)]
    pub recovery_key: RecoveryKeyFrom,
}

#[derive(Args, Default, Clone)]
pub struct InviteFrom {
    /// Read the invite from this file (- is stdin)
    #[arg(long, value_name = "PATH")]
    pub invite_file: Option<PathBuf>,
    /// Read the invite from what this command prints
    #[arg(long, value_name = "CMD")]
    pub invite_command: Option<String>,
}

#[derive(Args, Default, Clone)]
pub struct PairingCodeFrom {
    /// Read the pairing code from this file (- is stdin)
    #[arg(long, value_name = "PATH")]
    pub pairing_code_file: Option<PathBuf>,
    /// Read the pairing code from what this command prints
    #[arg(long, value_name = "CMD")]
    pub pairing_code_command: Option<String>,
}
