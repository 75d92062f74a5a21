//! Many rows that wait, as level-0 runs: sealed once, pinned by a record, adopted unchanged by the next head.
//!
//! Rows are cut into slices by time (rows that wait as frames by the time of their last), and each slice is sorted and
//! sealed by itself. A run is noted with a hash of its rows before it is sent; after a kill the same rows are found again
//! and what the service has whole is not sent again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use proto::wire::events::EventsClear;
use proto::wire::header::RecordKind;
use proto::wire::limits::RECORD_PACKS_MAX;
use zeroize::Zeroizing;

use super::flow::{Flow, broken};
use super::send::Sent;
use super::upload::{Uploader, reserved};
use crate::archive::{ArchiveError, BulkRun, OwnRecord, PackState, Unsynced, Waiting};
use crate::crypto::{EventKey, content_bytes_max};
use crate::env::Job;
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::log::EventsContent;
use crate::pack::{BlockRow, FilledRun, PackError, PackedFrame, RunEntry, RunFiller, SealedRun};
use crate::vault::{Phase, Progress};

/// Bytes of rows in a slice: some megabytes once compressed, so that few runs are partly filled.
const SLICE_BYTES: u64 = 16 << 20;
const DAY_MS: i64 = 86_400_000;
/// Bytes that entries may take of a record's body.
const ENTRIES_BYTES_MAX: usize = 48 << 10;

