//! Hints between an append and the devices that watch: lossy by design, `Pull` is the truth.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use proto::wire::ids::AccountId;
use tokio::sync::watch;

use crate::limits::HINT_BYTES_MAX;
use crate::meta::Entry;

/// What changed last in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hint {
    pub size: u64,
    /// Counts appends that may have changed who is admitted.
    pub access: u64,
}

/// What an append did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grown {
    pub size: u64,
    /// Whether it may have changed who is admitted.
    pub access: bool,
    /// Whether watchers shall hear of it now; otherwise they hear with the next.
    pub wakes: bool,
    /// What was appended, in order; none where a watcher shall pull it.
    pub entries: Vec<Entry>,
}

impl Default for Grown {
    fn default() -> Self {
        Self { size: 0, access: false, wakes: true, entries: Vec::new() }
    }
}

/// A watched log: its newest hint, and its newest entries.
#[derive(Default)]
struct Watched {
    hint: Hint,
    /// Without a gap, ≤ [`HINT_BYTES_MAX`] together.
    recent: VecDeque<Entry>,
    bytes: usize,
}

/// Who watches which log, in this process.
#[derive(Default)]
pub struct Hints(Mutex<HashMap<AccountId, watch::Sender<Watched>>>);

/// A place in the audience of one log; leaves when dropped.
pub struct Watcher {
    hints: Arc<Hints>,
    account: AccountId,
    receiver: watch::Receiver<Watched>,
}

impl Hints {
    pub fn subscribe(self: &Arc<Self>, account: AccountId) -> Watcher {
        let mut all = self.lock();
        let receiver = all.entry(account).or_insert_with(|| watch::Sender::new(Watched::default())).subscribe();
        Watcher { hints: self.clone(), account, receiver }
    }

    /// Whether entries of this log are of use to anybody.
    pub fn is_watched(&self, account: &AccountId) -> bool {
        self.lock().contains_key(account)
    }

    /// Tells all who watch a log that it has grown.
    pub fn grew(&self, account: &AccountId, grown: Grown) {
        if let Some(sender) = self.lock().get(account) {
            sender.send_if_modified(|watched| {
                watched.hint.size = watched.hint.size.max(grown.size);
                watched.hint.access += u64::from(grown.access);
                watched.keep(grown.entries);
                grown.wakes
            });
        }
    }

    #[cfg(test)]
    fn watchers(&self) -> usize {
        self.lock().values().map(watch::Sender::receiver_count).sum()
    }

    /// The map is sound after a panic elsewhere: each change of it is one step.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, watch::Sender<Watched>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Keeps entries that follow those kept, or begins anew with them.
    fn keep(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        if self.recent.back().is_some_and(|last| last.index + 1 != first) {
            self.recent.clear();
            self.bytes = 0;
        }
        for entry in entries {
            self.bytes += entry.leaf.len() + entry.body.len();
            self.recent.push_back(entry);
        }
        while self.bytes > HINT_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.bytes -= oldest.leaf.len() + oldest.body.len();
        }
    }

    fn between(&self, from: u64, to: u64) -> Vec<Entry> {
        let whole = self.recent.front().is_some_and(|first| first.index <= from)
            && self.recent.back().is_some_and(|last| last.index + 1 >= to);
        let wanted = self.recent.iter().filter(|entry| (from..to).contains(&entry.index));
        if whole { wanted.cloned().collect() } else { Vec::new() }
    }
}

impl Watcher {
    /// Waits for the next hint. Several that came meanwhile are one.
    pub async fn next(&mut self) -> Hint {
        if self.receiver.changed().await.is_err() {
            // The sender lives in the map as long as a watcher does.
            std::future::pending::<()>().await;
        }
        self.receiver.borrow_and_update().hint
    }

    /// All entries of these indexes, if they are kept; otherwise none.
    pub fn entries(&self, from: u64, to: u64) -> Vec<Entry> {
        self.receiver.borrow().between(from, to)
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
    use bytes::Bytes;

    use super::*;

    fn grown(size: u64, access: bool) -> Grown {
        Grown { size, access, ..Grown::default() }
    }

    /// An append of entries of so many bytes each.
    fn appended(first: u64, bytes: &[usize]) -> Grown {
        let entry = |(n, bytes): (usize, &usize)| Entry {
            index: first + n as u64,
            leaf: Bytes::new(),
            body: vec![0; *bytes].into(),
            erased: false,
        };
        let entries: Vec<Entry> = bytes.iter().enumerate().map(entry).collect();
        Grown { size: first + entries.len() as u64, entries, ..Grown::default() }
    }

    #[tokio::test]
    async fn a_watcher_hears_its_own_log_alone_and_leaves_nothing_behind() {
        let hints = Arc::new(Hints::default());
        let (one, two) = (AccountId([1; 32]), AccountId([2; 32]));
        assert!(!hints.is_watched(&one));
        let mut first = hints.subscribe(one);
        let mut other = hints.subscribe(one);
        assert!(hints.is_watched(&one) && !hints.is_watched(&two));
        hints.grew(&two, grown(9, false));
        hints.grew(&one, grown(3, false));
        hints.grew(&one, grown(2, true));
        assert_eq!(first.next().await, Hint { size: 3, access: 1 });
        assert_eq!(other.next().await, Hint { size: 3, access: 1 });
        drop(first);
        assert_eq!(hints.watchers(), 1);
        hints.grew(&one, grown(4, false));
        assert_eq!(other.next().await, Hint { size: 4, access: 1 });
        drop(other);
        assert!(hints.lock().is_empty());
    }

    #[tokio::test]
    async fn entries_are_told_whole_or_not_at_all() {
        let hints = Arc::new(Hints::default());
        let account = AccountId([1; 32]);
        let watcher = hints.subscribe(account);
        let told = |from, to| watcher.entries(from, to).iter().map(|entry| entry.index).collect::<Vec<_>>();
        hints.grew(&account, appended(5, &[10, 10]));
        hints.grew(&account, appended(7, &[10]));
        assert_eq!(told(5, 8), [5, 6, 7]);
        assert_eq!(told(6, 8), [6, 7]);
        assert_eq!((told(4, 8), told(5, 9)), (vec![], vec![]), "one of them is not here");
        hints.grew(&account, appended(9, &[10]));
        assert_eq!((told(7, 10), told(9, 10)), (vec![], vec![9]), "a gap ends what was kept");
        hints.grew(&account, appended(10, &[HINT_BYTES_MAX - 5]));
        assert_eq!((told(9, 11), told(10, 11)), (vec![], vec![10]), "the oldest go when it is too much");
        hints.grew(&account, appended(11, &[HINT_BYTES_MAX + 1]));
        assert!(told(11, 12).is_empty());
    }

    #[tokio::test]
    async fn a_sign_of_life_is_told_with_the_next_append() {
        let hints = Arc::new(Hints::default());
        let account = AccountId([1; 32]);
        let mut watcher = hints.subscribe(account);
        hints.grew(&account, Grown { wakes: false, ..appended(5, &[0]) });
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), watcher.next()).await;
        assert!(waited.is_err(), "{waited:?}");
        hints.grew(&account, appended(6, &[10]));
        assert_eq!(watcher.next().await.size, 7);
        assert_eq!(watcher.entries(5, 7).len(), 2);
    }
}
