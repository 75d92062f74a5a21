//! When a deletion can be undone no more.

use std::collections::BTreeSet;

use super::super::flow::Flow;
use crate::archive::Deletion;
use crate::error::Result;
use crate::event::{Row, tag};
use crate::strata::PURGED_MAX;

/// A deletion can be undone for a day.
const UNDO_MS: i64 = 24 * 3_600_000;
/// Deletions that one purge is for.
const AT_ONCE: usize = 20_000;

impl Flow<'_> {
    /// Deletions whose time has come, by their place in the log. Those that share a record wait for each other, since
    /// heads name records.
    pub(super) fn due(&self) -> Result<Vec<Deletion>> {
        let mut open = self.archive.deletions_open(self.follower.size())?;
        if open.is_empty() {
            return Ok(open);
        }
        let now = self.purge_time();
        let wait: BTreeSet<u64> = open.iter().filter(|d| until(&d.row) > now).map(|d| d.arrival).collect();
        open.retain(|d| !wait.contains(&d.arrival));
        open.sort_by_key(|d| (d.arrival, d.id));
        let mut records = 0;
        let mut last = None;
        let mut taken = 0;
        for deletion in &open {
            let new = last != Some(deletion.arrival);
            if new && (records == PURGED_MAX || taken >= AT_ONCE) {
                break;
            }
            records += usize::from(new);
            taken += 1;
            last = Some(deletion.arrival);
        }
        open.truncate(taken);
        Ok(open)
    }

    /// The time by which deletions are judged: neither this device's clock nor the service's alone makes one due.
    fn purge_time(&self) -> i64 {
        let here = self.vault.session.env.now_ms();
        self.server_ms.map_or(i64::MIN, |server| server.min(here))
    }
}

/// Until when a deletion can be undone, ms.
fn until(deletion: &Row) -> i64 {
    let stamp = || deletion.sent_at().and_then(|s| s.utc_ms);
    let at = deletion.fields.number(tag::EDITED_AT).or_else(stamp).or(deletion.fields.number(tag::AS_OF));
    at.map_or(i64::MAX, |at| at.saturating_add(UNDO_MS))
}

/// The stretches of the log in which deletions lie: the first entry of each and how many follow each other.
pub(super) fn stretches(deletions: &[Deletion]) -> Vec<(u64, u64)> {
    let entries: BTreeSet<u64> = deletions.iter().map(|d| d.arrival).collect();
    let mut out: Vec<(u64, u64)> = Vec::new();
    for entry in entries {
        match out.last_mut() {
            Some((first, count)) if *first + *count == entry => *count += 1,
            _ => out.push((entry, 1)),
        }
    }
    out
}
