//! Attachments the vault lacks: cut, sealed, packed and sent; then pinned by a record that says where they lie.
//!
//! One hand reads, hashes and cuts ahead ([`FileReader`]); others seal chunks, and others put packs together and read
//! them back; this task asks the archive what is known, keeps what became of everything, and sends.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use proto::wire::events::EventsClear;
use proto::wire::limits::{PIN_BYTES_MAX, RECORD_PACKS_MAX};

use super::apply::{entry, file_entry, stored};
use super::flow::{Flow, broken};
use super::media_read::{Came, FileReader, Piece, Wanted};
use super::send::Sent;
use super::upload::{Uploader, reserved};
use crate::archive::{FileChunks, OwnRecord, PackState};
use crate::chunk::{Cutter, SealedChunk, list_chunks, seal_chunk};
use crate::crypto::{ChunkIdKey, Wiped, content_bytes_max};
use crate::env::Job;
use crate::error::{Error, Result};
use crate::ids::{ChunkId, FileId, PackId};
use crate::log::{EventsContent, RECORD_CHUNKS_MAX};
use crate::pack::{ChosenChunks, ChunkPacker, ChunkRunEntry, ChunkRunWriter, PackError, SealedChunkPack};
use crate::vault::{Phase, Progress};

/// Files looked up at once.
const FILES_AT_ONCE: usize = 256;
/// Packs sent before a record pins them; the record also names packs whose chunks are used again.
const PIN_PACKS: usize = 200;
/// Goes of reading whose chunks are being sealed, and packs being put together: each holds some megabytes.
const SEALING_MAX: usize = 1;
const PACKING_MAX: usize = 1;

type Packing = Job<std::result::Result<SealedChunkPack, PackError>>;

/// What is under way between the files and the service.
struct Line {
    /// The last day of the packs it fills; 0 for those that stay.
    day: u32,
    /// Files that go by timers, each with its last day.
    only: Arc<BTreeMap<FileId, u32>>,
    ids: Arc<ChunkIdKey>,
    reader: Option<FileReader>,
    reading: FuturesUnordered<Job<(FileReader, Vec<Came>)>>,
    sealing: FuturesUnordered<Job<Vec<SealedChunk>>>,
    packing: FuturesUnordered<Packing>,
    packer: ChunkPacker,
    /// Chunks on their way, which the archive does not know yet.
    pooled: HashSet<ChunkId>,
    /// Chunks of the file that is being read.
    list: Vec<ChunkId>,
    list_known: u64,
    /// Files read to their end, to be noted with the next pack.
    ended: Vec<FileChunks>,
    uploader: Uploader,
    /// The last file that was looked up; none are left behind it once `all` is set.
    after: Option<FileId>,
    all: bool,
    known_bytes: u64,
    since_pin: u64,
    told: Progress,
}

