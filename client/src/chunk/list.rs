//! A file's list of chunks: short ones stand in its entry, long ones are stored as chunks themselves.

use proto::wire::bytes::{Malformed, Reader, Result, Writer};

use super::{CHUNK_BYTES_MAX, CUT_BYTES_MIN};
use crate::crypto::ChunkIdKey;
use crate::ids::ChunkId;

/// What a file's entry says of its chunks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkList {
    /// 0: `ids` are the file's chunks in order. 1: they are chunks that together hold the list of ids.
    pub depth: u8,
    pub ids: Vec<ChunkId>,
}

impl ChunkList {
    pub const IDS_MAX: usize = 512;
    pub const DEPTH_MAX: u8 = 1;

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.u8(self.depth).uvarint(self.ids.len() as u64);
        for id in &self.ids {
            w.raw(&id.0);
        }
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let depth = r.u8()?;
        if depth > Self::DEPTH_MAX {
            return Err(Malformed::Unknown);
        }
        let count = r.count(Self::IDS_MAX)?;
        let ids = (0..count).map(|_| Ok(ChunkId(r.array()?))).collect::<Result<_>>()?;
        Ok(Self { depth, ids })
    }
}

/// Lists a file's chunks. Above 512 the list itself becomes contents of chunks, which the caller seals like the
/// others; none for a file longer than that can name (thousands of gigabytes).
pub fn list_chunks(ids: Vec<ChunkId>, key: &ChunkIdKey) -> Option<(ChunkList, Vec<Vec<u8>>)> {
    if ids.len() <= ChunkList::IDS_MAX {
        return Some((ChunkList { depth: 0, ids }, Vec::new()));
    }
    let pieces: Vec<Vec<u8>> =
        ids.chunks(CHUNK_BYTES_MAX / ChunkId::LEN).map(|ids| ids.iter().flat_map(|id| id.0).collect()).collect();
    let ids: Vec<ChunkId> = pieces.iter().map(|piece| key.chunk(piece)).collect();
    (ids.len() <= ChunkList::IDS_MAX).then_some((ChunkList { depth: 1, ids }, pieces))
}

/// Puts a list of depth 1 together from its pieces, in order. `file_bytes` bounds how long it may be.
pub fn expand_list<'a>(file_bytes: u64, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ChunkId>> {
    let most = file_bytes / CUT_BYTES_MIN as u64 + 1;
    let mut ids = Vec::new();
    for piece in pieces {
        let mut r = Reader::new(piece);
        if (ids.len() + piece.len() / ChunkId::LEN) as u64 > most {
            return Err(Malformed::TooLong);
        }
        while !r.is_empty() {
            ids.push(ChunkId(r.array()?));
        }
    }
    Ok(ids)
}

const _: () = assert!(CHUNK_BYTES_MAX.is_multiple_of(ChunkId::LEN));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Lifetime;
    use crate::crypto::fixed::Fixed;

    fn ids(count: usize) -> Vec<ChunkId> {
        (0..count).map(|n| ChunkId(*blake3::hash(&n.to_le_bytes()).as_bytes())).collect()
    }

    #[test]
    fn short_lists_stand_in_the_entry_and_long_ones_come_back() {
        let key = Lifetime::generate(&mut Fixed::new("list")).chunk_id_key();
        let (list, pieces) = list_chunks(ids(512), &key).unwrap();
        assert_eq!((list.depth, list.ids.len(), pieces.len()), (0, 512, 0));
        for count in [513, CHUNK_BYTES_MAX / 32, CHUNK_BYTES_MAX / 32 + 1] {
            let (list, pieces) = list_chunks(ids(count), &key).unwrap();
            assert_eq!(list.depth, 1);
            assert!(pieces.iter().all(|p| p.len() <= CHUNK_BYTES_MAX));
            assert!(pieces.iter().zip(&list.ids).all(|(p, id)| key.chunk(p) == *id));
            let size = (count * CUT_BYTES_MIN) as u64;
            assert_eq!(expand_list(size, pieces.iter().map(Vec::as_slice)).unwrap(), ids(count));
            assert_eq!(expand_list(size / 2, pieces.iter().map(Vec::as_slice)), Err(Malformed::TooLong));
        }
    }

    #[test]
    fn a_piece_that_is_no_list_is_refused() {
        assert_eq!(expand_list(1 << 30, [&[0; 33][..]]), Err(Malformed::Short));
    }

    #[test]
    fn entries_come_back_and_keep_their_limits() {
        let list = ChunkList { depth: 1, ids: ids(3) };
        let mut w = Writer::new();
        list.encode(&mut w);
        let bytes = w.finish();
        assert_eq!(ChunkList::decode(&mut Reader::new(&bytes)), Ok(list));
        assert_eq!(ChunkList::decode(&mut Reader::new(&[2, 0])), Err(Malformed::Unknown));
        assert_eq!(ChunkList::decode(&mut Reader::new(&[0, 0x81, 0x04])), Err(Malformed::TooLong));
    }
}
