//! Folding: the log's tail becomes runs, small runs merge, and a head names the new catalogue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::wire::head::{Add, Drop, DropReason, HeadClear, NO_PACK};
use proto::wire::header::RecordKind;
use proto::wire::ladder::Class;
use proto::wire::limits::{HEAD_PACKS_MAX, HEAD_PAGES_MAX};
use zeroize::Zeroizing;

use super::apply::{UNREADABLE, adopted};
use super::catalogue::{Front, Known};
use super::flow::{Flow, broken};
use super::packs::{Packs as _, ServicePacks};
use super::purge::Dead;
use super::send::Sent;
use super::upload::{Uploader, reserved};
use crate::archive::{Note, OwnRecord};
use crate::error::{Error, Result};
use crate::event::{is_gone, last_day};
use crate::fields::Fields;
use crate::ids::PackId;
use crate::log::EventsContent;
use crate::pack::{
    BlockRow, ChunkRunEntry, ChunkRunWriter, Family, PackRef, RunEntry, SealedRun, encode_run_entries, read_block,
    seal_page,
};
use crate::strata::{
    Author, Catalogue, Counts, FORMAT, HeadContent, MergeError, Page, RunRows, Sorted, merge_chunk_runs, merge_rows,
    next_merge, page_layout,
};

/// A fold waits for so much tail, unless a backup asks for it.
pub(super) const TAIL_BYTES: u64 = 256 << 10;
/// A front page is written again when so much has been folded since.
const FRONT_BEHIND_BYTES: u64 = 256 << 10;
/// Heads lost to other devices before giving way.
pub(super) const RACES_MAX: usize = 3;

/// Packs made by a fold, not yet sent.
pub(super) type Made = BTreeMap<PackId, (Class, Vec<u8>)>;

/// What a fold is about to name.
pub(super) struct Plan {
    pub known: Known,
    pub made: Made,
    pub drops: BTreeMap<PackId, DropReason>,
    /// Bodies to erase, at most 64.
    pub erase: BTreeSet<u64>,
    /// Entries whose deletions this head purges.
    pub purged: Vec<(u64, u64)>,
}