impl Flow<'_> {
    /// Sends every attachment at hand that the vault lacks. Answers how many files it now has, and how many of
    /// their bytes it had already.
    pub async fn push_media(&mut self) -> Result<(u64, u64)> {
        let only = self.timed_only()?;
        let waiting = self.archive.counts()?.waiting;
        if waiting == 0 {
            return Ok((0, 0));
        }
        // A pack, and the record that pins it, hold what goes on one day.
        let mut days: BTreeSet<u32> = only.values().copied().collect();
        days.insert(0);
        let only = Arc::new(only);
        let mut known_bytes = 0;
        for day in days {
            known_bytes += self.push_media_of(day, &only).await?;
        }
        let left = self.archive.counts()?.waiting;
        Ok((waiting.saturating_sub(left), known_bytes))
    }

    /// Files that only messages with timers name. What the vault has not as long as it is named now waits again.
    fn timed_only(&mut self) -> Result<BTreeMap<FileId, u32>> {
        if !self.archive.has_timers()? {
            return Ok(BTreeMap::new());
        }
        self.archive.settle()?;
        let only = self.archive.timed_only()?;
        self.archive.commit(|c| c.want_longer(&only))?;
        Ok(only)
    }

    /// Sends attachments that are to be there until a last day; answers how many of their bytes the vault had already.
    async fn push_media_of(&mut self, day: u32, only: &Arc<BTreeMap<FileId, u32>>) -> Result<u64> {
        let counts = self.archive.counts()?;
        self.drop_lost_packs().await?;
        let ids = Arc::new(self.vault.ring.lifetime().chunk_id_key());
        let mut line = Line {
            day,
            only: only.clone(),
            reader: Some(FileReader::new(ids.clone(), Arc::new(Cutter::new(&self.keys.cut)))),
            ids,
            reading: FuturesUnordered::new(),
            sealing: FuturesUnordered::new(),
            packing: FuturesUnordered::new(),
            packer: ChunkPacker::new(),
            pooled: HashSet::new(),
            list: Vec::new(),
            list_known: 0,
            ended: Vec::new(),
            uploader: Uploader::new(&self.work),
            after: None,
            all: false,
            known_bytes: 0,
            since_pin: 0,
            told: Progress {
                phase: Phase::Upload,
                done_bytes: 0,
                total_bytes: counts.waiting_bytes,
                done_items: 0,
                total_items: counts.waiting,
            },
        };
        while self.step(&mut line).await? {}
        self.note_ended(&mut line)?;
        line.uploader.finish(self.archive).await?;
        self.pin_chunks(&mut line).await?;
        Ok(line.known_bytes)
    }

    /// Takes the next thing that is done and begins what can follow it. False once nothing is under way.
    async fn step(&mut self, line: &mut Line) -> Result<bool> {
        self.work.check()?;
        if line.sealing.len() < SEALING_MAX && line.packing.len() < PACKING_MAX {
            self.read_on_ahead(line)?;
        }
        tokio::select! {
            biased;
            Some(pack) = line.packing.next() => {
                let pack = pack?.map_err(internal)?;
                self.send_chunks(pack, line).await?;
                if line.since_pin > PIN_BYTES_MAX - (64 << 20) || self.archive.staged_packs()?.len() >= PIN_PACKS {
                    line.uploader.finish(self.archive).await?;
                    self.pin_chunks(line).await?;
                    line.since_pin = 0;
                }
            }
            Some(sealed) = line.sealing.next(), if line.packing.len() < PACKING_MAX => {
                for chunk in sealed? {
                    if let Some(chosen) = line.packer.push(chunk) {
                        self.pack(line, chosen);
                    }
                }
            }
            Some(read) = line.reading.next() => {
                let (reader, came) = read?;
                line.reader = Some(reader);
                self.take_read(line, came)?;
            }
            else => {
                // Everything was read and sealed: what still waits for company goes out too.
                let rest = line.packer.finish().map_err(internal)?;
                for chosen in rest {
                    self.pack(line, chosen);
                }
                return Ok(!line.packing.is_empty());
            }
        }
        Ok(true)
    }

    /// Has the next files read, unless somebody is reading or everything is read.
    fn read_on_ahead(&mut self, line: &mut Line) -> Result<()> {
        let Some(mut reader) = line.reader.take() else { return Ok(()) };
        if reader.is_idle() && !line.all {
            let files = self.archive.waiting(line.after.as_ref(), FILES_AT_ONCE)?;
            line.all = files.len() < FILES_AT_ONCE;
            line.after = files.last().map(|(file, _)| *file).or(line.after);
            for (file, bytes) in files {
                if !line.is_for(&file) {
                    continue;
                }
                if let Some(hand) = self.archive.at_hand(&file)? {
                    reader.add([Wanted { file, bytes, hand }]);
                }
            }
        }
        if reader.is_idle() && line.all {
            line.reader = Some(reader);
            return Ok(());
        }
        line.reading.push(self.vault.session.env.hands.begin(move || {
            let came = reader.go();
            (reader, came)
        }));
        Ok(())
    }

    /// Looks up what was read, and has sealed what the vault lacks.
    fn take_read(&mut self, line: &mut Line, came: Vec<Came>) -> Result<()> {
        let mut unknown = Vec::new();
        for one in came {
            match one {
                Came::Piece(piece) => {
                    line.list.push(piece.id);
                    let bytes = piece.content.len() as u64;
                    if !self.wanted(line, piece, &mut unknown)? {
                        line.list_known += bytes;
                    }
                }
                Came::End { file, hash, bytes } => {
                    let list = std::mem::take(&mut line.list);
                    let known = std::mem::take(&mut line.list_known);
                    line.told.done_bytes += bytes;
                    line.told.done_items += 1;
                    self.work.tell(line.told);
                    // A file of an export that changed since it was read is not what its messages mean.
                    if self.archive.file_id(&hash, bytes) != file {
                        continue;
                    }
                    line.known_bytes += known;
                    let (list, contents) = list_chunks(list, &line.ids)
                        .ok_or_else(|| Error::Refused("a file is longer than the format can name".to_owned()))?;
                    for content in contents {
                        let piece = Piece { id: line.ids.chunk(&content), content: Wiped::new(content) };
                        self.wanted(line, piece, &mut unknown)?;
                    }
                    line.ended.push(FileChunks { file, bytes, depth: list.depth, chunks: list.ids });
                }
                Came::Unread { file, error } => {
                    line.list.clear();
                    line.list_known = 0;
                    // Another program's file may be gone; one of ours may not.
                    if self.archive.is_in_home(&file)? {
                        return Err(Error::io(self.archive.dir(), error));
                    }
                }
            }
        }
        if !unknown.is_empty() {
            let (account, mut entropy) = (self.account(), self.entropy());
            line.sealing.push(self.vault.session.env.hands.begin(move || {
                let seal = |piece: Piece| seal_chunk(&account, piece.id, &piece.content, &mut entropy);
                unknown.into_iter().map(seal).collect()
            }));
        }
        Ok(())
    }

    /// Takes a piece to be sealed where the vault lacks it; false where it has it.
    fn wanted(&mut self, line: &mut Line, piece: Piece, unknown: &mut Vec<Piece>) -> Result<bool> {
        if line.pooled.contains(&piece.id) || self.archive.has_chunk_until(&piece.id, line.day)? {
            return Ok(false);
        }
        line.pooled.insert(piece.id);
        unknown.push(piece);
        Ok(true)
    }

    /// Has a pack put together.
    fn pack(&self, line: &mut Line, chosen: ChosenChunks) {
        let (account, ids, mut entropy) = (self.account(), line.ids.clone(), self.entropy());
        line.packing.push(self.vault.session.env.hands.begin(move || chosen.seal(&account, &ids, &mut entropy)));
    }

    async fn send_chunks(&mut self, pack: SealedChunkPack, line: &mut Line) -> Result<()> {
        let staged = reserved(pack.id, pack.class, self.vault.session.env.now_ms());
        let ended = std::mem::take(&mut line.ended);
        self.archive.commit(|c| {
            c.set_pack(&staged)?;
            for entry in &pack.entries {
                c.set_timed_chunk(&stored(entry), line.day)?;
            }
            ended.iter().try_for_each(|file| c.set_file_chunks(file))
        })?;
        for entry in &pack.entries {
            line.pooled.remove(&entry.id);
        }
        line.since_pin += pack.class.bytes() as u64;
        line.uploader.send_timed(&self.vault.session, self.archive, pack.id, pack.class, line.day, pack.bytes).await
    }

    fn note_ended(&mut self, line: &mut Line) -> Result<()> {
        let ended = std::mem::take(&mut line.ended);
        Ok(self.archive.commit(|c| ended.iter().try_for_each(|file| c.set_file_chunks(file)))?)
    }

    /// Signs records that pin what is staged, and the files that are whole by it, until nothing is left.
    async fn pin_chunks(&mut self, line: &mut Line) -> Result<()> {
        loop {
            let mut staged: BTreeSet<PackId> = BTreeSet::new();
            for pack in self.archive.staged_packs()? {
                // What an interrupted time left of another last day is pinned with that day's.
                if self.archive.pack_day(&pack.pack)? == line.day {
                    staged.insert(pack.pack);
                }
            }
            let mut found: BTreeMap<([u8; 32], u8), ChunkRunEntry> = BTreeMap::new();
            let mut packs: BTreeSet<PackId> = BTreeSet::new();
            for pack in staged.iter().take(RECORD_PACKS_MAX / 2) {
                // Runs and pages of an interrupted time are staged as well; they hold no chunks.
                for chunk in self.archive.chunks_of(pack)? {
                    packs.insert(*pack);
                    let entry = ChunkRunEntry::Chunk(entry(&chunk)?);
                    found.insert(entry.order(), entry);
                }
            }
            let mut files = 0;
            for file in self.archive.whole_files()? {
                if !line.is_for(&file.file) {
                    continue;
                }
                // Packs whose chunks the file uses again are relied on as well.
                let mut relied = BTreeSet::new();
                let mut long_enough = true;
                for chunk in &file.chunks {
                    long_enough &= self.archive.has_chunk_until(chunk, line.day)?;
                    relied.extend(self.archive.chunk(chunk)?.map(|chunk| chunk.pack));
                }
                let more = relied.difference(&packs).count();
                if !long_enough
                    || relied.iter().any(|pack| staged.contains(pack) && !packs.contains(pack))
                    || packs.len() + more > RECORD_PACKS_MAX - 8
                {
                    continue;
                }
                packs.extend(relied);
                let entry = file_entry(file);
                found.insert(entry.order(), entry);
                files += 1;
            }
            if found.is_empty() {
                return Ok(());
            }
            if files == 0 && packs.is_empty() {
                return Err(broken("a file that waits relies on more packs than one record names"));
            }
            let timed = (line.day, &*line.only);
            match self.pin_entries(found.into_values().collect(), packs, &mut line.uploader, timed).await? {
                Sent::Taken | Sent::Moved => {}
                Sent::Gone(gone) => {
                    self.forget_packs(&gone)?;
                    return Ok(());
                }
            }
        }
    }

    pub(super) async fn pin_entries(
        &mut self,
        entries: Vec<ChunkRunEntry>,
        mut packs: BTreeSet<PackId>,
        uploader: &mut Uploader,
        (day, only): (u32, &BTreeMap<FileId, u32>),
    ) -> Result<Sent> {
        let clear =
            |packs: &BTreeSet<PackId>| EventsClear { packs: packs.iter().copied().collect(), permit: None }.encode();
        let chunks = entries.iter().filter(|e| matches!(e, ChunkRunEntry::Chunk(_))).count();
        let mut content = EventsContent { chunks: entries, ..EventsContent::default() };
        if chunks > RECORD_CHUNKS_MAX || content.encode().len() > content_bytes_max(clear(&packs).len()) {
            let mut writer = ChunkRunWriter::new(self.timed_label(0, day));
            let mut runs = Vec::new();
            for entry in std::mem::take(&mut content.chunks) {
                runs.extend(writer.push(&entry, &mut self.entropy()).map_err(internal)?);
            }
            runs.extend(writer.finish(&mut self.entropy()).map_err(internal)?);
            for run in runs {
                let (pack, class) = (run.entry.pack.id, run.entry.pack.class);
                let staged = reserved(pack, class, self.vault.session.env.now_ms());
                self.archive.commit(|c| c.set_pack(&staged))?;
                packs.insert(pack);
                content.runs.push(run.entry);
                uploader.send_timed(&self.vault.session, self.archive, pack, class, day, run.bytes).await?;
            }
            uploader.finish(self.archive).await?;
        }
        let sealed = self.seal_events(self.last_own(), day, &clear(&packs), &content.encode());
        let sealed = sealed.map_err(|e| Error::Internal(e.to_string()))?;
        let counter = sealed.record.header.counter;
        let own = OwnRecord { counter, record: sealed.record.encode().to_vec(), body: sealed.body };
        self.archive.commit(|c| c.send(&own, []))?;
        let sent = self.send_outbox().await?;
        if sent == Sent::Taken {
            self.archive.commit(|c| {
                c.settle_files()?;
                c.want_longer(only)
            })?;
        }
        Ok(sent)
    }

    /// Forgets packs of an interrupted time that the service does not have whole; their chunks are sealed again.
    async fn drop_lost_packs(&mut self) -> Result<()> {
        let kept = self.archive.staged_packs()?;
        if kept.is_empty() {
            return Ok(());
        }
        let whole = self.whole_packs().await?;
        let lost: Vec<PackId> = kept.iter().map(|p| p.pack).filter(|pack| !whole.contains(pack)).collect();
        debug_assert!(kept.iter().all(|p| matches!(p.state, PackState::Reserved | PackState::Staged)));
        self.forget_packs(&lost)
    }
}

impl Line {
    /// Whether a file is to be there until this line's last day.
    fn is_for(&self, file: &FileId) -> bool {
        self.only.get(file).copied().unwrap_or(0) == self.day
    }
}

fn internal(error: PackError) -> Error {
    Error::Internal(error.to_string())
}
