//! Chats as the database numbers them. The number is local; order and identity go by the chat's id.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::parts::Ids;
use super::statements::Statements as _;
use crate::event::{Chat, Row, tag};
use crate::ids::ChatId;

/// A chat with its local number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub n: i64,
    pub id: ChatId,
    pub chat: Chat,
}

/// Finds a chat, or adds it.
pub(super) fn entry(db: &Connection, ids: &dyn Ids, chat: &Chat) -> Result<Entry> {
    let id = ids.chat(chat);
    if let Some(found) = by_id(db, &id)? {
        return Ok(found);
    }
    db.run(
        "INSERT INTO chats (id, source, conversation) VALUES (?1, ?2, ?3)",
        params![id.0, chat.source, chat.conversation],
    )?;
    Ok(Entry { n: db.last_insert_rowid(), id, chat: chat.clone() })
}

pub(super) fn by_id(db: &Connection, id: &ChatId) -> Result<Option<Entry>> {
    let found = db.one("SELECT n, id, source, conversation FROM chats WHERE id = ?1", [id.0], read);
    Ok(found.optional()?)
}

pub(super) fn by_number(db: &Connection, n: i64) -> Result<Entry> {
    Ok(db.one("SELECT n, id, source, conversation FROM chats WHERE n = ?1", [n], read)?)
}

/// All chats by id: the order of row keys.
pub(super) fn in_key_order(db: &Connection) -> Result<Vec<Entry>> {
    list(db, "SELECT n, id, source, conversation FROM chats ORDER BY id")
}

/// All chats by conversation and source: the order of exports.
pub(super) fn in_export_order(db: &Connection) -> Result<Vec<Entry>> {
    list(db, "SELECT n, id, source, conversation FROM chats WHERE messages > 0 ORDER BY conversation, source")
}

/// Chats without ids whose rows changed since they were folded.
pub(super) fn dirty(db: &Connection) -> Result<Vec<Entry>> {
    list(db, "SELECT n, id, source, conversation FROM chats WHERE dirty = 1 ORDER BY n")
}

fn list(db: &Connection, sql: &str) -> Result<Vec<Entry>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let chat = Chat { source: row.get(2)?, conversation: row.get(3)? };
    Ok(Entry { n: row.get(0)?, id: ChatId(row.get(1)?), chat })
}

pub(super) fn set_dirty(db: &Connection, n: i64, dirty: bool) -> Result<()> {
    db.run("UPDATE chats SET dirty = ?2 WHERE n = ?1", params![n, dirty])?;
    Ok(())
}

/// Notes how many rows own deletions hide that do not name them; answers how many more these are than before.
pub(super) fn set_refused(db: &Connection, n: i64, refused: u64) -> Result<u64> {
    let before: i64 = db.one("SELECT refused FROM chats WHERE n = ?1", [n], |r| r.get(0))?;
    if before.cast_unsigned() != refused {
        db.run("UPDATE chats SET refused = ?2 WHERE n = ?1", params![n, refused.cast_signed()])?;
    }
    Ok(refused.saturating_sub(before.cast_unsigned()))
}

/// Takes the title an import row states. Of two the one first seen later wins, then the greater text, so that all
/// devices show the same.
pub(super) fn learn_title(db: &Connection, n: i64, row: &Row) -> Result<()> {
    let Some(title) = row.fields.text(tag::TITLE) else { return Ok(()) };
    let as_of = row.fields.number(tag::AS_OF).unwrap_or(i64::MIN);
    db.run(
        "UPDATE chats SET title = ?2, title_as_of = ?3 \
         WHERE n = ?1 AND (title_as_of IS NULL OR (title_as_of, title) < (?3, ?2))",
        params![n, title, as_of],
    )?;
    if let Some(shape) = row.fields.text(tag::ACTION) {
        db.run("UPDATE chats SET shape = ?2 WHERE n = ?1", params![n, shape])?;
    }
    Ok(())
}

/// The title that import rows state.
pub(super) fn stated_title(db: &Connection, id: &ChatId) -> Result<Option<String>> {
    let sql = "SELECT title FROM chats WHERE id = ?1 AND title_as_of IS NOT NULL";
    Ok(db.one(sql, [id.0], |r| r.get(0)).optional()?.flatten())
}

/// Shows a title at once, until an import row states one.
pub(super) fn suggest_title(db: &Connection, n: i64, title: Option<&str>, shape: Option<&str>) -> Result<()> {
    db.run(
        "UPDATE chats SET title = CASE WHEN title_as_of IS NULL THEN coalesce(?2, title) ELSE title END, \
         shape = coalesce(shape, ?3) WHERE n = ?1",
        params![n, title, shape],
    )?;
    Ok(())
}
