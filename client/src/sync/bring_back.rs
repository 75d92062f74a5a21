//! Bringing back what a device dropped that is no longer trusted.
//!
//! Whoever holds an unlocked device can write a head that names nothing. The service keeps what it dropped for two weeks
//! where that was very much, and two days in any case. Once the device was revoked, or its deletions were undone, every
//! other device looks into the heads it wrote: attachments are pinned again where they lie, and rows that no run holds
//! any more are written once more from this device's own archive. The old runs are not taken back: what was purged from
//! the vault since would come back with them, and their keys are in a thief's hands.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::head::{DropReason, HeadClear};
use proto::wire::header::{Leaf, RecordKind};
use proto::wire::limits::{ACTIVE_DEVICES_MAX, GONE_DEVICES_MAX};

use super::apply::{file_entry, stored};
use super::catalogue::{Known, read_catalogue_left};
use super::contact::odd;
use super::flow::{Flow, broken};
use super::fold::{RACES_MAX, Replaced, reach_to};
use super::head::HeadNote;
use super::packs::{Packs as _, ServicePacks};
use super::send::Sent;
use super::upload::Uploader;
use crate::archive::{Archive, ArchiveError, HELD_MS, Note};
use crate::error::{Error, Result};
use crate::event::Kind;
use crate::ids::{ChatId, ChunkId, DeviceId, EventId, PackId};
use crate::pack::{
    BlockRow, ChunkEntry, ChunkRunEntry, Damaged, Family, RunEntry, RunWriter, open_run, read_chunk_block,
};
use crate::strata::{RunRows, Sorted as _};
use crate::vault::AllSeen;

const DEVICES_MAX: usize = ACTIVE_DEVICES_MAX + GONE_DEVICES_MAX;
/// Packs that one record pins.
const PACKS_AT_ONCE: usize = 100;
/// Files that one record names.
const FILES_AT_ONCE: usize = 200;
/// Bytes of runs written for one head: they are held in memory until they are sent.
const MADE_BYTES_MAX: usize = 24 << 20;

/// `Note::Distrusted`: devices whose heads are to be looked into, and those of revoked devices that were.
#[derive(Default)]
struct Distrusted {
    asked: BTreeSet<DeviceId>,
    done: BTreeSet<DeviceId>,
}

impl Distrusted {
    fn of(archive: &Archive) -> Result<Self> {
        let Some(note) = archive.note(Note::Distrusted)? else { return Ok(Self::default()) };
        let list = |r: &mut Reader<'_>| -> Result<BTreeSet<DeviceId>, Malformed> {
            (0..r.count(DEVICES_MAX)?).map(|_| Ok(DeviceId(r.array()?))).collect()
        };
        let read = |r: &mut Reader<'_>| -> Result<Self, Malformed> { Ok(Self { asked: list(r)?, done: list(r)? }) };
        read(&mut Reader::new(&note)).map_err(|_| broken("its list of distrusted devices cannot be read"))
    }

    fn keep(&self, archive: &mut Archive) -> Result<()> {
        let mut w = Writer::new();
        for list in [&self.asked, &self.done] {
            w.uvarint(list.len().min(DEVICES_MAX) as u64);
            for device in list.iter().take(DEVICES_MAX) {
                w.raw(&device.0);
            }
        }
        Ok(archive.commit(|c| c.set_note(Note::Distrusted, Some(&w.finish())))?)
    }
}

/// Has the next exchange bring back what these devices dropped in the last two weeks.
pub fn distrust(archive: &mut Archive, devices: impl IntoIterator<Item = DeviceId>) -> Result<()> {
    let mut distrusted = Distrusted::of(archive)?;
    distrusted.asked.extend(devices);
    distrusted.keep(archive)
}

/// What distrusted devices did with their heads.
struct Damage {
    /// The head before the first of theirs.
    before: Option<HeadNote>,
    dropped: BTreeSet<PackId>,
}

