//! The chatkeep client library.
//!
//! Layers, low to high; imports go down only (`tests/tests/boundaries.rs` reads them):
//! `ids`, `fields` → `crypto` → `event` → `chunk` → `pack` → `strata`, `log` → `vault` → `sync`,
//! `import`; `merge` is a pure function over rows; `sources`, `archive`, `remote` and `env` are adapters at the edge.

pub mod archive;
pub mod chunk;
pub mod crypto;
pub mod env;
pub mod error;
pub mod event;
pub mod fields;
pub mod home;
pub mod ids;
pub mod import;
pub mod log;
pub mod merge;
pub mod pack;
pub mod remote;
pub mod sources;
pub mod strata;
pub mod sync;
pub mod vault;
pub mod writers;
