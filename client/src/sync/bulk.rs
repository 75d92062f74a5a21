//! Many rows that wait, as level-0 runs: sealed once, pinned by a record, adopted unchanged by the next head.
//!
//! Rows are cut into slices by time, and each slice is sorted and sealed by itself. A run is noted with a hash of its
//! rows before it is sent; after a kill the same rows are found again and what the service has whole is not sent again.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::wire::events::EventsClear;
use proto::wire::header::RecordKind;
use proto::wire::limits::RECORD_PACKS_MAX;
use zeroize::Zeroizing;

use super::flow::{Flow, broken};
use super::send::Sent;
use super::upload::{Uploader, reserved};
use crate::archive::{BulkRun, OwnRecord, PackState, StoredRow, Unsynced};
use crate::crypto::content_bytes_max;
use crate::error::{Error, Result};
use crate::event::Chat;
use crate::ids::PackId;
use crate::log::EventsContent;
use crate::pack::{BlockRow, RunEntry, RunWriter, SealedRun};
use crate::vault::{Phase, Progress};

/// Bytes of rows in a slice: some megabytes once compressed, so that few runs are partly filled.
const SLICE_BYTES: u64 = 16 << 20;
const DAY_MS: i64 = 86_400_000;
/// Bytes that entries may take of a record's body.
const ENTRIES_BYTES_MAX: usize = 48 << 10;

type Slice = (i64, i64);