impl Flow<'_> {
    /// Looks into what devices wrote that were revoked lately, or that somebody distrusts, and makes the vault whole
    /// again. Once for each; broken off, it is begun again.
    pub async fn bring_back(&mut self) -> Result<()> {
        let mut distrusted = Distrusted::of(self.archive)?;
        let since = self.server_now().saturating_sub(HELD_MS).cast_unsigned();
        let seen = AllSeen::of(self.archive)?;
        let roster = self.vault.ring.roster();
        let mut gone: BTreeSet<DeviceId> = roster.devices.iter().map(|device| device.id).collect();
        gone.retain(|id| roster.active(id).is_none() && seen.get(id).last_ms.is_some_and(|last| last >= since));
        let devices: BTreeSet<DeviceId> = gone.difference(&distrusted.done).chain(&distrusted.asked).copied().collect();
        if devices.is_empty() || !self.can_fold()? {
            return Ok(());
        }
        if let Some(damage) = self.damage_by(&devices, since).await? {
            if let Some(before) = &damage.before {
                self.pin_dropped(before, &damage.dropped).await?;
            }
            if !self.write_missing(&devices).await? {
                return Ok(());
            }
        }
        distrusted.asked.clear();
        // Who went longer ago is not looked at any more.
        distrusted.done = gone;
        distrusted.keep(self.archive)
    }

    /// Reads the log for heads of these devices; none where they wrote none since.
    async fn damage_by(&mut self, devices: &BTreeSet<DeviceId>, since: u64) -> Result<Option<Damage>> {
        let (mut read, mut last, mut damage) = (0, None, None);
        while read < self.follower.size() {
            self.work.check()?;
            let answer = self.ask_past_gaps(read).await?;
            if answer.trimmed.is_some() {
                let start = answer.start.map_or(0, |start| start.size);
                if start <= read {
                    return Err(odd("a log that is trimmed and begins before"));
                }
                read = start;
                continue;
            }
            let Some(end) = answer.entries.last() else { return Err(odd("a log that ends before its end")) };
            read = read.max(end.index + 1);
            for entry in &answer.entries {
                let Ok(leaf) = Leaf::decode(&entry.leaf) else { continue };
                let record = leaf.record;
                if record.header.kind != RecordKind::Head {
                    continue;
                }
                if leaf.server_time >= since && devices.contains(&record.header.device) {
                    let before = &mut last;
                    let damage =
                        damage.get_or_insert_with(|| Damage { before: before.take(), dropped: BTreeSet::new() });
                    let clear =
                        record.split_body(&entry.body).ok().and_then(|(clear, _)| HeadClear::decode(clear).ok());
                    damage.dropped.extend(clear.iter().flat_map(|clear| &clear.drops).map(|drop| drop.pack));
                } else if damage.is_none() {
                    last = Some(HeadNote { index: entry.index, record, body: entry.body.to_vec() });
                }
            }
        }
        Ok(damage)
    }

    /// Pins dropped packs of attachments that nothing holds elsewhere, and says once more what lies in them.
    async fn pin_dropped(&mut self, before: &HeadNote, dropped: &BTreeSet<PackId>) -> Result<()> {
        let lost = self.chunks_lost(before, dropped).await?;
        let mut files = self.archive.all_file_chunks()?;
        files.retain(|file| file.chunks.iter().any(|chunk| lost.contains_key(chunk)));
        let mut by_pack: BTreeMap<PackId, Vec<ChunkEntry>> = BTreeMap::new();
        for chunk in lost.into_values() {
            by_pack.entry(chunk.pack).or_default().push(chunk);
        }
        let mut uploader = Uploader::new(&self.work);
        let timeless = (0, &BTreeMap::new());
        while !by_pack.is_empty() {
            self.work.check()?;
            let packs: BTreeSet<PackId> = by_pack.keys().take(PACKS_AT_ONCE).copied().collect();
            let chunks = by_pack.iter().filter(|(pack, _)| packs.contains(pack)).flat_map(|(_, chunks)| chunks);
            let places: Vec<_> = chunks.map(stored).collect();
            let mut entries = Vec::with_capacity(places.len());
            for place in &places {
                entries.push(ChunkRunEntry::Chunk(super::apply::entry(place)?));
            }
            entries.sort_by_key(ChunkRunEntry::order);
            match self.pin_entries(entries, packs.clone(), &mut uploader, timeless).await? {
                Sent::Taken => {
                    self.archive.commit(|c| places.iter().try_for_each(|place| c.set_chunk(place)))?;
                    by_pack.retain(|pack, _| !packs.contains(pack));
                }
                Sent::Moved => {}
                Sent::Gone(gone) => by_pack.retain(|pack, _| !gone.contains(pack)),
            }
        }
        // The files are whole again by that, and no run says so any more.
        while !files.is_empty() {
            self.work.check()?;
            let some = files.len().min(FILES_AT_ONCE);
            let mut entries = Vec::with_capacity(some);
            for file in files.iter().take(some) {
                let mut placed = true;
                for chunk in &file.chunks {
                    placed &= self.archive.chunk(chunk)?.is_some();
                }
                entries.extend(placed.then(|| file_entry(file.clone())));
            }
            entries.sort_by_key(ChunkRunEntry::order);
            if entries.is_empty()
                || self.pin_entries(entries, BTreeSet::new(), &mut uploader, timeless).await? == Sent::Taken
            {
                files.drain(..some);
            }
        }
        Ok(())
    }

    /// Chunks in these packs, as an earlier head has them, that have no place now.
    async fn chunks_lost(
        &mut self,
        before: &HeadNote,
        dropped: &BTreeSet<PackId>,
    ) -> Result<BTreeMap<ChunkId, ChunkEntry>> {
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let (known, _) = read_catalogue_left(&source, &self.account(), self.open_head(before)?).await?;
        let mut runs: Vec<_> =
            known.catalogue.runs.values().filter(|run| run.family == Family::Chunks && run.last_day == 0).collect();
        runs.sort_unstable_by_key(|run| (run.arrival.1, run.arrival.0, run.pack.id));
        let mut lost = BTreeMap::new();
        for run in runs {
            self.work.check()?;
            let bytes = match source.get(run.pack.id, run.pack.class).await {
                Ok(bytes) => bytes,
                Err(no) => {
                    tracing::warn!(run = run.pack.id.hex(), reason = no.reason()?, "a dropped chunk run is not read");
                    continue;
                }
            };
            let Ok(open) = open_run(&self.account(), &run.pack, &bytes) else { continue };
            for block in &open.blocks {
                for entry in read_chunk_block(block).unwrap_or_default() {
                    let ChunkRunEntry::Chunk(chunk) = entry else { continue };
                    // Of two places of one chunk the later counts.
                    lost.remove(&chunk.id);
                    if dropped.contains(&chunk.pack) && self.archive.chunk(&chunk.id)?.is_none() {
                        lost.insert(chunk.id, chunk);
                    }
                }
            }
        }
        Ok(lost)
    }

    /// Writes every row again that this device has and no run of the newest head holds. False where other devices' heads
    /// came first too often.
    async fn write_missing(&mut self, devices: &BTreeSet<DeviceId>) -> Result<bool> {
        let mut races = 0;
        loop {
            self.work.check()?;
            let Some(head) = self.head()? else { return Ok(true) };
            let covered = head.clear.covered_size;
            let source = ServicePacks { session: &self.vault.session, work: &self.work };
            let (mut known, _) = read_catalogue_left(&source, &self.account(), head).await?;
            let mut replaced = Replaced { front: true, ..Replaced::default() };
            let there = self.rows_there(&mut known, &mut replaced).await?;
            let (mut entropy, mut made, mut bytes) = (self.entropy(), Vec::new(), 0);
            let mut writer = RunWriter::new(self.label(0), &self.keys.event);
            let (mut last, mut whole) = (0, true);
            self.archive.each_row(None, true, |row| {
                let Some(arrival) = row.arrival.filter(|at| *at < covered) else { return Ok(true) };
                let key = row.key;
                if there.contains(&mark(&key.chat, key.time, &key.target, key.kind, &key.id)) {
                    return Ok(true);
                }
                last = last.max(arrival + 1);
                let row = BlockRow::new(&self.keys.event, Arc::new(row.chat.clone()), arrival + 1, row.row()?);
                let full =
                    writer.push(&row, &mut entropy).map_err(|_| ArchiveError::Refused("a row that no block takes"))?;
                bytes += full.iter().map(|run| run.bytes.len()).sum::<usize>();
                made.extend(full);
                whole = bytes < MADE_BYTES_MAX;
                Ok(whole)
            })?;
            made.extend(writer.finish(&mut entropy).map_err(|e| Error::Internal(e.to_string()))?);
            // A new device goes by what the newest head says: that is not left to one nobody trusts.
            let theirs = self.head_author()?.is_some_and(|author| devices.contains(&author));
            if made.is_empty() && !theirs {
                return Ok(true);
            }
            reach_to(&mut made, last);
            replaced.runs = made;
            if !self.replace(known, replaced).await? {
                races += 1;
                if races >= RACES_MAX {
                    return Ok(false);
                }
            } else if whole {
                return Ok(true);
            }
        }
    }

    /// Marks of all rows that the runs of a catalogue hold. Runs that cannot be read are taken out of it.
    async fn rows_there(&mut self, known: &mut Known, replaced: &mut Replaced) -> Result<HashSet<[u8; 16]>> {
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let (mut there, mut lost) = (HashSet::new(), Vec::new());
        for run in known.catalogue.runs.values().filter(|run| run.family == Family::Messages) {
            self.work.check()?;
            let bytes = match source.get(run.pack.id, run.pack.class).await {
                Ok(bytes) => bytes,
                Err(no) => {
                    tracing::warn!(run = run.pack.id.hex(), reason = no.reason()?, "a run is written again");
                    lost.push(run.pack.id);
                    continue;
                }
            };
            match self.marks_of(run, &bytes) {
                Ok(marks) => there.extend(marks),
                Err(_) => drop(replaced.drops.insert(run.pack.id, DropReason::Replaced)),
            }
        }
        known.catalogue.runs.retain(|id, _| !lost.contains(id));
        Ok(there)
    }

    fn marks_of(&self, run: &RunEntry, bytes: &[u8]) -> Result<Vec<[u8; 16]>, Damaged> {
        let mut rows = RunRows::open(&self.account(), run, bytes, &self.keys.event)?;
        let mut marks = Vec::new();
        while let Some(row) = rows.next_row()? {
            let key = row.key;
            marks.push(mark(&key.chat, key.time, &key.target, key.kind, &key.own));
        }
        Ok(marks)
    }
}

/// Stands for a row's key where very many are held in memory.
fn mark(chat: &ChatId, time: i64, target: &EventId, kind: Kind, id: &EventId) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&chat.0).update(&time.to_le_bytes()).update(&target.0);
    hasher.update(&kind.0.to_le_bytes()).update(&id.0);
    let mut mark = [0; 16];
    hasher.finalize_xof().fill(&mut mark);
    mark
}
