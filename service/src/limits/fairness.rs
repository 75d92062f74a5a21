//! One account's share of the service: it may not have everything in flight at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use proto::wire::ids::AccountId;

/// What is counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Share {
    /// Calls that read and write rows.
    Call,
    /// Uploads and downloads.
    Media,
    /// Streams of hints.
    Watch,
}

impl Share {
    /// At most 20 devices, each with a few calls and one watch; media in small flights.
    fn at_once_max(self) -> u32 {
        match self {
            Self::Call => 64,
            Self::Media => 16,
            Self::Watch => 40,
        }
    }
}

/// Counts what each account has in flight.
#[derive(Default)]
pub struct Fairness(Mutex<HashMap<(AccountId, Share), u32>>);

/// One thing in flight; counted until dropped.
pub struct InFlight {
    fairness: Arc<Fairness>,
    key: (AccountId, Share),
}

impl Fairness {
    /// Counts one more, unless the account has its share already.
    pub fn enter(self: &Arc<Self>, account: AccountId, share: Share) -> Option<InFlight> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry((account, share)).or_default();
        if *count >= share.at_once_max() {
            return None;
        }
        *count += 1;
        Some(InFlight { fairness: self.clone(), key: (account, share) })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut all = self.fairness.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_cannot_take_all_and_another_does_not_feel_it() {
        let fairness = Arc::new(Fairness::default());
        let (one, two) = (AccountId([1; 32]), AccountId([2; 32]));
        let held: Vec<_> = (0..16).map(|_| fairness.enter(one, Share::Media).unwrap()).collect();
        assert!(fairness.enter(one, Share::Media).is_none());
        assert!(fairness.enter(one, Share::Call).is_some());
        assert!(fairness.enter(two, Share::Media).is_some());
        drop(held);
        assert!(fairness.enter(one, Share::Media).is_some());
        assert!(fairness.0.lock().unwrap().is_empty());
    }
}
