//! Storing stretches, and taking them apart.

use rusqlite::{Connection, Statement, params};

use super::{Opened, Prepared, Stretch};
use crate::archive::chats::Entry;
use crate::archive::error::Result;
use crate::archive::read_marks;
use crate::ids::EventId;

/// Writes a stretch that is known to meet nothing; `arrival` is that of rows that state none.
pub fn place(db: &Connection, chat: &Entry, prepared: &Prepared, arrival: Option<i64>, state: i64) -> Result<Stretch> {
    let waiting = i64::try_from(prepared.messages - prepared.early_messages).unwrap_or(i64::MAX);
    let (shown_first, shown_last) = prepared.shown.unzip();
    let sql = "INSERT INTO stretches \
               (chat, first, last, rows, bytes, arrival, state, waiting, shown_first, shown_last, text_bytes, targets) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    db.prepare_cached(sql)?.execute(params![
        chat.n,
        prepared.first,
        prepared.last,
        prepared.rows.cast_signed(),
        i64::try_from(prepared.bytes).unwrap_or(i64::MAX),
        arrival,
        state,
        waiting,
        shown_first,
        shown_last,
        prepared.text_bytes.cast_signed(),
        prepared.targets.cast_signed(),
    ])?;
    let n = db.last_insert_rowid();
    db.prepare_cached("INSERT INTO frames (n, frame) VALUES (?1, ?2)")?.execute(params![n, prepared.frame])?;
    if arrival.is_none() {
        let sql = "INSERT INTO frame_lanes (n, lanes) VALUES (?1, ?2)";
        db.prepare_cached(sql)?.execute(params![n, prepared.lanes.encode()])?;
    }
    if let Some(time) = prepared.read_to {
        read_marks::note(db, chat.n, time)?;
    }
    for (file, time, target) in &prepared.long {
        db.prepare_cached("INSERT OR IGNORE INTO long_fields VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![file.0, chat.n, time, target.0])?;
    }
    if waiting > 0 {
        let sql = "UPDATE chats SET messages = messages + ?2, text_bytes = text_bytes + ?3 WHERE n = ?1";
        db.prepare_cached(sql)?.execute(params![chat.n, waiting, prepared.text_bytes.cast_signed()])?;
    }
    Ok(Stretch { n, chat: chat.n, first: prepared.first, last: prepared.last, arrival, state, waiting })
}

/// Makes single rows of a stretch's rows. Answers the targets that must be folded now: those of messages that waited.
pub fn dissolve(db: &Connection, insert: &mut Statement<'_>, opened: &Opened) -> Result<Vec<(i64, EventId)>> {
    let stretch = &opened.stretch;
    let mut targets = Vec::new();
    for (key, value, arrival) in opened.rows() {
        let kind = i64::from(key.kind.0);
        insert.execute(params![stretch.chat, key.time, key.target.0, kind, key.id.0, value, arrival, stretch.state])?;
        if stretch.waiting > 0 && targets.last() != Some(&(key.time, key.target)) {
            targets.push((key.time, key.target));
        }
    }
    settled(db, stretch)?;
    db.prepare_cached("DELETE FROM stretches WHERE n = ?1")?.execute([stretch.n])?;
    db.prepare_cached("DELETE FROM frames WHERE n = ?1")?.execute([stretch.n])?;
    db.prepare_cached("DELETE FROM frame_lanes WHERE n = ?1")?.execute([stretch.n])?;
    Ok(targets)
}

/// Takes what waited out of a chat's count: whoever puts these messages into the table counts them there.
pub fn settled(db: &Connection, stretch: &Stretch) -> Result<()> {
    if stretch.waiting > 0 {
        let sql = "UPDATE chats SET messages = messages - ?2, \
                   text_bytes = text_bytes - (SELECT s.text_bytes FROM stretches s WHERE s.n = ?3) WHERE n = ?1";
        db.prepare_cached(sql)?.execute(params![stretch.chat, stretch.waiting, stretch.n])?;
        db.prepare_cached("UPDATE stretches SET waiting = 0, text_bytes = 0 WHERE n = ?1")?.execute([stretch.n])?;
    }
    Ok(())
}
