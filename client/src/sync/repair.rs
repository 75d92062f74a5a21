//! Making whole what a check found damaged, from what this device has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::wire::head::DropReason;

use super::catalogue::Known;
use super::flow::Flow;
use super::fold::Replaced;
use crate::archive::Note;
use crate::error::{Error, Result};
use crate::event::last_day;
use crate::ids::PackId;
use crate::pack::{BlockRow, ChunkRunEntry, ChunkRunWriter, Family, RunEntry, RunWriter};

impl Flow<'_> {
    /// Seals again what damaged packs held. Packs of attachments whose files are not all here stay as they are.
    pub async fn repair(&mut self) -> Result<()> {
        let damage: BTreeSet<PackId> = self.damage()?.into_iter().collect();
        if damage.is_empty() || !self.archive.runs()?.is_empty() {
            return Ok(());
        }
        let lost_chunks = self.forget_damaged_chunks(&damage)?;
        self.push_media().await?;
        let known = self.catalogue_or_kept().await?;
        let mut replaced = Replaced::default();
        let mut chunk_runs = false;
        let mut rows_of = Vec::new();
        let adopted = self.adopted_runs()?;
        for run in known.catalogue.runs.values().chain(&adopted).filter(|run| damage.contains(&run.pack.id)) {
            replaced.drops.insert(run.pack.id, DropReason::Replaced);
            match run.family {
                Family::Messages => rows_of.push(run),
                Family::Chunks => chunk_runs = true,
            }
        }
        for run in rows_of {
            self.reseal_rows(run, &mut replaced)?;
        }
        if chunk_runs {
            self.reseal_chunks(&mut replaced)?;
        }
        for pack in lost_chunks {
            replaced.drops.insert(pack, DropReason::Replaced);
        }
        replaced.pages = known.catalogue.pages.iter().any(|page| damage.contains(&page.pack.id));
        replaced.front = known.front.as_ref().is_some_and(|front| damage.contains(&front.pack.id));
        let nothing = replaced.drops.is_empty() && !replaced.pages && !replaced.front;
        // Where another device was faster the note stays, and the next backup does it.
        if nothing || self.replace(known, replaced).await? {
            self.archive.commit(|c| c.set_note(Note::Damage, None))?;
        }
        Ok(())
    }

    /// The catalogue as its pages say, or where one is damaged as this device keeps it.
    async fn catalogue_or_kept(&mut self) -> Result<Known> {
        let generation = self.follower.state().head.as_ref().map_or(0, |h| h.generation);
        match self.catalogue().await {
            Err(error @ Error::Damaged { .. }) => {
                self.kept_catalogue()?.filter(|known| known.generation == generation).ok_or(error)
            }
            other => other,
        }
    }

    /// Lets go of chunks in damaged packs, where all files that need them are here: they wait to be sent again.
    fn forget_damaged_chunks(&mut self, damage: &BTreeSet<PackId>) -> Result<Vec<PackId>> {
        let mut lost = Vec::new();
        for pack in damage {
            let chunks: Vec<_> = self.archive.chunks_of(pack)?.iter().map(|chunk| chunk.id).collect();
            if chunks.is_empty() {
                continue;
            }
            let mut here = true;
            for file in self.archive.files_of_chunks(&chunks)? {
                here &= self.archive.file(&file)?.is_some();
            }
            if here {
                self.forget_packs(&[*pack])?;
                lost.push(*pack);
            }
        }
        Ok(lost)
    }

    /// Writes every row that a run may have held: those of its chats within its time, as the log holds them.
    fn reseal_rows(&self, run: &RunEntry, replaced: &mut Replaced) -> Result<()> {
        let mut writer = RunWriter::new(self.timed_label(run.level, run.last_day), &self.keys.event);
        let mut entropy = self.entropy();
        let mut made = Vec::new();
        self.archive.each_row(None, true, |stored| {
            let held = run.filter.may_hold(&stored.key.chat) && (run.time.0..=run.time.1).contains(&stored.key.time);
            if let Some(arrival) = stored.arrival.filter(|_| held) {
                let row = stored.row()?;
                if last_day(&row) != run.last_day {
                    return Ok(true);
                }
                let row = BlockRow::new(&self.keys.event, Arc::new(stored.chat.clone()), arrival + 1, row);
                let pushed = writer.push(&row, &mut entropy);
                made.extend(pushed.map_err(|_| crate::archive::ArchiveError::Refused("a row that no block takes"))?);
            }
            Ok(true)
        })?;
        made.extend(writer.finish(&mut entropy).map_err(|e| Error::Internal(e.to_string()))?);
        super::fold::reach_to(&mut made, run.arrival.1);
        replaced.runs.extend(made);
        Ok(())
    }

    /// Writes a chunk run of everything this device knows of chunks and files, one for each last day.
    fn reseal_chunks(&self, replaced: &mut Replaced) -> Result<()> {
        let mut days: BTreeMap<u32, BTreeMap<([u8; 32], u8), ChunkRunEntry>> = BTreeMap::new();
        let mut chunks = Vec::new();
        self.archive.each_chunk(|chunk| {
            chunks.push(chunk);
            Ok(true)
        })?;
        for chunk in &chunks {
            let entry = ChunkRunEntry::Chunk(super::apply::entry(chunk)?);
            days.entry(self.archive.pack_day(&chunk.pack)?).or_default().insert(entry.order(), entry);
        }
        for file in self.archive.all_file_chunks()? {
            let day = self.archive.file_day(&file.file)?;
            let entry = super::apply::file_entry(file);
            days.entry(day).or_default().insert(entry.order(), entry);
        }
        let mut entropy = self.entropy();
        let mut made = Vec::new();
        for (day, entries) in days {
            let mut writer = ChunkRunWriter::new(self.timed_label(0, day));
            for entry in entries.values() {
                made.extend(writer.push(entry, &mut entropy).map_err(|e| Error::Internal(e.to_string()))?);
            }
            made.extend(writer.finish(&mut entropy).map_err(|e| Error::Internal(e.to_string()))?);
        }
        let covered = self.follower.size();
        for run in &mut made {
            run.entry.arrival = (1, covered + 1);
        }
        replaced.runs.extend(made);
        Ok(())
    }
}
