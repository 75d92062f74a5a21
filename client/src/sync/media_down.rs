//! Attachments this device lacks, pack by pack: each pack is fetched once, whatever files its chunks belong to.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::apply::entry;
use super::flow::broken;
use super::packs::{Packs, Part};
use super::restore::Missing;
use crate::archive::{Archive, ArchiveError, Chunk, FileChunks, StoredFile};
use crate::chunk::expand_list;
use crate::crypto::{ChunkIdKey, Wiped, large};
use crate::env::{Hands, Job};
use crate::error::{Error, Result};
use crate::ids::{AccountId, ChunkId, FileId, PackId};
use crate::pack::{ChunkEntry, open_packed_chunk};
use crate::vault::{Phase, Progress, Work};

/// Packs asked for ahead: each is up to 8 MiB of memory.
const AHEAD: usize = 2;
/// Files looked at in one round, newest first.
const FILES_AT_ONCE: usize = 2_000;
/// Sealed chunks kept in memory while the rest of their files is fetched; above it files are fetched one by one.
const SPOOL_BYTES_MAX: u64 = 16 << 20;

/// What came of fetching attachments.
#[derive(Default)]
pub(super) struct Fetched {
    pub files: u64,
    pub bytes: u64,
    pub missing: Vec<Missing>,
}

/// What was asked for, or why it is not to be had.
type Opened<T> = std::result::Result<T, &'static str>;

pub(super) const NO_PLACE: &str = "no entry tells where it lies";
/// The vault does not have it yet.
pub(super) const WAITS: &str = "waits on another device";

struct Wanted {
    file: FileId,
    bytes: u64,
    chunks: Vec<ChunkId>,
}

/// Fetches every attachment that messages name, this device lacks and the vault has.
pub(super) async fn fetch_media(
    source: &dyn Packs,
    account: &AccountId,
    ids: ChunkIdKey,
    hands: Hands,
    archive: &mut Archive,
    work: &Work,
) -> Result<Fetched> {
    let ids = Arc::new(ids);
    let mut out = Fetched::default();
    let mut given_up: BTreeSet<FileId> = BTreeSet::new();
    let total = archive.counts()?.attachments_absent;
    loop {
        let mut files = archive.absent(FILES_AT_ONCE + given_up.len())?;
        files.retain(|file| !given_up.contains(file));
        if files.is_empty() {
            return Ok(out);
        }
        let ids = ids.clone();
        let mut round = Round { source, account, ids, hands, archive, work, out: &mut out, lost: &mut given_up, total };
        round.fetch(files).await?;
    }
}

struct Round<'a> {
    source: &'a dyn Packs,
    account: &'a AccountId,
    ids: Arc<ChunkIdKey>,
    hands: Hands,
    archive: &'a mut Archive,
    work: &'a Work,
    out: &'a mut Fetched,
    lost: &'a mut BTreeSet<FileId>,
    total: u64,
}

