//! Reading for people: chats, pages of messages, one message, media.

use std::collections::BTreeSet;

use rusqlite::{Row as Found, params};

use super::chats::{self, Entry};
use super::error::{ArchiveError, Result};
use super::media::MediaReader;
use super::outside::{self, AT_HAND, WANTED};
use super::record::{self, Columns};
use super::statements::Statements as _;
use super::stretch::{self, Opened};
use super::{Archive, media};
use crate::event::{Attachment, Chat, Kind};
use crate::ids::{ChatId, EventId, FileId};
use crate::merge::Message;

/// A message as it is shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    pub message: Message,
    pub chat: ChatId,
    pub chat_title: Option<String>,
    /// For each attachment, whether its bytes are on this device.
    pub present: Vec<bool>,
}

/// The place of a message in its chat.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    pub time: i64,
    pub place: i64,
    pub id: EventId,
}

impl Position {
    pub fn of(message: &Message) -> Self {
        Self { time: message.time, place: message.place, id: message.id }
    }
}

/// Where a page lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// Behind the last message.
    End,
    /// Before the first message of this time (ms) or later.
    Time(i64),
    /// Before this message.
    Before(Position),
    /// Behind this message.
    After(Position),
}

/// A chat in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChatSummary {
    pub id: ChatId,
    pub chat: Chat,
    pub title: Option<String>,
    pub shape: Option<String>,
    pub messages: u64,
    /// Row times of the first and last message, ms.
    pub first: Option<i64>,
    pub last: Option<i64>,
}

/// What the archive holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    pub chats: u64,
    pub messages: u64,
    /// Attachments of messages whose content is known, and those of them not on this device.
    pub attachments: u64,
    pub attachments_absent: u64,
    /// Files that can be read on this device and the vault lacks.
    pub waiting: u64,
    pub waiting_bytes: u64,
    /// Rows that no record of the log holds yet, those in flight included.
    pub unsynced: u64,
    /// Messages among them: new ones, and those that acts still to be sent are about.
    pub unsaved_messages: u64,
}

/// A chat of the first screen.
#[derive(Clone, PartialEq, Debug)]
pub struct FrontChat {
    pub chat: ChatSummary,
    /// Its newest messages, oldest first.
    pub messages: Vec<Shown>,
}

/// What every query for messages selects, in the order [`Archive::shown`] reads.
pub(super) const COLUMNS: &str = "m.id, m.time, m.place, m.kind, m.flags, m.text, m.rest, m.chat";

impl Archive {
    /// The id of a chat, known or not.
    pub fn chat_id(&self, chat: &Chat) -> ChatId {
        self.parts.ids.chat(chat)
    }