type Slice = (i64, i64);
/// A run that is being sealed.
type Sealing = Job<Result<SealedRun, PackError>>;

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
        let mut cut = cut(&days).into_iter();
        let mut next = self.begin_next(&mut cut)?;
        while let Some((begun, weight)) = next {
            self.work.check()?;
            // The next slice is read while this one is sealed.
            next = self.begin_next(&mut cut)?;
            let slice = begun.slice;
            let made = self.send_slice(begun, &mut uploader).await?;
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

    fn begin_next(&self, cut: &mut impl Iterator<Item = (Slice, Unsynced)>) -> Result<Option<(Begun, Unsynced)>> {
        cut.next().map(|(slice, weight)| Ok((self.begin_slice(slice)?, weight))).transpose()
    }

    /// Has what waits in a slice sealed; runs of an earlier, interrupted time are used.
    fn begin_slice(&self, slice: Slice) -> Result<Begun> {
        let mut known: Vec<BulkRun> = self.archive.bulk()?.into_iter().filter(|run| run.slice == slice).collect();
        let (still, skip) = self.still_so(slice, &known)?;
        let stale = known.split_off(still);
        let mut same = Vec::with_capacity(known.len());
        for run in known {
            same.push(RunEntry::decode(&run.entry).map_err(|_| broken("a run's entry cannot be read"))?);
        }
        Ok(Begun { slice, same, stale, sealing: self.fill_runs(slice, skip)? })
    }

    /// Notes a slice's runs once they are sealed, and begins to send them.
    async fn send_slice(&mut self, begun: Begun, uploader: &mut Uploader) -> Result<Vec<RunEntry>> {
        let Begun { slice, same: mut entries, stale, sealing } = begun;
        let mut runs = Vec::with_capacity(sealing.len());
        for (run, hash) in sealing {
            runs.push((run.await?.map_err(|e| Error::Internal(e.to_string()))?, hash));
        }
        let first = self.archive.bulk()?.last().map_or(0, |last| last.seq + 1);
        let now = self.vault.session.env.now_ms();
        self.archive.commit(|c| {
            for run in &stale {
                c.drop_bulk(run.seq)?;
                c.drop_pack(&run.pack)?;
            }
            for ((run, hash), seq) in runs.iter().zip(first..) {
                let RunEntry { rows, pack, .. } = &run.entry;
                c.set_pack(&reserved(pack.id, pack.class, now))?;
                let entry = run.entry.encode().to_vec();
                c.set_bulk(&BulkRun { seq, slice, rows: *rows, hash: *hash, pack: pack.id, entry })?;
            }
            Ok(())
        })?;
        for (run, _) in runs {
            let (pack, class) = (run.entry.pack.id, run.entry.pack.class);
            entries.push(run.entry);
            uploader.send(&self.vault.session, self.archive, pack, class, run.bytes).await?;
        }
        Ok(entries)
    }

    /// How many of the runs noted for a slice are what would be written now, and how many parts of it they take.
    fn still_so(&self, slice: Slice, known: &[BulkRun]) -> Result<(usize, usize)> {
        if known.is_empty() {
            return Ok((0, 0));
        }
        let (mut still, mut skip, mut parts) = (0, 0, Parts::default());
        let mut differs = false;
        self.archive.each_unsynced(slice, |waiting| {
            let Some(run) = known.get(still).filter(|_| !differs) else { return Ok(()) };
            parts.push(Part::read(&self.keys.event, waiting)?.mark());
            if parts.rows() >= run.rows {
                let count = parts.0.len();
                if parts.take(run.rows) == Some(run.hash) {
                    (still, skip) = (still + 1, skip + count);
                } else {
                    differs = true;
                }
            }
            Ok(())
        })?;
        Ok((still, skip))
    }

    /// Fills runs from what waits in a slice behind the first `skip` parts, each with the hash of what went in. Others
    /// seal a run while the next is filled.
    fn fill_runs(&self, slice: Slice, skip: usize) -> Result<Vec<(Sealing, [u8; 32])>> {
        let mut filler = RunFiller::new(self.label(0));
        let mut runs = Vec::new();
        let mut parts = Parts::default();
        let mut at = 0;
        let lost = || Error::Internal("a run of other rows than were written".to_owned());
        self.archive.each_unsynced(slice, |waiting| {
            at += 1;
            if at <= skip {
                return Ok(());
            }
            let part = Part::read(&self.keys.event, waiting)?;
            let run = match &part {
                Part::Row(row, _) => filler.push(row),
                Part::Frame(frame) => filler.push_frame(frame),
            };
            let run = run.map_err(|_| ArchiveError::Refused("rows that no block takes"))?;
            if let Some(run) = run {
                let hash = parts.take(run.rows());
                runs.push((self.seal_run(run), hash));
            }
            parts.push(part.mark());
            Ok(())
        })?;
        for run in filler.finish() {
            let hash = parts.take(run.rows());
            runs.push((self.seal_run(run), hash));
        }
        runs.into_iter().map(|(run, hash)| Ok((run, hash.ok_or_else(lost)?))).collect()
    }

    fn seal_run(&self, run: FilledRun) -> Sealing {
        let (ids, mut entropy) = (self.keys.event.clone(), self.entropy());
        self.vault.session.env.hands.begin(move || run.seal(&ids, &mut entropy))
    }

    /// Signs the record that pins the slices' runs, and sends it.
    async fn pin_slices(&mut self, entries: &[RunEntry], slices: &[Slice]) -> Result<Sent> {
        let mut packs: BTreeSet<PackId> = entries.iter().map(|run| run.pack.id).collect();
        let mut relied = BTreeSet::new();
        for slice in slices {
            for file in self.archive.files_of_unsynced(*slice)? {
                relied.extend(self.archive.packs_of_file(&file)?);
            }
        }
        // What does not fit is named by records right behind: a head that drops some of it before they come makes them
        // be refused, and what it held is sent again.
        let room = RECORD_PACKS_MAX.saturating_sub(packs.len());
        let relied: Vec<PackId> = relied.difference(&packs).copied().collect();
        let (here, behind) = relied.split_at(room.min(relied.len()));
        packs.extend(here);
        let clear = EventsClear { packs: packs.into_iter().collect(), permit: None }.encode();
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
        let mut last = (sealed.record.header.counter, sealed.record.digest());
        let own = OwnRecord { counter: last.0, record: sealed.record.encode().to_vec(), body: sealed.body };
        let mut more = Vec::new();
        for packs in behind.chunks(RECORD_PACKS_MAX) {
            let clear = EventsClear { packs: packs.to_vec(), permit: None }.encode();
            let sealed = self.seal(RecordKind::Events, last, &clear, &EventsContent::default().encode());
            let sealed = sealed.map_err(|e| Error::Internal(e.to_string()))?;
            last = (sealed.record.header.counter, sealed.record.digest());
            more.push(OwnRecord { counter: last.0, record: sealed.record.encode().to_vec(), body: sealed.body });
        }
        self.archive.commit(|c| {
            c.send_slices(&own, slices)?;
            more.iter().try_for_each(|own| c.send(own, []))
        })?;
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

/// A slice that is being sealed.
struct Begun {
    slice: Slice,
    /// Runs of an earlier time that are what would be written now.
    same: Vec<RunEntry>,
    /// Runs of an earlier time that are not.
    stale: Vec<BulkRun>,
    /// New runs, each with the hash of what is in it.
    sealing: Vec<(Sealing, [u8; 32])>,
}

/// What goes into a run as one piece.
enum Part {
    Row(Box<BlockRow>, [u8; 32]),
    Frame(PackedFrame),
}

impl Part {
    fn read(ids: &EventKey, waiting: Waiting) -> crate::archive::Result<Self> {
        Ok(match waiting {
            Waiting::Row(stored) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&stored.key.id.0).update(&stored.value);
                let row = BlockRow::new(ids, Arc::new(stored.chat.clone()), 0, stored.row()?);
                Self::Row(Box::new(row), *hasher.finalize().as_bytes())
            }
            Waiting::Frame(packed) => Self::Frame(PackedFrame::read(ids, packed)?),
        })
    }

    /// How many rows it is, and a hash of them.
    fn mark(&self) -> (u64, [u8; 32]) {
        match self {
            Self::Row(_, hash) => (1, *hash),
            Self::Frame(frame) => (frame.rows, frame.hash()),
        }
    }
}

/// Marks of parts that are in no run yet.
#[derive(Default)]
struct Parts(VecDeque<(u64, [u8; 32])>);

impl Parts {
    fn push(&mut self, mark: (u64, [u8; 32])) {
        self.0.push_back(mark);
    }

    fn rows(&self) -> u64 {
        self.0.iter().map(|(rows, _)| rows).sum()
    }

    /// Takes the parts that make a run of so many rows: a hash over theirs. None where no such parts are there.
    fn take(&mut self, rows: u64) -> Option<[u8; 32]> {
        let (mut taken, mut hasher) = (0, blake3::Hasher::new());
        while taken < rows {
            let (more, hash) = self.0.pop_front()?;
            taken += more;
            hasher.update(&hash);
        }
        (taken == rows).then(|| *hasher.finalize().as_bytes())
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
