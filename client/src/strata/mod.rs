//! The strata: all sealed history of a vault as sorted runs, the catalogue that lists them, and the head that names the
//! catalogue (`docs/format.md` §4.5, §5). Pure: packs come and go as bytes.

mod catalogue;
mod head;
mod levels;
mod merge;
mod rows;

pub use catalogue::{Catalogue, PAGE_CONTENT_BYTES_MAX, Page, page_layout};
pub use head::{Author, Counts, FORMAT, HeadContent, PURGED_MAX};
pub use levels::{FAN, next_merge};
pub use merge::{MergeError, MergeKeys, merge_chunk_runs, merge_rows};
pub use rows::{RunRows, Sorted, run_frames};
