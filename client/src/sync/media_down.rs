//! Attachments this device lacks, pack by pack: each pack is fetched once, whatever files its chunks belong to.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};

use futures::StreamExt as _;

use super::apply::entry;
use super::flow::broken;
use super::packs::{Packs, Part};
use super::restore::Missing;
use crate::archive::{Archive, ArchiveError, Chunk, FileChunks};
use crate::chunk::expand_list;
use crate::crypto::ChunkIdKey;
use crate::crypto::Wiped;
use crate::error::{Error, Result};
use crate::ids::{AccountId, ChunkId, FileId, PackId};
use crate::pack::{ChunkEntry, open_packed_chunk};
use crate::vault::{Phase, Progress, Work};

const AHEAD: usize = 4;
/// Files looked at in one round, newest first.
const FILES_AT_ONCE: usize = 2_000;
/// Sealed chunks kept in memory while the rest of their files is fetched; above it files are fetched one by one.
const SPOOL_BYTES_MAX: u64 = 48 << 20;

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
    ids: &ChunkIdKey,
    archive: &mut Archive,
    work: &Work,
) -> Result<Fetched> {
    let mut out = Fetched::default();
    let mut given_up: BTreeSet<FileId> = BTreeSet::new();
    let total = archive.counts()?.attachments_absent;
    loop {
        let mut files = archive.absent(FILES_AT_ONCE + given_up.len())?;
        files.retain(|file| !given_up.contains(file));
        if files.is_empty() {
            return Ok(out);
        }
        let mut round = Round { source, account, ids, archive, work, out: &mut out, lost: &mut given_up, total };
        round.fetch(files).await?;
    }
}

struct Round<'a> {
    source: &'a dyn Packs,
    account: &'a AccountId,
    ids: &'a ChunkIdKey,
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

    /// Fetches each pack once and puts files together as soon as their last chunk is there.
    async fn fetch_together(&mut self, files: Vec<Wanted>) -> Result<()> {
        let mut needed: BTreeMap<PackId, BTreeSet<ChunkId>> = BTreeMap::new();
        let mut order: Vec<PackId> = Vec::new();
        let mut users: HashMap<ChunkId, usize> = HashMap::new();
        let mut waiting: Vec<Wanted> = Vec::new();
        for wanted in files {
            let places = self.places(&wanted)?;
            let Some(places) = places else {
                self.lose(wanted.file, NO_PLACE)?;
                continue;
            };
            for chunk in places {
                *users.entry(chunk.id).or_default() += 1;
                let of_pack = needed.entry(chunk.pack).or_default();
                if of_pack.is_empty() {
                    order.push(chunk.pack);
                }
                of_pack.insert(chunk.id);
            }
            waiting.push(wanted);
        }
        let mut here: HashMap<ChunkId, Opened<Wiped>> = HashMap::new();
        let source = self.source;
        let mut coming = futures::stream::iter(order)
            .map(|id| async move { (id, source.read(id, Part::Whole).await) })
            .buffered(AHEAD);
        while let Some((pack, got)) = coming.next().await {
            self.work.check()?;
            let got = match got {
                Ok(bytes) => Ok(bytes),
                Err(no) => Err(no.reason()?),
            };
            for id in needed.remove(&pack).unwrap_or_default() {
                let opened = match &got {
                    Ok(bytes) => self.open(&id, bytes)?,
                    Err(why) => Err(*why),
                };
                here.insert(id, opened);
            }
            let (ready, rest) =
                waiting.into_iter().partition(|w: &Wanted| w.chunks.iter().all(|c| here.contains_key(c)));
            waiting = rest;
            let ready: Vec<Wanted> = ready;
            for wanted in ready {
                self.put_together(&wanted, &here)?;
                for chunk in &wanted.chunks {
                    let left = users.entry(*chunk).or_default();
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        here.remove(chunk);
                    }
                }
            }
        }
        Ok(())
    }

    fn put_together(&mut self, wanted: &Wanted, here: &HashMap<ChunkId, Opened<Wiped>>) -> Result<()> {
        let mut parts = Vec::with_capacity(wanted.chunks.len());
        for chunk in &wanted.chunks {
            match here.get(chunk) {
                Some(Ok(content)) => parts.push(&content[..]),
                Some(Err(why)) => return self.lose(wanted.file, why),
                None => return Err(broken("a chunk was let go too early")),
            }
        }
        self.keep(wanted, Parts { parts: parts.into(), at: 0 })
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
        let content =
            Opening { account: *self.account, ids: self.ids, sealed_chunks, entries, part: Wiped::default(), at: 0 };
        self.keep(&wanted, content)
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
        Ok(open_packed_chunk(self.account, self.ids, &entry(&chunk)?, &sealed).map_err(|_| "damaged"))
    }

    fn open(&self, id: &ChunkId, pack: &[u8]) -> Result<Opened<Wiped>> {
        let Some(chunk) = self.archive.chunk(id)? else { return Ok(Err(NO_PLACE)) };
        let entry = entry(&chunk)?;
        let range = entry.offset as usize..(entry.offset as usize).saturating_add(entry.sealed_len as usize);
        let Some(sealed) = pack.get(range) else { return Ok(Err("truncated")) };
        Ok(open_packed_chunk(self.account, self.ids, &entry, sealed).map_err(|_| "damaged"))
    }

    /// Stores a file, and holds what was stored to its name.
    fn keep(&mut self, wanted: &Wanted, mut content: impl Read) -> Result<()> {
        let (file, taken) = match self.archive.add_file(&mut content) {
            Ok(stored) => stored,
            Err(ArchiveError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => {
                return self.lose(wanted.file, "damaged");
            }
            Err(error) => return Err(error.into()),
        };
        if file != wanted.file {
            return self.lose(wanted.file, "damaged");
        }
        self.archive.commit(|c| c.set_in_vault(&file, true))?;
        self.out.files += 1;
        self.out.bytes += taken.bytes;
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

/// Pieces of memory, read one after another.
struct Parts<'a> {
    parts: VecDeque<&'a [u8]>,
    at: usize,
}

impl Read for Parts<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.parts.front() {
            let rest = part.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.parts.pop_front();
                self.at = 0;
                continue;
            }
            let mut rest = rest;
            let n = rest.read(out)?;
            self.at += n;
            return Ok(n);
        }
        Ok(0)
    }
}

/// Sealed chunks one after another in a file, opened as they are read.
struct Opening<'a> {
    account: AccountId,
    ids: &'a ChunkIdKey,
    sealed_chunks: File,
    entries: VecDeque<ChunkEntry>,
    part: Wiped,
    at: usize,
}

impl Read for Opening<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.len() {
            let Some(entry) = self.entries.pop_front() else { return Ok(0) };
            let mut sealed = vec![0; entry.sealed_len as usize];
            self.sealed_chunks.read_exact(&mut sealed)?;
            self.part = open_packed_chunk(&self.account, self.ids, &entry, &sealed)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a chunk does not verify"))?;
            self.at = 0;
        }
        let n = self.part.as_slice().get(self.at..).unwrap_or_default().read(out)?;
        self.at += n;
        Ok(n)
    }
}
