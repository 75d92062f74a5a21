//! What an app writes event by event.

use rusqlite::params;

use super::Archive;
use super::error::{ArchiveError, Result};
use super::{chats, stretch};
use crate::event::{Chat, ROW_BYTES_MAX, Row, TEXT_BYTES_MAX, tag};
use crate::ids::EventId;
use crate::pack::BlockRow;
use crate::sources::{ImportError, Sink as _};

impl Archive {
    /// Keeps one event and answers its id. It is durable when this returns, and waits to be sent.
    pub fn record(&mut self, chat: &Chat, row: &Row) -> Result<EventId> {
        if chat.source.len() > Chat::SOURCE_BYTES_MAX || chat.conversation.len() > Chat::CONVERSATION_BYTES_MAX {
            return Err(ArchiveError::Refused("a chat's key is longer than a vault holds"));
        }
        if fits(row) {
            let put = self.commit(|c| c.add_row(chat, row))?;
            return if put.refused { Err(REFUSED) } else { Ok(put.key.id) };
        }
        // As an import has it: what is too long for a row becomes a file of its own.
        let mut import = self.import()?;
        import.row(chat, row.clone()).map_err(not_taken)?;
        let imported = import.finish()?;
        if imported.skipped_total > 0 {
            return Err(ArchiveError::Refused("an event is longer than 24 KiB without its text"));
        }
        if imported.chats.iter().any(|chat| chat.refused > 0) {
            return Err(REFUSED);
        }
        Ok(self.parts.ids.event(chat, row.kind.id_class(), &row.native))
    }

    /// Whether nothing at all is known of rows: storing them joins them with nothing, and no deletion refuses them.
    pub fn knows_none(&self, rows: &[BlockRow]) -> Result<bool> {
        let mut known = self.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3 AND kind = ?4 AND id = ?5) \
             OR EXISTS (SELECT 1 FROM tombstones WHERE id IN (?3, ?5))",
        )?;
        for row in rows {
            let Some(chat) = chats::by_id(&self.db, &row.key.chat)? else { continue };
            let place = params![chat.n, row.key.time, row.key.target.0, i64::from(row.key.kind.0), row.key.own.0];
            if known.query_row(place, |r| r.get(0))? || stretch::covering(&self.db, chat.n, row.key.time)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Raised whenever another connection, of this process or of another, has written something.
    pub fn version(&self) -> Result<i64> {
        Ok(self.db.query_row("PRAGMA data_version", [], |r| r.get(0))?)
    }
}

/// Why an event is not kept that its owner has deleted.
pub const REFUSED: ArchiveError = ArchiveError::Refused("its message was deleted here, and stays so");

/// Whether an event stands in a row as it is.
pub fn fits(row: &Row) -> bool {
    let short = |tag| row.fields.get(tag).is_none_or(|value| value.len() <= TEXT_BYTES_MAX);
    short(tag::BODY)
        && short(tag::EXTRA)
        && row.native.len() <= Row::NATIVE_BYTES_MAX
        && row.encode().len() <= ROW_BYTES_MAX
}

fn not_taken(error: ImportError) -> ArchiveError {
    match error {
        ImportError::Io(e) => ArchiveError::Io(e),
        other => ArchiveError::Database(other.to_string()),
    }
}
