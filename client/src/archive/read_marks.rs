//! How far a chat was read. Of several marks, of whichever device, the latest time counts.
//!
//! A chat without a mark was never read here: what imports brought was read in its app, so nothing of it is unread.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::Result;
use super::statements::Statements as _;
use super::{Anchor, Archive, Position, chats};
use crate::event::{Kind, Row};
use crate::ids::{ChatId, EventId};

/// Messages looked at in one go.
const PAGE: usize = 500;

/// Takes note of a mark.
pub(super) fn note(db: &Connection, chat: i64, time: i64) -> Result<()> {
    db.run(
        "INSERT INTO read_marks VALUES (?1, ?2) ON CONFLICT (chat) DO UPDATE SET time = max(time, ?2)",
        params![chat, time],
    )?;
    Ok(())
}

impl Archive {
    /// Up to which time a chat was read, that time included.
    pub fn read_to(&self, chat: &ChatId) -> Result<Option<i64>> {
        let sql = "SELECT r.time FROM read_marks r JOIN chats c ON c.n = r.chat WHERE c.id = ?1";
        Ok(self.db.one(sql, [chat.0], |r| r.get(0)).optional()?)
    }

    /// Marks a chat as read up to a time. Answers whether that is further than it was.
    pub fn mark_read(&mut self, chat: &ChatId, time: i64) -> Result<bool> {
        let Some(entry) = chats::by_id(&self.db, chat)? else { return Ok(false) };
        if self.read_to(chat)?.is_some_and(|known| known >= time) {
            return Ok(false);
        }
        self.record(&entry.chat, &Row::new(Kind::READ_MARK, time, time.to_string()))?;
        Ok(true)
    }

    /// Counts the messages of others that came after the mark; none where a chat has no mark.
    pub fn unread(&self, chat: &ChatId) -> Result<Option<u64>> {
        let Some(time) = self.read_to(chat)? else { return Ok(None) };
        let mut at = Position { time, place: i64::MAX, id: EventId([0xff; 32]) };
        let mut unread = 0;
        loop {
            let page = self.page(chat, Anchor::After(at), 0, PAGE)?;
            let Some(last) = page.last() else { return Ok(Some(unread)) };
            at = Position::of(&last.message);
            let counts = |m: &crate::merge::Message| {
                matches!(m.kind, Kind::MESSAGE | Kind::CALL | Kind::POLL)
                    && !m.sender.as_ref().is_some_and(|party| party.is_self)
            };
            unread += page.iter().filter(|shown| counts(&shown.message)).count() as u64;
        }
    }
}
