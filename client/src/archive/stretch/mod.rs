//! Stretches: rows that come in bulk, kept as the frames they travel in.
//!
//! A stretch is one frame (`docs/format.md` §3.3) of rows of one chat with ids, neighbours in time. Ten thousand of them
//! cost what ten thousand rows do, and a frame goes into a run, or comes out of one, as it is. Two rules keep reading
//! simple: no other row of the chat lies within a stretch's span of time, and rows of one target are never divided. A
//! row that would break the first one dissolves the stretch into single rows, which is always right and only slower.
//!
//! The messages of a stretch are folded when somebody reads them, until [`Archive::index`](super::Archive::index) has
//! put them into the tables that search needs. Those with attachments are put there at once.

mod gather;
mod known;
mod reading;
mod store;

pub(super) use gather::{Gather, Gathered, Prepared, prepare};
pub(super) use known::Spans;
pub(super) use reading::{Opened, each_waiting};
pub(super) use store::{dissolve, place, settled};

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;

/// A stretch is closed when its frame, unpacked, reaches this.
pub(super) const BYTES_FULL: usize = if cfg!(test) { 600 } else { crate::pack::BLOCK_BYTES_FULL };
/// Fewer bytes of rows than this are kept one by one.
pub(super) const BYTES_MIN: usize = BYTES_FULL / 8;

/// What a stretch's row of the table says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub n: i64,
    pub chat: i64,
    /// Times of its first and last row.
    pub first: i64,
    pub last: i64,
    /// Log index of the record that brought those of its rows that do not state their own.
    pub arrival: Option<i64>,
    /// As a row's `state`.
    pub state: i64,
    /// Its messages that are not in the table of messages yet.
    pub waiting: i64,
}

/// Columns in the order [`read`] takes them.
pub(super) const COLUMNS: &str = "n, chat, first, last, arrival, state, waiting";

pub(super) fn read(r: &rusqlite::Row<'_>) -> rusqlite::Result<Stretch> {
    Ok(Stretch {
        n: r.get(0)?,
        chat: r.get(1)?,
        first: r.get(2)?,
        last: r.get(3)?,
        arrival: r.get(4)?,
        state: r.get(5)?,
        waiting: r.get(6)?,
    })
}

/// The stretch whose span holds a time of a chat.
pub(super) fn covering(db: &Connection, chat: i64, time: i64) -> Result<Option<Stretch>> {
    Ok(before(db, chat, time)?.filter(|stretch| stretch.last >= time))
}

/// The last stretch of a chat that begins at a time or before.
pub(super) fn before(db: &Connection, chat: i64, time: i64) -> Result<Option<Stretch>> {
    let sql = format!("SELECT {COLUMNS} FROM stretches WHERE chat = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1");
    Ok(db.prepare_cached(&sql)?.query_row(params![chat, time], read).optional()?)
}

/// The packed frame of a stretch.
pub(super) fn frame(db: &Connection, n: i64) -> Result<Vec<u8>> {
    Ok(db.prepare_cached("SELECT frame FROM frames WHERE n = ?1")?.query_row([n], |r| r.get(0))?)
}
