//! Where attachments lie in the vault: the local form of the chunk runs, and what still waits to be sent.

use rusqlite::{OptionalExtension, params};

use super::error::{ArchiveError, Result};
use super::{Archive, Commit};
use crate::ids::{ChunkId, FileId, PackId};
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
        Ok(self.db.query_row(sql, [id.0], chunk).optional()?)
    }

    /// Chunks of one pack, by place.
    pub fn chunks_of(&self, pack: &PackId) -> Result<Vec<Chunk>> {
        let mut statement =
            self.db.prepare("SELECT chunk, pack, at, bytes, key, coding FROM chunks WHERE pack = ?1 ORDER BY at")?;
        let found = statement.query_map([pack.0], chunk)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Hands out all chunks by id, as a chunk run holds them, until `take` answers false.
    pub fn each_chunk(&self, mut take: impl FnMut(Chunk) -> Result<bool>) -> Result<()> {
        let mut statement = self.db.prepare("SELECT chunk, pack, at, bytes, key, coding FROM chunks ORDER BY chunk")?;
        for found in statement.query_map([], chunk)? {
            if !take(found?)? {
                break;
            }
        }
        Ok(())
    }

    pub fn file_chunks(&self, file: &FileId) -> Result<Option<FileChunks>> {
        let sql = "SELECT bytes, depth, chunks FROM file_chunks WHERE file = ?1";
        let found = self.db.query_row(sql, [file.0], |r| {
            let list: Vec<u8> = r.get(2)?;
            let chunks = list.chunks_exact(ChunkId::LEN).filter_map(ChunkId::from_slice).collect();
            Ok(FileChunks { file: *file, bytes: r.get::<_, i64>(0)?.cast_unsigned(), depth: r.get(1)?, chunks })
        });
        Ok(found.optional()?)
    }

    /// Files on this device that the vault lacks, behind `after`.
    pub fn waiting(&self, after: Option<&FileId>, limit: usize) -> Result<Vec<(FileId, u64)>> {
        let mut statement = self.db.prepare(
            "SELECT file, bytes FROM files WHERE here IS NOT NULL AND vault = 0 AND file > ?1 ORDER BY file LIMIT ?2",
        )?;
        let after = after.map_or(Vec::new(), |f| f.0.to_vec());
        let found = statement.query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], |r| {
            Ok((FileId(r.get(0)?), r.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Files that messages name and this device lacks, those of the newest messages first.
    pub fn absent(&self, limit: usize) -> Result<Vec<FileId>> {
        let mut statement = self.db.prepare(
            "SELECT file FROM attachments a WHERE file IS NOT NULL AND NOT EXISTS \
               (SELECT 1 FROM files f WHERE f.file = a.file AND f.here IS NOT NULL) \
             GROUP BY file ORDER BY max(n) DESC LIMIT ?1",
        )?;
        let found = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |r| Ok(FileId(r.get(0)?)))?;
        let mut list: Vec<FileId> = found.collect::<rusqlite::Result<_>>()?;
        let mut long = self.db.prepare(
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

impl Commit<'_> {
    /// Notes a chunk's place; a newer place replaces the older.
    pub fn set_chunk(&mut self, chunk: &Chunk) -> Result<()> {
        let Chunk { id, pack, at, sealed_bytes, key, coding } = chunk;
        let values = params![id.0, pack.0, at, sealed_bytes, key.as_slice(), coding];
        self.db.execute("INSERT OR REPLACE INTO chunks VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values)?;
        Ok(())
    }

    pub fn drop_chunk(&mut self, id: &ChunkId) -> Result<()> {
        self.db.execute("DELETE FROM chunks WHERE chunk = ?1", [id.0])?;
        Ok(())
    }

    pub fn set_file_chunks(&mut self, chunks: &FileChunks) -> Result<()> {
        if chunks.chunks.len() > FileChunks::CHUNKS_MAX {
            return Err(ArchiveError::Refused("a file entry names more than 512 chunks"));
        }
        let list: Vec<u8> = chunks.chunks.iter().flat_map(|c| c.0).collect();
        let values = params![chunks.file.0, chunks.bytes.cast_signed(), chunks.depth, list];
        self.db.execute("INSERT OR REPLACE INTO file_chunks VALUES (?1, ?2, ?3, ?4)", values)?;
        Ok(())
    }

    pub fn drop_file_chunks(&mut self, file: &FileId) -> Result<()> {
        self.db.execute("DELETE FROM file_chunks WHERE file = ?1", [file.0])?;
        self.set_in_vault(file, false)
    }

    /// Says whether the vault has a file's bytes.
    pub fn set_in_vault(&mut self, file: &FileId, in_vault: bool) -> Result<()> {
        self.db.execute("UPDATE files SET vault = ?2 WHERE file = ?1", params![file.0, in_vault])?;
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
