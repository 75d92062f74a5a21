//! Deleting very much at once: every device is told, and without the account's passphrase it waits.
//!
//! A thief with an unlocked device can delete everything, but not at once for good: the owner's other devices hear of
//! it, and have two weeks to take it back.

use std::collections::BTreeMap;

use super::authors::Author;
use super::deletions::{Deletion, HELD_MS, UNDO_MS};
use crate::ids::DeviceId;

/// So many deletions of one device in a day are very many, whatever the vault holds.
pub const MASS_MAX: u64 = 1_000;
/// Of a vault's messages, one in so many.
const MASS_PART: u64 = 20;
/// Tidying up a small vault is nothing to be told of.
pub const MASS_MIN: u64 = 100;
const WINDOW_MS: i64 = 24 * 3_600_000;

/// How many deletions of one device in a day are not yet very many, in a vault of so many messages.
pub fn mass_limit(messages: u64) -> u64 {
    (messages / MASS_PART).clamp(MASS_MIN, MASS_MAX)
}

/// What one device deleted within a day, where that is very much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mass {
    /// None where no device here has seen who it was.
    pub device: Option<DeviceId>,
    pub messages: u64,
    /// The first of it.
    pub since: i64,
    /// When the first of it goes for good.
    pub until: i64,
    /// The account's root has consented to all of it.
    pub permitted: bool,
}

/// Sums up very large deletions by device.
pub fn mass(deletions: &[Deletion]) -> Vec<Mass> {
    let mut all: BTreeMap<Option<DeviceId>, Mass> = BTreeMap::new();
    for deletion in deletions.iter().filter(|d| d.mass) {
        let Deletion { device, at, until, permitted, messages, .. } = *deletion;
        let one = all.entry(device).or_insert(Mass { device, messages: 0, since: at, until, permitted });
        one.messages += messages;
        one.since = one.since.min(at);
        one.until = one.until.min(until);
        one.permitted &= permitted;
    }
    all.into_values().collect()
}

/// Marks what is part of a very large deletion or permitted, and puts its end off. `messages` are shown still.
pub(super) fn mark(list: &mut [Deletion], authors: &BTreeMap<u64, Author>, messages: u64) {
    let limit = mass_limit(messages.saturating_add(list.len() as u64));
    // Of each device: time, messages and number of its deletions.
    let mut by_device: BTreeMap<Option<DeviceId>, Vec<(i64, u64, usize)>> = BTreeMap::new();
    for (i, deletion) in list.iter().enumerate() {
        by_device.entry(deletion.device).or_default().push((deletion.at, deletion.messages, i));
    }
    for times in by_device.values_mut() {
        times.sort_unstable();
        let (mut first, mut marked, mut sum) = (0, 0, 0u64);
        for (last, (now, messages, _)) in times.iter().enumerate() {
            sum = sum.saturating_add(*messages);
            while let Some((at, gone, _)) = times.get(first).filter(|t| now.saturating_sub(t.0) >= WINDOW_MS) {
                debug_assert!(at < now);
                (sum, first) = (sum.saturating_sub(*gone), first + 1);
            }
            if sum > limit {
                for (_, _, i) in times.get(first.max(marked)..=last).unwrap_or_default() {
                    if let Some(deletion) = list.get_mut(*i) {
                        deletion.mass = true;
                    }
                }
                marked = last + 1;
            }
        }
    }
    let permits: Vec<(u64, Author)> = authors.iter().filter(|(_, a)| a.permits).map(|(i, a)| (*i, *a)).collect();
    for deletion in list.iter_mut().filter(|d| d.mass) {
        deletion.permitted = permits.iter().any(|permit| covers(permit, deletion));
        let wait = if deletion.permitted { UNDO_MS } else { HELD_MS };
        deletion.until = deletion.at.saturating_add(wait);
    }
}

