//! Epoch keys, and the lifetime secret from which all ids derive.

use proto::wire::context::h;

use super::derive::{derive, secret32};
use super::{ChunkIdKey, CutKey, DigestKey, EventKey, FileKey};
use crate::ids::AccountId;

secret32!(/// The content key of one epoch.
    EpochKey);
secret32!(/// Made with the account and never changed: ids, cuts and digests derive from it.
    Lifetime);

impl EpochKey {
    /// What a roster states of the key, so that nobody can be handed another one.
    pub fn commitment(&self, account: &AccountId, epoch: u32) -> [u8; 32] {
        h("epoch commitment", &[self.expose(), &account.0, &epoch.to_le_bytes()])
    }
}

impl Lifetime {
    pub fn event_key(&self) -> EventKey {
        EventKey(derive("event id key", self.expose()))
    }

    pub fn file_key(&self) -> FileKey {
        FileKey(derive("file id key", self.expose()))
    }

    pub fn chunk_id_key(&self) -> ChunkIdKey {
        ChunkIdKey(derive("chunk id key", self.expose()))
    }

    pub fn digest_key(&self) -> DigestKey {
        DigestKey(derive("digest key", self.expose()))
    }

    pub fn cut_key(&self) -> CutKey {
        CutKey(derive("cut table key", self.expose()))
    }
}
