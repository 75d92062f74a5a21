//! Where a sealed piece stands: its associated data (`docs/format.md` §2.2).

use crate::ids::{AccountId, ChunkId, FileId, PackId};

/// The place of a sealed piece. Moved to another place, it does not open.
pub(super) enum Place<'a> {
    /// A record body's sealed part: the header up to its body length, and the body's clear part.
    Body {
        header: &'a [u8],
        clear: &'a [u8],
    },
    /// A block, footer or page.
    Piece {
        pack: &'a PackId,
        number: u32,
        last: bool,
    },
    /// A slot, with its clear prefix.
    Slot {
        prefix: &'a [u8],
    },
    /// `E_k` under the root wrap key.
    RootWrap {
        roster_version: u64,
        epoch: u32,
    },
    Chunk {
        id: &'a ChunkId,
    },
    /// A media file at rest in a home.
    Media {
        file: &'a FileId,
        block: u32,
        last: bool,
    },
    /// A message of a pairing, counted by its sender.
    Pairing {
        number: u32,
    },
}

impl Place<'_> {
    const VERSION: u8 = 1;

    fn number(&self) -> u8 {
        match self {
            Self::Body { .. } => 1,
            Self::Piece { .. } => 2,
            Self::Slot { .. } => 3,
            Self::RootWrap { .. } => 4,
            Self::Chunk { .. } => 5,
            Self::Media { .. } => 6,
            Self::Pairing { .. } => 7,
        }
    }

    /// Writes the associated data: version, type, account, place.
    pub(super) fn associated_data(&self, account: &AccountId) -> Vec<u8> {
        let mut out = vec![Self::VERSION, self.number()];
        out.extend_from_slice(&account.0);
        match self {
            Self::Body { header, clear } => {
                out.extend_from_slice(header);
                out.extend_from_slice(clear);
            }
            Self::Piece { pack, number, last } => {
                out.extend_from_slice(&pack.0);
                out.extend_from_slice(&number.to_le_bytes());
                out.push((*last).into());
            }
            Self::Slot { prefix } => out.extend_from_slice(prefix),
            Self::RootWrap { roster_version, epoch } => {
                out.extend_from_slice(&roster_version.to_le_bytes());
                out.extend_from_slice(&epoch.to_le_bytes());
            }
            Self::Chunk { id } => out.extend_from_slice(&id.0),
            Self::Media { file, block, last } => {
                out.extend_from_slice(&file.0);
                out.extend_from_slice(&block.to_le_bytes());
                out.push((*last).into());
            }
            Self::Pairing { number } => out.extend_from_slice(&number.to_le_bytes()),
        }
        out
    }
}
