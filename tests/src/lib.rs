//! What several suites share.

pub mod cli;
pub mod exports;
pub mod history;
pub mod jitter;
pub mod program;
pub mod strata;
pub mod timed;
pub mod world;

/// How often something is done: a small number, or the project's own figure when `CHATKEEP_LONG` is set.
pub fn times(short: usize, long: usize) -> usize {
    if std::env::var_os("CHATKEEP_LONG").is_some() { long } else { short }
}
