//! The sweep: deletes what is due an hour after it was, and ends accounts whose deletion has begun.
//!
//! It decides nothing: the signed head, or the time a reservation lasts, already did. Objects go before their rows, so a
//! step that fails is repeated and nothing is left that no row names.

use std::sync::Arc;
use std::time::Duration;

use proto::wire::ids::AccountId;

use crate::env::Clock;
use crate::meta::{DuePlace, Meta, MetaError, RecoverySlot};
use crate::objects::{ObjectError, ObjectName, Objects};

/// Between two sweeps.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Due packs read at once.
const PAGE: usize = 256;
/// Objects of an account deleted between two looks at the listing.
const LIST: usize = 1000;
/// Accounts ended in one sweep.
const ACCOUNTS: usize = 16;

/// What one sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    pub packs: u64,
    pub accounts: u64,
    /// Accounts whose logs lost bodies that heads cover.
    pub trimmed: u64,
    /// Accounts in which something's last day was over.
    pub expired: u64,
    /// Steps that failed and will be tried again.
    pub failed: u64,
}

/// Deletes what may go from both stores.
pub struct Sweep {
    pub meta: Arc<dyn Meta>,
    pub objects: Arc<dyn Objects>,
    pub clock: Arc<dyn Clock>,
}

/// Why a step of the sweep failed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Meta(#[from] MetaError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

impl Sweep {
    /// Sweeps until told to stop. What is cut off then is repeated by the next sweep.
    pub async fn run(&self, stop: impl Future<Output = ()>, report: impl Fn(Swept)) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
            tokio::select! {
                () = &mut stop => return,
                swept = self.once() => report(swept),
            }
        }
    }

    /// Goes once through all that is due.
    pub async fn once(&self) -> Swept {
        let mut swept = Swept::default();
        let outcome = self.last_days(&mut swept).await;
        swept.note(outcome);
        let outcome = self.packs(&mut swept).await;
        swept.note(outcome);
        let outcome = self.accounts(&mut swept).await;
        swept.note(outcome);
        let outcome = self.bodies(&mut swept).await;
        swept.note(outcome);
        let outcome = self.meta.drop_expired(self.clock.now_ms()).await;
        swept.note(outcome.map_err(SweepError::from));
        swept
    }

    async fn packs(&self, swept: &mut Swept) -> Result<(), SweepError> {
        let mut after: Option<DuePlace> = None;
        loop {
            let now = self.clock.now_ms();
            let page = self.meta.sweepable(now, after, PAGE).await?;
            for due in page.packs {
                // One object that will not go keeps no other waiting.
                let outcome = async {
                    self.objects.delete(&ObjectName::pack(&due.account, due.id)).await?;
                    self.meta.pack_swept(due, now).await?;
                    Ok(())
                };
                match outcome.await {
                    Ok(()) => swept.packs += 1,
                    failed => swept.note(failed),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Makes packs due, and erases bodies, whose last day is over.
    async fn last_days(&self, swept: &mut Swept) -> Result<(), SweepError> {
        let now = self.clock.now_ms();
        for account in self.meta.expiring(now, LIST).await? {
            while !self.meta.expire_step(&account, now).await? {}
            swept.expired += 1;
        }
        Ok(())
    }

    /// Erases bodies that confirmed heads cover.
    async fn bodies(&self, swept: &mut Swept) -> Result<(), SweepError> {
        for account in self.meta.trimming(ACCOUNTS).await? {
            while !self.meta.trim_step(&account).await? {}
            swept.trimmed += 1;
        }
        Ok(())
    }

    async fn accounts(&self, swept: &mut Swept) -> Result<(), SweepError> {
        for account in self.meta.deleting(ACCOUNTS).await? {
            match self.end(&account).await {
                Ok(()) => swept.accounts += 1,
                failed => swept.note(failed),
            }
        }
        Ok(())
    }

    /// Everything of the account in the bucket, then its rows in steps.
    async fn end(&self, account: &AccountId) -> Result<(), SweepError> {
        let slots = self.meta.deleting_slots(account).await?;
        self.erase(&slots).await?;
        self.empty(account).await?;
        while !self.meta.delete_step(account).await? {}
        // Once more for what was on its way when the deletion began.
        self.erase(&slots).await?;
        self.empty(account).await
    }

    async fn erase(&self, slots: &[RecoverySlot]) -> Result<(), SweepError> {
        for slot in slots {
            self.objects.delete(&ObjectName::recovery_slot(slot)).await?;
        }
        Ok(())
    }

    async fn empty(&self, account: &AccountId) -> Result<(), SweepError> {
        loop {
            let found = self.objects.list(&account.address(), None, LIST).await?;
            for object in &found {
                self.objects.delete(&object.name).await?;
            }
            if found.len() < LIST {
                return Ok(());
            }
        }
    }
}

impl Swept {
    fn note(&mut self, outcome: Result<(), SweepError>) {
        if let Err(e) = outcome {
            self.failed += 1;
            tracing::warn!(event = "sweep_step_failed", reason = %e);
        }
    }
}

#[cfg(test)]
mod tests;
