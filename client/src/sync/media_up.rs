//! Attachments the vault lacks: cut, sealed, packed and sent; then pinned by a record that says where they lie.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proto::wire::events::EventsClear;
use proto::wire::header::RecordKind;
use proto::wire::limits::{PIN_BYTES_MAX, RECORD_PACKS_MAX};

use super::apply::{entry, file_entry, stored};
use super::flow::{Flow, broken};
use super::send::Sent;
use super::upload::{Uploader, reserved};
use crate::archive::{FileChunks, OwnRecord, PackState};
use crate::chunk::{Chunks, Cutter, list_chunks, seal_chunk};
use crate::crypto::content_bytes_max;
use crate::error::{Error, Result};
use crate::ids::{ChunkId, FileId, PackId};
use crate::log::{EventsContent, RECORD_CHUNKS_MAX};
use crate::pack::{ChunkPacker, ChunkRunEntry, ChunkRunWriter, SealedChunkPack};
use crate::vault::{Phase, Progress};

/// Files looked up at once.
const FILES_AT_ONCE: usize = 256;
/// Packs sent before a record pins them; the record also names packs whose chunks are used again.
const PIN_PACKS: usize = 200;

impl Flow<'_> {
    /// Sends every attachment on this device that the vault lacks. Answers how many files it now has, and how many of
    /// their bytes it had already.
    pub async fn push_media(&mut self) -> Result<(u64, u64)> {
        let counts = self.archive.counts()?;
        if counts.waiting == 0 {
            return Ok((0, 0));
        }
        self.drop_lost_packs().await?;
        let mut told = Progress {
            phase: Phase::Upload,
            done_bytes: 0,
            total_bytes: counts.waiting_bytes,
            done_items: 0,
            total_items: counts.waiting,
        };
        let cutter = Cutter::new(&self.keys.cut);
        let chunk_key = self.vault.ring.lifetime().chunk_id_key();
        let mut uploader = Uploader::new(&self.work);
        let mut packer = ChunkPacker::new(self.account(), &chunk_key);
        // Chunks that wait in the packer.
        let mut pooled: HashSet<ChunkId> = HashSet::new();
        let (mut after, mut known_bytes, mut since_pin) = (None, 0, 0);
        loop {
            let files = self.archive.waiting(after.as_ref(), FILES_AT_ONCE)?;
            let Some((last, _)) = files.last() else { break };
            after = Some(*last);
            for (file, bytes) in files {
                self.work.check()?;
                let mut packs = Vec::new();
                known_bytes += self.pack_file(file, &cutter, &mut packer, &mut pooled, &mut packs)?;
                for pack in packs {
                    since_pin += pack.class.bytes() as u64;
                    self.send_chunks(pack, &mut uploader, &mut pooled).await?;
                }
                told.done_bytes += bytes;
                told.done_items += 1;
                self.work.tell(told);
                if since_pin > PIN_BYTES_MAX - (64 << 20) || self.archive.staged_packs()?.len() >= PIN_PACKS {
                    uploader.finish(self.archive).await?;
                    self.pin_chunks(&mut uploader).await?;
                    since_pin = 0;
                }
            }
        }
        for pack in packer.finish(&mut self.entropy()).map_err(internal)? {
            self.send_chunks(pack, &mut uploader, &mut pooled).await?;
        }
        uploader.finish(self.archive).await?;
        self.pin_chunks(&mut uploader).await?;
        let left = self.archive.counts()?.waiting;
        Ok((counts.waiting.saturating_sub(left), known_bytes))
    }

    /// Cuts one file and gives its unknown chunks to the packer; answers how many of its bytes the vault has already.
    fn pack_file(
        &mut self,
        file: FileId,
        cutter: &Cutter,
        packer: &mut ChunkPacker<'_>,
        pooled: &mut HashSet<ChunkId>,
        packs: &mut Vec<SealedChunkPack>,
    ) -> Result<u64> {
        let Some(content) = self.archive.file(&file)? else { return Ok(0) };
        let (account, mut entropy) = (self.account(), self.entropy());
        let bytes = content.bytes();
        let mut chunks = Chunks::new(content, cutter);
        let mut ids = Vec::new();
        let mut known_bytes = 0;
        let unread = |e| Error::io(self.archive.dir(), e);
        while let Some(chunk) = chunks.next_chunk().map_err(unread)? {
            let id = self.keys.chunk.chunk(chunk);
            ids.push(id);
            if pooled.contains(&id) || self.archive.chunk(&id)?.is_some() {
                known_bytes += chunk.len() as u64;
                continue;
            }
            let sealed = seal_chunk(&account, &self.keys.chunk, chunk, &mut entropy);
            pooled.insert(id);
            packs.extend(packer.push(sealed, &mut entropy).map_err(internal)?);
        }
        let (list, pieces) = list_chunks(ids, &self.keys.chunk)
            .ok_or_else(|| Error::Refused("a file is longer than the format can name".to_owned()))?;
        for piece in &pieces {
            let id = self.keys.chunk.chunk(piece);
            if pooled.insert(id) && self.archive.chunk(&id)?.is_none() {
                let sealed = seal_chunk(&account, &self.keys.chunk, piece, &mut entropy);
                packs.extend(packer.push(sealed, &mut entropy).map_err(internal)?);
            }
        }
        let entry = FileChunks { file, bytes, depth: list.depth, chunks: list.ids };
        self.archive.commit(|c| c.set_file_chunks(&entry))?;
        Ok(known_bytes)
    }

    async fn send_chunks(
        &mut self,
        pack: SealedChunkPack,
        uploader: &mut Uploader,
        pooled: &mut HashSet<ChunkId>,
    ) -> Result<()> {
        let staged = reserved(pack.id, pack.class, self.vault.session.env.now_ms());
        self.archive.commit(|c| {
            c.set_pack(&staged)?;
            for entry in &pack.entries {
                c.set_chunk(&stored(entry))?;
            }
            Ok(())
        })?;
        for entry in &pack.entries {
            pooled.remove(&entry.id);
        }
        uploader.send(&self.vault.session, self.archive, pack.id, pack.class, pack.bytes).await
    }

    /// Signs records that pin what is staged, and the files that are whole by it, until nothing is left.
    async fn pin_chunks(&mut self, uploader: &mut Uploader) -> Result<()> {
        loop {
            let staged: BTreeSet<PackId> = self.archive.staged_packs()?.iter().map(|p| p.pack).collect();
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
                // Packs whose chunks the file uses again are relied on as well.
                let mut relied = BTreeSet::new();
                for chunk in &file.chunks {
                    relied.extend(self.archive.chunk(chunk)?.map(|chunk| chunk.pack));
                }
                let more = relied.difference(&packs).count();
                if relied.iter().any(|pack| staged.contains(pack) && !packs.contains(pack))
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
            match self.pin_entries(found.into_values().collect(), packs, uploader).await? {
                Sent::Taken | Sent::Moved => {}
                Sent::Gone(gone) => {
                    self.forget_packs(&gone)?;
                    return Ok(());
                }
            }
        }
    }

    async fn pin_entries(
        &mut self,
        entries: Vec<ChunkRunEntry>,
        mut packs: BTreeSet<PackId>,
        uploader: &mut Uploader,
    ) -> Result<Sent> {
        let clear =
            |packs: &BTreeSet<PackId>| EventsClear { packs: packs.iter().copied().collect(), permit: None }.encode();
        let chunks = entries.iter().filter(|e| matches!(e, ChunkRunEntry::Chunk(_))).count();
        let mut content = EventsContent { chunks: entries, ..EventsContent::default() };
        if chunks > RECORD_CHUNKS_MAX || content.encode().len() > content_bytes_max(clear(&packs).len()) {
            let mut writer = ChunkRunWriter::new(self.label(0));
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
                uploader.send(&self.vault.session, self.archive, pack, class, run.bytes).await?;
            }
            uploader.finish(self.archive).await?;
        }
        let sealed = self.seal(RecordKind::Events, self.last_own(), &clear(&packs), &content.encode());
        let sealed = sealed.map_err(|e| Error::Internal(e.to_string()))?;
        let counter = sealed.record.header.counter;
        let own = OwnRecord { counter, record: sealed.record.encode().to_vec(), body: sealed.body };
        self.archive.commit(|c| c.send(&own, []))?;
        let sent = self.send_outbox().await?;
        if sent == Sent::Taken {
            self.archive.commit(|c| c.settle_files())?;
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

fn internal(error: crate::pack::PackError) -> Error {
    Error::Internal(error.to_string())
}
