//! Clock and randomness of the machine: the one place of the client that asks the operating system for them.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::crypto::Entropy;

/// A clock that tells the time of day.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970 UTC.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // A clock set before 1970 reads as 1970: wrong by what it is wrong anyway, and never a panic.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        // There is no safe way to go on without randomness, and no caller could repair its absence.
        getrandom::fill(out).expect("the operating system gives randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_in_this_century_and_randomness_differs() {
        assert!(SystemClock.now_ms() > 1_700_000_000_000);
        let mut draws = [[0; 32]; 2];
        for draw in &mut draws {
            SystemEntropy.fill(draw);
        }
        assert_ne!(draws[0], draws[1]);
        assert_ne!(draws[0], [0; 32]);
    }
}
