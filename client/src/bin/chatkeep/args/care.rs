//! Looking after what is kept.

use std::time::Duration;

use clap::{Args, Subcommand};
use client::sync::Keep;

use super::{percent, span};

/// Verify what the vault holds: its structure, its contents, and that it can be restored
#[derive(Args)]
#[command(
    after_long_help = "Examples:\n  chatkeep check\n  chatkeep check --read-data=5%\n  chatkeep check --restore-test"
)]
pub struct Check {
    /// Read attachments too: all, or so many percent of them, newly chosen each time
    #[arg(long, value_name = "PCT%", num_args = 0..=1, require_equals = true, default_missing_value = "100%",
        value_parser = percent)]
    pub read_data: Option<u8>,
    /// Restore everything into a temporary place, and compare it with this device
    #[arg(long)]
    pub restore_test: bool,
}

/// Hide snapshots from the log; it frees nothing, because snapshots hold no bytes
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep forget 3f9a1c20\n  \
    chatkeep forget --keep-daily 7 --keep-monthly 12 --dry-run")]
pub struct Forget {
    /// Snapshots: ids or the first characters of them
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    #[command(flatten)]
    pub keep: KeepRules,
    /// Only among snapshots with this label
    #[arg(long, value_name = "L")]
    pub label: Option<String>,
    /// Only among snapshots that this device made
    #[arg(long, value_name = "D")]
    pub device: Option<String>,
    /// The account's name, where no snapshot would be left
    #[arg(long, value_name = "NAME")]
    pub really: Option<String>,
    /// Say what would be hidden, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Rules that keep snapshots; one that any of them keeps stays.
#[derive(Args)]
pub struct KeepRules {
    /// Keep the newest N
    #[arg(long, value_name = "N")]
    pub keep_last: Option<usize>,
    /// Keep the newest of each of the last N days that have one
    #[arg(long, value_name = "N")]
    pub keep_daily: Option<usize>,
    /// Keep the newest of each of the last N weeks that have one
    #[arg(long, value_name = "N")]
    pub keep_weekly: Option<usize>,
    /// Keep the newest of each of the last N months that have one
    #[arg(long, value_name = "N")]
    pub keep_monthly: Option<usize>,
    /// Keep the newest of each of the last N years that have one
    #[arg(long, value_name = "N")]
    pub keep_yearly: Option<usize>,
    /// Keep all that are younger than this
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub keep_within: Option<Duration>,
}

impl KeepRules {
    pub fn rules(&self) -> Keep {
        let within = self.keep_within.map_or(0, |span| span.as_secs());
        let [last, daily, weekly, monthly, yearly] =
            [self.keep_last, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly]
                .map(|n| n.unwrap_or(0));
        Keep { last, daily, weekly, monthly, yearly, within_s: within }
    }

    /// Whether any was given, and be it zero.
    pub fn any(&self) -> bool {
        let counts = [self.keep_last, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly];
        counts.iter().any(Option::is_some) || self.keep_within.is_some()
    }
}

/// The account's own rule for snapshots, which every device's sync applies
#[derive(Subcommand)]
pub enum Retention {
    /// Say which snapshots the account goes on showing
    #[command(after_long_help = "Examples:\n  chatkeep retention show\n  chatkeep retention show --json")]
    Show,
    Set(SetRetention),
}

/// Hide older snapshots by a rule from now on; it frees nothing, and `unforget` shows any again for good
#[derive(Args)]
#[command(
    after_long_help = "Examples:\n  chatkeep retention set --keep-daily 30 --keep-monthly 12 --keep-yearly 10\n  \
    chatkeep retention set --none"
)]
pub struct SetRetention {
    #[command(flatten)]
    pub keep: KeepRules,
    /// Show all snapshots from now on
    #[arg(long)]
    pub none: bool,
    /// Say what would be hidden, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Show forgotten snapshots again
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep unforget 3f9a1c20\n  chatkeep unforget 3f9a 77c0 --json")]
pub struct Unforget {
    /// Snapshots: ids or the first characters of them
    #[arg(value_name = "SNAPSHOT", required = true)]
    pub snapshots: Vec<String>,
    /// Say what would be shown, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Test everything chatkeep needs, one by one; secrets, names and chats are never shown
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep doctor\n  chatkeep doctor --share")]
pub struct Doctor {
    /// Print a block to paste into a bug report
    #[arg(long)]
    pub share: bool,
}
