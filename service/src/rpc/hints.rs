//! Hints between an append and the devices that watch: lossy by design, `Pull` is the truth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::wire::ids::AccountId;
use tokio::sync::watch;

/// What changed last in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hint {
    pub size: u64,
    /// Counts appends that may have changed who is admitted.
    pub access: u64,
}

/// Who watches which log, in this process.
#[derive(Default)]
pub struct Hints(Mutex<HashMap<AccountId, watch::Sender<Hint>>>);

/// A place in the audience of one log; leaves when dropped.
pub struct Watcher {
    hints: Arc<Hints>,
    account: AccountId,
    receiver: watch::Receiver<Hint>,
}

impl Hints {
    pub fn subscribe(self: &Arc<Self>, account: AccountId) -> Watcher {
        let mut all = self.lock();
        let receiver = all.entry(account).or_insert_with(|| watch::Sender::new(Hint::default())).subscribe();
        Watcher { hints: self.clone(), account, receiver }
    }

    /// Tells all who watch a log that it has grown.
    pub fn grew(&self, account: &AccountId, size: u64, access_changed: bool) {
        if let Some(sender) = self.lock().get(account) {
            sender.send_modify(|hint| {
                hint.size = hint.size.max(size);
                hint.access += u64::from(access_changed);
            });
        }
    }

    #[cfg(test)]
    fn watchers(&self) -> usize {
        self.lock().values().map(watch::Sender::receiver_count).sum()
    }

    /// The map is sound after a panic elsewhere: each change of it is one step.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, watch::Sender<Hint>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    /// Waits for the next hint. Several that came meanwhile are one.
    pub async fn next(&mut self) -> Hint {
        if self.receiver.changed().await.is_err() {
            // The sender lives in the map as long as a watcher does.
            std::future::pending::<()>().await;
        }
        *self.receiver.borrow_and_update()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut all = self.hints.lock();
        // This watcher's own receiver still counts as one.
        if all.get(&self.account).is_some_and(|sender| sender.receiver_count() <= 1) {
            all.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_hears_its_own_log_alone_and_leaves_nothing_behind() {
        let hints = Arc::new(Hints::default());
        let (one, two) = (AccountId([1; 32]), AccountId([2; 32]));
        let mut first = hints.subscribe(one);
        let mut other = hints.subscribe(one);
        hints.grew(&two, 9, false);
        hints.grew(&one, 3, false);
        hints.grew(&one, 2, true);
        assert_eq!(first.next().await, Hint { size: 3, access: 1 });
        assert_eq!(other.next().await, Hint { size: 3, access: 1 });
        drop(first);
        assert_eq!(hints.watchers(), 1);
        hints.grew(&one, 4, false);
        assert_eq!(other.next().await, Hint { size: 4, access: 1 });
        drop(other);
        assert!(hints.lock().is_empty());
    }
}
