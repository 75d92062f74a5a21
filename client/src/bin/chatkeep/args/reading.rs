//! Reading what is here.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::moment;

/// List the chats, the one written to last first
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep chats\n  chatkeep chats --json")]
pub struct Chats {}

/// Show messages of a chat: the last ones, or those around a message or date
///
/// On a terminal the chat counts as read up to the last message shown, on every device: `chats` tells what came since.
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep show Family\n  chatkeep show Family --date 2024-06-11 -n 50\n  \
    chatkeep show 3f9a --around 7be2d104\n  chatkeep show Family --follow --json")]
pub struct Show {
    /// The chat's name, or the first characters of its id
    pub chat: String,
    /// Around this message, by the first characters of its id
    #[arg(long, value_name = "MSG", conflicts_with = "date")]
    pub around: Option<String>,
    /// From this date on, such as 2024-06-11
    #[arg(long, value_name = "D", value_parser = moment, allow_hyphen_values = true)]
    pub date: Option<i64>,
    /// How many messages
    #[arg(short = 'n', value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Do not count what is shown as read
    #[arg(long)]
    pub no_mark: bool,
    /// Stay, and show what comes in: messages, and what is done to the last 500
    #[arg(long, conflicts_with_all = ["around", "date"])]
    pub follow: bool,
}

/// Find messages: all words, \"quoted phrases\", and none of the words with a dash before them
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep search boarding pass --since 2024\n  \
    chatkeep search --has media --chat Family --from Mum\n  chatkeep search boarding -- -train")]
pub struct Search {
    /// What to look for
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    /// Only in this chat: its name, or the first characters of its id
    #[arg(long, value_name = "C")]
    pub chat: Option<String>,
    /// Only from people whose name holds this
    #[arg(long, value_name = "S")]
    pub from: Option<String>,
    /// From this time on, such as 2024 or 2024-06-11
    #[arg(long, value_name = "T", value_parser = moment)]
    pub since: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "T", value_parser = moment)]
    pub until: Option<i64>,
    /// Only messages with a link, with photos, videos or voice, or with other files
    #[arg(long, value_name = "WHAT", value_enum)]
    pub has: Option<HasChoice>,
    /// How many messages at the most, newest first
    #[arg(short = 'n', value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum HasChoice {
    Link,
    Media,
    File,
}

/// Write chats as files that other programs, or people, can read
#[derive(Args)]
#[command(after_long_help = "Examples:\n  chatkeep export --as jsonl --out everything\n  \
    chatkeep export Family --as txt --out family --since 2024 --no-media")]
pub struct Export {
    /// Chats: names, or the first characters of ids; all where none is given
    #[arg(value_name = "CHAT")]
    pub chats: Vec<String>,
    /// The format to write
    #[arg(long = "as", value_name = "F", value_enum)]
    pub format: WriteChoice,
    /// An empty folder, or one that is not there yet
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// As it was at this snapshot; what was deleted since stays deleted
    #[arg(long, value_name = "S")]
    pub snapshot: Option<String>,
    /// Without the bytes of attachments
    #[arg(long)]
    pub no_media: bool,
    /// Also messages with a timer, which go by themselves from here but not from the export
    #[arg(long)]
    pub with_timed: bool,
    /// From this time on, such as 2024 or 2024-06-11
    #[arg(long, value_name = "T", value_parser = moment)]
    pub since: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "T", value_parser = moment)]
    pub until: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum WriteChoice {
    Jsonl,
    Txt,
}
