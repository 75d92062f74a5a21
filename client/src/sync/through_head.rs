//! How a new device comes to the history that was there before it: the head first, then the tail above it; the runs
//! follow by themselves.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::v1;
use proto::wire::header::Leaf;
use proto::wire::tree::{Frontier, verify_inclusion};

use super::catalogue::{LostPage, read_catalogue_left};
use super::contact::{Opened, frontier, hashes, odd};
use super::flow::Flow;
use super::head::{HeadNote, OpenHead};
use super::packs::ServicePacks;
use super::retry::with_retry;
use crate::archive::{Archive, Note};
use crate::crypto::EventKey;
use crate::error::{Error, Result};
use crate::ids::AccountId;
use crate::log::{Follower, HeadSeen, LastRecord, NewestRoster};
use crate::pack::{PackRef, open_run, read_block};
use crate::strata::Catalogue;
use crate::vault::head_is_by_member;

impl Flow<'_> {
    /// Reads head, front page, catalogue and tail. Afterwards the log is followed as by any device, and the runs of
    /// the catalogue wait in the archive. Called again after a kill, it does the same again.
    ///
    /// Pages of the catalogue that are not to be had are answered, and what the others list comes all the same. Until
    /// every page was read this device counts as new: it comes this way again, and folds nothing.
    pub async fn read_through_head(&mut self) -> Result<Vec<LostPage>> {
        let mut lost = Vec::new();
        let opened = self.open(true).await?;
        let head = opened.answer.head.as_ref().filter(|head| !head.leaf.is_empty());
        let (start, seen, authors, note) = match head {
            None => (Frontier::default(), None, BTreeMap::new(), None),
            Some(entry) => {
                let (note, seen) = self.proven_head(entry, &opened)?;
                let head = self.open_head(&note)?;
                let authors = authors(&head);
                self.paint_front(&head, &opened.answer.front_page)?;
                let start = (head.clear.covered_size, head.clear.covered_root);
                let source = ServicePacks { session: &self.vault.session, work: &self.work };
                let (known, pages) = read_catalogue_left(&source, &self.account(), head).await?;
                let kept = pages.is_empty().then(|| known.encode());
                list_runs(self.archive, &known.catalogue, kept.as_ref().map(|kept| &kept[..]))?;
                lost = pages;
                let start = self.frontier_at(start.0, start.1).await?;
                (start, Some(seen), authors, Some(note))
            }
        };
        let ring = &self.vault.ring;
        let newest = NewestRoster {
            roster: ring.roster().clone(),
            index: ring.index,
            digest: ring.record.digest(),
            keys: ring.known_keys.clone(),
        };
        let witnessed = self.follower.state().frontier.clone();
        let incarnation = self.follower.state().incarnation;
        self.follower = Follower::through_head(self.account(), incarnation, start, authors, seen, newest);
        self.follower.told(self.server_ms.map_or(0, i64::unsigned_abs));
        self.read_tail(&opened, &witnessed, note, lost.is_empty()).await?;
        Ok(lost)
    }

    /// Holds the served head to the log it is said to stand in, to its author's signature, and to the roster.
    pub fn proven_head(&self, entry: &v1::Entry, opened: &Opened) -> Result<(HeadNote, HeadSeen)> {
        let leaf = Leaf::decode(&entry.leaf).map_err(|_| odd("a head that cannot be read"))?;
        let record = leaf.record.clone();
        let proof = hashes(&opened.answer.head_proof)?;
        if !verify_inclusion(entry.index, &leaf.hash(), opened.log.size(), &opened.log.root(), &proof) {
            return Err(Error::Fork);
        }
        if !head_is_by_member(&record, self.vault.ring.roster()) {
            return Err(Error::Fork);
        }
        let note = HeadNote { index: entry.index, record, body: entry.body.to_vec() };
        let clear = self.open_head(&note)?.clear;
        if clear.covered_size > entry.index {
            return Err(Error::Fork);
        }
        let seen = HeadSeen {
            generation: clear.generation,
            index: entry.index,
            digest: note.record.digest(),
            covered_size: clear.covered_size,
        };
        Ok((note, seen))
    }

    /// Shows the newest messages of the newest chats before anything else is fetched. A page that does not open is
    /// passed over: the runs hold the same rows.
    fn paint_front(&mut self, head: &OpenHead, bytes: &Bytes) -> Result<()> {
        let page = head.content.pages.first().filter(|_| head.has_front_page() && !bytes.is_empty());
        let Some(page) = page else { return Ok(()) };
        self.work.received(bytes.len() as u64);
        take_front(self.archive, &self.vault.session.identity.account, &self.keys.event, page, bytes).map(drop)
    }

    /// The log's frontier at a size whose root a head states.
    pub async fn frontier_at(&mut self, size: u64, root: [u8; 32]) -> Result<Frontier> {
        let answer = self.ask(size, size).await?;
        let start = frontier(answer.start.as_ref())?;
        if start.size() == size && start.root() == root { Ok(start) } else { Err(Error::Fork) }
    }

    async fn ask(&mut self, from: u64, known_size: u64) -> Result<v1::PullResponse> {
        self.ask_for(v1::PullRequest { from, known_size, headers_only: false, past_gaps: false }).await
    }

    /// Entries from an index on, also those whose bodies have gone.
    pub async fn ask_past_gaps(&mut self, from: u64) -> Result<v1::PullResponse> {
        self.ask_for(v1::PullRequest { from, known_size: from, headers_only: false, past_gaps: true }).await
    }

    async fn ask_for(&mut self, request: v1::PullRequest) -> Result<v1::PullResponse> {
        let session = &self.vault.session;
        with_retry(&session.env, &self.work, || async {
            let call = session.call(|remote, token| async move { remote.pull(&token, request).await });
            call.await.map_err(|e| e.into_error(&session.identity))
        })
        .await
    }

    /// Follows the tail to the end of the served log, which must be the log this device was shown at sign-in.
    pub async fn read_tail(
        &mut self,
        opened: &Opened,
        witnessed: &Frontier,
        head: Option<HeadNote>,
        came_through: bool,
    ) -> Result<()> {
        let mut entries = Vec::new();
        while self.follower.size() < opened.log.size() {
            self.work.check()?;
            let answer = self.ask(self.follower.size(), self.follower.size()).await?;
            let before = self.follower.size();
            for entry in answer.entries.iter().filter(|e| e.index < opened.log.size()) {
                self.work.received((entry.leaf.len() + entry.body.len()) as u64);
                let taken = self.follower.accept(entry.index, &entry.leaf, &entry.body, entry.erased);
                entries.push((taken.map_err(|alarm| self.alarm(alarm))?, entry.body.clone()));
                if self.follower.size() == witnessed.size() && self.follower.state().frontier.root() != witnessed.root()
                {
                    return Err(Error::Fork);
                }
            }
            if self.follower.size() == before {
                return Err(odd("a log that ends before its end"));
            }
        }
        if self.follower.state().frontier.root() != opened.log.root() {
            return Err(Error::Fork);
        }
        self.commit_entries(
            &entries,
            |c| {
                if let Some(head) = &head {
                    c.set_note(Note::Head, Some(&head.encode()))?;
                }
                if came_through { c.set_note(Note::Restore, None) } else { Ok(()) }
            },
            None,
        )
    }
}

