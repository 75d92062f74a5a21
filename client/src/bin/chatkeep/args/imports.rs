//! Reading exports.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Read exports into the archive on this device; nothing is sent
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep import ~/Downloads/whatsapp-family.zip\n  \
    chatkeep import Exports --exclude *.part --dry-run\n  chatkeep import chat.txt --date-order dmy --chat Family")]
pub struct Import {
    /// Exports, or folders of exports
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub how: How,
    /// Say what would be imported, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// List the formats that can be read and written
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep formats\n  chatkeep formats --json")]
pub struct Formats {}

/// How exports are read.
#[derive(Args, Default, Clone)]
pub struct How {
    /// Which format they have; told by content unless said
    #[arg(long, value_name = "F", value_enum, default_value_t)]
    pub format: FormatChoice,
    /// How dates are written, where an export leaves it open
    #[arg(long, value_name = "ORDER", value_enum)]
    pub date_order: Option<Order>,
    /// Zone of the phone that made the export, such as Europe/Lisbon; this machine's unless said
    #[arg(long, value_name = "IANA", value_parser = zone)]
    pub zone: Option<String>,
    /// Which chat it is, for formats without names or ids of chats
    #[arg(long, value_name = "LABEL")]
    pub chat: Option<String>,
    /// The name of the person who made the export, as it stands there
    #[arg(long, value_name = "NAME")]
    pub me: Option<String>,
    /// Leave out exports of a folder, or files of an export; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Read again also what has not changed since it was read
    #[arg(long)]
    pub reread: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub enum FormatChoice {
    #[default]
    Auto,
    Whatsapp,
    Telegram,
    Jsonl,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Order {
    Dmy,
    Mdy,
    Ymd,
}

fn zone(text: &str) -> Result<String, String> {
    let known = text.parse::<chrono_tz::Tz>();
    known.map(|zone| zone.name().to_owned()).map_err(|_| "expected a zone such as Europe/Lisbon".to_owned())
}
