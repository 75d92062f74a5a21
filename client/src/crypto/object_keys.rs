//! Keys of single objects: packs, chunks, and the home's own archive.

use proto::wire::bytes::{Reader, Result as WireResult, Writer};
use zeroize::Zeroizing;

use super::Entropy;
use super::derive::{derive, keyed_long, purpose};
use super::place::Place;
use super::seal::{Refused, open, seal, seal_hashed};
use super::secret::{Secret, key_type};
use super::wiped::Wiped;
use crate::ids::{AccountId, ChunkId, FileId, PackId};

key_type!(/// Seals every piece of one pack. Forgetting it everywhere shreds the pack.
    PackKey);
key_type!(/// Seals one chunk. Forgetting it everywhere shreds the chunk.
    ChunkKey);
key_type!(/// Seals what a home keeps on disk. It never leaves the device's key store.
    ArchiveKey);

/// Where a piece stands in which pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackPlace {
    pub account: AccountId,
    pub pack: PackId,
    /// 0 for a footer or page, 1.. for blocks.
    pub number: u32,
    pub last: bool,
}

impl PackPlace {
    fn place(&self) -> Place<'_> {
        Place::Piece { pack: &self.pack, number: self.number, last: self.last }
    }
}

impl PackKey {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    pub fn seal_piece(&self, place: &PackPlace, content: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        seal(&self.0, &place.account, &place.place(), content, entropy)
    }

    pub fn open_piece(&self, place: &PackPlace, sealed: &[u8]) -> Result<Wiped, Refused> {
        open(&self.0, &place.account, &place.place(), sealed)
    }

    /// What fills the pack behind its last piece: looks like the rest, and can be checked.
    pub fn padding(&self, pack: &PackId, length: usize) -> Vec<u8> {
        padding(&self.0, pack, length)
    }

    /// Writes the key where it is about to be sealed: a run's entry, a head.
    pub(crate) fn write(&self, out: &mut Writer) {
        out.raw(self.0.bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> WireResult<Self> {
        Ok(Self(Secret::copied(&r.array()?)))
    }

    #[cfg(test)]
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }
}

impl ChunkKey {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    /// Seals what a chunk is stored as. Its id is a hash of the chunk; with how it is stored it stands for `content`.
    pub fn seal(&self, account: &AccountId, id: &ChunkId, content: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&id.0).update(&(content.len() as u64).to_le_bytes());
        hasher.update(content.first_chunk::<64>().map_or(content, |begin| begin));
        let hash = *hasher.finalize().as_bytes();
        seal_hashed(&self.0, account, &Place::Chunk { id }, content, &hash, entropy)
    }

    pub fn open(&self, account: &AccountId, id: &ChunkId, sealed: &[u8]) -> Result<Wiped, Refused> {
        open(&self.0, account, &Place::Chunk { id }, sealed)
    }

    /// What fills a chunk pack whose first chunk has this key.
    pub fn padding(&self, pack: &PackId, length: usize) -> Vec<u8> {
        padding(&self.0, pack, length)
    }

    /// Writes the key where it is about to be sealed: a chunk's entry.
    pub(crate) fn write(&self, out: &mut Writer) {
        out.raw(self.0.bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> WireResult<Self> {
        Ok(Self(Secret::copied(&r.array()?)))
    }
}

impl ArchiveKey {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    /// Gives the key's bytes to the device's key store, which keeps it beside the device keys.
    pub fn export(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.0.bytes())
    }

    pub fn import(bytes: &[u8; 32]) -> Self {
        Self(Secret::copied(bytes))
    }

    pub fn seal_block(
        &self,
        account: &AccountId,
        file: &FileId,
        block: u32,
        last: bool,
        content: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        seal(&self.0, account, &Place::Media { file, block, last }, content, entropy)
    }

    pub fn open_block(
        &self,
        account: &AccountId,
        file: &FileId,
        block: u32,
        last: bool,
        sealed: &[u8],
    ) -> Result<Wiped, Refused> {
        open(&self.0, account, &Place::Media { file, block, last }, sealed)
    }

    /// Derives the raw key of the archive's database, so that one key never serves two ciphers.
    pub fn database_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*derive(purpose::ARCHIVE_DATABASE_KEY, &[self.0.bytes()]).bytes())
    }
}

fn padding(key: &Secret, pack: &PackId, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    keyed_long(&derive(purpose::PADDING_KEY, &[key.bytes()]), &[&pack.0], &mut out);
    out
}
