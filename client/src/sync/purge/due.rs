//! When a deletion can be undone no more.

use std::collections::{BTreeSet, HashMap};

use super::super::flow::Flow;
use crate::archive::Grave;
use crate::error::Result;
use crate::ids::{EventId, FileId};
use crate::strata::PURGED_MAX;

/// Deletions that one purge is for.
const AT_ONCE: usize = 20_000;

impl Flow<'_> {
    /// Deletions whose time has come, by their place in the log. Those that share a record wait for each other, since
    /// heads name records.
    pub(super) fn due(&self) -> Result<Vec<Grave>> {
        let mut open = self.archive.deletions_open(self.follower.size())?;
        if open.is_empty() {
            return Ok(open);
        }
        let (now, me) = (self.purge_time(), self.vault.session.device.id());
        let known = self.archive.all_deletions(self.server_now(), &me)?;
        let until: HashMap<EventId, i64> = known.iter().map(|d| (d.key.id, d.until)).collect();
        // One that was undone here, though nobody else knows it yet, is not there.
        let waits = |grave: &Grave| until.get(&grave.id).is_none_or(|until| *until > now);
        let wait: BTreeSet<u64> = open.iter().filter(|d| waits(d)).map(|d| d.arrival).collect();
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

    /// Whether there may be files that a deletion of attachments takes away for good by now.
    pub(super) fn media_due(&self) -> Result<bool> {
        Ok(self.archive.has_deleted_media()? && !self.media_over()?.is_empty())
    }

    /// Removes the bytes of such files from this device, whatever else it may do; answers those that the vault may hold.
    pub(super) fn media_that_goes(&mut self) -> Result<BTreeSet<FileId>> {
        let mut files = self.media_over()?;
        self.archive.drop_media_here(&files)?;
        let mut unknown = BTreeSet::new();
        for file in &files {
            if !self.archive.is_in_runs(file)? {
                unknown.insert(*file);
            }
        }
        files.retain(|file| !unknown.contains(file));
        Ok(files)
    }

    fn media_over(&self) -> Result<BTreeSet<FileId>> {
        let me = self.vault.session.device.id();
        let known = self.archive.all_deletions(self.server_now(), &me)?;
        Ok(self.archive.media_due(&known, self.follower.size(), self.purge_time())?)
    }

    /// The time by which deletions are judged: neither this device's clock nor the service's alone makes one due.
    fn purge_time(&self) -> i64 {
        let here = self.vault.session.env.now_ms();
        self.server_ms.map_or(i64::MIN, |server| server.min(here))
    }
}

/// The stretches of the log in which deletions lie: the first entry of each and how many follow each other.
pub(super) fn stretches(deletions: &[Grave]) -> Vec<(u64, u64)> {
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