impl Flow<'_> {
    /// Seals and sends every row that waits, slice by slice, the oldest first: so a new device, which reads by arrival
    /// backwards, sees the newest first.
    pub async fn push_bulk(&mut self) -> Result<Sent> {
        self.drop_lost_bulk().await?;
        let days = self.archive.unsynced_days()?;
        let (rows, bytes) = days.iter().fold((0, 0), |(r, b), day| (r + day.rows, b + day.bytes));
        let mut told =
            Progress { phase: Phase::Encrypt, done_bytes: 0, total_bytes: bytes, done_items: 0, total_items: rows };
        let mut uploader = Uploader::new(&self.work);
        let mut entries: Vec<RunEntry> = Vec::new();
        let mut slices: Vec<Slice> = Vec::new();
        for (slice, weight) in cut(&days) {
            self.work.check()?;
            let made = self.seal_slice(slice, &mut uploader).await?;
            let size: usize = entries.iter().chain(&made).map(|e| e.encode().len() + 4).sum();
            if !slices.is_empty() && (size > ENTRIES_BYTES_MAX || entries.len() + made.len() > RECORD_PACKS_MAX) {
                uploader.finish(self.archive).await?;
                let sent = self.pin_slices(&std::mem::take(&mut entries), &std::mem::take(&mut slices)).await?;
                if sent != Sent::Taken {
                    return Ok(sent);
                }
            }
            entries.extend(made);
            slices.push(slice);
            told.done_bytes += weight.bytes;
            told.done_items += weight.rows;
            self.work.tell(told);
        }
        uploader.finish(self.archive).await?;
        if slices.is_empty() { Ok(Sent::Taken) } else { self.pin_slices(&entries, &slices).await }
    }

    /// Seals the rows of a slice into runs and begins to send them; runs of an earlier, interrupted time are used.
    async fn seal_slice(&mut self, slice: Slice, uploader: &mut Uploader) -> Result<Vec<RunEntry>> {
        let known: Vec<BulkRun> = self.archive.bulk()?.into_iter().filter(|run| run.slice == slice).collect();
        let mut entries = Vec::new();
        let mut skip = 0;
        let hashes = self.hashes(slice, 0, &known.iter().map(|run| run.rows).collect::<Vec<_>>())?;
        for (run, _) in known.iter().zip(&hashes).take_while(|(run, hash)| run.hash == **hash) {
            skip += run.rows;
            entries.push(RunEntry::decode(&run.entry).map_err(|_| broken("a run's entry cannot be read"))?);
        }
        let stale: Vec<BulkRun> = known.into_iter().skip(entries.len()).collect();
        self.archive.commit(|c| {
            for run in &stale {
                c.drop_bulk(run.seq)?;
                c.drop_pack(&run.pack)?;
            }
            Ok(())
        })?;
        let runs = self.write_runs(slice, skip)?;
        let hashes = self.hashes(slice, skip, &runs.iter().map(|run| run.entry.rows).collect::<Vec<_>>())?;
        for (run, hash) in runs.into_iter().zip(hashes) {
            let rows = run.entry.rows;
            let seq = self.archive.bulk()?.last().map_or(0, |last| last.seq + 1);
            let (pack, class) = (run.entry.pack.id, run.entry.pack.class);
            let note = BulkRun { seq, slice, rows, hash, pack, entry: run.entry.encode().to_vec() };
            let staged = reserved(pack, class, self.vault.session.env.now_ms());
            self.archive.commit(|c| {
                c.set_pack(&staged)?;
                c.set_bulk(&note)
            })?;
            entries.push(run.entry);
            uploader.send(&self.vault.session, self.archive, pack, class, run.bytes).await?;
        }
        Ok(entries)
    }

    /// Writes runs from a slice's rows behind the first `skip`.
    fn write_runs(&self, slice: Slice, skip: u64) -> Result<Vec<SealedRun>> {
        let mut writer = RunWriter::new(self.label(0), &self.keys.event);
        let mut entropy = self.entropy();
        let mut runs = Vec::new();
        let mut at = 0;
        let mut chats: BTreeMap<crate::ids::ChatId, Arc<Chat>> = BTreeMap::new();
        self.archive.each_unsynced(slice, |stored| {
            at += 1;
            if at <= skip {
                return Ok(());
            }
            let chat = chats.entry(stored.key.chat).or_insert_with(|| Arc::new(stored.chat.clone())).clone();
            let row = BlockRow::new(&self.keys.event, chat, 0, stored.row()?);
            let run = writer
                .push(&row, &mut entropy)
                .map_err(|_| crate::archive::ArchiveError::Refused("a row that no block takes"))?;
            runs.extend(run);
            Ok(())
        })?;
        runs.extend(writer.finish(&mut entropy).map_err(|e| Error::Internal(e.to_string()))?);
        Ok(runs)
    }

    /// BLAKE3 over stretches of a slice's rows as they are now, one behind the other from the row `skip` on.
    fn hashes(&self, slice: Slice, skip: u64, stretches: &[u64]) -> Result<Vec<[u8; 32]>> {
        let mut out = Vec::with_capacity(stretches.len());
        let mut hasher = blake3::Hasher::new();
        let (mut before, mut within) = (0, 0);
        self.archive.each_unsynced(slice, |stored: StoredRow| {
            before += 1;
            let Some(length) = stretches.get(out.len()).filter(|_| before > skip) else { return Ok(()) };
            hasher.update(&stored.key.id.0).update(&(stored.value.len() as u64).to_le_bytes()).update(&stored.value);
            within += 1;
            if within == *length {
                out.push(*std::mem::take(&mut hasher).finalize().as_bytes());
                within = 0;
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Signs the record that pins the slices' runs, and sends it.
    async fn pin_slices(&mut self, entries: &[RunEntry], slices: &[Slice]) -> Result<Sent> {
        let mut packs: Vec<PackId> = entries.iter().map(|run| run.pack.id).collect();
        packs.sort_unstable();
        let clear = EventsClear { packs, permit: None }.encode();
        let mut content = EventsContent::default();
        for entry in entries {
            let copy = Zeroizing::new(entry.encode());
            content.runs.push(RunEntry::decode(&copy).map_err(|_| broken("a run's entry cannot be read"))?);
        }
        let content = content.encode();
        if content.len() > content_bytes_max(clear.len()) {
            return Err(Error::Internal("a slice with more runs than one record names".to_owned()));
        }
        let sealed = self.seal(RecordKind::Events, self.last_own(), &clear, &content);
        let sealed = sealed.map_err(|e| Error::Internal(e.to_string()))?;
        let counter = sealed.record.header.counter;
        let own = OwnRecord { counter, record: sealed.record.encode().to_vec(), body: sealed.body };
        self.archive.commit(|c| c.send_slices(&own, slices))?;
        let sent = self.send_outbox().await?;
        if sent == Sent::Taken {
            self.pushed_events += entries.iter().map(|run| run.rows).sum::<u64>();
        }
        Ok(sent)
    }

    /// Forgets runs of an interrupted time that the service does not have whole.
    async fn drop_lost_bulk(&mut self) -> Result<()> {
        if self.archive.bulk()?.is_empty() {
            return Ok(());
        }
        let whole = self.whole_packs().await?;
        let lost: Vec<BulkRun> = self.archive.bulk()?.into_iter().filter(|run| !whole.contains(&run.pack)).collect();
        self.archive.commit(|c| {
            for run in &lost {
                c.drop_bulk(run.seq)?;
                c.drop_pack(&run.pack)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Packs this device has staged and that are whole at the service; the archive's notes are brought up to date.
    pub async fn whole_packs(&mut self) -> Result<std::collections::BTreeSet<PackId>> {
        let session = &self.vault.session;
        let call = session.call(|remote, token| async move { remote.staged(&token).await });
        let staged = call.await.map_err(|e| e.into_error(&session.identity))?;
        let whole: std::collections::BTreeSet<PackId> =
            staged.iter().filter(|p| p.whole).filter_map(|p| PackId::from_slice(&p.id)).collect();
        let known = self.archive.staged_packs()?;
        self.archive.commit(|c| {
            for pack in &known {
                if whole.contains(&pack.pack) {
                    c.set_pack(&crate::archive::StagedPack { state: PackState::Staged, ..*pack })?;
                }
            }
            Ok(())
        })?;
        Ok(whole)
    }
}

/// Cuts days into slices, oldest first. A day is never divided.
fn cut(days: &[Unsynced]) -> Vec<(Slice, Unsynced)> {
    let mut slices: Vec<(Slice, Unsynced)> = Vec::new();
    for day in days {
        let first = day.day.saturating_mul(DAY_MS);
        let last = first.saturating_add(DAY_MS - 1);
        match slices.last_mut() {
            Some((slice, sum)) if sum.bytes + day.bytes <= SLICE_BYTES => {
                slice.1 = last;
                sum.bytes += day.bytes;
                sum.rows += day.rows;
            }
            _ => slices.push(((first, last), *day)),
        }
    }
    slices
}
