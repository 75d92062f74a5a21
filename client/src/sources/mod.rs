//! Readers of chat exports (FORMATS §3): from a file, folder or zip to rows.
//!
//! A source is a function from [`Files`] to a [`Sink`]. It streams, holds bounded memory, and never decides what is
//! new: the sink does. Everything it reads is hostile.

pub mod detect;
pub mod export;
pub mod json;
pub mod jsonl;
mod natives;
#[cfg(test)]
pub(crate) mod recorded;
pub mod telegram;
pub(crate) mod time;
pub mod whatsapp;

use std::io::{self, Read};

use thiserror::Error;

use crate::event::{Chat, Row};

/// The files of one export, whatever holds them (a file alone, a folder, a zip). Names are relative, `/`-separated
/// and already checked: no `..`, no absolute path, no control characters.
pub trait Files {
    fn list(&self) -> &[FileEntry];
    /// Opens a listed file for streaming. Reading fails with `io::ErrorKind::FileTooLarge` beyond the export's limits.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>>;
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    pub path: String,
    pub bytes: u64,
}

/// What an import says about a chat as it meets it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ChatInfo {
    pub title: Option<String>,
    /// `dm`, `group`, `channel`, `thread`; absent where the source does not tell.
    pub shape: Option<&'static str>,
}

/// A file's content as the sink took it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileTaken {
    /// BLAKE3 of the content.
    pub hash: [u8; 32],
    pub bytes: u64,
}

/// Where a source puts what it reads.
pub trait Sink {
    /// Announces a chat. Called before its first row; again is harmless.
    fn chat(&mut self, chat: &Chat, info: &ChatInfo) -> Result<(), ImportError>;
    /// Takes a row. Rows of one chat may come in any order.
    fn row(&mut self, chat: &Chat, row: Row) -> Result<(), ImportError>;
    /// Takes a row about the message of this native key in the same chat, known or not: the sink computes the target's
    /// id, which needs a key that sources do not have. The row's time is the target's.
    ///
    /// A sink without it fails loudly, so that no reaction is lost in silence.
    fn about(&mut self, _chat: &Chat, _target_native: &str, _row: Row) -> Result<(), ImportError> {
        Err(ImportError::Sink("this sink takes no rows about other messages".into()))
    }
    /// Takes the bytes of the export's file of this path, read to the end, and answers their hash and size.
    fn file(&mut self, path: &str, content: &mut dyn Read) -> Result<FileTaken, ImportError>;
    /// Notes an item that could not be read; the import goes on and ends with exit 3.
    fn skip(&mut self, item: &str, reason: &str);
}

/// Why an import stopped. Single bad items never stop it; they are [`Sink::skip`]ped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// E_SOURCE (33): not a kind we read, or broken beyond reading.
    #[error("{0}")]
    Unreadable(String),
    /// E_SOURCE_HOSTILE (33): beyond the limits of ratio, size or depth. Nothing was imported.
    #[error("{0}")]
    Hostile(String),
    /// E_INPUT_REQUIRED (2): a question only the person can answer; names the flag that answers it.
    #[error("{question}")]
    Undecided { question: String, flag: &'static str },
    /// E_DISK_FULL (32) and other failures of the machine.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The sink failed; its own error travels as text.
    #[error("{0}")]
    Sink(String),
}

/// What the person said about an export.
#[derive(Clone, Default, Debug)]
pub struct Answers {
    pub date_order: Option<DateOrder>,
    /// IANA zone of the exporting phone.
    pub zone: Option<String>,
    /// Label of the chat for formats that have none of their own.
    pub chat: Option<String>,
    /// The exporting person's own name in the export.
    pub me: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DateOrder {
    Dmy,
    Mdy,
    Ymd,
}

/// What a source found in one chat of an export (SURFACE §6 `import`). What of it is new, the sink counts.
#[derive(Clone, Default, Debug)]
pub struct ChatReport {
    pub chat: Option<Chat>,
    pub title: Option<String>,
    /// Messages of people, system lines not counted.
    pub messages: u64,
    pub system: u64,
    /// Distinct senders.
    pub participants: u64,
    pub present: u64,
    pub omitted: u64,
    pub expired: u64,
    pub missing: u64,
    pub edited: u64,
    pub deleted: u64,
    pub reactions: u64,
    pub replies: u64,
    /// Row times (ms) of the first and last message.
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// Lines kept as they stood because they were not understood.
    pub lines_unknown: u64,
    pub assumed_zone: Option<String>,
    pub assumed_date_order: Option<DateOrder>,
    pub assumed_me: Option<String>,
    pub assumed_chat: Option<String>,
    /// Spans `[from, to]` (row times) this export leaves open against what is known.
    pub gaps: Vec<(i64, i64)>,
}
