//! What is done to messages.

use std::path::PathBuf;

use clap::Args;

use super::moment;
use super::secret::ProofFrom;

/// Give a message another text; the one it had stays as an earlier version
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep edit 7be2d104\n  chatkeep edit 7be2d104 --text-file corrected.txt")]
pub struct Edit {
    /// The message: the first characters of its id
    #[arg(value_name = "MSG")]
    pub message: String,
    /// Read the new text from this file (- is stdin) instead of an editor
    #[arg(long, value_name = "PATH")]
    pub text_file: Option<PathBuf>,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// React to a message, or take the reaction back
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep react 7be2d104 👍\n  chatkeep react 7be2d104 👍 --remove")]
pub struct React {
    /// The message: the first characters of its id
    #[arg(value_name = "MSG")]
    pub message: String,
    /// The emoji
    pub emoji: String,
    /// Take it back
    #[arg(long)]
    pub remove: bool,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Delete messages on every device; for a day `undelete` brings them back
///
/// Very many at once (more than 1,000 in a day, or one in twenty of the vault, but never fewer than 100) are told to
/// every device. With the passphrase they go after a day like others; without it they wait 14 days.
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep delete 7be2d104 93ac\n  \
    chatkeep delete --chat Family --before 2019 --dry-run\n  \
    chatkeep delete --chat Family --before 2022 --media-only")]
pub struct Delete {
    /// Messages: the first characters of their ids
    #[arg(value_name = "MSG", required_unless_present = "chat", conflicts_with = "chat")]
    pub messages: Vec<String>,
    /// All messages of this chat: its name, or the first characters of its id
    #[arg(long, value_name = "C")]
    pub chat: Option<String>,
    /// With --chat: only what is older than this, such as 2019 or 2019-06-11
    #[arg(long, value_name = "T", requires = "chat", value_parser = moment)]
    pub before: Option<i64>,
    /// Only their attachments: messages and texts stay
    #[arg(long)]
    pub media_only: bool,
    /// The chat's name, where nothing of it would be left
    #[arg(long, value_name = "NAME")]
    pub really: Option<String>,
    /// Say what would be deleted, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub proof: ProofFrom,
}

/// Bring deleted messages back, within a day of their deletion
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep undelete 7be2d104\n  chatkeep undelete --since today --dry-run")]
pub struct Undelete {
    /// Messages: the first characters of their ids
    #[arg(value_name = "MSG", required_unless_present = "since", conflicts_with = "since")]
    pub messages: Vec<String>,
    /// Everything deleted since then, on whichever device: `today`, or a time such as 2026-11-24T08:00
    #[arg(long, value_name = "T", value_parser = since)]
    pub since: Option<Since>,
    /// Say what would come back, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A time to count from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// The last midnight.
    Today,
    At(i64),
}

fn since(text: &str) -> Result<Since, String> {
    if text.eq_ignore_ascii_case("today") { Ok(Since::Today) } else { moment(text).map(Since::At) }
}
