//! Where attachments lie in the vault: the local form of the chunk runs, and what still waits to be sent.

use rusqlite::{OptionalExtension, params};

use super::error::{ArchiveError, Result};
use super::outside::{AT_HAND, WANTED};
use super::statements::Statements as _;
use super::stretch::{self, Opened};
use super::{Archive, Commit, chats};
use crate::ids::{ChunkId, EventId, FileId, PackId};
use zeroize::Zeroizing;

/// A chunk's place (`docs/format.md` §5.2).
pub struct Chunk {
    pub id: ChunkId,
    pub pack: PackId,
    pub at: u32,
    pub sealed_bytes: u32,
    pub key: Zeroizing<[u8; 32]>,
    pub coding: u8,
}

/// A file's chunks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileChunks {
    pub file: FileId,
    pub bytes: u64,
    /// 0: the chunks in order; 1: chunks that hold the list.
    pub depth: u8,
    pub chunks: Vec<ChunkId>,
}

impl FileChunks {
    /// A longer list is held in chunks of its own.
    pub const CHUNKS_MAX: usize = 512;
}

impl Archive {
    pub fn chunk(&self, id: &ChunkId) -> Result<Option<Chunk>> {
        let sql = "SELECT chunk, pack, at, bytes, key, coding FROM chunks WHERE chunk = ?1";
        Ok(self.db.one(sql, [id.0], chunk).optional()?)
    }