impl Round<'_> {
    async fn fetch(&mut self, files: Vec<FileId>) -> Result<()> {
        let mut alone = Vec::new();
        let mut together: Vec<Wanted> = Vec::new();
        let mut spooled = 0;
        for file in files {
            let Some(wanted) = self.locate(file).await? else { continue };
            // Most files are one chunk. Long ones are read through, chunk after chunk, without keeping the rest.
            if wanted.chunks.len() > 1 && spooled + wanted.bytes > SPOOL_BYTES_MAX {
                alone.push(wanted);
            } else {
                spooled += if wanted.chunks.len() > 1 { wanted.bytes } else { 0 };
                together.push(wanted);
            }
        }
        self.fetch_together(together).await?;
        for wanted in alone {
            self.fetch_alone(wanted).await?;
        }
        Ok(())
    }

    /// Finds a file's chunks. None, and the file given up, where the vault does not have it.
    async fn locate(&mut self, file: FileId) -> Result<Option<Wanted>> {
        let Some(FileChunks { file, bytes, depth, chunks }) = self.archive.file_chunks(&file)? else {
            self.lose(file, WAITS)?;
            return Ok(None);
        };
        if depth == 0 {
            return Ok(Some(Wanted { file, bytes, chunks }));
        }
        let mut pieces = Vec::new();
        for id in &chunks {
            match self.chunk_alone(id).await? {
                Ok(piece) => pieces.push(piece),
                Err(why) => {
                    self.lose(file, why)?;
                    return Ok(None);
                }
            }
        }
        match expand_list(bytes, pieces.iter().map(|piece| &piece[..])) {
            Ok(chunks) => Ok(Some(Wanted { file, bytes, chunks })),
            Err(_) => {
                self.lose(file, "damaged")?;
                Ok(None)
            }
        }
    }

    /// Fetches each pack once and puts files together as soon as their last chunk is there. Other hands open chunks and
    /// store files; what they made of a pack becomes durable together.
    async fn fetch_together(&mut self, files: Vec<Wanted>) -> Result<()> {
        let (order, mut together) = self.plan(files)?;
        let mut number = self.archive.next_file_number()?;
        let mut opening: FuturesUnordered<Job<Vec<(ChunkId, Opened<Wiped>)>>> = FuturesUnordered::new();
        let mut storing: FuturesUnordered<Job<Vec<Stored>>> = FuturesUnordered::new();
        let source = self.source;
        let mut coming = futures::stream::iter(order)
            .map(|id| async move { (id, source.read(id, Part::Whole).await) })
            .buffered(AHEAD);
        let mut ended = false;
        loop {
            self.work.check()?;
            tokio::select! {
                biased;
                Some(stored) = storing.next() => self.keep(stored?)?,
                Some(opened) = opening.next(), if storing.is_empty() => {
                    let ready = together.take(opened?);
                    let mut files = Vec::with_capacity(ready.len());
                    for (wanted, parts) in ready {
                        match parts {
                            Ok(parts) => files.push((wanted.file, number, parts)),
                            Err(why) => self.lose(wanted.file, why)?,
                        }
                        number += 1;
                    }
                    let store = self.archive.media_writer();
                    storing.push(self.hands.begin(move || {
                        let stored = files.into_iter().map(|(file, number, parts)| {
                            let mut content = Parts { parts: parts.into(), at: 0 };
                            Stored { file, taken: store.write(number, &mut content) }
                        });
                        stored.collect()
                    }));
                }
                got = coming.next(), if !ended && opening.is_empty() => match got {
                    None => ended = true,
                    Some((pack, got)) => {
                        let got = got.map_or_else(|no| no.reason().map(Err), |bytes| Ok(Ok(bytes)))?;
                        let mut entries = Vec::new();
                        for id in together.needed.remove(&pack).unwrap_or_default() {
                            let chunk = self.archive.chunk(&id)?.ok_or_else(|| broken("a chunk lost its place"))?;
                            entries.push(entry(&chunk)?);
                        }
                        let (account, ids) = (*self.account, self.ids.clone());
                        opening.push(self.hands.begin(move || open_all(&account, &ids, &entries, got)));
                    }
                },
                else => return Ok(()),
            }
        }
    }

    /// Which packs to fetch, newest files first, and what of them is for whom.
    fn plan(&mut self, files: Vec<Wanted>) -> Result<(Vec<PackId>, Together)> {
        let mut together = Together::default();
        let mut order: Vec<PackId> = Vec::new();
        for wanted in files {
            let Some(places) = self.places(&wanted)? else {
                self.lose(wanted.file, NO_PLACE)?;
                continue;
            };
            for chunk in places {
                *together.users.entry(chunk.id).or_default() += 1;
                let of_pack = together.needed.entry(chunk.pack).or_default();
                if of_pack.is_empty() {
                    order.push(chunk.pack);
                }
                of_pack.insert(chunk.id);
            }
            together.waiting.push(wanted);
        }
        Ok((order, together))
    }

    /// Fetches a long file chunk by chunk. Until it is whole its chunks lie on the disk as the vault seals them.
    async fn fetch_alone(&mut self, wanted: Wanted) -> Result<()> {
        let dir = self.archive.dir().to_path_buf();
        let failed = |e| Error::io(&dir, e);
        let mut sealed_chunks = tempfile::tempfile_in(&dir).map_err(failed)?;
        let mut entries = VecDeque::with_capacity(wanted.chunks.len());
        for id in &wanted.chunks {
            self.work.check()?;
            let Some(chunk) = self.archive.chunk(id)? else { return self.lose(wanted.file, NO_PLACE) };
            match self.sealed(&chunk).await? {
                Ok(sealed) => sealed_chunks.write_all(&sealed).map_err(failed)?,
                Err(why) => return self.lose(wanted.file, why),
            }
            entries.push_back(entry(&chunk)?);
        }
        sealed_chunks.rewind().map_err(failed)?;
        let content = Opening {
            account: *self.account,
            ids: self.ids.clone(),
            sealed_chunks,
            entries,
            part: Wiped::default(),
            at: 0,
        };
        self.store(wanted.file, content)
    }

    async fn sealed(&mut self, chunk: &Chunk) -> Result<Opened<Vec<u8>>> {
        let part = Part::Range { offset: chunk.at.into(), length: chunk.sealed_bytes.into() };
        match self.source.read(chunk.pack, part).await {
            Ok(bytes) if bytes.len() == chunk.sealed_bytes as usize => Ok(Ok(bytes)),
            Ok(_) => Ok(Err("truncated")),
            Err(no) => no.reason().map(Err),
        }
    }

    async fn chunk_alone(&mut self, id: &ChunkId) -> Result<Opened<Wiped>> {
        let Some(chunk) = self.archive.chunk(id)? else { return Ok(Err(NO_PLACE)) };
        let sealed = match self.sealed(&chunk).await? {
            Ok(sealed) => sealed,
            Err(why) => return Ok(Err(why)),
        };
        Ok(open_packed_chunk(self.account, &self.ids, &entry(&chunk)?, &sealed).map_err(|_| "damaged"))
    }

    /// Stores a file that is read piece by piece.
    fn store(&mut self, file: FileId, mut content: impl Read) -> Result<()> {
        let number = self.archive.next_file_number()?;
        let taken = self.archive.media_writer().write(number, &mut content);
        self.keep(vec![Stored { file, taken }])
    }

    /// Makes stored files durable, those that are what their names say.
    fn keep(&mut self, stored: Vec<Stored>) -> Result<()> {
        let mut right = Vec::with_capacity(stored.len());
        for Stored { file, taken } in stored {
            match taken {
                Ok(taken) if taken.file() == file => right.push(taken),
                Ok(wrong) => {
                    self.archive.discard(wrong)?;
                    self.lose(file, "damaged")?;
                }
                Err(ArchiveError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => self.lose(file, "damaged")?,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.files += right.len() as u64;
        self.out.bytes += right.iter().map(StoredFile::bytes).sum::<u64>();
        self.archive.keep_files(right)?;
        self.work.tell(Progress {
            phase: Phase::Download,
            done_bytes: self.out.bytes,
            total_bytes: 0,
            done_items: self.out.files,
            total_items: self.total,
        });
        Ok(())
    }

    fn lose(&mut self, file: FileId, reason: &'static str) -> Result<()> {
        self.lost.insert(file);
        let reason = reason.to_owned();
        let of_messages = self.archive.messages_of_file(&file)?;
        if of_messages.is_empty() {
            // No message lists it: it is a text that was too long for its row.
            let attachment = Some("a long text".to_owned());
            self.out.missing.push(Missing { message: None, attachment, reason });
            return Ok(());
        }
        for (message, attachment) in of_messages {
            self.out.missing.push(Missing { message: Some(message), attachment, reason: reason.clone() });
        }
        Ok(())
    }

    fn places(&self, wanted: &Wanted) -> Result<Option<Vec<Chunk>>> {
        let mut places = Vec::with_capacity(wanted.chunks.len());
        for id in &wanted.chunks {
            let Some(chunk) = self.archive.chunk(id)? else { return Ok(None) };
            places.push(chunk);
        }
        Ok(Some(places))
    }
}

/// A file as it was stored, not yet durable, or why it was not.
struct Stored {
    file: FileId,
    taken: crate::archive::Result<StoredFile>,
}

/// A file's chunks, in order.
type FileParts = Vec<Arc<Wiped>>;

/// Files that are fetched together: most share packs.
#[derive(Default)]
struct Together {
    /// Chunks to open, by the pack they lie in.
    needed: BTreeMap<PackId, BTreeSet<ChunkId>>,
    /// How many files still need a chunk.
    users: HashMap<ChunkId, usize>,
    waiting: Vec<Wanted>,
    here: HashMap<ChunkId, Opened<Arc<Wiped>>>,
}

impl Together {
    /// Takes opened chunks; gives the files that have all of theirs now, or why one cannot be had.
    fn take(&mut self, opened: Vec<(ChunkId, Opened<Wiped>)>) -> Vec<(Wanted, Opened<FileParts>)> {
        self.here.extend(opened.into_iter().map(|(id, content)| (id, content.map(Arc::new))));
        let here = &self.here;
        let (ready, rest): (Vec<Wanted>, Vec<Wanted>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|w| w.chunks.iter().all(|c| here.contains_key(c)));
        self.waiting = rest;
        let mut out = Vec::with_capacity(ready.len());
        for wanted in ready {
            let parts = wanted.chunks.iter().filter_map(|chunk| self.here.get(chunk).cloned()).collect();
            for chunk in &wanted.chunks {
                let left = self.users.entry(*chunk).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    self.here.remove(chunk);
                }
            }
            out.push((wanted, parts));
        }
        out
    }
}

/// Opens chunks of one pack.
fn open_all(
    account: &AccountId,
    ids: &ChunkIdKey,
    entries: &[ChunkEntry],
    pack: Opened<Vec<u8>>,
) -> Vec<(ChunkId, Opened<Wiped>)> {
    let open = |entry: &ChunkEntry| {
        let bytes = pack.as_ref().map_err(|why| *why)?;
        let start = entry.offset as usize;
        let sealed = bytes.get(start..start.saturating_add(entry.sealed_len as usize)).ok_or("truncated")?;
        open_packed_chunk(account, ids, entry, sealed).map_err(|_| "damaged")
    };
    let opened = entries.iter().map(|entry| (entry.id, open(entry))).collect();
    if let Ok(bytes) = pack {
        large::give(bytes);
    }
    opened
}

/// Pieces of memory, read one after another.
struct Parts {
    parts: VecDeque<Arc<Wiped>>,
    at: usize,
}

impl Read for Parts {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.parts.front() {
            let mut rest = part.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.parts.pop_front();
                self.at = 0;
                continue;
            }
            let n = rest.read(out)?;
            self.at += n;
            return Ok(n);
        }
        Ok(0)
    }
}

/// Sealed chunks one after another in a file, opened as they are read.
struct Opening {
    account: AccountId,
    ids: Arc<ChunkIdKey>,
    sealed_chunks: File,
    entries: VecDeque<ChunkEntry>,
    part: Wiped,
    at: usize,
}

impl Read for Opening {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.len() {
            let Some(entry) = self.entries.pop_front() else { return Ok(0) };
            let mut sealed = vec![0; entry.sealed_len as usize];
            self.sealed_chunks.read_exact(&mut sealed)?;
            self.part = open_packed_chunk(&self.account, &self.ids, &entry, &sealed)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a chunk does not verify"))?;
            self.at = 0;
        }
        let n = self.part.as_slice().get(self.at..).unwrap_or_default().read(out)?;
        self.at += n;
        Ok(n)
    }
}
