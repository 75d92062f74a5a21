//! Blocks of rows, the writing half (`docs/format.md` §3.3): one zstd frame per chat, rows in key order.
//!
//! A frame holds one chat only, so no chat's text shares a frame with another's: how well one compresses tells
//! nothing about the other.

use std::sync::Arc;

use proto::wire::bytes::Writer;

use super::{BlockRow, ChatFilter, PackError};
use crate::chunk::pack_frame;
use crate::event::{Chat, ROW_BYTES_MAX, Row, RowKey};

/// A block is closed when its frames, unpacked, reach this. The last row may overhang.
pub const BLOCK_BYTES_FULL: usize = 32 << 10;
/// A block's frames, unpacked and taken together, are never longer.
pub const BLOCK_BYTES_MAX: usize = 64 << 10;

/// Fills one block after another.
#[derive(Default)]
pub struct BlockBuilder {
    frames: Vec<Vec<u8>>,
    /// Plaintext of the frame being filled, and its chat.
    open: Vec<u8>,
    chat: Option<Arc<Chat>>,
    /// Unpacked length of the frames already closed.
    unpacked: usize,
    last: Option<RowKey>,
    facts: Facts,
}

/// A block's plaintext, and what footer and entry say of it.
pub struct ClosedBlock {
    pub plaintext: Vec<u8>,
    pub facts: Facts,
}

/// What is known of rows without reading them.
#[derive(Clone, Default)]
pub struct Facts {
    pub rows: u64,
    /// Chat id of the first row; id of the first entry in a chunk run.
    pub first_id: [u8; 32],
    pub first_time: i64,
    /// First and last arrival that are known; zeros while none is.
    pub arrival: (u64, u64),
    pub time: (i64, i64),
    pub filter: ChatFilter,
    /// Hash over all that was pushed, to compare with what is read back.
    pub(super) check: blake3::Hasher,
}

impl BlockBuilder {
    pub fn is_empty(&self) -> bool {
        self.facts.rows == 0
    }

    /// Whether the block must be closed before another row.
    pub fn is_full(&self) -> bool {
        self.unpacked_bytes() >= BLOCK_BYTES_FULL
    }

    pub fn unpacked_bytes(&self) -> usize {
        self.unpacked + self.open.len()
    }

    /// Adds a row, which must sort behind the last one.
    pub fn push(&mut self, row: &BlockRow) -> Result<(), PackError> {
        if self.last.is_some_and(|last| last >= row.key) {
            return Err(PackError::Order);
        }
        let encoded = row.row.encode();
        let too_long = encoded.len() > ROW_BYTES_MAX
            || row.row.native.len() > Row::NATIVE_BYTES_MAX
            || row.chat.source.len() > Chat::SOURCE_BYTES_MAX
            || row.chat.conversation.len() > Chat::CONVERSATION_BYTES_MAX;
        if too_long || self.is_full() {
            return Err(PackError::TooLong);
        }
        if self.chat.as_ref() != Some(&row.chat) {
            self.close_frame();
            let mut w = Writer::new();
            row.chat.encode(&mut w);
            self.open = w.finish();
            self.chat = Some(row.chat.clone());
        }
        let tail = Writer::new().uvarint(row.arrival).prefixed(&encoded).finish();
        self.open.extend_from_slice(&tail);
        self.last = Some(row.key);
        self.facts.count(row, &encoded);
        Ok(())
    }

    /// Ends the block and begins an empty one; none if nothing was pushed.
    pub fn close(&mut self) -> Option<ClosedBlock> {
        if self.is_empty() {
            return None;
        }
        self.close_frame();
        let mut w = Writer::new();
        w.uvarint(self.frames.len() as u64);
        for frame in &self.frames {
            w.prefixed(frame);
        }
        let facts = std::mem::take(self).facts;
        Some(ClosedBlock { plaintext: w.finish(), facts })
    }

    fn close_frame(&mut self) {
        if self.chat.take().is_some() {
            self.unpacked += self.open.len();
            self.frames.push(pack_frame(&self.open));
            self.open.clear();
        }
    }
}

impl Facts {
    fn count(&mut self, row: &BlockRow, encoded: &[u8]) {
        let mut one = Self {
            rows: 1,
            first_id: row.key.chat.0,
            first_time: row.key.time,
            arrival: (row.arrival, row.arrival),
            time: (row.key.time, row.key.time),
            ..Self::default()
        };
        one.filter.add(&row.key.chat);
        self.join(&one);
        check_row(&mut self.check, row, encoded);
    }

    /// Joins what is known of rows that follow.
    pub(super) fn join(&mut self, later: &Self) {
        if self.rows == 0 {
            (self.first_id, self.first_time, self.time) = (later.first_id, later.first_time, later.time);
        }
        self.rows += later.rows;
        self.time = (self.time.0.min(later.time.0), self.time.1.max(later.time.1));
        self.arrival = match (self.arrival, later.arrival) {
            ((0, _), known) | (known, (0, _)) => known,
            (a, b) => (a.0.min(b.0), a.1.max(b.1)),
        };
        self.filter.merge(&later.filter);
    }
}

/// Takes a row into the hash that compares what was pushed with what is read back.
pub(super) fn check_row(check: &mut blake3::Hasher, row: &BlockRow, encoded: &[u8]) {
    let mut w = Writer::new();
    row.chat.encode(&mut w);
    check.update(&w.uvarint(row.arrival).prefixed(encoded).finish());
}

const _: () = {
    // A row that finds room overhangs by no more than the reader allows.
    let longest = ROW_BYTES_MAX + Chat::SOURCE_BYTES_MAX + Chat::CONVERSATION_BYTES_MAX + 32;
    assert!(BLOCK_BYTES_FULL + longest <= BLOCK_BYTES_MAX);
};
