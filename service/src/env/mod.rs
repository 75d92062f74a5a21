//! What the service takes from the machine: time, randomness, durable file steps. Nothing else reads them.

pub mod files;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand_core_06::RngCore as _;

/// Wall time. A simulation brings its own.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
}

/// Randomness. A simulation brings its own.
pub trait Entropy: Send + Sync {
    fn fill(&self, out: &mut [u8]);
}

/// An array of fresh random bytes.
pub fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The operating system's randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Ends the process where the operating system has no randomness to give: nothing may go on without it.
    fn fill(&self, out: &mut [u8]) {
        rand_core_06::OsRng.fill_bytes(out);
    }
}

/// A stopwatch over the runtime's own time, which a simulation may make virtual.
#[derive(Clone, Copy)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
