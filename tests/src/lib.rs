//! What several suites share.

pub mod world;
