//! Blocks of rows, the reading half (`docs/format.md` §3.3).

use std::sync::Arc;

use proto::wire::bytes::{Malformed, Reader, Result};

use super::BLOCK_BYTES_MAX;
use super::frame::{Frame, FrameBuilder};
use crate::crypto::EventKey;
use crate::event::{Chat, Row, RowKey};

/// A row with its chat, its key, and when it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockRow {
    pub key: RowKey,
    pub chat: Arc<Chat>,
    /// 0 not yet known, else 1 + the index of the row's first record.
    pub arrival: u64,
    pub row: Row,
}

impl BlockRow {
    pub fn new(ids: &EventKey, chat: Arc<Chat>, arrival: u64, row: Row) -> Self {
        Self { key: RowKey::of(ids, &chat, &row), chat, arrival, row }
    }
}

/// A frame as it is packed, with its rows.
pub struct FrameRead {
    pub packed: Vec<u8>,
    pub rows: Vec<BlockRow>,
}

/// As [`read_block`], each frame with its rows.
pub fn read_block_frames(plaintext: &[u8], ids: &EventKey) -> Result<Vec<FrameRead>> {
    let rows = read_block(plaintext, ids)?;
    let mut r = Reader::new(plaintext);
    let count = r.count(FRAMES_MAX)?;
    let mut frames = Vec::new();
    let mut chats = rows.chunk_by(|a, b| Arc::ptr_eq(&a.chat, &b.chat));
    for _ in 0..count {
        let packed = r.prefixed(plaintext.len())?.to_vec();
        let rows = chats.next().ok_or(Malformed::NotCanonical)?.to_vec();
        frames.push(FrameRead { packed, rows });
    }
    Ok(frames)
}

/// A frame has one row at least, so a block never holds more.
const FRAMES_MAX: usize = 8192;

/// Decodes a block's plaintext. Chats, and rows in them, must ascend; one frame per chat.
pub fn read_block(plaintext: &[u8], ids: &EventKey) -> Result<Vec<BlockRow>> {
    let mut r = Reader::new(plaintext);
    let count = r.count(FRAMES_MAX)?;
    let mut rows = Vec::new();
    let mut room = BLOCK_BYTES_MAX;
    for _ in 0..count {
        let frame = Frame::unpack_within(r.prefixed(plaintext.len())?, room)?;
        room -= frame.plain().len();
        read_frame(&frame, ids, &mut rows)?;
    }
    r.finish()?;
    Ok(rows)
}

fn read_frame(frame: &Frame, ids: &EventKey, rows: &mut Vec<BlockRow>) -> Result<()> {
    let chat = Arc::new(frame.chat.clone());
    if rows.last().is_some_and(|last: &BlockRow| last.chat == chat) {
        return Err(Malformed::NotCanonical);
    }
    for row in frame.rows() {
        let (arrival, encoded) = row?;
        let row = BlockRow::new(ids, chat.clone(), arrival, Row::decode(encoded)?);
        if rows.last().is_some_and(|last| last.key >= row.key) {
            return Err(Malformed::NotCanonical);
        }
        rows.push(row);
    }
    Ok(())
}

/// Decodes a block, writes its frames anew from the rows that came of it, and takes these into a hash.
pub(super) fn check_block(plaintext: &[u8], ids: &EventKey, check: &mut blake3::Hasher) -> Result<()> {
    let rows = read_block(plaintext, ids)?;
    for rows in rows.chunk_by(|a, b| Arc::ptr_eq(&a.chat, &b.chat)) {
        let Some(first) = rows.first() else { continue };
        let mut frame = FrameBuilder::new(&first.chat);
        for row in rows {
            frame.push(row.arrival, &row.row.encode());
        }
        check_frame(check, frame.plain());
    }
    Ok(())
}

