//! Keyed hashes that name things alike on every device of an account and say nothing to anybody else.

use proto::wire::bytes::Writer;
use zeroize::Zeroizing;

use crate::event::{Chat, Row, Target};
use crate::ids::{ChatId, ChunkId, EventId, FileId};

macro_rules! keyed {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(pub(super) Zeroizing<[u8; 32]>);

        impl $name {
            fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
                let mut hasher = blake3::Hasher::new_keyed(&self.0);
                for part in parts {
                    hasher.update(part);
                }
                *hasher.finalize().as_bytes()
            }
        }
    };
}

keyed!(/// Makes chat and event ids.
    EventKey);
keyed!(/// Makes file ids.
    FileKey);
keyed!(/// Makes chunk ids.
    ChunkIdKey);
/// Keys the digest of all rows.
pub struct DigestKey(pub(super) Zeroizing<[u8; 32]>);

/// Decides where large files are cut.
pub struct CutKey(pub(super) Zeroizing<[u8; 32]>);

impl EventKey {
    pub fn chat(&self, chat: &Chat) -> ChatId {
        let mut w = Writer::new();
        chat.encode(&mut w);
        ChatId(self.hash(&[&[0], &w.finish()]))
    }

    pub fn event(&self, chat: &Chat, id_class: u16, native: &str) -> EventId {
        let mut w = Writer::new();
        chat.encode(&mut w);
        w.u16(id_class).prefixed(native.as_bytes());
        EventId(self.hash(&[&[1], &w.finish()]))
    }

    /// A row's own id.
    pub fn row(&self, chat: &Chat, row: &Row) -> EventId {
        self.event(chat, row.kind.id_class(), &row.native)
    }

    /// The id of what a row is about.
    pub fn target(&self, chat: &Chat, row: &Row) -> EventId {
        match row.target {
            Target::Own => self.row(chat, row),
            Target::Event(id) => id,
        }
    }

    /// Names a version by its values: the first 32 hex characters.
    pub fn version(&self, values: &[u8]) -> String {
        EventId(self.hash(&[&[2], values])).hex().split_at(32).0.to_owned()
    }
}

impl FileKey {
    /// `hash` is BLAKE3 of the content.
    pub fn file(&self, hash: &[u8; 32], bytes: u64) -> FileId {
        FileId(self.hash(&[hash, &bytes.to_le_bytes()]))
    }
}

impl ChunkIdKey {
    pub fn chunk(&self, content: &[u8]) -> ChunkId {
        ChunkId(self.hash(&[content]))
    }
}

impl CutKey {
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl DigestKey {
    /// The order that decides between two values of one row, and the seed of its term in the digest.
    pub fn of_row(&self, chat: &Chat, row: &Row) -> [u8; 32] {
        *self.hasher(chat, row).finalize().as_bytes()
    }

    pub(super) fn hasher(&self, chat: &Chat, row: &Row) -> blake3::Hasher {
        let mut w = Writer::new();
        chat.encode(&mut w);
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&w.finish()).update(&row.encode());
        hasher
    }
}
