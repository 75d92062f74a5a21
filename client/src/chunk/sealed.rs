//! One chunk, sealed under a key made for it.

use super::{CHUNK_BYTES_MAX, Coding, Damaged, SEALED_CHUNK_BYTES_MAX};
use crate::crypto::Wiped;
use crate::crypto::{ChunkIdKey, ChunkKey, Entropy};
use crate::ids::{AccountId, ChunkId};

/// A chunk ready for a pack.
pub struct SealedChunk {
    pub id: ChunkId,
    pub key: ChunkKey,
    pub coding: Coding,
    pub bytes: Vec<u8>,
}

/// Seals a chunk's content (at most 4 MiB, as the reader gives it), which has this id.
pub fn seal_chunk(account: &AccountId, id: ChunkId, content: &[u8], entropy: &mut dyn Entropy) -> SealedChunk {
    let key = ChunkKey::generate(entropy);
    let (coding, coded) = Coding::choose(content);
    let bytes = key.seal(account, &id, &coded, entropy);
    SealedChunk { id, key, coding, bytes }
}

/// Opens a chunk and holds its content to its id.
pub fn open_chunk(
    account: &AccountId,
    ids: &ChunkIdKey,
    id: &ChunkId,
    key: &ChunkKey,
    coding: Coding,
    sealed: &[u8],
) -> Result<Wiped, Damaged> {
    if sealed.len() > SEALED_CHUNK_BYTES_MAX {
        return Err(Damaged);
    }
    let coded = key.open(account, id, sealed)?;
    let content = coding.undo(coded, CHUNK_BYTES_MAX)?;
    if ids.chunk(&content) == *id { Ok(content) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Lifetime;
    use crate::crypto::fixed::Fixed;
    use proptest::prelude::*;

    const ACCOUNT: AccountId = AccountId([1; 32]);

    fn ids() -> ChunkIdKey {
        Lifetime::generate(&mut Fixed::new("chunks")).chunk_id_key()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn chunks_come_back(content in prop::collection::vec(any::<u8>(), 0..3000), times in 1usize..30) {
            let (ids, content) = (ids(), content.repeat(times));
            let sealed = seal_chunk(&ACCOUNT, ids.chunk(&content), &content, &mut Fixed::new("seal"));
            let open = open_chunk(&ACCOUNT, &ids, &sealed.id, &sealed.key, sealed.coding, &sealed.bytes).unwrap();
            prop_assert_eq!(&**open, &content[..]);
        }
    }

    #[test]
    fn a_chunk_is_refused_under_another_id_account_or_coding() {
        let (ids, mut entropy) = (ids(), Fixed::new("seal"));
        let a = seal_chunk(&ACCOUNT, ids.chunk(b"one"), b"one", &mut entropy);
        let b = seal_chunk(&ACCOUNT, ids.chunk(b"two"), b"two", &mut entropy);
        let open = |account: u8, id: &ChunkId, key: &ChunkKey, coding| {
            open_chunk(&AccountId([account; 32]), &ids, id, key, coding, &a.bytes).is_ok()
        };
        assert!(open(1, &a.id, &a.key, Coding::AsIs));
        assert!(!open(2, &a.id, &a.key, Coding::AsIs));
        assert!(!open(1, &b.id, &a.key, Coding::AsIs));
        assert!(!open(1, &a.id, &b.key, Coding::AsIs));
        assert!(!open(1, &a.id, &a.key, Coding::Zstd));
        let lying = a.key.seal(&ACCOUNT, &b.id, b"one", &mut entropy);
        assert!(open_chunk(&ACCOUNT, &ids, &b.id, &a.key, Coding::AsIs, &lying).is_err(), "content of another id");
        let long = a.key.seal(&ACCOUNT, &a.id, &vec![0; CHUNK_BYTES_MAX + 1], &mut entropy);
        assert!(open_chunk(&ACCOUNT, &ids, &a.id, &a.key, Coding::AsIs, &long).is_err(), "longer than a chunk");
    }
}
