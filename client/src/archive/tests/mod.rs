//! Tests of the archive as a whole. The rules of merging used here are plain ones of their own.

mod acts;
mod concurrency;
mod graves;
mod importing;
mod media_deletions;
mod merging;
mod plaintext;
mod read_marks;
mod reading;
mod stretches;
mod support;
mod syncing;
