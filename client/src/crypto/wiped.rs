//! Opened content, wiped when it is done with.

use std::hint::black_box;
use std::ops::{Deref, DerefMut};

use super::large;

/// Bytes that are overwritten when they are dropped.
///
/// For content, which comes by the gigabyte: it is overwritten in one sweep, where the wiping of keys writes byte by byte
/// and takes longer than the cipher. Buffers that were given back while it grew are not reached.
#[derive(Default)]
pub struct Wiped(Vec<u8>);

impl Wiped {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// So many zeros.
    pub fn zeros(length: usize) -> Self {
        let mut bytes = large::take(length);
        bytes.resize(length, 0);
        Self(bytes)
    }

    pub fn copy_of(content: &[u8]) -> Self {
        let mut bytes = large::take(content.len());
        bytes.extend_from_slice(content);
        Self(bytes)
    }
}

impl Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // To the compiler somebody may still look, so the zeros have to be there.
        black_box(&self.0);
        large::give(std::mem::take(&mut self.0));
    }
}
