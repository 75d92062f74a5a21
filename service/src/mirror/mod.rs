//! The mirror: keeps in the bucket what a recovery needs when the service is gone (`docs/format.md` §7).
//!
//! Jobs come in the order they must be done; when one of an account fails, its later ones wait, so the bucket never
//! names what it does not hold.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proto::wire::ids::AccountId;
use tokio::sync::Notify;

use crate::env::Clock;
use crate::meta::{Meta, MetaError, MirrorJob};
use crate::objects::{ObjectError, ObjectName, Objects};

/// Jobs read at once.
const PAGE: usize = 64;
/// The queue is looked at this often even when nobody says that there is work.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// An old queue is worth a warning.
pub const OLD: Duration = Duration::from_secs(3600);

/// Carries out mirror work.
pub struct Mirror {
    pub meta: Arc<dyn Meta>,
    pub objects: Arc<dyn Objects>,
    pub clock: Arc<dyn Clock>,
    /// Told when a commit may have queued work.
    pub work: Arc<Notify>,
}

/// Why the mirror could not go on.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error(transparent)]
    Meta(#[from] MetaError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

impl Mirror {
    /// Mirrors until told to stop, then whatever is queued by then; the caller bounds how long that may take.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            // Not inside the select: work that has begun is never cut off half way.
            self.drain().await;
            tokio::select! {
                () = &mut stop => break,
                () = self.work.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        self.drain().await;
    }

    /// Does all that can be done now; true when the queue is empty.
    pub async fn drain(&self) -> bool {
        loop {
            match self.page().await {
                Ok(Page::Empty) => return true,
                Ok(Page::Done) => {}
                Ok(Page::Stuck) => return false,
                Err(e) => {
                    tracing::warn!(event = "mirror_failed", reason = %e);
                    return false;
                }
            }
        }
    }

    /// How long the oldest job waits.
    pub async fn age(&self) -> Result<Duration, MetaError> {
        let since = self.meta.mirror_since().await?;
        Ok(since.map_or(Duration::ZERO, |at| Duration::from_millis(self.clock.now_ms().saturating_sub(at))))
    }

    async fn page(&self) -> Result<Page, MirrorError> {
        let jobs = self.meta.mirror_jobs(PAGE).await?;
        if jobs.is_empty() {
            return Ok(Page::Empty);
        }
        let mut failed: BTreeSet<AccountId> = BTreeSet::new();
        let mut done = 0;
        for job in &jobs {
            if failed.contains(&job.account) {
                continue;
            }
            match self.carry_out(job).await {
                Ok(()) => done += 1,
                Err(e) => {
                    tracing::warn!(event = "mirror_job_failed", reason = %e);
                    failed.insert(job.account);
                }
            }
        }
        // A failing account keeps its place in the queue; the others go on as long as any of them moves.
        Ok(if done > 0 { Page::Done } else { Page::Stuck })
    }

    async fn carry_out(&self, job: &MirrorJob) -> Result<(), MirrorError> {
        let name = ObjectName::mirrored(&job.account, &job.object);
        match &job.content {
            Some(content) => self.objects.put(&name, content.clone()).await?,
            None => self.objects.delete(&name).await?,
        }
        Ok(self.meta.mirror_done(job).await?)
    }
}

enum Page {
    Empty,
    Done,
    Stuck,
}

#[cfg(test)]
mod tests;
