//! Packs of chunks: filled before they are sent, in random order, so that no chunk's length shows (§5.2).

use proto::wire::bytes::Reader;
use proto::wire::ladder::Class;

use super::{ChunkEntry, Damaged, PackError};
use crate::chunk::{SealedChunk, open_chunk};
use crate::crypto::Wiped;
use crate::crypto::large;
use crate::crypto::{ChunkIdKey, Entropy, draw};
use crate::ids::{AccountId, PackId};

/// A pack of chunks ready for upload, and where its chunks lie.
pub struct SealedChunkPack {
    pub id: PackId,
    pub class: Class,
    pub bytes: Vec<u8>,
    pub entries: Vec<ChunkEntry>,
}

/// Chunks that fill a pack of a class, still to be put together.
pub struct ChosenChunks {
    chunks: Vec<SealedChunk>,
    class: Class,
}

/// Gathers chunks and chooses those that go into a pack together. Holds at most 16 MiB of chunks.
#[derive(Default)]
pub struct ChunkPacker {
    pool: Vec<SealedChunk>,
    pool_bytes: usize,
}

/// With half as much again to choose from, a pack is filled well.
const POOL_BYTES: usize = 12 << 20;
/// What remains at the end goes out as at most so many packs.
const TAIL_PACKS_MAX: usize = 4;

/// Opens a chunk, given its range of its pack.
pub fn open_packed_chunk(
    account: &AccountId,
    ids: &ChunkIdKey,
    entry: &ChunkEntry,
    sealed: &[u8],
) -> Result<Wiped, Damaged> {
    if sealed.len() != entry.sealed_len as usize {
        return Err(Damaged);
    }
    open_chunk(account, ids, &entry.id, &entry.key, entry.coding, sealed)
}

impl ChunkPacker {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a chunk. Gives a full pack's whenever enough has gathered.
    pub fn push(&mut self, chunk: SealedChunk) -> Option<ChosenChunks> {
        self.pool_bytes += chunk.bytes.len();
        self.pool.push(chunk);
        (self.pool_bytes >= POOL_BYTES).then(|| self.choose(Class::MAX))
    }

    /// Gives all that waits, and is empty: full packs first, then a tail of falling class.
    pub fn finish(&mut self) -> Result<Vec<ChosenChunks>, PackError> {
        let mut packs = Vec::new();
        while self.pool_bytes > Class::MAX.bytes() {
            packs.push(self.choose(Class::MAX));
        }
        for _ in 1..TAIL_PACKS_MAX {
            let Some(class) = below(self.pool_bytes) else { break };
            let chosen = self.choose(class);
            // Chunks are not cut to fit: a class they do not fill well is left to the last pack.
            if bytes_of(&chosen.chunks) < class.bytes() - class.bytes() / 16 {
                self.put_back(chosen.chunks);
                break;
            }
            packs.push(chosen);
        }
        if !self.pool.is_empty() {
            let class = Class::fitting(self.pool_bytes, Class::PACK).ok_or(PackError::TooLong)?;
            self.pool_bytes = 0;
            packs.push(ChosenChunks { chunks: std::mem::take(&mut self.pool), class });
        }
        Ok(packs)
    }

    /// Takes chunks out of the pool, longest first, as many as fit.
    fn choose(&mut self, class: Class) -> ChosenChunks {
        self.pool.sort_by_key(|c| std::cmp::Reverse(c.bytes.len()));
        let mut room = class.bytes();
        let (chosen, rest) = std::mem::take(&mut self.pool).into_iter().partition(|chunk: &SealedChunk| {
            let fits = chunk.bytes.len() <= room;
            room -= if fits { chunk.bytes.len() } else { 0 };
            fits
        });
        self.pool = rest;
        self.pool_bytes -= bytes_of(&chosen);
        ChosenChunks { chunks: chosen, class }
    }

    fn put_back(&mut self, chosen: Vec<SealedChunk>) {
        self.pool_bytes += bytes_of(&chosen);
        self.pool.extend(chosen);
    }
}

impl ChosenChunks {
    /// Puts the pack together in random order and reads it back.
    pub fn seal(
        self,
        account: &AccountId,
        ids: &ChunkIdKey,
        entropy: &mut dyn Entropy,
    ) -> Result<SealedChunkPack, PackError> {
        let Self { mut chunks, class } = self;
        shuffle(&mut chunks, entropy);
        let id = PackId(draw(entropy));
        let mut bytes = large::take(class.bytes());
        let mut entries: Vec<ChunkEntry> = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let offset = u32::try_from(bytes.len()).map_err(|_| PackError::TooLong)?;
            let sealed_len = u32::try_from(chunk.bytes.len()).map_err(|_| PackError::TooLong)?;
            let SealedChunk { id: chunk_id, key, coding, bytes: sealed } = chunk;
            bytes.extend_from_slice(&sealed);
            large::give(sealed);
            entries.push(ChunkEntry { id: chunk_id, pack: id, offset, sealed_len, key, coding });
        }
        let padding = class.bytes().checked_sub(bytes.len()).ok_or(PackError::TooLong)?;
        let first = entries.first().ok_or(PackError::TooLong)?;
        bytes.extend(first.key.padding(&id, padding));
        let pack = SealedChunkPack { id, class, bytes, entries };
        if pack.check(account, ids).is_err() {
            return Err(PackError::SelfCheck);
        }
        Ok(pack)
    }
}

impl SealedChunkPack {
    /// Opens every chunk and compares the padding.
    fn check(&self, account: &AccountId, ids: &ChunkIdKey) -> Result<(), Damaged> {
        let mut r = Reader::new(&self.bytes);
        for entry in &self.entries {
            if self.bytes.len() - r.remaining() != entry.offset as usize {
                return Err(Damaged);
            }
            open_packed_chunk(account, ids, entry, r.take(entry.sealed_len as usize)?)?;
        }
        let first = self.entries.first().ok_or(Damaged)?;
        let padding = r.rest();
        let alike = padding == first.key.padding(&self.id, padding.len()) && self.bytes.len() == self.class.bytes();
        if alike { Ok(()) } else { Err(Damaged) }
    }
}

