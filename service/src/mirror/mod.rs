//! The mirror: keeps in the bucket what a recovery needs when the service is gone (`docs/format.md` §7).
//!
//! An account's jobs are read at one moment and done in their order; when one fails, its later ones wait, so the bucket
//! never names what it does not hold. Other accounts go on. A crash between an object and its row does the job twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proto::wire::ids::AccountId;
use tokio::sync::Notify;

use crate::env::Clock;
use crate::meta::{Meta, MetaError, MirrorJob};
use crate::objects::{ObjectError, ObjectName, Objects};

/// Accounts, and jobs of one account, read at once.
const PAGE: usize = 64;
/// So many failing at once are not accounts that fail but a store that does: the rest is left for the next time.
const FAILED_MAX: usize = 10_000;
/// Failures told one by one each time; of more only the number.
const WARNINGS: usize = 8;
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
        // One that failed is tried again at the next call: one that hangs costs the others a single deadline.
        let mut failed = BTreeSet::new();
        loop {
            match self.pass(&mut failed).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) => {
                    tracing::warn!(event = "mirror_failed", reason = %e);
                    return false;
                }
            }
        }
        if !failed.is_empty() {
            tracing::warn!(event = "mirror_behind", accounts = failed.len());
        }
        failed.is_empty()
    }

    /// How long the oldest job waits.
    pub async fn age(&self) -> Result<Duration, MetaError> {
        let since = self.meta.mirror_since().await?;
        Ok(since.map_or(Duration::ZERO, |at| Duration::from_millis(self.clock.now_ms().saturating_sub(at))))
    }

    /// Some work of every account that has not failed; tells how many accounts had any done.
    async fn pass(&self, failed: &mut BTreeSet<AccountId>) -> Result<usize, MetaError> {
        let (mut after, mut worked) = (None, 0);
        loop {
            let accounts = self.meta.mirror_accounts(after, PAGE).await?;
            for account in &accounts {
                if failed.contains(account) {
                    continue;
                }
                match self.account(account).await {
                    Ok(()) => worked += 1,
                    Err(e) => {
                        if failed.len() < WARNINGS {
                            tracing::warn!(event = "mirror_job_failed", reason = %e);
                        }
                        failed.insert(*account);
                    }
                }
            }
            after = accounts.last().copied();
            if accounts.len() < PAGE || failed.len() >= FAILED_MAX {
                return Ok(worked);
            }
        }
    }

    /// An account's work as it stood at one moment, in order, until one job fails.
    async fn account(&self, account: &AccountId) -> Result<(), MirrorError> {
        for job in &self.meta.mirror_jobs(account, PAGE).await? {
            self.carry_out(job).await?;
        }
        Ok(())
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

#[cfg(test)]
mod tests;