/// A permit covers what its device deleted in the day before it.
fn covers((index, author): &(u64, Author), deletion: &Deletion) -> bool {
    author.device.is_some()
        && author.device == deletion.device
        && deletion.arrival.is_some_and(|at| at <= *index)
        && deletion.at <= author.at
        && author.at.saturating_sub(deletion.at) < WINDOW_MS
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::rows::RowKey;
    use super::*;
    use crate::event::{Chat, Kind};
    use crate::ids::{ChatId, EventId};

    const HOUR: i64 = 3_600_000;

    fn deletion(device: u8, at: i64, arrival: u64) -> Deletion {
        let id = EventId([0; 32]);
        let key = RowKey { chat: ChatId([0; 32]), time: 0, target: id, kind: Kind::OWN_DELETE, id };
        let (device, arrival) = (Some(DeviceId([device; 32])), Some(arrival));
        let until = at + UNDO_MS;
        let chat = Arc::new(Chat::vault());
        Deletion { chat, key, at, arrival, device, messages: 1, mass: false, permitted: false, until }
    }

    fn marked(list: &mut [Deletion], authors: &BTreeMap<u64, Author>, messages: u64) -> usize {
        mark(list, authors, messages);
        list.iter().filter(|d| d.is_held()).count()
    }

    #[test]
    fn a_small_vault_is_left_alone_and_a_large_one_is_held_from_one_in_twenty_or_a_thousand() {
        assert_eq!([0, 2_000, 10_000, 1_000_000].map(mass_limit), [100, 100, 500, 1_000]);
    }

    #[test]
    fn very_many_of_one_device_in_a_day_are_held_and_others_are_not() {
        let none = BTreeMap::new();
        let mut list: Vec<_> = (0..101).map(|i| deletion(1, i * 60_000, 7)).collect();
        list.extend((0..100).map(|i| deletion(2, i * 60_000, 8)));
        assert_eq!(marked(&mut list, &none, 0), 101);
        assert!(list.iter().all(|d| d.until == d.at + if d.mass { HELD_MS } else { UNDO_MS }));
        let sums = mass(&list);
        assert_eq!(sums.len(), 1);
        assert_eq!((sums[0].device, sums[0].messages, sums[0].since), (Some(DeviceId([1; 32])), 101, 0));
        // The same many over two days are two ordinary days.
        let mut list: Vec<_> = (0..200).map(|i| deletion(1, i / 100 * 25 * HOUR, 7)).collect();
        assert_eq!(marked(&mut list, &none, 0), 0);
        // A day is any 24 hours, and what lies outside of each of them that has too many is not held.
        let mut list: Vec<_> = (0..50).map(|i| deletion(1, i, 7)).collect();
        list.extend((0..101).map(|i| deletion(1, 23 * HOUR + i * 60_000, 7)));
        list.push(deletion(1, 60 * HOUR, 9));
        assert_eq!(marked(&mut list, &none, 0), 151);
        // A few that each name very many are as many.
        let mut list =
            vec![Deletion { messages: 60, ..deletion(1, 0, 7) }, Deletion { messages: 60, ..deletion(1, 1, 7) }];
        assert_eq!((marked(&mut list, &none, 0), mass(&list)[0].messages), (2, 120));
    }

    #[test]
    fn a_permit_covers_what_its_own_device_deleted_before_it_and_within_the_day() {
        let permit = |device: u8, at| Author { device: Some(DeviceId([device; 32])), at, permits: true };
        let held = |authors: BTreeMap<u64, Author>| {
            let mut list: Vec<_> = (0..150).map(|i| deletion(1, i, 7)).collect();
            marked(&mut list, &authors, 0)
        };
        assert_eq!(held(BTreeMap::from([(8, permit(1, HOUR))])), 0);
        assert_eq!(held(BTreeMap::from([(8, Author { permits: false, ..permit(1, HOUR) })])), 150);
        assert_eq!(held(BTreeMap::from([(8, permit(2, HOUR))])), 150, "another device's");
        assert_eq!(held(BTreeMap::from([(6, permit(1, HOUR))])), 150, "for what came after it");
        assert_eq!(held(BTreeMap::from([(8, permit(1, 25 * HOUR))])), 150, "a day late");
    }
}
