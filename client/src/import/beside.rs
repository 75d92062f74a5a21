//! Reads an export on a thread of its own, while the one that called takes what was read into the archive.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::archived::Archived;
use crate::archive::hash_content;
use crate::error::{Error, Result};
use crate::event::{Chat, Row};
use crate::sources::{ChatInfo, FileTaken, ImportError, Sink};

/// Things handed over at once, and their bytes, more or less.
const BATCH_ITEMS: usize = 512;
const BATCH_BYTES: usize = 256 << 10;
/// Batches that wait to be taken.
const BATCHES: usize = 8;

/// What a source hands to its sink.
enum Item {
    Chat(Arc<Chat>, ChatInfo),
    Row(Arc<Chat>, Row),
    About(Arc<Chat>, String, Row),
    File(String, FileTaken),
    Skip(String, String),
}

/// Runs `read` on another thread and gives what it hands over to `sink`. Files are read there, and stay where they are.
pub(super) fn read_beside<T: Send>(
    sink: &mut Archived<'_>,
    read: impl FnOnce(&mut dyn Sink) -> std::result::Result<T, ImportError> + Send,
) -> Result<std::result::Result<T, ImportError>> {
    let (to, from) = sync_channel(BATCHES);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut handing = Handing { to, batch: Vec::new(), bytes: 0, chat: None };
            let outcome = read(&mut handing);
            // Where nobody takes any more, the taker's own error says why.
            handing.hand_over().and(outcome)
        });
        let taken = take(sink, from);
        let outcome = reading.join().map_err(|_| Error::Internal("reading an export broke off".to_owned()))?;
        Ok(taken.and(outcome))
    })
}

fn take(sink: &mut Archived<'_>, from: Receiver<Vec<Item>>) -> std::result::Result<(), ImportError> {
    for item in from.into_iter().flatten() {
        match item {
            Item::Chat(chat, info) => sink.chat(&chat, &info)?,
            Item::Row(chat, row) => sink.row(&chat, row)?,
            Item::About(chat, native, row) => sink.about(&chat, &native, row)?,
            Item::File(path, taken) => sink.left_there(&path, taken)?,
            Item::Skip(item, reason) => sink.skip(&item, &reason),
        }
    }
    Ok(())
}

/// The reading thread's sink.
struct Handing {
    to: SyncSender<Vec<Item>>,
    batch: Vec<Item>,
    bytes: usize,
    /// The chat spoken of last: rows of one chat mostly follow each other.
    chat: Option<Arc<Chat>>,
}

impl Handing {
    fn push(&mut self, item: Item, bytes: usize) -> std::result::Result<(), ImportError> {
        self.batch.push(item);
        self.bytes += bytes;
        if self.batch.len() >= BATCH_ITEMS || self.bytes >= BATCH_BYTES { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> std::result::Result<(), ImportError> {
        self.bytes = 0;
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_ITEMS));
        self.to.send(batch).map_err(|_| ImportError::Sink("nobody takes what is read".to_owned()))
    }

    fn chat_of(&mut self, chat: &Chat) -> Arc<Chat> {
        match &self.chat {
            Some(known) if **known == *chat => known.clone(),
            _ => self.chat.insert(Arc::new(chat.clone())).clone(),
        }
    }
}

impl Sink for Handing {
    fn chat(&mut self, chat: &Chat, info: &ChatInfo) -> std::result::Result<(), ImportError> {
        let chat = self.chat_of(chat);
        self.push(Item::Chat(chat, info.clone()), 64)
    }

    fn row(&mut self, chat: &Chat, row: Row) -> std::result::Result<(), ImportError> {
        let (chat, bytes) = (self.chat_of(chat), row.fields.bytes());
        self.push(Item::Row(chat, row), bytes)
    }

    fn about(&mut self, chat: &Chat, target_native: &str, row: Row) -> std::result::Result<(), ImportError> {
        let (chat, bytes) = (self.chat_of(chat), row.fields.bytes());
        self.push(Item::About(chat, target_native.to_owned(), row), bytes)
    }

    fn file(&mut self, path: &str, content: &mut dyn Read) -> std::result::Result<FileTaken, ImportError> {
        let taken = hash_content(content)?;
        self.push(Item::File(path.to_owned(), taken), path.len())?;
        Ok(taken)
    }

    fn skip(&mut self, item: &str, reason: &str) {
        // A failure shows with the next row, or at the end.
        let _ = self.push(Item::Skip(item.to_owned(), reason.to_owned()), item.len() + reason.len());
    }
}
