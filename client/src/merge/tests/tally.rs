//! Counts what a merge did against what really happened.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Folded;
use super::world::{MINUTE, Shown, World};
use crate::ids::EventId;

/// Messages seen, and what went wrong with them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    pub messages: usize,
    /// Lines without a message, or texts that no longer stand anywhere.
    pub lost: usize,
    pub doubled: usize,
    /// One message made of several.
    pub mixed: usize,
    /// Contents of files that no message has any more.
    pub files_lost: usize,
    /// Messages that do not show the last text, or not that the app shows them as deleted.
    pub stale: usize,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.mixed += other.mixed;
        self.files_lost += other.files_lost;
        self.stale += other.stale;
    }

    pub fn is_clean(&self) -> bool {
        Self { messages: 0, ..*self } == Self::default()
    }
}

/// Equal lines of one minute cannot be told apart by anybody: they are counted together.
type Twins = (usize, i64, String);

/// `exports`: lines with the row id each became.
pub fn tally(world: &World, exports: &[Vec<(EventId, &Shown)>], folded: &Folded) -> Tally {
    let mut message_of: BTreeMap<EventId, usize> = BTreeMap::new();
    for (m, message) in folded.messages.iter().enumerate() {
        for id in &message.row_ids {
            assert!(message_of.insert(*id, m).is_none(), "a row is in one message");
        }
    }
    let twins = |said: usize| -> Twins {
        let s = &world.said[said];
        (s.sender, s.at.div_euclid(MINUTE), if s.photo { format!("photo {}", s.text) } else { s.text.clone() })
    };
    let mut seen: BTreeMap<Twins, (BTreeSet<usize>, BTreeSet<usize>, usize)> = BTreeMap::new();
    let mut of_message: BTreeMap<usize, BTreeSet<Twins>> = BTreeMap::new();
    let mut tally = Tally::default();
    for export in exports {
        let mut once: BTreeMap<Twins, usize> = BTreeMap::new();
        for (id, shown) in export {
            let twins = twins(shown.said);
            let (said, messages, most) = seen.entry(twins.clone()).or_default();
            said.insert(shown.said);
            let n = once.entry(twins.clone()).or_default();
            *n += 1;
            *most = (*most).max(*n);
            let Some(m) = message_of.get(id) else {
                tally.lost += 1;
                continue;
            };
            messages.insert(*m);
            of_message.entry(*m).or_default().insert(twins);
            let message = &folded.messages[*m];
            let stands =
                |text: &str| message.text.as_deref() == Some(text) || message.versions.iter().any(|v| v.text == text);
            tally.lost += usize::from(shown.text.as_ref().is_some_and(|t| !t.is_empty() && !stands(t)));
            for file in shown.line.row.attachments().iter().filter_map(|a| a.hash) {
                tally.files_lost += usize::from(message.attachments.iter().all(|a| a.hash != Some(file)));
            }
        }
    }
    for (said, messages, most) in seen.values() {
        tally.messages += said.len();
        tally.lost += most.saturating_sub(messages.len());
        tally.doubled += messages.len().saturating_sub(said.len());
    }
    tally.mixed = of_message.values().map(|groups| groups.len() - 1).sum();
    tally.stale = stale(world, exports, folded, &message_of, &seen);
    tally
}

fn stale(
    world: &World,
    exports: &[Vec<(EventId, &Shown)>],
    folded: &Folded,
    message_of: &BTreeMap<EventId, usize>,
    seen: &BTreeMap<Twins, (BTreeSet<usize>, BTreeSet<usize>, usize)>,
) -> usize {
    let mut last: BTreeMap<usize, (bool, bool, &str, usize)> = BTreeMap::new();
    for (id, shown) in exports.iter().flatten() {
        let Some(m) = message_of.get(id) else { continue };
        let entry = last.entry(shown.said).or_insert((false, false, "", *m));
        entry.0 |= shown.text.is_none();
        if let Some(text) = &shown.text {
            let edited = *text != world.said[shown.said].text;
            if edited || !entry.1 {
                (entry.1, entry.2) = (edited, text);
            }
        }
    }
    let alone: BTreeSet<usize> =
        seen.values().filter(|(said, ..)| said.len() == 1).flat_map(|(said, ..)| said.iter().copied()).collect();
    let wrong = |(deleted, _, text, m): &(bool, bool, &str, usize)| {
        folded.messages.get(*m).is_none_or(|message| {
            message.text.as_deref().unwrap_or("") != *text || message.deleted_in_source != *deleted
        })
    };
    last.iter().filter(|(said, state)| alone.contains(said) && wrong(state)).count()
}
