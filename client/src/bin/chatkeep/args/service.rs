//! Staying in exchange without a terminal.

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Service {
    Install(Install),
    Uninstall(Uninstall),
    /// Say whether the service is installed and running
    #[command(after_long_help = "Examples:\n  chatkeep service status\n  chatkeep service status --json")]
    Status,
}

/// Have `sync --watch` run whenever you are signed in to this computer
#[derive(Args)]
#[command(
    after_long_help = "Examples:\n  chatkeep service install\n  chatkeep --profile work service install --dry-run"
)]
pub struct Install {
    /// Show what would be written, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Stop it and take it away; the account and the archive stay
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep service uninstall\n  chatkeep service uninstall --dry-run")]
pub struct Uninstall {
    /// Say what would go, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}
