//! The program itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

#[derive(Subcommand)]
pub enum Config {
    /// Print where the configuration file is
    #[command(after_long_help = "Examples:\n  chatkeep config path\n  chatkeep config path --profile work")]
    Path,
    Show(Show),
    Get(Get),
    Set(Set),
}

/// Print every setting in force
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep config show\n  chatkeep config show --origin")]
pub struct Show {
    /// Say of each where it comes from
    #[arg(long)]
    pub origin: bool,
}

/// Print one setting
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep config get account\n  chatkeep config get status.stale_after")]
pub struct Get {
    /// Such as account or status.stale_after
    pub key: String,
}

/// Write one setting to the configuration file
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep config set status.stale_after 3d\n  \
    chatkeep config set progress lines --profile work")]
pub struct Set {
    /// Such as account or status.stale_after
    pub key: String,
    pub value: String,
}

/// Print a script that completes commands in a shell
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep completions bash\n  chatkeep completions fish")]
pub struct Completions {
    pub shell: Shell,
}

/// Write man pages
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep man --out man1\n  chatkeep man --out man1 --json")]
pub struct Man {
    /// Folder to write to; made where it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Explain a code of an error or warning
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep explain E_QUOTA\n  chatkeep explain W_CLOCK --json")]
pub struct Explain {
    pub code: String,
}
