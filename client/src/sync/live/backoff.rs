//! When to try again: with full jitter, ever later up to a limit, so that a service that comes back is not stormed.

use std::time::Duration;

use crate::crypto::draw;
use crate::env::Env;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// After so long a time without failure the next one counts as the first.
const CALM: Duration = Duration::from_secs(30);

/// How often in a row it failed, as the longest time to wait now.
#[derive(Default)]
pub(super) struct Backoff(Option<Duration>);

impl Backoff {
    /// It failed after it had gone well for a time.
    pub fn failed(&mut self, after: Duration) {
        let before = self.0.filter(|_| after < CALM);
        self.0 = Some(before.map_or(FIRST, |before| LONGEST.min(before * 2)));
    }

    pub fn wait(&self, env: &Env) -> Duration {
        let part = u32::from(u16::from_le_bytes(draw(&mut env.entropy.clone())));
        self.0.unwrap_or(FIRST) * part / u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_limit_and_begins_anew_after_a_calm() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            backoff.failed(Duration::ZERO);
        }
        assert_eq!(backoff.0, Some(FIRST * 4));
        for _ in 0..20 {
            backoff.failed(Duration::ZERO);
        }
        assert_eq!(backoff.0, Some(LONGEST));
        assert!((0..100).all(|_| backoff.wait(&Env::system()) <= LONGEST));
        backoff.failed(CALM);
        assert_eq!(backoff.0, Some(FIRST));
    }
}
