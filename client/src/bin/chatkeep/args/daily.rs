//! What is done every day.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::secret::RecoveryKeyFrom;
use super::{rate, span};

/// Import what is new, make a snapshot, and upload what the vault lacks
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep backup ~/Downloads/whatsapp-family.zip\n  \
        chatkeep backup Exports --exclude *.part --label before-trip\n  chatkeep backup --limit-upload 4MiB/s")]
pub struct Backup {
    /// Exports, or folders of exports; the sources of the configuration where none is given
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub how: super::imports::How,
    /// Name the snapshot carries; may be repeated
    #[arg(long = "label", value_name = "L")]
    pub labels: Vec<String>,
    /// Send no more than so many bytes a second
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub limit_upload: Option<u64>,
    /// Say what would be uploaded, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Bring everything the vault has to this device, newest text first
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep restore\n  chatkeep restore 3f9a --dry-run\n  \
    chatkeep restore --from-bucket copy-of-bucket --recovery-key-file kit.txt")]
pub struct Restore {
    /// A snapshot, by the first characters of its id; an older one is shown, never brought back over what is here
    #[arg(value_name = "SNAPSHOT", default_value = "latest")]
    pub snapshot: String,
    /// Which attachments to fetch: all, none, or later with the next restore
    #[arg(long, value_enum, default_value_t)]
    pub media: MediaChoice,
    /// Read a copy of the service's bucket instead; with the recovery key no service is needed
    #[arg(long, value_name = "DIR")]
    pub from_bucket: Option<PathBuf>,
    #[command(flatten)]
    pub recovery_key: RecoveryKeyFrom,
    /// Say what would be fetched, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub enum MediaChoice {
    #[default]
    All,
    None,
    Later,
}

/// Exchange what is new with the vault, once or as it happens
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep sync\n  chatkeep sync --max-wait 10m --json\n  \
    chatkeep sync --watch --interval 5m")]
pub struct Sync {
    /// Stay: hear at once what other devices write, and try again by itself when the server is away
    #[arg(long)]
    pub watch: bool,
    /// How often to compare the whole with the server while nothing is heard
    #[arg(long, value_name = "TIME", value_parser = span, requires = "watch")]
    pub interval: Option<Duration>,
}

/// Say in words what is safe, and what is not yet
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep status\n  chatkeep status --strict --json")]
pub struct Status {
    /// Exit 3 on any warning, for monitoring
    #[arg(long)]
    pub strict: bool,
}

/// List snapshots, newest first
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep log\n  chatkeep log --all --label before-trip -n 5")]
pub struct Log {
    /// Only snapshots that this device made
    #[arg(long, value_name = "D")]
    pub device: Option<String>,
    /// Only snapshots with this label
    #[arg(long, value_name = "L")]
    pub label: Option<String>,
    /// Forgotten ones too
    #[arg(long)]
    pub all: bool,
    /// No more than so many
    #[arg(short = 'n', value_name = "N")]
    pub limit: Option<usize>,
}
