//! The command line: one definition for parsing, help, completions and man pages.

pub mod about;
pub mod account;
pub mod acts;
pub mod care;
pub mod daily;
pub mod devices;
pub mod imports;
pub mod reading;
pub mod secret;
pub mod service;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use values::{moment, percent, rate, span};

use crate::output::Colour;
use crate::progress::Mode;

/// Private backup and multi-device sync of chat history
#[derive(Parser)]
#[command(name = crate::NAME, disable_version_flag = true, disable_help_subcommand = true)]
#[command(subcommand_required = false, arg_required_else_help = true, infer_long_args = false)]
#[command(after_long_help = "Examples:\n  chatkeep register ana@vault.example.org --kit ~/chatkeep-kit.txt\n  \
    chatkeep backup ~/Downloads/whatsapp-family.zip\n  chatkeep status")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command, before it or after it.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Use this profile: an account of its own, with a home of its own
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Read this configuration file instead of the usual one
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Reach the server here: host[:port], or http://127.0.0.1:PORT without TLS
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Print one JSON object instead of text; stderr then holds JSON lines only
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Never ask: a missing value is an error
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Answer yes to every confirmation
    #[arg(long, global = true)]
    pub yes: bool,
    /// Show progress as a bar, as plain lines, as JSON lines, or not at all
    #[arg(long, global = true, value_name = "HOW", value_enum)]
    pub progress: Option<Mode>,
    /// How often --progress lines and json speak
    #[arg(long, global = true, value_name = "TIME", value_parser = span)]
    pub progress_interval: Option<Duration>,
    /// Go on trying for so long when the server fails after work has begun (0 = not at all)
    #[arg(long, global = true, value_name = "TIME", value_parser = span)]
    pub max_wait: Option<Duration>,
    /// Colour on stderr
    #[arg(long, global = true, value_name = "WHEN", value_enum)]
    pub color: Option<Colour>,
    /// Print the version
    #[arg(long, global = true)]
    pub version: bool,
}

#[derive(Subcommand)]
pub enum Command {
    Register(account::Register),
    Login(account::Login),
    Join(account::Join),
    Logout(account::Logout),
    /// The account as a whole
    #[command(subcommand)]
    Account(account::Account),
    Backup(daily::Backup),
    Import(imports::Import),
    Formats(imports::Formats),
    Restore(daily::Restore),
    Sync(daily::Sync),
    /// `sync --watch` as a service of this computer
    #[command(subcommand)]
    Service(service::Service),
    Status(daily::Status),
    Log(daily::Log),
    Chats(reading::Chats),
    Show(reading::Show),
    Search(reading::Search),
    Export(reading::Export),
    Edit(acts::Edit),
    React(acts::React),
    Delete(acts::Delete),
    Undelete(acts::Undelete),
    /// The devices of the account
    #[command(subcommand)]
    Device(devices::Device),
    /// The passphrase of the account
    #[command(subcommand)]
    Passphrase(devices::Passphrase),
    /// The recovery key of the account
    #[command(subcommand)]
    Recovery(devices::Recovery),
    Check(care::Check),
    Forget(care::Forget),
    Unforget(care::Unforget),
    #[command(subcommand)]
    Retention(care::Retention),
    Doctor(care::Doctor),
    /// The configuration of this device
    #[command(subcommand)]
    Config(about::Config),
    Completions(about::Completions),
    Man(about::Man),
    Explain(about::Explain),
}

impl Command {
    /// Its name, without anything that was given to it.
    /// Whether it stays in live exchange.
    pub fn stays(&self) -> bool {
        matches!(self, Self::Sync(sync) if sync.watch)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Login(_) => "login",
            Self::Join(_) => "join",
            Self::Logout(_) => "logout",
            Self::Account(_) => "account",
            Self::Backup(_) => "backup",
            Self::Import(_) => "import",
            Self::Formats(_) => "formats",
            Self::Restore(_) => "restore",
            Self::Sync(_) => "sync",
            Self::Service(_) => "service",
            Self::Status(_) => "status",
            Self::Log(_) => "log",
            Self::Chats(_) => "chats",
            Self::Show(_) => "show",
            Self::Search(_) => "search",
            Self::Export(_) => "export",
            Self::Edit(_) => "edit",
            Self::React(_) => "react",
            Self::Delete(_) => "delete",
            Self::Undelete(_) => "undelete",
            Self::Device(_) => "device",
            Self::Passphrase(_) => "passphrase",
            Self::Recovery(_) => "recovery",
            Self::Check(_) => "check",
            Self::Forget(_) => "forget",
            Self::Unforget(_) => "unforget",
            Self::Retention(_) => "retention",
            Self::Doctor(_) => "doctor",
            Self::Config(_) => "config",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Explain(_) => "explain",
        }
    }
}
