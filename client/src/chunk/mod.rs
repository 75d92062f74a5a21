//! Attachments: a file becomes chunks, and each chunk is sealed under a random key of its own (`docs/format.md` §5.2).
//!
//! A file of up to 4 MiB is one chunk. A longer one is cut where its content says so, by a table only the account
//! knows, so an inserted byte moves one cut and not all that follow.

mod coding;
mod cut;
mod list;
mod reader;
mod sealed;

use proto::wire::bytes::Malformed;
use thiserror::Error;

pub use coding::Coding;
pub(crate) use coding::{pack_frame, unpack_frame};
pub use cut::Cutter;
pub use list::{ChunkList, expand_list, list_chunks};
pub use reader::Chunks;
pub use sealed::{SealedChunk, open_chunk, seal_chunk};

use crate::crypto::{Refused, SEAL_BYTES};

/// A chunk's content.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;
/// A chunk as it lies in a pack.
pub const SEALED_CHUNK_BYTES_MAX: usize = CHUNK_BYTES_MAX + SEAL_BYTES;

const CUT_BYTES_MIN: usize = 256 << 10;
const CUT_BYTES_AVERAGE: usize = 1 << 20;

/// Stored bytes that are not what was written: damaged, moved, or another account's. Which check failed is not told.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("stored bytes fail verification")]
pub struct Damaged;

impl From<Refused> for Damaged {
    fn from(Refused: Refused) -> Self {
        Self
    }
}

impl From<Malformed> for Damaged {
    fn from(_: Malformed) -> Self {
        Self
    }
}
