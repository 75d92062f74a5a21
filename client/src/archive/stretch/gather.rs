//! Rows of one chat that gather until they make a stretch.

use std::collections::BTreeSet;

use super::BYTES_FULL;
use crate::archive::error::Result;
use crate::archive::parts::{Parts, Weight};
use crate::archive::rows::{RowKey, long_file};
use crate::crypto::Digest;
use crate::event::{Chat, Kind, Row, RowHead, last_day, tag};
use crate::ids::{EventId, FileId};
use crate::pack::{BLOCK_BYTES_MAX, BlockRow, FrameBuilder};

/// A row that may become part of a stretch.
pub struct Gathered {
    pub key: RowKey,
    /// 0 not known yet, else 1 + the index of its first record.
    pub arrival: u64,
    pub encoded: Vec<u8>,
}

impl Gathered {
    /// A row of a block.
    pub fn of(row: &BlockRow) -> Self {
        let BlockRow { key, arrival, row, .. } = row;
        let crate::event::RowKey { chat, time, target, kind, own } = *key;
        let key = RowKey { chat, time, target, kind, id: own };
        Self { key, arrival: *arrival, encoded: row.encode() }
    }

    pub fn row(&self) -> Result<Row> {
        Ok(Row::decode(&self.encoded)?)
    }
}

/// Rows of one chat, in the order they came.
#[derive(Default)]
pub struct Gather {
    rows: Vec<Gathered>,
    pub bytes: usize,
}

impl Gather {
    /// Whether rows of a kind may stand in a stretch: those that change what the archive knows beside them do not.
    pub fn takes(kind: Kind) -> bool {
        !kind.deletes() && !matches!(kind, Kind::IMPORT | Kind::VIEW)
    }

    pub fn push(&mut self, row: Gathered) {
        self.bytes += row.encoded.len();
        self.rows.push(row);
    }

    /// Whether so much has gathered that a stretch can be cut off and the rest still takes rows that come late.
    pub fn is_full(&self) -> bool {
        self.bytes >= 2 * BYTES_FULL
    }

    /// Cuts off rows for a stretch, in key order: the end that is farther from the row that came last, so that exports
    /// which run backwards do as well.
    pub fn cut(&mut self) -> Vec<Gathered> {
        let newest = self.rows.last().map(|row| row.key.time);
        self.rows.sort_by_key(|row| row.key);
        let (Some(first), Some(last), Some(newest)) = (self.rows.first(), self.rows.last(), newest) else {
            return Vec::new();
        };
        let backwards = newest.abs_diff(first.key.time) < newest.abs_diff(last.key.time);
        if backwards {
            self.rows.reverse();
        }
        let (mut bytes, mut at) = (0, 0);
        while let Some(row) = self.rows.get(at) {
            let same = at > 0 && self.rows.get(at - 1).is_some_and(|before| before.key.time == row.key.time);
            if bytes >= BYTES_FULL && !same {
                break;
            }
            bytes += row.encoded.len();
            at += 1;
        }
        let rest = self.rows.split_off(at);
        let mut cut = std::mem::replace(&mut self.rows, rest);
        self.bytes = self.bytes.saturating_sub(bytes);
        if backwards {
            cut.reverse();
            // What came last stays last, so that the next cut sees the same direction.
            self.rows.sort_by_key(|row| std::cmp::Reverse(row.key));
        }
        cut
    }

    /// Everything, in key order.
    pub fn take_all(&mut self) -> Vec<Gathered> {
        self.bytes = 0;
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by_key(|row| row.key);
        rows
    }
}

/// A stretch made ready: all that needs no database.
pub struct Prepared {
    pub first: i64,
    pub last: i64,
    pub rows: u64,
    /// Of the frame, unpacked.
    pub bytes: usize,
    pub frame: Vec<u8>,
    /// What its rows add to the digest of what the log holds.
    pub lanes: Digest,
    /// What its rows are about, read marks aside: messages that are here, or known elsewhere.
    pub targets: u64,
    /// Its messages, and the times of the first and last.
    pub messages: u64,
    pub shown: Option<(i64, i64)>,
    /// Rows that are edits.
    pub edits: u64,
    /// Bytes of the texts of messages that wait.
    pub text_bytes: u64,
    /// Targets whose messages are put into the table at once.
    pub early: BTreeSet<(i64, EventId)>,
    /// How many messages these are.
    pub early_messages: u64,
    /// The greatest read mark among its rows.
    pub read_to: Option<i64>,
    /// Fields that are files of their own, with the targets they belong to.
    pub long: Vec<(FileId, i64, EventId)>,
}

/// Makes a stretch of rows in key order; none where they do not fit one frame, or two are of one key.
///
/// `packed` is the frame they came in, where they did.
pub fn prepare(parts: &Parts, chat: &Chat, rows: &[Gathered], packed: Option<Vec<u8>>) -> Result<Option<Prepared>> {
    let (Some(one), Some(other)) = (rows.first(), rows.last()) else { return Ok(None) };
    let (first, last) = (one.key.time, other.key.time);
    let mut frame = FrameBuilder::new(chat);
    let mut out = Prepared {
        first,
        last,
        rows: rows.len() as u64,
        bytes: 0,
        frame: Vec::new(),
        targets: 0,
        lanes: Digest::default(),
        messages: 0,
        shown: None,
        edits: 0,
        text_bytes: 0,
        early: BTreeSet::new(),
        early_messages: 0,
        read_to: None,
        long: Vec::new(),
    };
    for (at, row) in rows.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| rows.get(at));
        if before.is_some_and(|before| before.key >= row.key) || !Gather::takes(row.key.kind) {
            return Ok(None);
        }
        // A row with a timer must be found again when it goes.
        if RowHead::may_hold(&row.encoded, tag::EXPIRES_AT) && last_day(&row.row()?) != 0 {
            return Ok(None);
        }
        frame.push(row.arrival, &row.encoded);
        if frame.bytes() > BLOCK_BYTES_MAX {
            return Ok(None);
        }
        out.lanes.add(&parts.ids.term(chat, &row.encoded));
        if row.key.kind == Kind::READ_MARK {
            out.read_to = out.read_to.max(Some(row.key.time));
        }
        out.edits += u64::from(row.key.kind == Kind::EDIT);
    }
    out.bytes = frame.bytes();
    out.frame = packed.unwrap_or_else(|| frame.pack());
    for rows in rows.chunk_by(|a, b| (a.key.time, a.key.target) == (b.key.time, b.key.target)) {
        let Some(target) = rows.first().map(|row| (row.key.time, row.key.target)) else { continue };
        out.targets += u64::from(rows.iter().any(|row| row.key.kind != Kind::READ_MARK));
        let mut folded = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, row) = (row.key.id, row.row()?);
            for file in [tag::LONG_BODY, tag::LONG_EXTRA].into_iter().filter_map(|t| long_file(parts, &row, t)) {
                out.long.push((file, target.0, target.1));
            }
            folded.push((id, row));
        }
        if let Some(message) = parts.rules.weigh_target(chat, folded) {
            out.count(message, target);
        }
    }
    Ok(Some(out))
}

impl Prepared {
    fn count(&mut self, message: Weight, target: (i64, EventId)) {
        self.messages += 1;
        self.shown =
            Some(self.shown.map_or((message.time, message.time), |(first, last)| {
                (first.min(message.time), last.max(message.time))
            }));
        if message.has_attachments || self.long.iter().any(|(_, time, id)| (*time, *id) == target) {
            self.early.insert(target);
            self.early_messages += 1;
        } else {
            self.text_bytes += message.text_bytes;
        }
    }
}
