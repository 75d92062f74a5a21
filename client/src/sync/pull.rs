//! Reading the log to its end, and making rows of it.

use std::collections::BTreeSet;

use proto::v1;
use proto::wire::tree::Frontier;

use super::apply::Prepared;
use super::contact::Opened;
use super::flow::{Flow, save};
use super::retry::with_retry;
use crate::archive::{Archive, Commit};
use crate::error::{Error, Result};
use crate::log::Accepted;
use crate::vault::{AllSeen, active};
use proto::wire::head::HeadClear;
use proto::wire::header::{Leaf, RecordKind};

/// Reads rows that have come: how many there are.
pub(super) type Shown<'a> = &'a mut (dyn FnMut(&Archive, u64) + Send);

/// In live exchange times of devices are kept to the minute: a message is not to cost a page more for them.
const LIVE_SEEN_STEP_MS: u64 = 60_000;

impl Flow<'_> {
    /// Follows the log to where the server says it ends, and takes in the runs it names.
    pub async fn pull(&mut self) -> Result<Opened> {
        let opened = self.open(false).await?;
        let tail_at = opened.answer.tail_from.as_ref().map(|l| l.size);
        let first = if tail_at == Some(self.follower.size()) { &opened.answer.tail[..] } else { &[] };
        self.read_on(first, opened.log.clone()).await?;
        Ok(opened)
    }

    /// Accepts entries, then whatever is missing up to the served log.
    pub async fn read_on(&mut self, first: &[v1::Entry], mut served: Frontier) -> Result<()> {
        self.take_page(first, None).await?;
        while self.follower.size() < served.size() {
            self.work.check()?;
            let (from, before) = (self.follower.size(), self.follower.size());
            let session = &self.vault.session;
            let answer = with_retry(&session.env, &self.work, || async {
                let request = v1::PullRequest { from, known_size: from, headers_only: false, past_gaps: false };
                let call = session.call(|remote, token| async move { remote.pull(&token, request).await });
                call.await.map_err(|e| e.into_error(&session.identity))
            });
            let answer = answer.await?;
            self.work.received(answer.entries.iter().map(|e| (e.leaf.len() + e.body.len()) as u64).sum());
            self.note_clock(answer.server_time_ms)?;
            served = self.served(answer.log.as_ref(), &answer.consistency)?;
            if answer.trimmed.is_some() {
                served = self.skip_to_head().await?;
                continue;
            }
            self.take_page(&answer.entries, None).await?;
            if self.follower.size() == before {
                return Err(Error::Fork);
            }
        }
        let ours = &self.follower.state().frontier;
        if ours.size() == served.size() && ours.root() != served.root() {
            return Err(Error::Fork);
        }
        self.take_in_named().await?;
        self.learn_moved().await?;
        self.expire()?;
        self.compare_head()
    }

    /// Accepts a page of entries. Commits where a head's covered size lies, so that digests are compared there.
    /// `shown` reads rows of others as soon as they are written, before they are committed.
    pub async fn take_page(&mut self, entries: &[v1::Entry], shown: Option<Shown<'_>>) -> Result<()> {
        let mut cuts = covered_sizes(entries);
        let mut accepted: Vec<(Accepted, &[u8])> = Vec::new();
        for entry in entries {
            if cuts.remove(&entry.index) && entry.index == self.follower.size() {
                self.commit_page(std::mem::take(&mut accepted), None)?;
                // A damaged run is no reason not to read on: a later head may name a sound one for it.
                self.take_in_runs(true).await?;
                self.note_digest()?;
            }
            let taken = self.follower.accept(entry.index, &entry.leaf, &entry.body, entry.erased);
            let taken = taken.map_err(|alarm| self.alarm(alarm))?;
            accepted.push((taken, &entry.body));
        }
        self.commit_page(accepted, shown)
    }

    pub fn commit_page(&mut self, page: Vec<(Accepted, &[u8])>, shown: Option<Shown<'_>>) -> Result<()> {
        if page.is_empty() { Ok(()) } else { self.commit_entries(&page, |_| Ok(()), shown) }
    }

    /// Writes what follows from accepted entries, and what stands or falls with them.
    pub fn commit_entries<B: AsRef<[u8]>>(
        &mut self,
        entries: &[(Accepted, B)],
        also: impl FnOnce(&mut Commit<'_>) -> crate::archive::Result<()>,
        shown: Option<Shown<'_>>,
    ) -> Result<()> {
        let seen = self.seen_with(entries)?;
        let mut prepared = Vec::with_capacity(entries.len());
        for (accepted, body) in entries {
            prepared.push(self.prepare(accepted, body.as_ref())?);
        }
        let own = entries.iter().any(|(e, _)| e.leaf.record.header.device == self.vault.session.device.id());
        let tickets = own.then(|| self.tickets.used(&mut self.entropy()));
        let (follower, agreed, roster) = (&self.follower, self.agreed, self.vault.ring.roster());
        // A ticket must be durable before the record that carries it is sent.
        let events = |entry: &Prepared| matches!(entry, Prepared::Events(_) | Prepared::Nothing);
        let soon = self.soon && tickets.is_none() && prepared.iter().all(events);
        let write = |c: &mut Commit<'_>| {
            let mut pulled = 0;
            for entry in &prepared {
                pulled += entry.apply(c)?;
            }
            seen.keep(roster, c)?;
            also(c)?;
            save(c, follower, agreed)?;
            tickets.as_ref().map_or(Ok(()), |tickets| tickets.keep(c))?;
            Ok(pulled)
        };
        let pulled = if soon {
            let show = |archive: &Archive, rows: &u64| {
                if let Some(shown) = shown.filter(|_| *rows > 0) {
                    shown(archive, *rows);
                }
            };
            self.archive.commit_shown(write, show)?
        } else {
            self.archive.commit(write)?
        };
        if let Some(tickets) = tickets {
            self.tickets = tickets;
        }
        self.pulled_events += pulled;
        Ok(())
    }

    /// When devices were heard of and went, with these entries.
    fn seen_with<B>(&self, entries: &[(Accepted, B)]) -> Result<AllSeen> {
        let mut seen = AllSeen::of(self.archive)?;
        let mut before = active(self.vault.ring.roster());
        for (accepted, _) in entries {
            let (header, server_time) = (&accepted.leaf.record.header, accepted.leaf.server_time);
            seen.record(header, server_time, if self.soon { LIVE_SEEN_STEP_MS } else { 0 });
            if let Some(clear) = &accepted.roster {
                seen.roster(&before, &clear.roster, server_time);
                if let Some(joiner) = &clear.joiner {
                    seen.joined(joiner.device, server_time);
                }
                before = active(&clear.roster);
            }
        }
        Ok(seen)
    }

    /// Remembers the digest at the size reached, if nothing of that size is still to be fetched.
    pub fn note_digest(&mut self) -> Result<()> {
        if self.archive.runs()?.is_empty() {
            let digests = self.day_digests()?;
            self.digests.insert(self.follower.size(), digests);
        }
        Ok(())
    }
}

/// Sizes that heads of this page cover.
fn covered_sizes(entries: &[v1::Entry]) -> BTreeSet<u64> {
    let covered = |entry: &v1::Entry| {
        let leaf = Leaf::decode(&entry.leaf).ok()?;
        let (clear, _) = leaf.record.split_body(&entry.body).ok()?;
        let head = leaf.record.header.kind == RecordKind::Head;
        head.then(|| HeadClear::decode(clear).ok().map(|h| h.covered_size))?
    };
    entries.iter().filter_map(covered).collect()
}
