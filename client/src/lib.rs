//! The chatkeep client library.
//!
//! Layers, low to high; imports go down only (`tests/tests/boundaries.rs` reads them):
//! `ids` → `event` → `crypto` → `chunk` → `pack` → `strata`, `log` → `vault` → `sync`; `merge` is a pure function over
//! rows; `sources`, `archive` and `remote` are adapters at the edge.

pub mod crypto;
pub mod env;
pub mod error;
pub mod event;
pub mod ids;
pub mod log;
pub mod merge;
pub mod remote;
pub mod sources;
pub mod writers;
