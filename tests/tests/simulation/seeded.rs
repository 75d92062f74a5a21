//! Time and randomness that a seed decides.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The simulation's time as the time of day. It goes on where a thread beside the simulation asks.
pub struct Virtual(AtomicU64);

const START_MS: u64 = 1_790_000_000_000;

impl Virtual {
    pub fn new() -> Self {
        Self(AtomicU64::new(START_MS))
    }

    fn now(&self) -> u64 {
        let elapsed = turmoil::sim_elapsed().map_or(0, |e| e.as_millis() as u64);
        self.0.fetch_max(START_MS + elapsed, Ordering::Relaxed).max(START_MS + elapsed)
    }
}

impl client::env::Clock for Virtual {
    fn now_ms(&self) -> u64 {
        self.now()
    }
}

impl service::env::Clock for Virtual {
    fn now_ms(&self) -> u64 {
        self.now()
    }
}

/// A stream of bytes for one owner.
pub struct Stream(Mutex<blake3::OutputReader>);

impl Stream {
    pub fn of(seed: u64, owner: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(owner.as_bytes());
        Self(Mutex::new(hasher.finalize_xof()))
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.draw(&mut bytes);
        u64::from_le_bytes(bytes) % end
    }

    fn draw(&self, out: &mut [u8]) {
        self.0.lock().unwrap().fill(out);
    }
}

impl client::crypto::Entropy for Stream {
    fn fill(&mut self, out: &mut [u8]) {
        self.draw(out);
    }
}

impl service::env::Entropy for Stream {
    fn fill(&self, out: &mut [u8]) {
        self.draw(out);
    }
}
