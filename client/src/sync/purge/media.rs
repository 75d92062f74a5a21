//! Attachments of deleted messages: their chunks leave packs and chunk runs.
//!
//! A pack that holds a dead chunk is always dropped and what lives in it is moved, however little of it is dead. To let
//! go of the key alone would be cheaper, and lose a photo: a device that uses the chunk again at that moment says so by
//! relying on its pack, and only a drop of that pack is refused for it.

use std::collections::{BTreeMap, BTreeSet};

use proto::wire::head::DropReason;

use super::super::apply;
use super::super::flow::{Flow, broken};
use super::super::fold::{Plan, merge_failed, set_span};
use super::super::packs::{Packs as _, Part, ServicePacks};
use super::{Dead, MADE_BYTES_MAX, Progress, damaged};
use crate::archive::{LongLists, Note};
use crate::chunk::{SealedChunk, expand_list};
use crate::error::{Error, Result};
use crate::ids::{FileId, PackId};
use crate::pack::{
    ChunkEntry, ChunkPacker, ChunkRunEntry, ChunkRunWriter, Family, PackError, RunEntry, open_packed_chunk, open_run,
    read_chunk_block,
};

/// Packs of attachments written again for one head.
const PACKS_AT_ONCE: usize = 2;

impl Flow<'_> {
    /// Drops packs with dead chunks and chunk runs that list them; false where there are more than one head takes.
    pub(super) async fn purge_media(
        &mut self,
        plan: &mut Plan,
        dead: &mut Dead,
        progress: &mut Progress,
    ) -> Result<bool> {
        let mut packs = BTreeSet::new();
        for chunk in &dead.chunks {
            packs.extend(self.archive.chunk(chunk)?.map(|chunk| chunk.pack));
        }
        packs.retain(|pack| !progress.unread.contains(pack));
        if packs.is_empty() && dead.files.is_empty() {
            return Ok(true);
        }
        let made: usize = plan.made.values().map(|(_, bytes)| bytes.len()).sum();
        if made > MADE_BYTES_MAX / 2 {
            return Ok(false);
        }
        let left = packs.len() > PACKS_AT_ONCE;
        let packs = lists_last(packs, &self.list_packs(dead)?);
        let mut packer = ChunkPacker::new();
        let mut chosen = Vec::new();
        for pack in packs.into_iter().take(PACKS_AT_ONCE) {
            let Some(living) = self.living(&pack, dead).await? else {
                progress.unread.insert(pack);
                continue;
            };
            dead.packs.insert(pack);
            plan.drops.insert(pack, DropReason::Purged);
            chosen.extend(living.into_iter().filter_map(|chunk| packer.push(chunk)));
        }
        chosen.extend(packer.finish().map_err(internal)?);
        let chunk_key = self.vault.ring.lifetime().chunk_id_key();
        let mut moved: Vec<ChunkEntry> = Vec::new();
        for chosen in chosen {
            let pack = chosen.seal(&self.account(), &chunk_key, &mut self.entropy()).map_err(internal)?;
            plan.made.insert(pack.id, (pack.class, pack.bytes));
            moved.extend(pack.entries);
        }
        self.purge_chunk_runs(plan, dead, moved).await?;
        Ok(!left)
    }

    /// Packs with lists of what dead files of very many chunks are made of.
    fn list_packs(&self, dead: &Dead) -> Result<BTreeSet<PackId>> {
        let mut packs = BTreeSet::new();
        for file in &dead.files {
            for chunk in self.archive.file_chunks(file)?.filter(|file| file.depth > 0).iter().flat_map(|f| &f.chunks) {
                packs.extend(self.archive.chunk(chunk)?.map(|chunk| chunk.pack));
            }
        }
        Ok(packs)
    }

    /// The chunks of a pack that live on, sealed anew; none where the pack cannot be read.
    async fn living(&mut self, pack: &PackId, dead: &Dead) -> Result<Option<Vec<SealedChunk>>> {
        let chunks = self.archive.chunks_of(pack)?;
        let living = chunks.iter().filter(|chunk| !dead.chunks.contains(&chunk.id)).map(apply::entry);
        let living: Vec<ChunkEntry> = living.collect::<Result<_>>()?;
        self.resealed(pack, &living).await
    }

    /// Writes chunk runs that list anything dead again without it, and where the moved chunks lie now.
    async fn purge_chunk_runs(&mut self, plan: &mut Plan, dead: &Dead, moved: Vec<ChunkEntry>) -> Result<()> {
        // Those of attachments with a last day go by themselves.
        let chunk_runs =
            plan.known.catalogue.runs.values().filter(|run| run.family == Family::Chunks && run.last_day == 0);
        let mut ids: Vec<((u64, u64), PackId)> = chunk_runs.map(|run| (run.arrival, run.pack.id)).collect();
        // Of two entries of one id the later stays.
        ids.sort_unstable();
        let mut entries: BTreeMap<([u8; 32], u8), ChunkRunEntry> = BTreeMap::new();
        let (mut level, mut span) = (0, None);
        for (arrival, id) in ids {
            self.work.check()?;
            let Some(run) = plan.known.catalogue.runs.get(&id) else { continue };
            let listed = self.chunk_entries(run, plan).await?;
            if !listed.iter().any(|entry| dead.has_entry(entry)) {
                continue;
            }
            level = level.max(run.level);
            let (first, last) = span.unwrap_or(arrival);
            span = Some((first.min(arrival.0), last.max(arrival.1)));
            entries.extend(listed.into_iter().filter(|e| !dead.has_entry(e)).map(|e| (e.order(), e)));
            plan.known.catalogue.runs.remove(&id);
            if plan.made.remove(&id).is_none() {
                plan.drops.insert(id, DropReason::Purged);
            }
        }
        entries.extend(moved.into_iter().map(ChunkRunEntry::Chunk).map(|entry| (entry.order(), entry)));
        self.write_chunk_runs(plan, &entries, level, span.map(|(first, _)| first))
    }

    /// Puts chunk runs of these entries into a plan, for runs that began to arrive at `first`.
    pub(in super::super) fn write_chunk_runs(
        &self,
        plan: &mut Plan,
        entries: &BTreeMap<([u8; 32], u8), ChunkRunEntry>,
        level: u8,
        first: Option<u64>,
    ) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut writer = ChunkRunWriter::new(self.label(level));
        let mut made = Vec::new();
        for entry in entries.values() {
            made.extend(writer.push(entry, &mut self.entropy()).map_err(internal)?);
        }
        made.extend(writer.finish(&mut self.entropy()).map_err(internal)?);
        // Whoever reads only what is new to it must read where chunks lie now.
        let now = self.follower.size() + 1;
        set_span(&mut made, (first.unwrap_or(now), now));
        plan.take(made);
        Ok(())
    }

    pub(in super::super) async fn chunk_entries(&mut self, run: &RunEntry, plan: &Plan) -> Result<Vec<ChunkRunEntry>> {
        let fetched;
        let bytes = match plan.made.get(&run.pack.id) {
            Some((_, bytes)) => bytes,
            None => {
                fetched = self.fetch(run).await?;
                &fetched
            }
        };
        let mut entries = Vec::new();
        let open = open_run(&self.account(), &run.pack, bytes).map_err(|e| merge_failed(e.into()))?;
        for block in open.blocks {
            entries.extend(read_chunk_block(&block).map_err(|e| merge_failed(e.into()))?);
        }
        Ok(entries)
    }

    /// What files of very many chunks are made of, which only chunks of their own say. A dead file whose list has gone is
    /// left out: what it named went before.
    pub(super) async fn long_lists(&mut self, dead: &BTreeSet<FileId>) -> Result<LongLists> {
        let mut lists = LongLists::new();
        let chunk_key = self.vault.ring.lifetime().chunk_id_key();
        for file in self.archive.all_file_chunks()?.into_iter().filter(|file| file.depth > 0) {
            let mut pieces = Vec::with_capacity(file.chunks.len());
            for id in &file.chunks {
                let Some(chunk) = self.archive.chunk(id)? else { continue };
                let entry = apply::entry(&chunk)?;
                let source = ServicePacks { session: &self.vault.session, work: &self.work };
                let part = Part::Range { offset: entry.offset.into(), length: entry.sealed_len.into() };
                let sealed = source.read(entry.pack, part).await;
                let sealed = match sealed {
                    Ok(sealed) => sealed,
                    Err(no) => return Err(damaged(no.reason()?, &entry.pack)),
                };
                let opened = open_packed_chunk(&self.account(), &chunk_key, &entry, &sealed);
                pieces.push(opened.map_err(|_| damaged("a list of chunks", &entry.pack))?);
            }
            if pieces.len() < file.chunks.len() && dead.contains(&file.file) {
                continue;
            }
            let ids = expand_list(file.bytes, pieces.iter().map(|piece| &piece[..]));
            lists.insert(file.file, ids.map_err(|_| broken("a file's list of chunks cannot be read"))?);
        }
        Ok(lists)
    }

    /// Reads where chunks lie that a head has moved.
    pub async fn learn_moved(&mut self) -> Result<()> {
        if self.archive.note(Note::Moved)?.is_none() || !self.archive.runs()?.is_empty() || self.is_new()? {
            return Ok(());
        }
        let known = self.catalogue().await?;
        let runs = known.catalogue.runs.values().filter(|run| run.family == Family::Chunks);
        let wanted: Vec<_> = runs.map(|run| (run.pack.id, run.encode())).collect();
        self.archive.commit(|c| {
            for (id, entry) in &wanted {
                c.set_run(id, entry)?;
            }
            c.set_note(Note::Moved, None)
        })?;
        self.take_in_runs(false).await?;
        // What lay in a dropped pack and is in none now is sent again by whoever has it.
        self.archive.commit(|c| c.forget_files_without_chunks())?;
        self.archive.forget_unnamed()?;
        Ok(())
    }
}

/// Brings packs into the order in which they go: those with a list last, since a purge that is broken off must find what
/// is left of its file.
fn lists_last(packs: BTreeSet<PackId>, lists: &BTreeSet<PackId>) -> Vec<PackId> {
    let (lists, mut first): (Vec<_>, Vec<_>) = packs.into_iter().partition(|pack| lists.contains(pack));
    first.extend(lists);
    first
}

fn internal(error: PackError) -> Error {
    Error::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_with_lists_go_last() {
        let [a, b, c, d] = [1, 2, 3, 4].map(|n| PackId([n; 16]));
        let order = lists_last(BTreeSet::from([a, b, c, d]), &BTreeSet::from([a, c, PackId([9; 16])]));
        assert_eq!(order, [b, d, a, c]);
    }
}
