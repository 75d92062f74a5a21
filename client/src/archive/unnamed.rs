//! Files of purged messages that no other message names: they leave this device, and the places of their chunks with them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::error::Result;
use super::graves::APART_MS;
use super::{Archive, Grave};
use crate::event::{Kind, Row};
use crate::ids::{ChunkId, EventId, FileId, PackId};

/// Contents of long lists: the chunks of files that have more than their entry names.
pub type LongLists = BTreeMap<FileId, Vec<ChunkId>>;

impl Archive {
    /// Files that rows of deleted messages name, while these can be undone; `except` leaves rows out by id or target.
    pub fn hidden_files(&self, except: &BTreeSet<EventId>) -> Result<BTreeSet<FileId>> {
        let mut files = self.hidden_with_messages(except)?;
        files.extend(self.media_in_force(except)?);
        Ok(files)
    }

    /// As [`hidden_files`](Self::hidden_files), where whole messages were deleted.
    pub(super) fn hidden_with_messages(&self, except: &BTreeSet<EventId>) -> Result<BTreeSet<FileId>> {
        let mut find = self.db.prepare(
            "SELECT r.id, r.target, r.value FROM tombstones t JOIN rows r ON r.chat = t.chat \
               AND r.time BETWEEN t.time - ?1 AND t.time + ?1 AND (r.id = t.id OR r.target = t.id) \
             WHERE t.open = 1 OR (t.here = 1 AND t.purged = 0)",
        )?;
        let mut found = find.query([APART_MS])?;
        let mut files = BTreeSet::new();
        while let Some(r) = found.next()? {
            if except.contains(&EventId(r.get(0)?)) || except.contains(&EventId(r.get(1)?)) {
                continue;
            }
            let row = Row::decode(r.get_ref(2)?.as_blob().unwrap_or_default())?;
            files.extend(self.parts.files_of(&row));
        }
        Ok(files)
    }

    /// Files that rows of these deleted messages name and nothing else does. Chats must be settled.
    pub fn files_of_dead(&self, deletions: &[Grave]) -> Result<BTreeSet<FileId>> {
        let dead: BTreeSet<EventId> = deletions.iter().flat_map(|d| d.names.iter().copied()).collect();
        let mut find = self.db.prepare(
            "SELECT value FROM rows r JOIN chats c ON c.n = r.chat WHERE c.source = ?1 AND c.conversation = ?2 \
             AND r.time BETWEEN ?3 AND ?4 AND (r.id = ?5 OR r.target = ?5) AND r.kind <> ?6",
        )?;
        let mut files = BTreeSet::new();
        for deletion in deletions {
            let (first, last) =
                (deletion.row.time.saturating_sub(APART_MS), deletion.row.time.saturating_add(APART_MS));
            let chat = &deletion.chat;
            for id in &deletion.names {
                let kind = i64::from(Kind::OWN_DELETE.0);
                let mut found = find.query(params![chat.source, chat.conversation, first, last, id.0, kind])?;
                while let Some(r) = found.next()? {
                    let row = Row::decode(r.get_ref(0)?.as_blob().unwrap_or_default())?;
                    files.extend(self.parts.files_of(&row));
                }
            }
        }
        let hidden = self.hidden_files(&dead)?;
        let mut unnamed = BTreeSet::new();
        for file in files {
            if !hidden.contains(&file) && !self.is_named(&file, &dead)? {
                unnamed.insert(file);
            }
        }
        Ok(unnamed)
    }

    /// Those of some files that no message names. Chats must be settled.
    pub(super) fn unnamed(&self, files: impl IntoIterator<Item = FileId>) -> Result<BTreeSet<FileId>> {
        let hidden = self.hidden_files(&BTreeSet::new())?;
        let mut unnamed = BTreeSet::new();
        for file in files {
            if !hidden.contains(&file) && !self.is_named(&file, &BTreeSet::new())? {
                unnamed.insert(file);
            }
        }
        Ok(unnamed)
    }

