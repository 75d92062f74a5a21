//! Reading stretches: their rows in key order, and the messages of those that wait.

use std::ops::Range;

use rusqlite::{Connection, params};

use super::{COLUMNS, Stretch, frame, read};
use crate::archive::chats::Entry;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::media;
use crate::archive::messages::decode;
use crate::archive::parts::Parts;
use crate::archive::rows::{RowKey, StoredRow, key_of_head};
use crate::event::{Row, RowHead};
use crate::ids::EventId;
use crate::merge::Message;
use crate::pack::Frame;

/// A stretch with its rows at hand.
pub struct Opened {
    pub stretch: Stretch,
    frame: Frame,
    rows: Vec<OpenRow>,
}

struct OpenRow {
    key: RowKey,
    /// Log index of its first record.
    arrival: Option<i64>,
    /// Where its encoding lies in the frame.
    at: Range<usize>,
}

impl Opened {
    pub fn new(db: &Connection, parts: &Parts, chat: &Entry, stretch: Stretch) -> Result<Self> {
        let frame = Frame::unpack(&frame(db, stretch.n)?)?;
        if frame.chat != chat.chat {
            return Err(ArchiveError::Damaged("a stretch of another chat".into()));
        }
        let plain = frame.plain();
        let mut rows = Vec::new();
        // Rows stand one behind the other, each after its arrival and length: places are counted from the end.
        let mut end = plain.len() - frame.rows().map(|r| r.map_or(0, |(a, e)| row_bytes(a, e))).sum::<usize>();
        for row in frame.rows() {
            let (arrival, encoded) = row?;
            end += row_bytes(arrival, encoded);
            let key = key_of_head(parts, &chat.chat, chat.id, &RowHead::decode(encoded)?);
            let arrival = arrival.checked_sub(1).map(u64::cast_signed).or(stretch.arrival);
            rows.push(OpenRow { key, arrival, at: end - encoded.len()..end });
        }
        Ok(Self { stretch, frame, rows })
    }

    fn value(&self, row: &OpenRow) -> &[u8] {
        self.frame.plain().get(row.at.clone()).unwrap_or_default()
    }

    /// The row of a key: its encoding, and when it arrived.
    pub fn find(&self, key: &RowKey) -> Option<(&[u8], Option<i64>)> {
        let at = self.rows.binary_search_by_key(key, |row| row.key).ok()?;
        self.rows.get(at).map(|row| (self.value(row), row.arrival))
    }

    /// Keys, encodings and arrivals, in key order.
    pub fn rows(&self) -> impl Iterator<Item = (&RowKey, &[u8], Option<i64>)> {
        self.rows.iter().map(|row| (&row.key, self.value(row), row.arrival))
    }

    pub fn stored(self, chat: &Entry) -> Vec<StoredRow> {
        let stored = |row: &OpenRow| StoredRow {
            key: row.key,
            chat: chat.chat.clone(),
            value: self.value(row).to_vec(),
            arrival: row.arrival.map(i64::cast_unsigned),
        };
        self.rows.iter().map(stored).collect()
    }

    /// Targets of its rows, each with its rows as the fold shall see them.
    pub fn targets(
        &self,
        parts: &Parts,
        media: &media::Store,
        db: &Connection,
    ) -> impl Iterator<Item = Result<Vec<(EventId, Row)>>> {
        self.rows
            .chunk_by(|a, b| (a.key.time, a.key.target) == (b.key.time, b.key.target))
            .map(|rows| rows.iter().map(|row| Ok((row.key.id, decode(parts, media, db, self.value(row))?))).collect())
    }

    /// Its messages, in the order they are shown.
    pub fn messages(&self, parts: &Parts, media: &media::Store, db: &Connection, chat: &Entry) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        for target in self.targets(parts, media, db) {
            messages.extend(parts.rules.fold_target(&chat.chat, target?));
        }
        messages.sort_by_key(|m| (m.time, m.place, m.id));
        Ok(messages)
    }
}

/// Bytes a row takes in a frame.
fn row_bytes(arrival: u64, encoded: &[u8]) -> usize {
    let varint = |n: u64| (64 - n.leading_zeros() as usize).div_ceil(7).max(1);
    varint(arrival) + varint(encoded.len() as u64) + encoded.len()
}

/// Hands out the stretches of a chat that hold messages no table has yet, by time, until `take` answers false:
/// those that reach to a time or beyond it.
pub fn each_waiting(
    db: &Connection,
    chat: i64,
    from: i64,
    forward: bool,
    mut take: impl FnMut(Stretch) -> Result<bool>,
) -> Result<()> {
    let (side, way) = if forward { ("last >= ?2", "ASC") } else { ("first <= ?2", "DESC") };
    let sql =
        format!("SELECT {COLUMNS} FROM stretches WHERE waiting > 0 AND chat = ?1 AND {side} ORDER BY first {way}");
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params![chat, from])?;
    while let Some(row) = found.next()? {
        if !take(read(row)?)? {
            break;
        }
    }
    Ok(())
}