/// Takes in the rows of a front page; false, and nothing taken in, where it does not open.
pub(super) fn take_front(
    archive: &mut Archive,
    account: &AccountId,
    ids: &EventKey,
    page: &PackRef,
    bytes: &[u8],
) -> Result<bool> {
    let Ok(open) = open_run(account, page, bytes) else { return Ok(false) };
    let mut rows = Vec::new();
    for block in &open.blocks {
        let Ok(read) = read_block(block, ids) else { return Ok(false) };
        rows.extend(read);
    }
    archive.commit(|c| {
        for row in &rows {
            c.apply_row(&row.chat, &row.row, row.arrival.saturating_sub(1))?;
        }
        Ok(())
    })?;
    archive.settle()?;
    Ok(true)
}

/// Notes every run of a catalogue that was not taken in yet, and the catalogue itself if it is to be kept.
pub(super) fn list_runs(archive: &mut Archive, catalogue: &Catalogue, kept: Option<&[u8]>) -> Result<()> {
    let mut wanted = Vec::new();
    for run in catalogue.runs.values() {
        if !archive.is_restored(&run.pack.id)? {
            wanted.push((run.pack.id, run.encode()));
        }
    }
    let stale: Vec<_> = archive.runs()?.into_iter().map(|(id, _)| id).collect();
    archive.commit(|c| {
        for id in &stale {
            c.drop_run(id)?;
        }
        for (id, entry) in &wanted {
            c.set_run(id, entry)?;
        }
        c.set_note(Note::Catalogue, kept)
    })?;
    Ok(())
}

pub(super) fn authors(head: &OpenHead) -> BTreeMap<crate::ids::DeviceId, LastRecord> {
    let last = |a: &crate::strata::Author| (a.device, LastRecord { counter: a.counter, digest: a.digest });
    head.content.authors.iter().map(last).collect()
}