impl Flow<'_> {
    /// Folds if there is anything to fold; `always` also when the tail is short. Loses a race up to three times.
    pub async fn fold(&mut self, always: bool) -> Result<bool> {
        for _ in 0..RACES_MAX {
            let covered = self.follower.state().head.as_ref().map_or(0, |h| h.covered_size);
            let tail = self.archive.tail_bytes(covered)?;
            let due = tail >= TAIL_BYTES || (always && tail > 0);
            if !due || !self.can_fold()? {
                return Ok(false);
            }
            let known = self.catalogue().await?;
            let generation = known.generation;
            match self.fold_once(tail, known, Replaced::default()).await {
                Ok(Sent::Taken) => return Ok(true),
                Ok(Sent::Moved) => {}
                Ok(Sent::Gone(packs)) => self.forget_packs(&packs)?,
                Err(Error::Damaged { .. }) if self.head_has_moved(generation).await? => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Makes a head that names other packs for damaged ones; answers whether it was taken.
    pub async fn replace(&mut self, known: Known, replaced: Replaced) -> Result<bool> {
        if !self.can_fold()? {
            return Ok(false);
        }
        let covered = self.follower.state().head.as_ref().map_or(0, |h| h.covered_size);
        let tail = self.archive.tail_bytes(covered)?;
        Ok(self.fold_once(tail, known, replaced).await? == Sent::Taken)
    }

    /// A device folds only what it has read whole.
    pub fn can_fold(&self) -> Result<bool> {
        let mut whole = self.archive.runs()?.is_empty() && !self.is_new()?;
        self.archive.each_tail(|_, content| {
            whole &= content != UNREADABLE;
            Ok(())
        })?;
        let newer = self.head()?.is_some_and(|head| head.content.least_format > FORMAT);
        Ok(whole && !newer)
    }

    async fn fold_once(&mut self, tail_bytes: u64, known: Known, replaced: Replaced) -> Result<Sent> {
        let old_pages: Vec<PackId> = known.catalogue.pages.iter().map(|page| page.pack.id).collect();
        let old_front = known.front.as_ref().map(|front| front.pack.id);
        let mut plan = Plan { drops: replaced.drops, ..Plan::on(known) };
        self.add_tail(&mut plan, &Dead::default())?;
        plan.known.catalogue.runs.retain(|id, _| !plan.drops.contains_key(id));
        plan.take(replaced.runs);
        if replaced.pages {
            plan.known.catalogue.pages.clear();
        }
        if replaced.front {
            plan.known.front = None;
        }
        self.merge_levels(&mut plan).await?;
        self.seal_pages(&mut plan)?;
        self.replace_front(&mut plan, tail_bytes)?;
        let kept: Vec<PackId> = plan.known.catalogue.pages.iter().map(|page| page.pack.id).collect();
        for old in old_pages.into_iter().filter(|old| !kept.contains(old)) {
            plan.drops.insert(old, DropReason::Replaced);
        }
        if let Some(old) = old_front.filter(|old| plan.known.front.as_ref().is_none_or(|f| f.pack.id != *old)) {
            plan.drops.insert(old, DropReason::Replaced);
        }
        self.send_head(plan).await
    }

    /// Sorts the tail into level-0 runs and adopts the runs that its records pin.
    pub fn add_tail(&mut self, plan: &mut Plan, dead: &Dead) -> Result<()> {
        let gone = self.server_gone();
        plan.known.catalogue.runs.retain(|_, run| !is_gone(run.last_day, gone));
        let mut rows: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut entries: BTreeMap<u32, BTreeMap<([u8; 32], u8), ChunkRunEntry>> = BTreeMap::new();
        let record_days = self.archive.tail_days()?;
        let mut runs = Vec::new();
        let unread = || broken("the tail cannot be read");
        let mut contents: Vec<(u64, Zeroizing<Vec<u8>>)> = Vec::new();
        self.archive.each_tail(|index, content| {
            contents.push((index, Zeroizing::new(content.to_vec())));
            Ok(())
        })?;
        let span = (contents.first().map_or(0, |c| c.0), contents.last().map_or(0, |c| c.0));
        for (index, content) in contents {
            let content = EventsContent::decode(&content).map_err(|_| unread())?;
            rows.extend(content.block.map(|block| (index, block)));
            let day = record_days.get(&index).copied().unwrap_or(0);
            let living = content.chunks.into_iter().filter(|e| !dead.has_entry(e) && !is_gone(day, gone));
            for entry in living {
                entries.entry(day).or_default().insert(entry.order(), entry);
            }
            for run in &content.runs {
                runs.push(RunEntry::decode(&adopted(run, index)).map_err(|_| unread())?);
            }
        }
        let arrivals = (span.0 + 1, span.1 + 1);
        let mut days: BTreeMap<u32, Vec<Box<dyn Sorted + '_>>> = BTreeMap::new();
        for (index, block) in rows {
            let mut of_days: BTreeMap<u32, VecDeque<BlockRow>> = BTreeMap::new();
            for mut row in read_block(&block, &self.keys.event).map_err(|_| unread())? {
                let day = last_day(&row.row);
                if !dead.has_row(&row) && !is_gone(day, gone) {
                    row.arrival = index + 1;
                    of_days.entry(day).or_default().push_back(row);
                }
            }
            for (day, list) in of_days {
                days.entry(day).or_default().push(Box::new(list));
            }
        }
        let mut made = Vec::new();
        // Rows of different last days never share a run: it goes as a whole.
        for (day, sources) in days {
            let label = self.timed_label(0, day);
            let put = |run: SealedRun| made.push(run);
            merge_rows(self.merge_keys(), label, sources, &mut self.entropy(), put).map_err(merge_failed)?;
        }
        for (day, entries) in entries {
            let mut writer = ChunkRunWriter::new(self.timed_label(0, day));
            for entry in entries.values() {
                made.extend(writer.push(entry, &mut self.entropy()).map_err(|e| Error::Internal(e.to_string()))?);
            }
            made.extend(writer.finish(&mut self.entropy()).map_err(|e| Error::Internal(e.to_string()))?);
        }
        set_span(&mut made, arrivals);
        plan.take(made);
        let there = runs.into_iter().filter(|run| !is_gone(run.last_day, gone));
        plan.known.catalogue.runs.extend(there.map(|run| (run.pack.id, run)));
        Ok(())
    }

    /// Merges eight small runs of a level into the next, as long as there are eight.
    async fn merge_levels(&mut self, plan: &mut Plan) -> Result<()> {
        while let Some((family, level, ids)) = next_merge(&plan.known.catalogue.runs) {
            self.work.check()?;
            let mut old: Vec<(RunEntry, Vec<u8>)> = Vec::with_capacity(ids.len());
            for id in &ids {
                let entry =
                    plan.known.catalogue.runs.remove(id).ok_or_else(|| broken("a run to merge is not there"))?;
                let bytes = match plan.made.remove(id) {
                    Some((_, bytes)) => bytes,
                    None => {
                        plan.drops.insert(*id, DropReason::Merged);
                        self.fetch(&entry).await?
                    }
                };
                old.push((entry, bytes));
            }
            let mut made = Vec::new();
            let label = self.label(level + 1);
            let put = |run: SealedRun| made.push(run);
            match family {
                Family::Messages => {
                    let mut sources: Vec<Box<dyn Sorted + '_>> = Vec::with_capacity(old.len());
                    for (entry, bytes) in &old {
                        let rows = RunRows::open(&self.account(), entry, bytes, &self.keys.event);
                        sources.push(Box::new(rows.map_err(|e| merge_failed(e.into()))?));
                    }
                    merge_rows(self.merge_keys(), label, sources, &mut self.entropy(), put).map_err(merge_failed)?;
                }
                Family::Chunks => {
                    let runs: Vec<(&RunEntry, Vec<u8>)> = old.iter().map(|(e, b)| (e, b.clone())).collect();
                    merge_chunk_runs(&self.account(), label, &runs, &mut self.entropy(), put).map_err(merge_failed)?;
                }
            }
            let span = old.iter().fold((u64::MAX, 0), |s, (e, _)| (s.0.min(e.arrival.0), s.1.max(e.arrival.1)));
            match family {
                Family::Messages => reach_to(&mut made, span.1),
                Family::Chunks => set_span(&mut made, span),
            }
            plan.take(made);
        }
        Ok(())
    }

    pub async fn fetch(&mut self, entry: &RunEntry) -> Result<Vec<u8>> {
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        source.get(entry.pack.id, entry.pack.class).await.map_err(|no| match no.reason() {
            Err(error) => error,
            Ok(why) => {
                let details = vec![format!("{}: a run to merge, {why}", entry.pack.id.hex())];
                Error::Damaged { objects: 1, details }
            }
        })
    }

    /// Writes the catalogue's pages that change.
    pub fn seal_pages(&self, plan: &mut Plan) -> Result<()> {
        let catalogue = std::mem::take(&mut plan.known.catalogue);
        let (kept, new) = page_layout(&catalogue, &catalogue.runs);
        let Catalogue { runs, pages } = catalogue;
        let mut next = Catalogue { runs, pages: Vec::new() };
        next.pages = pages.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, page)| page).collect();
        for ids in new {
            let entries: Vec<&RunEntry> = ids.iter().filter_map(|id| next.runs.get(id)).collect();
            let content = encode_run_entries(entries.into_iter());
            let sealed = seal_page(&self.account(), &content, &mut self.entropy());
            let sealed = sealed.map_err(|e| Error::Internal(e.to_string()))?;
            plan.made.insert(sealed.pack.id, (sealed.pack.class, sealed.bytes));
            next.pages.push(Page { pack: sealed.pack, runs: ids });
        }
        if next.pages.len() >= HEAD_PAGES_MAX {
            return Err(Error::Internal("a catalogue of more pages than a head names".to_owned()));
        }
        plan.known.catalogue = next;
        Ok(())
    }

    /// Writes a new front page if the old one has fallen behind.
    pub fn replace_front(&mut self, plan: &mut Plan, tail_bytes: u64) -> Result<()> {
        let chats = self.front_chats()?;
        if let Some(front) = &mut plan.known.front {
            front.behind_bytes += tail_bytes;
            let same_chats = front.chats.iter().all(|c| chats.contains(c)) && front.chats.len() == chats.len();
            if same_chats && front.behind_bytes < FRONT_BEHIND_BYTES {
                return Ok(());
            }
        }
        plan.known.front = None;
        if let Some(page) = self.seal_front()? {
            plan.made.insert(page.pack.id, (page.pack.class, page.bytes));
            plan.known.front = Some(Front { pack: page.pack, behind_bytes: 0, chats });
        }
        Ok(())
    }

    /// Sends the packs, then the head that names them.
    pub async fn send_head(&mut self, mut plan: Plan) -> Result<Sent> {
        let mut adds: Vec<Add> = Vec::new();
        let named: Vec<PackId> = plan.pages().map(|page| page.id).collect();
        let mut uploader = Uploader::new(&self.work);
        for (id, (class, bytes)) in std::mem::take(&mut plan.made) {
            let last_day = plan.known.catalogue.runs.get(&id).map_or(0, |run| run.last_day);
            if !named.contains(&id) {
                adds.push(Add { pack: id, class, last_day });
            }
            let staged = reserved(id, class, self.vault.session.env.now_ms());
            self.archive.commit(|c| c.set_pack(&staged))?;
            uploader.send_timed(&self.vault.session, self.archive, id, class, last_day, bytes).await?;
        }
        uploader.finish(self.archive).await?;
        if adds.len() > HEAD_PACKS_MAX || plan.drops.len() > HEAD_PACKS_MAX {
            return Err(Error::Internal("a fold of more packs than one head names".to_owned()));
        }
        let state = self.follower.state();
        let parent = state.head.as_ref();
        let front_size = self.front_size(&plan)?;
        let mut pages: Vec<PackId> = Vec::new();
        pages.push(plan.known.front.as_ref().map_or(NO_PACK, |front| front.pack.id));
        pages.extend(plan.known.catalogue.pages.iter().map(|page| page.pack.id));
        let clear = HeadClear {
            generation: parent.map_or(0, |h| h.generation) + 1,
            parent: parent.map_or([0; 32], |h| h.digest),
            covered_size: state.frontier.size(),
            covered_root: state.frontier.root(),
            front_size,
            erase: plan.erase.iter().copied().collect(),
            adds,
            drops: plan.drops.iter().map(|(pack, reason)| Drop { pack: *pack, reason: *reason }).collect(),
            pages,
        };
        let digests = self.day_digests()?;
        let content = HeadContent {
            pages: plan.pages().map(copy).collect::<Result<_>>()?,
            authors: state
                .devices
                .iter()
                .map(|(device, last)| Author { device: *device, counter: last.counter, digest: last.digest })
                .collect(),
            digests: digests.iter().map(|(day, hash)| (*day, *hash)).collect(),
            counts: self.counts()?,
            least_format: FORMAT,
            front_last_day: 0,
            purged: std::mem::take(&mut plan.purged),
            rest: Fields::default(),
        };
        self.digests.insert(clear.covered_size, digests);
        plan.known.generation = clear.generation;
        let sealed = self.seal(RecordKind::Head, self.last_own(), &clear.encode(), &content.encode());
        let sealed = sealed.map_err(|e| Error::Internal(e.to_string()))?;
        let counter = sealed.record.header.counter;
        let own = OwnRecord { counter, record: sealed.record.encode().to_vec(), body: sealed.body };
        self.archive.commit(|c| c.send(&own, []))?;
        let sent = self.send_outbox().await?;
        if sent != Sent::Taken {
            // What this head would have named is of no use to another; the service lets it go by itself.
            let unused: Vec<PackId> = clear.adds.iter().map(|a| a.pack).chain(clear.named()).collect();
            self.archive.commit(|c| unused.iter().try_for_each(|pack| c.drop_pack(pack)))?;
        }
        if sent == Sent::Taken && self.follower.state().head.as_ref().map(|h| h.generation) == Some(clear.generation) {
            let pinned: Vec<PackId> = clear.adds.iter().map(|a| a.pack).chain(clear.named()).collect();
            self.archive.commit(|c| {
                for pack in &pinned {
                    c.drop_pack(pack)?;
                }
                c.set_note(Note::Catalogue, Some(&plan.known.encode()))
            })?;
            self.compare_head()?;
        }
        Ok(sent)
    }

    /// The log size the front page covers: that of this head where it is new, else what the last head stated.
    fn front_size(&self, plan: &Plan) -> Result<u64> {
        let covered = self.follower.state().frontier.size();
        let Some(front) = &plan.known.front else { return Ok(covered) };
        if front.behind_bytes == 0 {
            return Ok(covered);
        }
        Ok(self.head()?.map_or(covered, |head| head.clear.front_size))
    }

    fn counts(&self) -> Result<Counts> {
        let counts = self.archive.counts()?;
        let bytes = self.archive.media_bytes()?;
        let (attachments, chats, messages, waiting) =
            (counts.attachments, counts.chats, counts.messages, counts.waiting);
        Ok(Counts { attachments, bytes, chats, messages, waiting })
    }
}

