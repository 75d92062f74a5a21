//! Large buffers, used again.
//!
//! Packs and chunks come and go by the hundred a second, made on one thread and let go on another. Allocators keep such
//! memory for a while, or give it back and fetch fresh pages each time; both cost more than the sealing. What was let
//! go is kept here instead, up to a bound.

use std::sync::{Mutex, PoisonError};

/// Shorter buffers are left to the allocator.
const BYTES_MIN: usize = 64 << 10;
/// What is kept altogether.
const KEPT_BYTES_MAX: usize = 24 << 20;

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty buffer with room for so many bytes.
pub fn take(bytes: usize) -> Vec<u8> {
    if bytes < BYTES_MIN {
        return Vec::with_capacity(bytes);
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    // The shortest that fits, unless most of it would lie idle.
    let fits = |b: &Vec<u8>| b.capacity() >= bytes && b.capacity() <= bytes.saturating_mul(2);
    let found = kept.iter().enumerate().filter(|(_, b)| fits(b)).min_by_key(|(_, b)| b.capacity()).map(|(at, _)| at);
    let buffer = found.map(|at| kept.swap_remove(at));
    drop(kept);
    // A quarter more than asked for, so that it fits the next one too.
    buffer.unwrap_or_else(|| Vec::with_capacity(bytes + bytes / 4))
}

/// Takes a buffer back whose content nobody needs to be kept from.
pub fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() < BYTES_MIN {
        return;
    }
    buffer.clear();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bytes: usize = kept.iter().map(Vec::capacity).sum::<usize>() + buffer.capacity();
    kept.push(buffer);
    // The oldest go first: what is asked for changes as work goes on.
    let over = kept.iter().take_while(|b| {
        let goes = bytes > KEPT_BYTES_MAX;
        bytes -= if goes { b.capacity() } else { 0 };
        goes
    });
    let over = over.count();
    kept.drain(..over);
}

/// Bytes that come back here when nobody holds them any more.
pub struct Lent(pub Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        give(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_empty_fit_and_stay_within_the_bound() {
        for round in 0..50 {
            let taken: Vec<Vec<u8>> = (1..20).map(|n| take(n * 300_000 + round)).collect();
            for (n, mut buffer) in (1..20).zip(taken) {
                assert!(buffer.is_empty() && buffer.capacity() >= n * 300_000 + round);
                buffer.resize(1000, 7);
                give(buffer);
            }
            let kept = KEPT.lock().unwrap();
            assert!(kept.iter().map(Vec::capacity).sum::<usize>() <= KEPT_BYTES_MAX);
            assert!(kept.iter().all(Vec::is_empty));
        }
        drop(Lent(vec![1; BYTES_MIN]));
    }
}
