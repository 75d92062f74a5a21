//! Bodies of records that hold what is purged.

use std::collections::BTreeSet;

use proto::v1;
use proto::wire::header::{Leaf, RecordKind};
use proto::wire::limits::HEAD_ERASE_MAX;

use super::super::contact::odd;
use super::super::flow::Flow;
use super::Dead;
use crate::error::Result;
use crate::ids::PackId;
use crate::log::EventsContent;
use crate::pack::read_block;

/// Bodies looked into so far.
#[derive(Default)]
pub(super) struct Bodies {
    /// The log was read up to here.
    read: u64,
    found: BTreeSet<u64>,
}

impl Bodies {
    /// Takes note of what a head has erased.
    pub fn erased(&mut self, indexes: &BTreeSet<u64>) {
        self.found.retain(|index| !indexes.contains(index));
    }
}

impl Flow<'_> {
    /// Finds bodies below a size that hold anything dead, or bring a pack that is dropped; puts as many as one head
    /// takes into `erase`. False where there are more.
    ///
    /// The log is read, not what this device remembers of it: the same row may have come with several records.
    pub(super) async fn bodies_with(
        &mut self,
        bodies: &mut Bodies,
        dead: &Dead,
        dropped: &BTreeSet<PackId>,
        size: u64,
        erase: &mut BTreeSet<u64>,
    ) -> Result<bool> {
        while bodies.read < size {
            self.work.check()?;
            let answer = self.ask_past_gaps(bodies.read).await?;
            if answer.trimmed.is_some() {
                let start = answer.start.map_or(0, |start| start.size);
                if start <= bodies.read {
                    return Err(odd("a log that is trimmed and begins before"));
                }
                bodies.read = start;
                continue;
            }
            let Some(last) = answer.entries.last() else { return Err(odd("a log that ends before its end")) };
            bodies.read = bodies.read.max(last.index + 1);
            for entry in answer.entries.iter().filter(|entry| entry.index < size && !entry.body.is_empty()) {
                if self.holds(entry, dead, dropped) {
                    bodies.found.insert(entry.index);
                }
            }
        }
        erase.extend(bodies.found.iter().take(HEAD_ERASE_MAX));
        Ok(bodies.found.len() <= HEAD_ERASE_MAX)
    }

    fn holds(&self, entry: &v1::Entry, dead: &Dead, dropped: &BTreeSet<PackId>) -> bool {
        let Ok(leaf) = Leaf::decode(&entry.leaf) else { return false };
        if leaf.record.header.kind != RecordKind::Events {
            return false;
        }
        let Ok(open) = self.vault.ring.open_body(&leaf.record, &entry.body) else { return false };
        let Ok(content) = EventsContent::decode(&open.content) else { return false };
        let rows = content.block.and_then(|block| read_block(&block, &self.keys.event).ok()).unwrap_or_default();
        rows.iter().any(|row| dead.has_row(row))
            || content.runs.iter().any(|run| dropped.contains(&run.pack.id))
            || content.chunks.iter().any(|entry| dead.has_entry(entry))
    }
}