/// Takes a frame into the hash that compares what was pushed with what is read back.
pub(super) fn check_frame(check: &mut blake3::Hasher, plain: &[u8]) {
    check.update(&(plain.len() as u64).to_le_bytes()).update(plain);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::chunk::pack_frame;
    use crate::crypto::Lifetime;
    use crate::crypto::fixed::Fixed;
    use crate::event::{Kind, ROW_BYTES_MAX, tag};
    use crate::pack::{BlockBuilder, PackError};
    use proptest::prelude::*;
    use proto::wire::bytes::Writer;

    pub(in crate::pack) fn ids() -> EventKey {
        Lifetime::generate(&mut Fixed::new("blocks")).event_key()
    }

    /// Rows of a few chats, sorted.
    pub(in crate::pack) fn rows(count: usize, body_bytes: usize) -> Vec<BlockRow> {
        let ids = ids();
        let mut rows: Vec<BlockRow> = (0..count)
            .map(|n| {
                let conversation = format!("chat {}", n % 3);
                let mut row = Row::new(Kind::MESSAGE, n as i64 * 1000 - 5000, format!("m{n}"));
                row.fields.set(tag::BODY, format!("{n} ").repeat(body_bytes / 4));
                let arrival = if n % 5 == 0 { 0 } else { n as u64 };
                BlockRow::new(&ids, Arc::new(Chat { source: "telegram".into(), conversation }), arrival, row)
            })
            .collect();
        rows.sort_by_key(|r| r.key);
        rows
    }

    fn built(rows: &[BlockRow]) -> Vec<Vec<u8>> {
        let mut builder = BlockBuilder::default();
        let mut blocks = Vec::new();
        for row in rows {
            if builder.is_full() {
                blocks.extend(builder.close().map(|b| b.plaintext));
            }
            builder.push(row).unwrap();
        }
        blocks.extend(builder.close().map(|b| b.plaintext));
        blocks
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_come_back_from_blocks(count in 0usize..200, body in 4usize..2000) {
            let rows = rows(count, body);
            let mut again = Vec::new();
            for block in built(&rows) {
                again.extend(read_block(&block, &ids()).unwrap());
            }
            prop_assert_eq!(again, rows);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), plain in prop::collection::vec(any::<u8>(), 1..200)) {
            let _ = read_block(&bytes, &ids());
            let _ = read_block(&block(&[plain]), &ids());
        }
    }

    /// A block of hand-made frames.
    fn block(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut w = Writer::new();
        w.uvarint(frames.len() as u64);
        for frame in frames {
            w.prefixed(&pack_frame(frame));
        }
        w.finish()
    }

    fn frame(conversation: &str, rows: &[(u64, &Row)]) -> Vec<u8> {
        let mut w = Writer::new();
        w.prefixed(b"telegram").prefixed(conversation.as_bytes());
        for (arrival, row) in rows {
            w.uvarint(*arrival).prefixed(&row.encode());
        }
        w.finish()
    }

    #[test]
    fn order_and_form_are_held() {
        let ids = ids();
        let read = |frames: &[Vec<u8>]| read_block(&block(frames), &ids).map(|rows| rows.len());
        let (early, late) = (Row::new(Kind::MESSAGE, 1, "a"), Row::new(Kind::MESSAGE, 2, "b"));
        let mut chats = ["x", "y"];
        chats.sort_by_key(|c| ids.chat("telegram", c));
        let [first, second] = chats.map(|c| frame(c, &[(1, &early), (0, &late)]));
        assert_eq!(read(&[first.clone(), second.clone()]), Ok(4));
        assert!(read(&[second.clone(), first.clone()]).is_err(), "chats out of order");
        assert!(read(&[first.clone(), first.clone()]).is_err(), "the same rows twice");
        let halves = [frame(chats[0], &[(1, &early)]), frame(chats[0], &[(1, &late)])];
        assert!(read(&halves).is_err(), "a chat in two frames");
        assert!(read(&[frame(chats[0], &[(1, &late), (1, &early)])]).is_err(), "rows out of order");
        assert!(read(&[frame(chats[0], &[])]).is_err(), "a frame without rows");
        assert!(read(&[[&first[..], &[0]].concat()]).is_err(), "bytes left over");
        assert_eq!(read(&[]), Ok(0));
        let whole = block(&[first]);
        assert!(read_block(&[&whole[..], &[0]].concat(), &ids).is_err());
    }

    #[test]
    fn a_block_that_unpacks_to_more_than_its_limit_is_refused() {
        let ids = ids();
        let mut row = Row::new(Kind::MESSAGE, 1, "a");
        row.fields.set(tag::BODY, vec![b'a'; 20 << 10]);
        let mut chats: Vec<String> = (0..4).map(|n| format!("c{n}")).collect();
        chats.sort_by_key(|c| ids.chat("telegram", c));
        let frames: Vec<Vec<u8>> = chats.iter().map(|c| frame(c, &[(1, &row)])).collect();
        assert!(read_block(&block(&frames[..3]), &ids).is_ok());
        assert_eq!(read_block(&block(&frames), &ids), Err(Malformed::TooLong));
    }

    #[test]
    fn the_builder_refuses_what_the_reader_would() {
        let rows = rows(3, 40);
        let mut builder = BlockBuilder::default();
        builder.push(&rows[1]).unwrap();
        assert_eq!(builder.push(&rows[0]), Err(PackError::Order));
        assert_eq!(builder.push(&rows[1]), Err(PackError::Order));
        let mut long = rows[2].clone();
        long.row.fields.set(tag::BODY, vec![b'a'; ROW_BYTES_MAX]);
        assert_eq!(builder.push(&long), Err(PackError::TooLong));
        assert!(builder.close().is_some() && builder.close().is_none());
    }
}