    /// Lists the chats that have messages, the one written to last first.
    pub fn chats(&self) -> Result<Vec<ChatSummary>> {
        let mut statement = self.db.prepare_cached(
            "SELECT id, source, conversation, title, shape, messages, \
             (SELECT min(t) FROM (SELECT min(time) AS t FROM messages m WHERE m.chat = chats.n UNION ALL \
               SELECT min(shown_first) FROM stretches s WHERE s.waiting > 0 AND s.chat = chats.n)), \
             (SELECT max(t) FROM (SELECT max(time) AS t FROM messages m WHERE m.chat = chats.n UNION ALL \
               SELECT max(shown_last) FROM stretches s WHERE s.waiting > 0 AND s.chat = chats.n)) AS last \
             FROM chats WHERE messages > 0 ORDER BY last DESC, id",
        )?;
        let found = statement.query_map([], |r| {
            Ok(ChatSummary {
                id: ChatId(r.get(0)?),
                chat: Chat { source: r.get(1)?, conversation: r.get(2)? },
                title: r.get(3)?,
                shape: r.get(4)?,
                messages: r.get::<_, i64>(5)?.cast_unsigned(),
                first: r.get(6)?,
                last: r.get(7)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Reads up to `before` messages before the anchor and up to `after` behind it, oldest first.
    pub fn page(&self, chat: &ChatId, anchor: Anchor, before: usize, after: usize) -> Result<Vec<Shown>> {
        let Some(entry) = chats::by_id(&self.db, chat)? else { return Ok(Vec::new()) };
        let (at, inclusive) = match anchor {
            Anchor::End => (None, false),
            Anchor::Time(time) => (Some(Position { time, place: i64::MIN, id: EventId([0; 32]) }), true),
            Anchor::Before(at) => (Some(at), true),
            Anchor::After(at) => (Some(at), false),
        };
        let greatest = Position { time: i64::MAX, place: i64::MAX, id: EventId([0xff; 32]) };
        let from = at.unwrap_or(greatest);
        let mut page = if before > 0 {
            self.side(&entry, from, if inclusive { "<" } else { "<=" }, "DESC", before)?
        } else {
            Vec::new()
        };
        page.reverse();
        if after > 0 && at.is_some() {
            page.extend(self.side(&entry, from, if inclusive { ">=" } else { ">" }, "ASC", after)?);
        }
        Ok(page)
    }

    fn side(&self, chat: &Entry, from: Position, side: &str, way: &str, limit: usize) -> Result<Vec<Shown>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages m WHERE m.chat = ?1 AND (m.time, m.place, m.id) {side} (?2, ?3, ?4) \
             ORDER BY m.time {way}, m.place {way}, m.id {way} LIMIT ?5"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = statement.query(params![chat.n, from.time, from.place, from.id.0, limit])?;
        let mut list = Vec::new();
        let title = self.title(chat.n)?;
        while let Some(row) = found.next()? {
            list.push(self.shown_in(chat, title.clone(), row)?);
        }
        drop(found);
        let waiting = self.waiting_side(chat, from, side, limit.unsigned_abs())?;
        if !waiting.is_empty() {
            for message in waiting {
                list.push(self.show(message, chat.id, title.clone())?);
            }
            list.sort_by_key(|shown| Position::of(&shown.message));
            // Those with attachments stand in the table as well.
            list.dedup_by_key(|shown| shown.message.id);
            if way == "DESC" {
                list.reverse();
            }
            list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Ok(list)
    }

    /// Messages of one side of a position that no table has yet, the nearest `limit` of them.
    fn waiting_side(&self, chat: &Entry, from: Position, side: &str, limit: u64) -> Result<Vec<Message>> {
        let forward = side.starts_with('>');
        let inclusive = side.ends_with('=');
        let mut list = Vec::new();
        stretch::each_waiting(&self.db, chat.n, from.time, forward, |stretch| {
            let opened = Opened::new(&self.db, &self.parts, chat, stretch)?;
            let mut messages = opened.messages(&self.parts, &self.media, &self.db, chat)?;
            messages.retain(|message| {
                let at = Position::of(message);
                if at == from { inclusive } else { (at > from) == forward }
            });
            list.extend(messages);
            Ok((list.len() as u64) < limit)
        })?;
        Ok(list)
    }

    /// Hands out every message that no table has yet, chat by chat, until `take` answers false.
    pub(super) fn each_waiting_message(&self, mut take: impl FnMut(&Entry, Message) -> Result<bool>) -> Result<()> {
        for chat in chats::in_key_order(&self.db)? {
            let mut goes_on = true;
            stretch::each_waiting(&self.db, chat.n, i64::MIN, true, |stretch| {
                let opened = Opened::new(&self.db, &self.parts, &chat, stretch)?;
                for message in opened.messages(&self.parts, &self.media, &self.db, &chat)? {
                    goes_on = goes_on && take(&chat, message)?;
                }
                Ok(goes_on)
            })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Finds the first message at or after a time: where a jump to a date lands.
    pub fn at(&self, chat: &ChatId, time: i64) -> Result<Option<Position>> {
        let page = self.page(chat, Anchor::Time(time), 0, 1)?;
        Ok(page.first().map(|shown| Position::of(&shown.message)))
    }

    /// Finds messages by the beginning of any of their ids, at most `limit`: one is the answer, more are candidates.
    pub fn messages_by_prefix(&self, hex: &str, limit: usize) -> Result<Vec<Shown>> {
        let hex = hex.to_ascii_lowercase();
        if hex.is_empty() || hex.len() > 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ArchiveError::Refused("an id has up to 64 hexadecimal characters"));
        }
        let bound = |fill: char| {
            let padded: String = hex.chars().chain(std::iter::repeat_n(fill, 64)).take(64).collect();
            EventId::from_hex(&padded).map(|id| record::prefix(&id))
        };
        let (Some(first), Some(last)) = (bound('0'), bound('f')) else { return Ok(Vec::new()) };
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages m WHERE m.n IN ( \
               SELECT n FROM messages WHERE prefix BETWEEN ?1 AND ?2 AND lower(hex(id)) LIKE ?3 || '%' \
               UNION SELECT n FROM also WHERE prefix BETWEEN ?1 AND ?2 AND lower(hex(id)) LIKE ?3 || '%' \
             ) ORDER BY m.id LIMIT ?4"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = statement.query(params![first, last, hex, limit])?;
        let mut list = Vec::new();
        while let Some(row) = found.next()? {
            list.push(self.shown(row)?);
        }
        drop(found);
        if self.has_waiting()? {
            let known: BTreeSet<EventId> = list.iter().map(|shown| shown.message.id).collect();
            self.each_waiting_message(|chat, message| {
                let named = message.row_ids.iter().any(|id| id.hex().starts_with(&hex));
                if named && !known.contains(&message.id) {
                    list.push(self.show(message, chat.id, self.title(chat.n)?)?);
                }
                Ok(true)
            })?;
            list.sort_by_key(|shown| shown.message.id);
            list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Ok(list)
    }

    /// Whether there are messages that no table has yet.
    pub(super) fn has_waiting(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM stretches WHERE waiting > 0)";
        Ok(self.db.one(sql, [], |r| r.get(0))?)
    }

    /// Finds a message by its public id or the id of any of its rows.
    pub fn message(&self, id: &EventId) -> Result<Option<Shown>> {
        Ok(self.messages_by_prefix(&id.hex(), 1)?.pop())
    }

    /// Lists a chat's messages with attachments, newest first, from behind `before`.
    pub fn media(&self, chat: &ChatId, before: Option<Position>, limit: usize) -> Result<Vec<Shown>> {
        let Some(entry) = chats::by_id(&self.db, chat)? else { return Ok(Vec::new()) };
        let last = match before {
            Some(at) => {
                let sql = "SELECT n FROM messages WHERE chat = ?1 AND time = ?2 AND place = ?3 AND id = ?4";
                let n = self.db.one(sql, params![entry.n, at.time, at.place, at.id.0], |r| r.get(0));
                n.unwrap_or(super::messages::first_number(at.time))
            }
            None => i64::MAX,
        };
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM \
               (SELECT DISTINCT n FROM attachments WHERE chat = ?1 AND n < ?2 ORDER BY n DESC LIMIT ?3) a \
             JOIN messages m ON m.n = a.n ORDER BY m.n DESC"
        ))?;
        let mut found = statement.query(params![entry.n, last, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut list = Vec::new();
        let title = self.title(entry.n)?;
        while let Some(row) = found.next()? {
            list.push(self.shown_in(&entry, title.clone(), row)?);
        }
        Ok(list)
    }

    /// Opens an attachment's bytes; none where they are not on this device.
    pub fn attachment(&self, attachment: &Attachment) -> Result<Option<MediaReader>> {
        let Some(file) = self.file_of(attachment) else { return Ok(None) };
        self.file(&file)
    }

    /// Opens a file of the media store, or of an export it still lies in unchanged.
    pub fn file(&self, file: &FileId) -> Result<Option<MediaReader>> {
        match self.media.open(&self.db, file)? {
            Some(reader) => Ok(Some(reader)),
            None => Ok(self.outside(file)?.map(MediaReader::outside)),
        }
    }

    /// The file id of an attachment whose content is known.
    pub fn file_of(&self, attachment: &Attachment) -> Option<FileId> {
        Some(self.parts.ids.file(&attachment.hash?, attachment.size?))
    }

    /// Whether the media store holds a file.
    pub fn is_in_home(&self, file: &FileId) -> Result<bool> {
        media::is_here(&self.db, file)
    }

    /// The id of a file of this content hash and size.
    pub fn file_id(&self, hash: &[u8; 32], bytes: u64) -> FileId {
        self.parts.ids.file(hash, bytes)
    }

    /// Counts what is here.
    pub fn counts(&self) -> Result<Counts> {
        let one = |sql: &str| -> Result<u64> { Ok(self.db.one(sql, [], |r| r.get::<_, i64>(0))?.cast_unsigned()) };
        let absent = "SELECT count(*) FROM attachments a WHERE file IS NOT NULL AND NOT EXISTS \
                      (SELECT 1 FROM files f WHERE f.file = a.file AND f.here IS NOT NULL)";
        let waiting = format!("FROM files f WHERE vault = 0 AND {AT_HAND} AND {WANTED}");
        Ok(Counts {
            chats: one("SELECT count(*) FROM chats WHERE messages > 0")?,
            messages: one("SELECT coalesce(sum(messages), 0) FROM chats")?,
            attachments: one("SELECT count(*) FROM attachments WHERE file IS NOT NULL")?,
            attachments_absent: one(absent)?,
            waiting: one(&format!("SELECT count(*) {waiting}"))?,
            waiting_bytes: one(&format!("SELECT coalesce(sum(bytes), 0) {waiting}"))?,
            unsynced: one("SELECT (SELECT count(*) FROM rows WHERE state <> 0) + \
                           (SELECT coalesce(sum(rows), 0) FROM stretches WHERE state <> 0)")?,
            unsaved_messages: one(&format!(
                "SELECT (SELECT count(*) FROM (SELECT DISTINCT chat, target FROM rows \
                 WHERE state <> 0 AND kind < {} AND kind <> {})) + \
                 (SELECT coalesce(sum(targets), 0) FROM stretches WHERE state <> 0)",
                Kind::VIEW.0,
                Kind::READ_MARK.0
            ))?,
        })
    }

    /// Reads the first screen: the newest chats with their newest messages.
    pub fn front(&self, chats: usize, messages: usize) -> Result<Vec<FrontChat>> {
        let newest = self.chats()?.into_iter().take(chats);
        newest.map(|chat| Ok(FrontChat { messages: self.page(&chat.id, Anchor::End, messages, 0)?, chat })).collect()
    }

    fn title(&self, n: i64) -> Result<Option<String>> {
        Ok(self.db.one("SELECT title FROM chats WHERE n = ?1", [n], |r| r.get(0))?)
    }

    /// Reads a message of any chat from [`COLUMNS`].
    pub(super) fn shown(&self, row: &Found<'_>) -> Result<Shown> {
        let n: i64 = row.get(7)?;
        self.shown_in(&chats::by_number(&self.db, n)?, self.title(n)?, row)
    }

    pub(super) fn shown_in(&self, chat: &Entry, chat_title: Option<String>, row: &Found<'_>) -> Result<Shown> {
        self.show(message(&chat.chat, row)?, chat.id, chat_title)
    }

    fn show(&self, message: Message, chat: ChatId, chat_title: Option<String>) -> Result<Shown> {
        let mut present = Vec::with_capacity(message.attachments.len());
        for attachment in &message.attachments {
            let Some(file) = self.file_of(attachment) else {
                present.push(false);
                continue;
            };
            present.push(media::is_here(&self.db, &file)? || outside::is_there(&self.db, &file)?);
        }
        Ok(Shown { message, chat, chat_title, present })
    }
}

pub(super) fn message(chat: &Chat, row: &Found<'_>) -> Result<Message> {
    let columns = Columns {
        id: EventId(row.get(0)?),
        time: row.get(1)?,
        place: row.get(2)?,
        kind: Kind(row.get(3)?),
        flags: row.get(4)?,
        text: row.get(5)?,
    };
    record::decode(chat, columns, row.get_ref(6)?.as_blob().unwrap_or_default())
}
