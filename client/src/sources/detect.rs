//! Tells what kind of export something is, by content (FORMATS §5), and reads it.

use super::{Answers, ChatReport, Files, ImportError, Sink, jsonl, telegram};

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
}

/// A reader of WhatsApp exports. It needs the merge of formats without ids, which stands above the sources, so whoever
/// imports passes it in.
pub trait WhatsApp {
    fn detect(&self, files: &dyn Files) -> bool;
    fn read(&self, files: &dyn Files, answers: &Answers, sink: &mut dyn Sink) -> Result<Vec<ChatReport>, ImportError>;
}

/// Decides what kind of export this is. `name` is what people call it.
pub fn detect(files: &dyn Files, name: &str, whatsapp: &dyn WhatsApp) -> Result<Format, ImportError> {
    // Formats with a strict form first: a JSON text could hold lines that look like a chat.
    if !telegram::detect(files).is_empty() {
        Ok(Format::Telegram)
    } else if !jsonl::detect(files).is_empty() {
        Ok(Format::JsonLines)
    } else if whatsapp.detect(files) {
        Ok(Format::WhatsApp)
    } else {
        Err(ImportError::Unreadable(format!("cannot tell what kind of export {name:?} is")))
    }
}

/// Reads an export of a known format.
pub fn read(
    format: Format,
    files: &dyn Files,
    answers: &Answers,
    sink: &mut dyn Sink,
    whatsapp: &dyn WhatsApp,
) -> Result<Vec<ChatReport>, ImportError> {
    match format {
        Format::WhatsApp => whatsapp.read(files, answers, sink),
        Format::Telegram => telegram::read(files, answers, sink),
        Format::JsonLines => jsonl::read(files, answers, sink),
    }
}
