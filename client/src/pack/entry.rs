//! Where chunks lie and which chunks a file has: the entries of chunk runs and EVENTS bodies (`docs/format.md` §5.2).

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::ladder::Class;

use crate::chunk::{ChunkList, Coding, SEALED_CHUNK_BYTES_MAX};
use crate::crypto::{ChunkKey, SEAL_BYTES};
use crate::ids::{ChunkId, FileId, PackId};

/// A chunk's place and key. Deleting it everywhere shreds the chunk.
pub struct ChunkEntry {
    pub id: ChunkId,
    pub pack: PackId,
    pub offset: u32,
    pub sealed_len: u32,
    pub key: ChunkKey,
    pub coding: Coding,
}

/// A file's chunks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    pub id: FileId,
    pub bytes: u64,
    pub list: ChunkList,
}

/// What a chunk run holds.
pub enum ChunkRunEntry {
    Chunk(ChunkEntry),
    File(FileEntry),
}

const CHUNK: u8 = 1;
const FILE: u8 = 2;

impl ChunkRunEntry {
    /// The order inside blocks: id, then type.
    pub fn order(&self) -> ([u8; 32], u8) {
        match self {
            Self::Chunk(entry) => (entry.id.0, CHUNK),
            Self::File(entry) => (entry.id.0, FILE),
        }
    }

    pub fn encode(&self, w: &mut Writer) {
        match self {
            Self::Chunk(entry) => {
                w.u8(CHUNK).raw(&entry.id.0).raw(&entry.pack.0).u32(entry.offset).u32(entry.sealed_len);
                entry.key.write(w);
                w.u8(entry.coding as u8);
            }
            Self::File(entry) => {
                w.u8(FILE).raw(&entry.id.0).u64(entry.bytes);
                entry.list.encode(w);
            }
        }
    }

    pub fn decode(r: &mut Reader<'_>) -> Result<Self> {
        match r.u8()? {
            CHUNK => ChunkEntry::read(r).map(Self::Chunk),
            FILE => {
                let (id, bytes) = (FileId(r.array()?), r.u64()?);
                Ok(Self::File(FileEntry { id, bytes, list: ChunkList::decode(r)? }))
            }
            _ => Err(Malformed::Unknown),
        }
    }
}

impl ChunkEntry {
    fn read(r: &mut Reader<'_>) -> Result<Self> {
        let (id, pack) = (ChunkId(r.array()?), PackId(r.array()?));
        let (offset, sealed_len) = (r.u32()?, r.u32()?);
        let (key, coding) = (ChunkKey::read(r)?, Coding::new(r.u8()?)?);
        let length = sealed_len as usize;
        let fits = (SEAL_BYTES..=SEALED_CHUNK_BYTES_MAX).contains(&length)
            && (offset as usize).checked_add(length).is_some_and(|end| end <= Class::MAX.bytes());
        if fits { Ok(Self { id, pack, offset, sealed_len, key, coding }) } else { Err(Malformed::TooLong) }
    }
}

/// Encodes entries, which must ascend: the content of a chunk run's block, or a section of an EVENTS body.
pub fn encode_entries(entries: &[ChunkRunEntry]) -> Vec<u8> {
    let mut w = Writer::new();
    for entry in entries {
        entry.encode(&mut w);
    }
    w.finish()
}

/// Decodes ascending entries until the bytes end.
pub fn decode_entries(bytes: &[u8]) -> Result<Vec<ChunkRunEntry>> {
    let mut r = Reader::new(bytes);
    let mut entries: Vec<ChunkRunEntry> = Vec::new();
    while !r.is_empty() {
        let entry = ChunkRunEntry::decode(&mut r)?;
        if entries.last().is_some_and(|last| last.order() >= entry.order()) {
            return Err(Malformed::NotCanonical);
        }
        entries.push(entry);
    }
    Ok(entries)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crypto::fixed::Fixed;
    use proptest::prelude::*;

    pub(in crate::pack) fn chunk(n: u32) -> ChunkRunEntry {
        ChunkRunEntry::Chunk(ChunkEntry {
            id: ChunkId(*blake3::hash(&n.to_le_bytes()).as_bytes()),
            pack: PackId([7; 16]),
            offset: n,
            sealed_len: 1000 + n,
            key: ChunkKey::generate(&mut Fixed::new(&n.to_string())),
            coding: if n.is_multiple_of(2) { Coding::AsIs } else { Coding::Zstd },
        })
    }

    pub(in crate::pack) fn file(n: u32, chunks: usize) -> ChunkRunEntry {
        let ids = (0..chunks).map(|c| ChunkId([c as u8; 32])).collect();
        ChunkRunEntry::File(FileEntry {
            id: FileId(*blake3::hash(&n.to_le_bytes()).as_bytes()),
            bytes: u64::from(n) << 20,
            list: ChunkList { depth: 0, ids },
        })
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_alike(numbers in prop::collection::btree_set(0u32..5000, 0..20), cut in 0usize..2000) {
            let mut entries: Vec<_> = numbers.iter().map(|n| if n % 3 == 0 { file(*n, 4) } else { chunk(*n) }).collect();
            entries.sort_by_key(ChunkRunEntry::order);
            let bytes = encode_entries(&entries);
            prop_assert_eq!(encode_entries(&decode_entries(&bytes).unwrap()), bytes.clone());
            if let Ok(fewer) = decode_entries(&bytes[..cut.min(bytes.len())]) {
                prop_assert!(fewer.len() <= entries.len());
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(entries) = decode_entries(&bytes) {
                prop_assert_eq!(encode_entries(&entries), bytes);
            }
        }
    }

    #[test]
    fn a_chunk_and_a_file_of_one_id_both_stand_and_order_counts() {
        let bytes = encode_entries(&[chunk(3), file(3, 1)]);
        assert_eq!(decode_entries(&bytes).unwrap().len(), 2);
        assert!(decode_entries(&encode_entries(&[file(3, 1), chunk(3)])).is_err());
        assert!(decode_entries(&encode_entries(&[chunk(3), chunk(3)])).is_err());
    }

    #[test]
    fn a_place_outside_any_pack_is_refused() {
        let entry = |offset: u32, sealed_len: u32| {
            let ChunkRunEntry::Chunk(mut entry) = chunk(1) else { unreachable!("it makes a chunk") };
            (entry.offset, entry.sealed_len) = (offset, sealed_len);
            decode_entries(&encode_entries(&[ChunkRunEntry::Chunk(entry)])).is_ok()
        };
        assert!(entry(0, 80) && entry((8 << 20) - 80, 80));
        assert!(!entry((8 << 20) - 79, 80) && !entry(u32::MAX, u32::MAX) && !entry(0, 79));
        assert!(!entry(0, SEALED_CHUNK_BYTES_MAX as u32 + 1));
    }
}
