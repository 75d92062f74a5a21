//! What the owner does to messages here: edits, reactions, deletions and their undoing.
//!
//! An act is a row about its message, and is dated so that it wins over everything this device has seen of that message,
//! whatever its clock says. Acts of two devices that had not seen each other's are ordered by that date, and equal ones
//! by their content, so that all devices come to the same.

mod delete;
mod edit;
mod react;
mod undelete;

pub use delete::{Deleting, Weighed};
pub use undelete::{Matching, Undeleted};

use rusqlite::params;

use super::chats::{self, Entry};
use super::error::{ArchiveError, Result};
use super::graves::APART_MS;
use super::stretch::{self, Opened};
use super::{Archive, Shown};
use crate::crypto::{Entropy, draw};
use crate::event::{Chat, Row};
use crate::ids::EventId;
use crate::merge::Message;

/// Acts of one transaction.
const BATCH: usize = 1_000;

/// An act, made and not kept yet: for [`Archive::record`], or the recorder of a live exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Act {
    pub chat: Chat,
    pub row: Row,
}

/// What an act needs from outside.
pub struct Acting<'a> {
    /// This device's clock, ms; the caller keeps it from running far ahead of the server's.
    pub now: i64,
    pub entropy: &'a mut dyn Entropy,
}

impl Acting<'_> {
    /// A time later than anything seen.
    fn after(&self, seen: Option<i64>) -> i64 {
        seen.map_or(self.now, |seen| self.now.max(seen.saturating_add(1)))
    }

    /// A key that no other act has.
    fn native(&mut self) -> String {
        let native: [u8; 16] = draw(self.entropy);
        native.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Archive {
    /// Keeps an act and shows what came of it.
    fn act(&mut self, act: &Act) -> Result<EventId> {
        let id = self.record(&act.chat, &act.row)?;
        self.settle()?;
        Ok(id)
    }

    fn acted_on(&self, message: &EventId) -> Result<Shown> {
        self.message(message)?.ok_or(ArchiveError::Refused("there is no such message"))
    }

    /// The rows that are a message, in formats with ids, and those about it.
    fn rows_about(&self, message: &Message) -> Result<Vec<Row>> {
        let Some(chat) = chats::by_id(&self.db, &self.parts.ids.chat(&message.chat))? else { return Ok(Vec::new()) };
        if self.parts.rules.has_ids(&message.chat.source) {
            return self.rows_of_target(&chat, message.time, &message.id);
        }
        let sql = "SELECT value FROM rows WHERE chat = ?1 AND time BETWEEN ?2 AND ?3 AND target = ?4 AND kind >= 16";
        let mut statement = self.db.prepare_cached(sql)?;
        let (first, last) = (message.time.saturating_sub(APART_MS), message.time.saturating_add(APART_MS));
        let mut rows = Vec::new();
        for id in &message.row_ids {
            let mut found = statement.query(params![chat.n, first, last, id.0])?;
            while let Some(row) = found.next()? {
                rows.push(Row::decode(row.get_ref(0)?.as_blob().unwrap_or_default())?);
            }
        }
        Ok(rows)
    }

    fn rows_of_target(&self, chat: &Entry, time: i64, target: &EventId) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut statement =
            self.db.prepare_cached("SELECT value FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3")?;
        let mut found = statement.query(params![chat.n, time, target.0])?;
        while let Some(row) = found.next()? {
            rows.push(Row::decode(row.get_ref(0)?.as_blob().unwrap_or_default())?);
        }
        // Single rows and stretches never share a span of time.
        if rows.is_empty()
            && let Some(stretch) = stretch::covering(&self.db, chat.n, time)?
        {
            let opened = Opened::new(&self.db, &self.parts, chat, stretch)?;
            for (key, value, _) in opened.rows().filter(|(key, ..)| key.target == *target) {
                debug_assert_eq!(key.time, time);
                rows.push(Row::decode(value)?);
            }
        }
        Ok(rows)
    }
}
