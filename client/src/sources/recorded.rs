//! For tests: an export in memory, a sink that keeps everything, and a plain fold of what it kept.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::{ChatInfo, FileEntry, FileTaken, Files, ImportError, Sink};
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::EventId;
use crate::merge::{Message, Reaction, Version};

/// An export of files in memory.
#[derive(Default)]
pub struct Memory {
    list: Vec<FileEntry>,
    content: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let content: BTreeMap<String, Vec<u8>> = files.iter().map(|(p, b)| ((*p).to_owned(), b.to_vec())).collect();
        let list = content.iter().map(|(p, b)| FileEntry { path: p.clone(), bytes: b.len() as u64 }).collect();
        Self { list, content }
    }
}

impl Files for Memory {
    fn list(&self) -> &[FileEntry] {
        &self.list
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.content.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    }
}

/// Everything a source handed over.
#[derive(Default)]
pub struct Recorded {
    pub chats: BTreeMap<Chat, ChatInfo>,
    pub rows: Vec<(Chat, Row)>,
    pub about: Vec<(Chat, String, Row)>,
    pub files: BTreeMap<[u8; 32], Vec<u8>>,
    pub skipped: Vec<(String, String)>,
}

impl Sink for Recorded {
    fn chat(&mut self, chat: &Chat, info: &ChatInfo) -> Result<(), ImportError> {
        self.chats.insert(chat.clone(), info.clone());
        Ok(())
    }

    fn row(&mut self, chat: &Chat, row: Row) -> Result<(), ImportError> {
        assert!(self.chats.contains_key(chat), "a chat is announced before its first row");
        assert!(row.native.len() <= Row::NATIVE_BYTES_MAX);
        self.rows.push((chat.clone(), row));
        Ok(())
    }

    fn about(&mut self, chat: &Chat, target_native: &str, row: Row) -> Result<(), ImportError> {
        self.about.push((chat.clone(), target_native.to_owned(), row));
        Ok(())
    }

    fn file(&mut self, _: &str, content: &mut dyn Read) -> Result<FileTaken, ImportError> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let hash = *blake3::hash(&bytes).as_bytes();
        let taken = FileTaken { hash, bytes: bytes.len() as u64 };
        self.files.insert(hash, bytes);
        Ok(taken)
    }

    fn skip(&mut self, item: &str, reason: &str) {
        self.skipped.push((item.to_owned(), reason.to_owned()));
    }
}

impl Recorded {
    /// The one row of this native key.
    pub fn row(&self, native: &str) -> &Row {
        let mut rows = self.rows.iter().filter(|(_, r)| r.native == native);
        let (_, row) = rows.next().unwrap_or_else(|| panic!("no row {native}"));
        assert!(rows.next().is_none(), "two rows {native}");
        row
    }

    /// The messages of one import that met nothing else, in the order of an export.
    pub fn messages(&self) -> Vec<(Message, Option<String>)> {
        let mut out: Vec<_> =
            self.rows.iter().map(|(chat, row)| (self.message(chat, row), self.chats[chat].title.clone())).collect();
        out.sort_by(|(a, _), (b, _)| {
            (&a.chat.conversation, &a.chat.source, a.time).cmp(&(&b.chat.conversation, &b.chat.source, b.time))
        });
        out
    }

    fn message(&self, chat: &Chat, row: &Row) -> Message {
        let about = || self.about.iter().filter(|(c, n, _)| c == chat && *n == row.native).map(|(_, _, r)| r);
        let reactions = about().filter(|r| r.kind == Kind::REACTION_ADD).map(|r| {
            let by = r.sender().unwrap();
            let emoji = r.fields.text(tag::EMOJI).unwrap().to_owned();
            Reaction { by: by.name.or(by.native_id.clone()).unwrap(), by_id: by.native_id, emoji }
        });
        let versions = about().filter(|r| r.kind == Kind::EDIT);
        let text = |tag| row.fields.text(tag).map(str::to_owned);
        Message {
            id: EventId([0; 32]),
            row_ids: Vec::new(),
            chat: chat.clone(),
            kind: row.kind,
            time: row.time,
            place: row.fields.number(tag::PLACE).unwrap_or(0),
            native: row.native.clone(),
            sender: row.sender(),
            sent_at: row.sent_at(),
            text: text(tag::BODY),
            ranges: row.ranges(),
            reply: row.reply(),
            forwarded_from: text(tag::FORWARDED_FROM),
            via_bot: text(tag::VIA_BOT),
            attachments: row.attachments(),
            reactions: reactions.collect(),
            versions: versions
                .map(|r| Version { at: r.fields.number(tag::EDITED_AT), text: r.body().unwrap_or_default().to_owned() })
                .collect(),
            edited_at: row.fields.number(tag::EDITED_AT),
            edited: row.fields.number(tag::EDITED_AT).is_some(),
            expires_at: row.fields.number(tag::EXPIRES_AT),
            deleted_in_source: about().any(|r| r.kind == Kind::SOURCE_DELETE),
            action: text(tag::ACTION),
            extra: text(tag::EXTRA),
        }
    }
}
