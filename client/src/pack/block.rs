//! Blocks of rows, the writing half (`docs/format.md` §3.3): one zstd frame per chat, rows in key order.
//!
//! A frame holds one chat only, so no chat's text shares a frame with another's: how well one compresses tells
//! nothing about the other.

use std::sync::Arc;

use proto::wire::bytes::Writer;

use super::block_rows::check_frame;
use super::frame::{FrameBuilder, PackedFrame};
use super::{BlockRow, ChatFilter, PackError};
use crate::event::{Chat, ROW_BYTES_MAX, Row, RowKey};

/// A block is closed when its frames, unpacked, reach this. The last row may overhang.
pub const BLOCK_BYTES_FULL: usize = 32 << 10;
/// A block's frames, unpacked and taken together, are never longer.
pub const BLOCK_BYTES_MAX: usize = 64 << 10;

/// What a frame writes before a row and a chat's names, at most.
const ROW_HEAD_MAX: usize = 32;

/// Fills one block after another.
#[derive(Default)]
pub struct BlockBuilder {
    frames: Vec<Vec<u8>>,
    /// The frame being filled, and its chat.
    open: Option<(Arc<Chat>, FrameBuilder)>,
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

    /// Whether a row belongs into this block: while it is not full, and behind that while rows of one time go on and
    /// find room, so that readers can keep a frame as it is.
    pub fn takes(&self, row: &BlockRow) -> bool {
        let goes_on = |last: RowKey| (last.chat, last.time) == (row.key.chat, row.key.time);
        !self.is_full()
            || (self.last.is_some_and(goes_on)
                && self.unpacked_bytes() + ROW_BYTES_MAX + ROW_HEAD_MAX <= BLOCK_BYTES_MAX)
    }

    pub fn unpacked_bytes(&self) -> usize {
        self.unpacked + self.open.as_ref().map_or(0, |(_, frame)| frame.bytes())
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
        if too_long || !self.takes(row) {
            return Err(PackError::TooLong);
        }
        if self.open.as_ref().is_none_or(|(chat, _)| *chat != row.chat) {
            self.close_frame();
        }
        let (_, frame) = self.open.get_or_insert_with(|| (row.chat.clone(), FrameBuilder::new(&row.chat)));
        frame.push(row.arrival, &encoded);
        self.last = Some(row.key);
        self.facts.count(row);
        Ok(())
    }

    /// Whether a frame finds room: it fits, and the block has none of its chat yet.
    pub fn has_room(&self, frame: &PackedFrame) -> bool {
        self.is_empty()
            || (!self.is_full()
                && self.last.is_some_and(|last| last.chat != frame.first.chat)
                && self.unpacked_bytes() + frame.frame.plain().len() <= BLOCK_BYTES_MAX)
    }

    /// Adds a frame as it is. Its rows must sort behind the last one, and it must have [room](Self::has_room).
    pub fn push_frame(&mut self, frame: &PackedFrame) -> Result<(), PackError> {
        if self.last.is_some_and(|last| last >= frame.first) || frame.first > frame.last {
            return Err(PackError::Order);
        }
        if !self.has_room(frame) {
            return Err(PackError::TooLong);
        }
        self.close_frame();
        self.add_frame(frame.frame.plain(), frame.packed.clone());
        self.last = Some(frame.last);
        let mut facts = Facts {
            rows: frame.rows,
            first_id: frame.first.chat.0,
            first_time: frame.first.time,
            arrival: frame.arrival,
            time: (frame.first.time, frame.last.time),
            ..Facts::default()
        };
        facts.filter.add(&frame.first.chat);
        self.facts.join(&facts);
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
        if let Some((_, frame)) = self.open.take() {
            self.add_frame(frame.plain(), frame.pack());
        }
    }

    fn add_frame(&mut self, plain: &[u8], packed: Vec<u8>) {
        self.unpacked += plain.len();
        check_frame(&mut self.facts.check, plain);
        self.frames.push(packed);
    }
}

impl Facts {
    fn count(&mut self, row: &BlockRow) {
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

const _: () = {
    // A row that finds room overhangs by no more than the reader allows.
    let longest = ROW_BYTES_MAX + Chat::SOURCE_BYTES_MAX + Chat::CONVERSATION_BYTES_MAX + ROW_HEAD_MAX;
    assert!(BLOCK_BYTES_FULL + longest <= BLOCK_BYTES_MAX);
};
