//! Writers of the archive's messages for people and other programs (SURFACE §6 `export`).
//!
//! Messages come one after another, chat by chat; memory holds those of one moment, whatever the size of the history.

mod jsonl;
mod media;
mod order;
#[cfg(test)]
mod tests;
mod txt;

use std::error::Error;
use std::io::{self, Read};
use std::path::Path;

use thiserror::Error;

use crate::event::Attachment;
use crate::merge::Message;

/// A message with the title of its chat, or the reader's own failure.
pub type Item = Result<(Message, Option<String>), Box<dyn Error + Send + Sync>>;

/// Where the bytes of attachments come from.
pub trait Contents {
    /// Opens an attachment's content; nothing where this device does not have it.
    fn open(&self, attachment: &Attachment) -> io::Result<Option<Box<dyn Read + '_>>>;
}

/// What was written.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Totals {
    pub chats: u64,
    pub messages: u64,
    pub attachments: u64,
    pub bytes: u64,
    /// Attachments whose bytes were asked for and could not be written.
    pub missing: Vec<Missing>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Id of the message, as in its line.
    pub message: String,
    pub attachment: String,
    pub reason: String,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The messages could not be read.
    #[error(transparent)]
    Read(Box<dyn Error + Send + Sync>),
    /// The caller's mistake: chats by key, messages of a chat by time.
    #[error("messages came out of order at {0}")]
    Order(String),
}

/// Writes `messages.jsonl` and, where contents are given, `media/`. The folder must exist and hold neither.
///
/// Messages must come by chat (conversation, then source) and within it by time.
pub fn write_jsonl(
    messages: impl IntoIterator<Item = Item>,
    contents: Option<&dyn Contents>,
    out: &Path,
) -> Result<Totals, WriteError> {
    jsonl::write(messages, contents, out)
}

/// Writes one readable text per chat and, where contents are given, `media/`. Order as in [`write_jsonl`].
pub fn write_txt(
    messages: impl IntoIterator<Item = Item>,
    contents: Option<&dyn Contents>,
    out: &Path,
) -> Result<Totals, WriteError> {
    txt::write(messages, contents, out)
}
