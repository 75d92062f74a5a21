//! Clock, randomness and threads of the machine: the one place of the client that asks the operating system for them.

mod hands;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::crypto::Entropy;

pub use hands::{BrokeOff, Hands, Job};

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

/// Clock, randomness and hands, shared and cheap to clone.
#[derive(Clone)]
pub struct Env {
    pub clock: Arc<dyn Clock>,
    pub entropy: SharedEntropy,
    pub hands: Hands,
}

impl Env {
    /// The machine's own.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: SharedEntropy::new(SystemEntropy), hands: Hands::Threads }
    }

    /// Milliseconds since 1970 UTC, in the form times of rows have.
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX)
    }
}

/// One source of randomness for several owners, locked for each draw.
#[derive(Clone)]
pub struct SharedEntropy(Arc<Mutex<dyn Entropy + Send>>);

impl SharedEntropy {
    pub fn new(entropy: impl Entropy + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(entropy)))
    }
}

impl Entropy for SharedEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(out);
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

    #[test]
    fn shared_entropy_never_gives_the_same_twice() {
        struct Counted(u8);
        impl Entropy for Counted {
            fn fill(&mut self, out: &mut [u8]) {
                self.0 += 1;
                out.fill(self.0);
            }
        }
        let mut one = SharedEntropy::new(Counted(0));
        let mut two = one.clone();
        let (mut a, mut b) = ([0; 4], [0; 4]);
        one.fill(&mut a);
        two.fill(&mut b);
        assert_eq!((a, b), ([1; 4], [2; 4]));
    }
}