    /// Chunks of one pack, by place.
    pub fn chunks_of(&self, pack: &PackId) -> Result<Vec<Chunk>> {
        let mut statement = self
            .db
            .prepare_cached("SELECT chunk, pack, at, bytes, key, coding FROM chunks WHERE pack = ?1 ORDER BY at")?;
        let found = statement.query_map([pack.0], chunk)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Hands out all chunks by id, as a chunk run holds them, until `take` answers false.
    pub fn each_chunk(&self, mut take: impl FnMut(Chunk) -> Result<bool>) -> Result<()> {
        let mut statement =
            self.db.prepare_cached("SELECT chunk, pack, at, bytes, key, coding FROM chunks ORDER BY chunk")?;
        for found in statement.query_map([], chunk)? {
            if !take(found?)? {
                break;
            }
        }
        Ok(())
    }

    pub fn file_chunks(&self, file: &FileId) -> Result<Option<FileChunks>> {
        let sql = "SELECT bytes, depth, chunks FROM file_chunks WHERE file = ?1";
        let found = self.db.one(sql, [file.0], |r| {
            let list: Vec<u8> = r.get(2)?;
            let chunks = list.chunks_exact(ChunkId::LEN).filter_map(ChunkId::from_slice).collect();
            Ok(FileChunks { file: *file, bytes: r.get::<_, i64>(0)?.cast_unsigned(), depth: r.get(1)?, chunks })
        });
        Ok(found.optional()?)
    }

    /// Files that can be read on this device and the vault lacks, behind `after`.
    pub fn waiting(&self, after: Option<&FileId>, limit: usize) -> Result<Vec<(FileId, u64)>> {
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT file, bytes FROM files f WHERE vault = 0 AND {AT_HAND} AND {WANTED} AND file > ?1 ORDER BY file LIMIT ?2"
        ))?;
        let after = after.map_or(Vec::new(), |f| f.0.to_vec());
        let found = statement.query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], |r| {
            Ok((FileId(r.get(0)?), r.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Files that messages name and this device lacks, those of the newest messages first.
    pub fn absent(&self, limit: usize) -> Result<Vec<FileId>> {
        let mut statement = self.db.prepare_cached(
            "SELECT file FROM attachments a WHERE file IS NOT NULL AND NOT EXISTS \
               (SELECT 1 FROM files f WHERE f.file = a.file AND f.here IS NOT NULL) \
             GROUP BY file ORDER BY max(n) DESC LIMIT ?1",
        )?;
        let found = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |r| Ok(FileId(r.get(0)?)))?;
        let mut list: Vec<FileId> = found.collect::<rusqlite::Result<_>>()?;
        let mut long = self.db.prepare_cached(
            "SELECT DISTINCT file FROM long_fields l WHERE NOT EXISTS \
               (SELECT 1 FROM files f WHERE f.file = l.file AND f.here IS NOT NULL) LIMIT ?1",
        )?;
        let left = i64::try_from(limit.saturating_sub(list.len())).unwrap_or(i64::MAX);
        for file in long.query_map([left], |r| Ok(FileId(r.get(0)?)))? {
            list.push(file?);
        }
        Ok(list)
    }
}

impl Archive {
    /// Files that the vault lacks and whose chunks all have a place.
    pub fn whole_files(&self) -> Result<Vec<FileChunks>> {
        let mut placed = self.db.prepare_cached("SELECT EXISTS (SELECT 1 FROM chunks WHERE chunk = ?1)")?;
        let mut statement = self.db.prepare_cached(
            "SELECT c.file, c.bytes, c.depth, c.chunks FROM files f JOIN file_chunks c ON c.file = f.file \
             WHERE f.vault = 0 ORDER BY c.file",
        )?;
        let mut list = Vec::new();
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let file = file_row(row)?;
            let mut every = true;
            for chunk in &file.chunks {
                every = every && placed.query_row([chunk.0], |r| r.get::<_, bool>(0))?;
            }
            list.extend(every.then_some(file));
        }
        Ok(list)
    }

    /// Every file whose chunks are known.
    pub fn all_file_chunks(&self) -> Result<Vec<FileChunks>> {
        let mut statement =
            self.db.prepare_cached("SELECT file, bytes, depth, chunks FROM file_chunks ORDER BY file")?;
        let found = statement.query_map([], file_row)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Files that need any of these chunks.
    pub fn files_of_chunks(&self, chunks: &[ChunkId]) -> Result<Vec<FileId>> {
        let wanted: std::collections::HashSet<&ChunkId> = chunks.iter().collect();
        let files = self.all_file_chunks()?.into_iter();
        Ok(files.filter(|f| f.chunks.iter().any(|c| wanted.contains(c))).map(|f| f.file).collect())
    }

    /// Messages that name a file, each with the attachment's name.
    pub fn messages_of_file(&self, file: &FileId) -> Result<Vec<(EventId, Option<String>)>> {
        let mut statement = self.db.prepare_cached(
            "SELECT m.id FROM attachments a JOIN messages m ON m.n = a.n AND m.chat = a.chat WHERE a.file = ?1",
        )?;
        let ids: Vec<EventId> =
            statement.query_map([file.0], |r| Ok(EventId(r.get(0)?)))?.collect::<rusqlite::Result<_>>()?;
        let mut list = Vec::with_capacity(ids.len());
        for id in ids {
            let named = self.message(&id)?.into_iter().flat_map(|shown| shown.message.attachments);
            let name = named.filter(|a| self.file_of(a) == Some(*file)).find_map(|a| a.name);
            list.push((id, name));
        }
        for id in self.messages_of_text(file)? {
            list.push((id, Some("a long text".to_owned())));
        }
        Ok(list)
    }

    /// Messages whose text, or an older version of it, was too long for its row and is this file.
    fn messages_of_text(&self, file: &FileId) -> Result<Vec<EventId>> {
        let mut statement = self.db.prepare_cached("SELECT DISTINCT target FROM long_fields WHERE file = ?1")?;
        let targets: Vec<EventId> =
            statement.query_map([file.0], |r| Ok(EventId(r.get(0)?)))?.collect::<rusqlite::Result<_>>()?;
        // A row joined with others is shown under another id.
        targets.into_iter().map(|id| Ok(self.message(&id)?.map_or(id, |shown| shown.message.id))).collect()
    }

    /// Log index of the first record that brought a message naming this file; none where none is in the log.
    pub fn arrival_of_file(&self, file: &FileId) -> Result<Option<u64>> {
        let mut targets = self.db.prepare_cached(
            "SELECT m.chat, m.time, m.id FROM attachments a JOIN messages m ON m.n = a.n AND m.chat = a.chat \
             WHERE a.file = ?1 UNION SELECT chat, time, target FROM long_fields WHERE file = ?1",
        )?;
        let mut single =
            self.db.prepare_cached("SELECT min(arrival) FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3")?;
        let mut first: Option<i64> = None;
        let mut found = targets.query([file.0])?;
        while let Some(r) = found.next()? {
            let (chat, time, target): (i64, i64, [u8; 32]) = (r.get(0)?, r.get(1)?, r.get(2)?);
            let mut arrival: Option<i64> = single.query_row(params![chat, time, target], |r| r.get(0))?;
            if let Some(stretch) = stretch::covering(&self.db, chat, time)? {
                let opened = Opened::new(&self.db, &self.parts, &chats::by_number(&self.db, chat)?, stretch)?;
                let of_target = opened.rows().filter(|(key, ..)| key.target.0 == target);
                arrival = of_target.filter_map(|(_, _, arrival)| arrival).min();
            }
            first = match (first, arrival) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, other) => one.or(other),
            };
        }
        Ok(first.map(i64::cast_unsigned))
    }

    /// Bytes of all files that messages name, each counted once.
    pub fn media_bytes(&self) -> Result<u64> {
        let sql = format!("SELECT coalesce(sum(bytes), 0) FROM files f WHERE {AT_HAND}");
        Ok(self.db.one(&sql, [], |r| r.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Bytes of all messages' texts.
    pub fn text_bytes(&self) -> Result<u64> {
        let sql = "SELECT coalesce(sum(text_bytes), 0) FROM chats";
        Ok(self.db.one(sql, [], |r| r.get::<_, i64>(0))?.cast_unsigned())
    }
}

fn file_row(r: &rusqlite::Row<'_>) -> rusqlite::Result<FileChunks> {
    let list: Vec<u8> = r.get(3)?;
    let chunks = list.chunks_exact(ChunkId::LEN).filter_map(ChunkId::from_slice).collect();
    Ok(FileChunks { file: FileId(r.get(0)?), bytes: r.get::<_, i64>(1)?.cast_unsigned(), depth: r.get(2)?, chunks })
}

impl Commit<'_> {
    /// Marks files as kept by the vault whose chunks all lie in packs that records pin.
    pub fn settle_files(&mut self) -> Result<()> {
        self.mark_files(
            "SELECT EXISTS (SELECT 1 FROM chunks c WHERE c.chunk = ?1 \
             AND NOT EXISTS (SELECT 1 FROM packs p WHERE p.pack = c.pack))",
            0,
            |every| every,
        )
    }

    /// Lets files wait again that need a chunk which has no place any more.
    pub fn forget_files_without_chunks(&mut self) -> Result<()> {
        self.mark_files("SELECT EXISTS (SELECT 1 FROM chunks WHERE chunk = ?1)", 1, |every| !every)
    }

    /// Turns files of one standing into the other, by whether a question holds for every one of their chunks.
    fn mark_files(&mut self, question: &str, standing: i64, turn: impl Fn(bool) -> bool) -> Result<()> {
        let mut files = self.db.prepare_cached(
            "SELECT c.file, c.bytes, c.depth, c.chunks FROM files f JOIN file_chunks c ON c.file = f.file WHERE f.vault = ?1",
        )?;
        let files: Vec<FileChunks> = files.query_map([standing], file_row)?.collect::<rusqlite::Result<_>>()?;
        let mut ask = self.db.prepare_cached(question)?;
        for file in files {
            let mut every = true;
            for chunk in &file.chunks {
                every &= ask.query_row([chunk.0], |r| r.get::<_, bool>(0))?;
            }
            if turn(every) {
                self.set_in_vault(&file.file, standing == 0)?;
            }
        }
        Ok(())
    }

    /// Notes a chunk's place; a newer place replaces the older.
    pub fn set_chunk(&mut self, chunk: &Chunk) -> Result<()> {
        let Chunk { id, pack, at, sealed_bytes, key, coding } = chunk;
        let values = params![id.0, pack.0, at, sealed_bytes, key.as_slice(), coding];
        self.db.run("INSERT OR REPLACE INTO chunks VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values)?;
        Ok(())
    }

    pub fn drop_chunk(&mut self, id: &ChunkId) -> Result<()> {
        self.db.run("DELETE FROM chunks WHERE chunk = ?1", [id.0])?;
        Ok(())
    }

    pub fn set_file_chunks(&mut self, chunks: &FileChunks) -> Result<()> {
        if chunks.chunks.len() > FileChunks::CHUNKS_MAX {
            return Err(ArchiveError::Refused("a file entry names more than 512 chunks"));
        }
        let list: Vec<u8> = chunks.chunks.iter().flat_map(|c| c.0).collect();
        let values = params![chunks.file.0, chunks.bytes.cast_signed(), chunks.depth, list];
        self.db.run("INSERT OR REPLACE INTO file_chunks VALUES (?1, ?2, ?3, ?4)", values)?;
        Ok(())
    }

    pub fn drop_file_chunks(&mut self, file: &FileId) -> Result<()> {
        self.db.run("DELETE FROM file_chunks WHERE file = ?1", [file.0])?;
        self.set_in_vault(file, false)
    }

    /// Says whether the vault has a file's bytes.
    pub fn set_in_vault(&mut self, file: &FileId, in_vault: bool) -> Result<()> {
        self.db.run("UPDATE files SET vault = ?2 WHERE file = ?1", params![file.0, in_vault])?;
        Ok(())
    }
}

fn chunk(r: &rusqlite::Row<'_>) -> rusqlite::Result<Chunk> {
    Ok(Chunk {
        id: ChunkId(r.get(0)?),
        pack: PackId(r.get(1)?),
        at: r.get(2)?,
        sealed_bytes: r.get(3)?,
        key: Zeroizing::new(r.get(4)?),
        coding: r.get(5)?,
    })
}