/// The largest class of packs that so many bytes fill.
fn below(bytes: usize) -> Option<Class> {
    let class = Class::new(u8::try_from(bytes.checked_ilog2()?).ok()?)?;
    (class >= Class::PACK).then_some(class)
}

fn bytes_of(chunks: &[SealedChunk]) -> usize {
    chunks.iter().map(|c| c.bytes.len()).sum()
}

/// Brings a list into random order.
fn shuffle<T>(list: &mut [T], entropy: &mut dyn Entropy) {
    for at in (1..list.len()).rev() {
        // A list has far fewer than 2^32 items, so the remainder of 64 bits is even enough.
        let other = u64::from_le_bytes(draw(entropy)) % (at as u64 + 1);
        list.swap(at, other as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::seal_chunk;
    use crate::crypto::Lifetime;
    use crate::crypto::fixed::Fixed;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const ACCOUNT: AccountId = AccountId([1; 32]);

    fn ids() -> ChunkIdKey {
        Lifetime::generate(&mut Fixed::new("chunk pack")).chunk_id_key()
    }

    fn noise(n: usize, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        blake3::Hasher::new().update(&n.to_le_bytes()).finalize_xof().fill(&mut out);
        out
    }

    fn packed(lengths: &[usize]) -> Vec<SealedChunkPack> {
        let (ids, mut entropy) = (ids(), Fixed::new("packing"));
        let mut packer = ChunkPacker::new();
        let mut chosen = Vec::new();
        for (n, length) in lengths.iter().enumerate() {
            let content = noise(n, *length);
            let chunk = seal_chunk(&ACCOUNT, ids.chunk(&content), &content, &mut entropy);
            chosen.extend(packer.push(chunk));
        }
        chosen.extend(packer.finish().unwrap());
        chosen.into_iter().map(|chunks| chunks.seal(&ACCOUNT, &ids, &mut entropy).unwrap()).collect()
    }

    /// Every chunk comes back from where its entry says; each once.
    fn all_open(packs: &[SealedChunkPack], lengths: &[usize]) {
        let ids = ids();
        let mut found = BTreeSet::new();
        for pack in packs {
            assert_eq!(pack.bytes.len(), pack.class.bytes());
            for entry in &pack.entries {
                let start = entry.offset as usize;
                let sealed = &pack.bytes[start..start + entry.sealed_len as usize];
                let content = open_packed_chunk(&ACCOUNT, &ids, entry, sealed).unwrap();
                assert!(entry.pack == pack.id && found.insert(content.to_vec()));
            }
        }
        let expected: BTreeSet<Vec<u8>> = lengths.iter().enumerate().map(|(n, l)| noise(n, *l)).collect();
        assert!(found == expected);
    }

    fn padding(packs: &[SealedChunkPack]) -> usize {
        packs.iter().map(|p| p.bytes.len() - p.entries.iter().map(|e| e.sealed_len as usize).sum::<usize>()).sum()
    }

    #[test]
    fn many_chunks_fill_their_packs() {
        let lengths: Vec<usize> = (0..60).map(|n| (200 << 10) + n * 37_003 % (1700 << 10)).collect();
        let packs = packed(&lengths);
        all_open(&packs, &lengths);
        let total: usize = lengths.iter().sum();
        assert!(total > 2 * POOL_BYTES);
        assert!(padding(&packs) < total / 10, "{} of {total}", padding(&packs));
    }

    #[test]
    fn the_longest_chunk_fits_and_one_alone_does() {
        for lengths in [vec![4 << 20], vec![4 << 20; 3], vec![1], vec![]] {
            let packs = packed(&lengths);
            assert_eq!(packs.iter().map(|p| p.entries.len()).sum::<usize>(), lengths.len());
            all_open(&packs, &lengths);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn small_chunks_end_in_few_packs_with_little_padding(lengths in prop::collection::vec(100usize..3900, 1..900)) {
            let packs = packed(&lengths);
            all_open(&packs, &lengths);
            let total: usize = packs.iter().map(|p| p.bytes.len()).sum();
            prop_assert!(packs.len() <= TAIL_PACKS_MAX);
            prop_assert!(packs.is_sorted_by(|a, b| a.class >= b.class));
            prop_assert!(padding(&packs) <= (64 << 10).max(total / 15) + packs.len() * 4096);
        }
    }

    #[test]
    fn order_in_a_pack_is_not_the_order_of_arrival() {
        let lengths = vec![1000; 40];
        let packs = packed(&lengths);
        let ids = ids();
        let arrived: Vec<_> = (0..40).map(|n| ids.chunk(&noise(n, 1000))).collect();
        let lying: Vec<_> = packs.iter().flat_map(|p| p.entries.iter().map(|e| e.id)).collect();
        assert_eq!(arrived.len(), lying.len());
        assert_ne!(arrived, lying);
    }

    #[test]
    fn padding_and_places_are_checked() {
        let mut packs = packed(&[1000, 2000]);
        let pack = &mut packs[0];
        assert!(pack.check(&ACCOUNT, &ids()).is_ok());
        for at in [0, 500, 1500, pack.bytes.len() - 1] {
            pack.bytes[at] ^= 1;
            assert!(pack.check(&ACCOUNT, &ids()).is_err());
            pack.bytes[at] ^= 1;
        }
        pack.entries.swap(0, 1);
        assert!(pack.check(&ACCOUNT, &ids()).is_err());
    }
}
