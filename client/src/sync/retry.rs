//! Trying again what may succeed later: with full jitter, and not before the server's own delay.

use std::time::Duration;

use crate::crypto::draw;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::vault::{Wait, Work};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// Calls until it succeeds, fails for good, or the longest wait is over.
pub(super) async fn with_retry<T, F>(env: &Env, work: &Work, mut call: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut waited = Duration::ZERO;
    let mut ceiling = FIRST;
    loop {
        let error = match call().await {
            Err(error) if error.is_retryable() => error,
            other => return other,
        };
        let wait = error.retry_after().unwrap_or_default() + jitter(env, ceiling);
        waited += wait;
        if waited > work.longest_wait() {
            return Err(error);
        }
        tracing::info!(code = error.code(), wait_ms = wait.as_millis() as u64, "trying again later");
        stand_still(work, wait, |left| work.tell_wait(Some(Wait { error: &error, left }))).await?;
        work.tell_wait(None);
        ceiling = LONGEST.min(ceiling * 2);
    }
}

/// Waits, but not once the work is stopped.
pub(super) async fn pause(work: &Work, wait: Duration) -> Result<()> {
    stand_still(work, wait, |_| {}).await
}

async fn stand_still(work: &Work, mut wait: Duration, told: impl Fn(Duration)) -> Result<()> {
    const STEP: Duration = Duration::from_millis(250);
    while !wait.is_zero() {
        if work.is_cancelled() {
            return Err(Error::Cancelled);
        }
        told(wait);
        let step = wait.min(STEP);
        tokio::time::sleep(step).await;
        wait -= step;
    }
    Ok(())
}

fn jitter(env: &Env, ceiling: Duration) -> Duration {
    let part = u32::from(u16::from_le_bytes(draw(&mut env.entropy.clone())));
    ceiling * part / u32::from(u16::MAX)
}