    /// Whether a message that is shown names a file, or a long field of a row that is not `dead`.
    pub(super) fn is_named(&self, file: &FileId, dead: &BTreeSet<EventId>) -> Result<bool> {
        let shown = "SELECT EXISTS (SELECT 1 FROM attachments WHERE file = ?1)";
        if self.db.query_row(shown, [file.0], |r| r.get(0))? {
            return Ok(true);
        }
        let mut long = self.db.prepare("SELECT target FROM long_fields WHERE file = ?1")?;
        let mut found = long.query([file.0])?;
        while let Some(r) = found.next()? {
            if !dead.contains(&EventId(r.get(0)?)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Chunks that these files need and no other does. `lists` holds what long lists name.
    pub fn chunks_of_files_alone(&self, files: &BTreeSet<FileId>, lists: &LongLists) -> Result<BTreeSet<ChunkId>> {
        let (mut theirs, mut others) = (BTreeSet::new(), BTreeSet::new());
        for file in self.all_file_chunks()? {
            let into = if files.contains(&file.file) { &mut theirs } else { &mut others };
            into.extend(file.chunks);
            into.extend(lists.get(&file.file).into_iter().flatten().copied());
        }
        Ok(theirs.difference(&others).copied().collect())
    }

    /// Lets go of files that purged messages named and nothing names any more. Not for while rows are still to come.
    pub fn forget_unnamed(&mut self) -> Result<u64> {
        let noted: BTreeSet<FileId> = {
            let mut statement = self.db.prepare("SELECT file FROM purged_files")?;
            let found = statement.query_map([], |r| Ok(FileId(r.get(0)?)))?;
            found.collect::<rusqlite::Result<_>>()?
        };
        if noted.is_empty() {
            return Ok(0);
        }
        self.settle()?;
        let unnamed = self.unnamed(noted)?;
        // Where some list is long, what it names is not known here: then places of chunks stay, until a head drops their
        // pack, or this device purges itself.
        let long = self.all_file_chunks()?.iter().any(|file| file.depth > 0);
        let chunks = if long { BTreeSet::new() } else { self.chunks_of_files_alone(&unnamed, &LongLists::new())? };
        self.forget_files(&unnamed, &chunks, true)?;
        self.commit(|c| Ok(c.db.execute("DELETE FROM purged_files", []).map(drop)?))?;
        Ok(unnamed.len() as u64)
    }

    /// Removes the bytes of files from this device and, if told so, what is known of where they lie in the vault.
    pub(super) fn forget_files(
        &mut self,
        files: &BTreeSet<FileId>,
        chunks: &BTreeSet<ChunkId>,
        places: bool,
    ) -> Result<()> {
        let mut here = Vec::new();
        for file in files {
            let sql = "SELECT here FROM files WHERE file = ?1 AND here IS NOT NULL";
            let mut statement = self.db.prepare(sql)?;
            here.extend(statement.query_map([file.0], |r| r.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        for number in here {
            self.media.remove(number)?;
        }
        self.commit(|c| {
            for chunk in chunks {
                c.drop_chunk(chunk)?;
            }
            for file in files {
                if places {
                    c.drop_file_chunks(file)?;
                }
                c.db.execute("DELETE FROM files WHERE file = ?1", [file.0])?;
                c.db.execute("DELETE FROM outside WHERE file = ?1", [file.0])?;
            }
            Ok(())
        })
    }

    /// Packs in which the chunks of a file lie, as far as this device knows, those aside that it has not pinned yet: what
    /// an event relies on that names the file.
    pub fn packs_of_file(&self, file: &FileId) -> Result<BTreeSet<PackId>> {
        let mut find = self.db.prepare_cached(
            "SELECT pack FROM chunks WHERE chunk = ?1 AND NOT EXISTS (SELECT 1 FROM packs p WHERE p.pack = chunks.pack)",
        )?;
        let mut packs = BTreeSet::new();
        for chunk in self.file_chunks(file)?.map(|f| f.chunks).unwrap_or_default() {
            let mut found = find.query([chunk.0])?;
            while let Some(r) = found.next()? {
                packs.insert(PackId(r.get(0)?));
            }
        }
        Ok(packs)
    }

    /// Files that messages of a slice of time name, in chats of which something waits to be sent.
    pub fn files_of_unsynced(&self, slice: (i64, i64)) -> Result<BTreeSet<FileId>> {
        let mut find = self.db.prepare(
            "SELECT DISTINCT a.file FROM messages m JOIN attachments a ON a.chat = m.chat AND a.n = m.n \
             WHERE m.chat = ?1 AND m.time BETWEEN ?2 AND ?3 AND a.file IS NOT NULL UNION \
             SELECT file FROM long_fields WHERE chat = ?1 AND time BETWEEN ?2 AND ?3",
        )?;
        let mut files = BTreeSet::new();
        for chat in self.unsynced_chats()? {
            for file in find.query_map(params![chat.n, slice.0, slice.1], |r| Ok(FileId(r.get(0)?)))? {
                files.insert(file?);
            }
        }
        Ok(files)
    }

    /// Files that a row names: attachments, and fields that were too long for it.
    pub fn files_of(&self, row: &Row) -> Vec<FileId> {
        self.parts.files_of(row)
    }
}

impl super::Commit<'_> {
    /// Forgets what lay in packs that a head has dropped; answers whether anything did.
    pub fn drop_chunks_of(&mut self, packs: &[PackId]) -> Result<bool> {
        let mut drop = self.db.prepare("DELETE FROM chunks WHERE pack = ?1")?;
        let mut any = 0;
        for pack in packs {
            any += drop.execute([pack.0])?;
        }
        Ok(any > 0)
    }
}
