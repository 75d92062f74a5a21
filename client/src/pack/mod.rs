//! Packs: the opaque objects that runs, chunks and pages are stored in (`docs/format.md` §5).
//!
//! A pack's length is a power of two and all of its bytes look random. Everything that is written here is opened,
//! decoded and compared before it is handed out for upload, so a fault of memory or code is met while the rows are
//! still at hand.

mod assembly;
mod block;
mod block_rows;
mod chunk_pack;
mod chunk_run;
mod entry;
mod filter;
mod footer;
mod frame;
mod page;
mod reference;
mod run;
mod run_entry;

use thiserror::Error;

pub use block::{BLOCK_BYTES_FULL, BLOCK_BYTES_MAX, BlockBuilder, ClosedBlock, Facts};
pub use block_rows::{BlockRow, FrameRead, read_block, read_block_frames};
pub use chunk_pack::{ChosenChunks, ChunkPacker, SealedChunkPack, open_packed_chunk};
pub use chunk_run::{ChunkRunWriter, read_chunk_block};
pub use entry::{ChunkEntry, ChunkRunEntry, FileEntry, decode_entries, encode_entries};
pub use filter::ChatFilter;
pub use footer::{BlockInfo, Footer, OpenRun, open_block, open_footer, open_run, open_sound_blocks};
pub use frame::{Frame, FrameBuilder, PackedFrame};
pub use page::{CATALOGUE_PAGE_BYTES_MAX, open_page, seal_page};
pub use reference::{PackRef, SealedPack};
pub use run::{FilledRun, RunFiller, RunLabel, RunWriter, SealedRun, seal_front_page};
pub use run_entry::{Family, RunEntry, decode_run_entries, encode_run_entries};

pub use crate::chunk::Damaged;

/// Why something could not be written.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackError {
    #[error("rows or entries do not come in ascending order")]
    Order,
    #[error("a row or entry is longer than its limit")]
    TooLong,
    #[error("what was written does not read back alike: memory or machine at fault")]
    SelfCheck,
}
