//! Tells what kind of export something is, by content (FORMATS §5).

use super::{Files, ImportError, jsonl, telegram, whatsapp};

/// A format that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    WhatsApp,
    Telegram,
    JsonLines,
}

/// A line of `chatkeep formats`.
#[derive(Clone, Copy, Debug)]
pub struct FormatInfo {
    /// What `--format` and `--as` take.
    pub name: &'static str,
    pub reads: bool,
    pub writes: bool,
    pub description: &'static str,
}

/// Every format, in the order people are likely to look for it.
pub const FORMATS: [FormatInfo; 4] = [
    FormatInfo {
        name: "whatsapp",
        reads: true,
        writes: false,
        description: "WhatsApp's \"Export chat\": a text file, or a zip or folder with its media",
    },
    FormatInfo {
        name: "telegram",
        reads: true,
        writes: false,
        description: "Telegram Desktop's JSON export (result.json) of one chat or a whole account",
    },
    FormatInfo {
        name: "jsonl",
        reads: true,
        writes: true,
        description: "JSON Lines: one message a line, with media in a folder beside it; complete",
    },
    FormatInfo { name: "txt", reads: false, writes: true, description: "plain text to read, one file per chat" },
];

impl Format {
    /// The format of this name, if it can be read.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "whatsapp" => Self::WhatsApp,
            "telegram" => Self::Telegram,
            "jsonl" => Self::JsonLines,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::WhatsApp => "whatsapp",
            Self::Telegram => "telegram",
            Self::JsonLines => "jsonl",
        }
    }

    /// The files of an export that hold messages of this format; none if it is another.
    pub fn main_files(self, files: &dyn Files) -> Vec<String> {
        match self {
            Self::WhatsApp => whatsapp::detect(files).map(|found| found.chat_file).into_iter().collect(),
            Self::Telegram => telegram::detect(files),
            Self::JsonLines => jsonl::detect(files),
        }
    }
}

/// Decides what kind of export this is. `name` is what people call it.
pub fn detect(files: &dyn Files, name: &str) -> Result<Format, ImportError> {
    // Formats with a strict form first: a JSON text could hold lines that look like a chat.
    let formats = [Format::Telegram, Format::JsonLines, Format::WhatsApp];
    let found = formats.into_iter().find(|format| !format.main_files(files).is_empty());
    found.ok_or_else(|| ImportError::Unreadable(format!("cannot tell what kind of export {name:?} is")))
}
