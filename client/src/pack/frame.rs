//! Frames: rows of one chat under one zstd frame, the parts blocks are made of (`docs/format.md` §3.3).
//!
//! A frame is the same bytes in a block, in a run and in a device's archive, so rows that come in bulk are packed once.

use std::sync::Arc;

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

use super::BLOCK_BYTES_MAX;
use crate::chunk::{pack_frame, unpack_frame};
use crate::crypto::EventKey;
use crate::event::{Chat, ROW_BYTES_MAX, Row, RowKey};

/// Fills a frame. The caller keeps the order of keys.
pub struct FrameBuilder(Vec<u8>);

impl FrameBuilder {
    pub fn new(chat: &Chat) -> Self {
        let mut w = Writer::new();
        chat.encode(&mut w);
        Self(w.finish())
    }

    /// Bytes so far, unpacked.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Adds an encoded row; `arrival` is 0 where it is not known yet, else 1 + the index of the row's first record.
    pub fn push(&mut self, arrival: u64, encoded: &[u8]) {
        let head = Writer::new().uvarint(arrival).uvarint(encoded.len() as u64).finish();
        self.0.extend_from_slice(&head);
        self.0.extend_from_slice(encoded);
    }

    /// The frame as it is packed.
    pub fn pack(&self) -> Vec<u8> {
        pack_frame(&self.0)
    }

    pub(super) fn plain(&self) -> &[u8] {
        &self.0
    }
}

/// A frame, unpacked.
pub struct Frame {
    pub chat: Chat,
    plain: Vec<u8>,
    rows_at: usize,
}

impl Frame {
    /// Unpacks a frame of at most a block's length. Rows are read by [`rows`](Self::rows).
    pub fn unpack(packed: &[u8]) -> Result<Self> {
        Self::unpack_within(packed, BLOCK_BYTES_MAX)
    }

    pub(super) fn unpack_within(packed: &[u8], bytes_max: usize) -> Result<Self> {
        let plain = unpack_frame(packed, bytes_max)?;
        let mut r = Reader::new(&plain);
        let chat = Chat::decode(&mut r)?;
        // A frame without rows is never written.
        if r.is_empty() {
            return Err(Malformed::NotCanonical);
        }
        let rows_at = plain.len() - r.remaining();
        Ok(Self { chat, plain, rows_at })
    }

    /// All of it, unpacked.
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// The rows' arrivals (0 not known) and encodings. Ends at the first that cannot be read, with its error.
    pub fn rows(&self) -> FrameRows<'_> {
        FrameRows(Reader::new(self.plain.get(self.rows_at..).unwrap_or_default()))
    }
}

/// See [`Frame::rows`].
pub struct FrameRows<'a>(Reader<'a>);

impl<'a> Iterator for FrameRows<'a> {
    type Item = Result<(u64, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut one = || Ok((self.0.uvarint()?, self.0.prefixed(ROW_BYTES_MAX)?));
        let read = one();
        if read.is_err() {
            self.0 = Reader::new(&[]);
        }
        Some(read)
    }
}

/// A packed frame with what a block has to know of its rows.
pub struct PackedFrame {
    pub chat: Arc<Chat>,
    /// Keys of its first and last row.
    pub first: RowKey,
    pub last: RowKey,
    pub rows: u64,
    pub(super) packed: Vec<u8>,
    pub(super) frame: Frame,
    /// First and last arrival that are known; zeros while none is.
    pub(super) arrival: (u64, u64),
}

impl PackedFrame {
    pub fn read(ids: &EventKey, packed: Vec<u8>) -> Result<Self> {
        let frame = Frame::unpack(&packed)?;
        let (mut rows, mut arrival, mut ends) = (0, (0, 0), None);
        for row in frame.rows() {
            let (at, encoded) = row?;
            rows += 1;
            if at != 0 {
                arrival = if arrival.0 == 0 { (at, at) } else { (arrival.0.min(at), arrival.1.max(at)) };
            }
            ends = Some((ends.map_or(encoded, |(first, _)| first), encoded));
        }
        let (first, last) = ends.ok_or(Malformed::NotCanonical)?;
        let key = |encoded| Ok(RowKey::of(ids, &frame.chat, &Row::decode(encoded)?));
        let (first, last) = (key(first)?, key(last)?);
        Ok(Self { chat: Arc::new(frame.chat.clone()), first, last, rows, packed, frame, arrival })
    }

    /// BLAKE3 of the rows as they stand in it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.frame.plain()).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(natives in prop::collection::vec("\\PC{0,30}", 1..40), arrival in any::<u64>()) {
            let chat = Chat { source: "telegram".into(), conversation: "7".into() };
            let rows: Vec<Vec<u8>> = natives.iter().map(|n| Row::new(Kind::MESSAGE, 5, n.clone()).encode()).collect();
            let mut builder = FrameBuilder::new(&chat);
            for row in &rows {
                builder.push(arrival, row);
            }
            let frame = Frame::unpack(&builder.pack()).unwrap();
            prop_assert_eq!(&frame.chat, &chat);
            prop_assert_eq!(frame.plain(), builder.plain());
            let read: Vec<_> = frame.rows().collect::<Result<_>>().unwrap();
            prop_assert!(read.iter().all(|(a, _)| *a == arrival));
            prop_assert_eq!(read.into_iter().map(|(_, r)| r.to_vec()).collect::<Vec<_>>(), rows);
        }

        #[test]
        fn no_bytes_panic(plain in prop::collection::vec(any::<u8>(), 1..200)) {
            if let Ok(frame) = Frame::unpack(&pack_frame(&plain)) {
                prop_assert!(frame.rows().count() <= plain.len());
            }
        }
    }
}