/// What a repair puts in the place of damaged packs.
#[derive(Default)]
pub(super) struct Replaced {
    pub drops: BTreeMap<PackId, DropReason>,
    pub runs: Vec<SealedRun>,
    /// Write every page of the catalogue anew.
    pub pages: bool,
    pub front: bool,
}

impl Plan {
    pub fn on(known: Known) -> Self {
        Self { known, made: Made::new(), drops: BTreeMap::new(), erase: BTreeSet::new(), purged: Vec::new() }
    }

    pub fn take(&mut self, runs: Vec<SealedRun>) {
        for SealedRun { entry, bytes } in runs {
            self.made.insert(entry.pack.id, (entry.pack.class, bytes));
            self.known.catalogue.runs.insert(entry.pack.id, entry);
        }
    }

    /// Front page, then the catalogue's pages.
    fn pages(&self) -> impl Iterator<Item = &PackRef> {
        self.known.front.iter().map(|front| &front.pack).chain(self.known.catalogue.pages.iter().map(|page| &page.pack))
    }
}

/// Chunk entries state no arrival of their own: their runs span that of what went in.
pub(super) fn set_span(runs: &mut [SealedRun], span: (u64, u64)) {
    for run in runs.iter_mut().filter(|run| run.entry.family == Family::Chunks) {
        run.entry.arrival = span;
    }
}

/// A row that was joined with a later value of it keeps its first arrival: that there is something newer in a run only
/// its entry can say, and a device that was away reads by it.
pub(super) fn reach_to(runs: &mut [SealedRun], last: u64) {
    for run in runs {
        run.entry.arrival.1 = run.entry.arrival.1.max(last);
    }
}

/// A page's reference once more, for the head that seals it.
fn copy(pack: &PackRef) -> Result<PackRef> {
    let mut w = proto::wire::bytes::Writer::new();
    pack.encode(&mut w);
    let bytes = Zeroizing::new(w.finish());
    PackRef::decode(&mut proto::wire::bytes::Reader::new(&bytes))
        .map_err(|_| broken("a page's reference cannot be read"))
}

pub(super) fn merge_failed(error: MergeError) -> Error {
    match error {
        MergeError::Damaged(_) => {
            Error::Damaged { objects: 1, details: vec!["a run to merge does not verify".to_owned()] }
        }
        other => Error::Internal(other.to_string()),
    }
}
