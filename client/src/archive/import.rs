//! The sink of imports: takes what a source reads, in transactions of bounded size.
//!
//! A kill between two of them leaves a consistent archive that holds a part; importing again adds exactly the rest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::path::PathBuf;

use super::chats;
use super::error::{ArchiveError, Result};
use super::media::{self, Taken};
use super::outside::Outside;
use super::rows::key_of;
use super::stretch::{self, Gather, Gathered, Prepared};
use super::{Archive, Commit, Tally};
use crate::event::{Attachment, Chat, Kind, Presence, ROW_BYTES_MAX, Role, Row, TEXT_BYTES_MAX, Target, tag};
use crate::ids::{ChatId, FileId};
use crate::sources::{ChatInfo, FileTaken, ImportError, Sink};

/// Rows, and bytes of rows, of one transaction.
const BATCH_ROWS: usize = 5_000;
const BATCH_BYTES: usize = 8 << 20;
/// Rows that gather to become stretches, all chats together.
const GATHERED_BYTES_MAX: usize = 24 << 20;
/// Fewer bytes of rows than this, an import is kept row by row: it then travels as records.
const BULK_BYTES: usize = if cfg!(test) { 1 } else { 256 << 10 };
/// Skipped items that are named; more are only counted.
const SKIPPED_MAX: usize = 10_000;
/// What of a text too long for its row stands in the row all the same.
const BEGINNING_BYTES_MAX: usize = 4 << 10;

/// An import under way. End it with [`finish`](Self::finish); dropping it keeps what was committed.
pub struct Import<'a> {
    archive: &'a mut Archive,
    batch: Vec<(usize, Row)>,
    /// Stretches made ready, and their rows in case they have to be stored one by one.
    stretches: Vec<(usize, Prepared, Vec<Gathered>)>,
    batch_bytes: usize,
    gathered_bytes: usize,
    row_bytes: usize,
    chats: Vec<Seen>,
    by_chat: HashMap<Chat, usize>,
    files: Vec<Taken>,
    pending: HashSet<FileId>,
    /// The export whose files stay where they are.
    left_in: Option<PathBuf>,
    outside: Vec<(Outside, FileId)>,
    number: i64,
    out: Imported,
}

struct Seen {
    gather: Gather,
    info: ChatInfo,
    announced: bool,
    last: Option<i64>,
    count: ChatCount,
}

/// What an import brought.
#[derive(Clone, Default, Debug)]
pub struct Imported {
    pub chats: Vec<ChatCount>,
    /// Files that were not here before, and their bytes.
    pub files_new: u64,
    pub file_bytes_new: u64,
    /// Items left out, and why; the first of them by name.
    pub skipped: Vec<(String, String)>,
    pub skipped_total: u64,
}

/// What an import brought to one chat.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChatCount {
    pub chat: Chat,
    pub id: ChatId,
    /// Rows handed over, and those that nothing of was known.
    pub rows: u64,
    pub rows_new: u64,
    pub rows_known: u64,
    /// Messages that are there now and were not.
    pub messages_new: u64,
    /// Other contents of known messages, edits included.
    pub versions_new: u64,
    /// Rows that an own deletion refuses.
    pub refused: u64,
}

impl Archive {
    /// Begins an import.
    pub fn import(&mut self) -> Result<Import<'_>> {
        let number = media::next_number(&self.db)?;
        Ok(Import {
            archive: self,
            batch: Vec::new(),
            stretches: Vec::new(),
            batch_bytes: 0,
            gathered_bytes: 0,
            row_bytes: 0,
            chats: Vec::new(),
            by_chat: HashMap::new(),
            files: Vec::new(),
            pending: HashSet::new(),
            left_in: None,
            outside: Vec::new(),
            number,
            out: Imported::default(),
        })
    }

    /// Takes an attachment's bytes that came from elsewhere than an export.
    pub fn add_file(&mut self, content: &mut dyn Read) -> Result<(FileId, FileTaken)> {
        let mut import = self.import()?;
        let taken = import.take(content)?;
        let id = import.archive.parts.ids.file(&taken.hash, taken.bytes);
        import.flush()?;
        Ok((id, taken))
    }
}

impl Import<'_> {
    /// Leaves files in their export, at this place, instead of copying them into the home.
    pub fn leave_files_in(&mut self, export: PathBuf) {
        self.left_in = Some(export);
    }

    /// Commits the rest, folds, and indexes.
    pub fn finish(mut self) -> Result<Imported> {
        for i in 0..self.chats.len() {
            self.take_gathered(i)?;
            if self.batch.len() >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES {
                self.flush()?;
            }
        }
        for i in 0..self.chats.len() {
            let Some(seen) = self.chats.get(i) else { continue };
            // Our own lines tell a title, not what kind of chat it is: a title that is known says nothing new then.
            let new = seen.info.shape.is_some()
                || chats::stated_title(&self.archive.db, &seen.count.id)?.as_deref() != title(seen);
            if let Some(row) = title_row(seen).filter(|_| new) {
                self.batch.push((i, row));
            }
        }
        self.flush()?;
        for (chat, tally) in self.archive.settle()? {
            if let Some(seen) = self.by_chat.get(&chat).and_then(|i| self.chats.get_mut(*i)) {
                // A message that got another id went and came.
                let same = tally.added.min(tally.removed);
                seen.count.messages_new += tally.added - same;
                seen.count.versions_new = tally.changed + same;
                seen.count.refused += tally.refused;
            }
        }
        self.out.chats = self.chats.into_iter().map(|seen| seen.count).collect();
        Ok(self.out)
    }

    fn seen(&mut self, chat: &Chat) -> usize {
        if let Some(i) = self.by_chat.get(chat) {
            return *i;
        }
        let id = self.archive.parts.ids.chat(chat);
        let count = ChatCount {
            chat: chat.clone(),
            id,
            rows: 0,
            rows_new: 0,
            rows_known: 0,
            messages_new: 0,
            versions_new: 0,
            refused: 0,
        };
        let gather = Gather::default();
        self.chats.push(Seen { gather, info: ChatInfo::default(), announced: false, last: None, count });
        self.by_chat.insert(chat.clone(), self.chats.len() - 1);
        self.chats.len() - 1
    }

    fn add(&mut self, chat: &Chat, row: Row) -> Result<()> {
        let i = self.seen(chat);
        let (row, encoded) = match self.fit(row)? {
            Ok(fitting) => fitting,
            Err(native) => {
                self.skip(&native, "a message longer than 24 KiB without its text");
                return Ok(());
            }
        };
        let Some(seen) = self.chats.get_mut(i) else { return Ok(()) };
        seen.count.rows += 1;
        if row.kind.stands() {
            seen.last = seen.last.max(Some(row.time));
        }
        self.row_bytes += encoded.len();
        if Gather::takes(row.kind) && self.archive.parts.rules.has_ids(&chat.source) {
            let key = key_of(&self.archive.parts, chat, seen.count.id, &row);
            self.gathered_bytes += encoded.len();
            seen.gather.push(Gathered { key, arrival: 0, encoded });
            if seen.gather.is_full() {
                self.cut(i)?;
            }
            while self.gathered_bytes > GATHERED_BYTES_MAX {
                let largest = (0..self.chats.len()).max_by_key(|i| self.chats.get(*i).map_or(0, |s| s.gather.bytes));
                self.take_gathered(largest.unwrap_or(0))?;
            }
        } else {
            self.batch_bytes += encoded.len();
            self.batch.push((i, row));
        }
        if self.batch.len() >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes a stretch of what has gathered of a chat, and leaves the end that may still grow.
    fn cut(&mut self, i: usize) -> Result<()> {
        let Some(seen) = self.chats.get_mut(i) else { return Ok(()) };
        let before = seen.gather.bytes;
        let rows = seen.gather.cut();
        self.gathered_bytes -= before - seen.gather.bytes;
        self.make_stretch(i, rows)
    }

    /// Takes all that has gathered of a chat: as a stretch where it is enough for one.
    fn take_gathered(&mut self, i: usize) -> Result<()> {
        let Some(seen) = self.chats.get_mut(i) else { return Ok(()) };
        self.gathered_bytes -= seen.gather.bytes;
        let bytes = seen.gather.bytes;
        let rows = seen.gather.take_all();
        if bytes >= stretch::BYTES_MIN && self.row_bytes >= BULK_BYTES {
            return self.make_stretch(i, rows);
        }
        self.batch_bytes += bytes;
        self.batch_rows(i, &rows)
    }

    fn make_stretch(&mut self, i: usize, rows: Vec<Gathered>) -> Result<()> {
        let Some(seen) = self.chats.get(i) else { return Ok(()) };
        match stretch::prepare(&self.archive.parts, &seen.count.chat, &rows, None)? {
            Some(prepared) => {
                self.batch_bytes += prepared.bytes;
                self.stretches.push((i, prepared, rows));
                Ok(())
            }
            None => self.batch_rows(i, &rows),
        }
    }

    fn batch_rows(&mut self, i: usize, rows: &[Gathered]) -> Result<()> {
        for row in rows {
            self.batch.push((i, row.row()?));
        }
        Ok(())
    }

    /// Moves fields that are too long for a row into files of their own (DESIGN §6). A row that is too long even then
    /// comes back by its name.
    fn fit(&mut self, mut row: Row) -> Result<Result<(Row, Vec<u8>), String>> {
        let long = |row: &Row, tag| row.fields.get(tag).is_some_and(|v| v.len() > TEXT_BYTES_MAX);
        if long(&row, tag::BODY) {
            self.move_out(&mut row, tag::BODY, tag::LONG_BODY)?;
        }
        if long(&row, tag::EXTRA) {
            self.move_out(&mut row, tag::EXTRA, tag::LONG_EXTRA)?;
        }
        let mut encoded = row.encode();
        for (short, long) in [(tag::EXTRA, tag::LONG_EXTRA), (tag::BODY, tag::LONG_BODY)] {
            if encoded.len() > ROW_BYTES_MAX && row.fields.get(short).is_some_and(|v| v.len() > BEGINNING_BYTES_MAX) {
                self.move_out(&mut row, short, long)?;
                encoded = row.encode();
            }
        }
        if encoded.len() > ROW_BYTES_MAX || row.native.len() > Row::NATIVE_BYTES_MAX {
            return Ok(Err(row.native.chars().take(64).collect()));
        }
        Ok(Ok((row, encoded)))
    }

    fn move_out(&mut self, row: &mut Row, short: u16, long: u16) -> Result<()> {
        let Some(whole) = row.fields.remove(short) else { return Ok(()) };
        let taken = self.take(&mut whole.as_slice())?;
        let mut attachment = Attachment::new(Role::File, Presence::Present);
        (attachment.hash, attachment.size) = (Some(taken.hash), Some(taken.bytes));
        row.fields.set(long, attachment.encode());
        if short == tag::BODY {
            let text = String::from_utf8_lossy(&whole);
            let cut = text.floor_char_boundary(BEGINNING_BYTES_MAX);
            row.fields.set(short, text.split_at(cut).0);
        }
        Ok(())
    }

    fn take(&mut self, content: &mut dyn Read) -> Result<FileTaken> {
        let archive = &*self.archive;
        let known = |file: &FileId| Ok(self.pending.contains(file) || media::is_here(&archive.db, file)?);
        if archive.trial {
            let (file, told) = media::look(&archive.parts, content)?;
            if !known(&file)? {
                self.out.files_new += 1;
                self.out.file_bytes_new += told.bytes;
                self.pending.insert(file);
            }
            return Ok(told);
        }
        let taken = archive.media.take(&archive.parts, content, self.number, &known)?;
        let told = FileTaken { hash: taken.hash, bytes: taken.bytes };
        if taken.number.is_some() {
            self.number += 1;
            self.out.files_new += 1;
            self.out.file_bytes_new += taken.bytes;
            self.pending.insert(taken.file);
            self.files.push(taken);
        }
        Ok(told)
    }

    /// Notes what a file of the export is whose files stay where they are.
    pub fn left_there(&mut self, path: &str, told: FileTaken) -> Result<()> {
        let Some(export) = self.left_in.clone() else { return Ok(()) };
        let file = self.archive.parts.ids.file(&told.hash, told.bytes);
        if !self.pending.contains(&file) && !media::is_known(&self.archive.db, &file)? {
            self.out.files_new += 1;
            self.out.file_bytes_new += told.bytes;
            self.pending.insert(file);
            self.files.push(Taken { file, hash: told.hash, bytes: told.bytes, number: None });
        }
        self.outside.push((Outside { export, member: path.to_owned() }, file));
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut batch = std::mem::take(&mut self.batch);
        let stretches = std::mem::take(&mut self.stretches);
        self.batch_bytes = 0;
        // By chat and time, so that neighbours of the table are written together.
        batch.sort_by_key(|(chat, row)| (*chat, row.time));
        let files = std::mem::take(&mut self.files);
        let outside = std::mem::take(&mut self.outside);
        let chats = &mut self.chats;
        let by_id: BTreeMap<ChatId, usize> = chats.iter().enumerate().map(|(i, s)| (s.count.id, i)).collect();
        let ((), tallies) = self.archive.commit_counted(|commit| {
            for taken in &files {
                commit.insert_file(taken)?;
            }
            for (place, file) in &outside {
                commit.insert_outside(place, file)?;
            }
            for seen in chats.iter_mut().filter(|s| !s.announced) {
                commit.suggest_title(&seen.count.chat, title(seen), seen.info.shape)?;
                seen.announced = true;
            }
            for (i, prepared, rows) in &stretches {
                let Some(seen) = chats.get_mut(*i) else { continue };
                let keys = rows.iter().map(|row| row.key);
                if commit.put_stretch(&seen.count.chat, prepared, keys, None)? {
                    let count = &mut seen.count;
                    count.rows_new += prepared.rows;
                    count.versions_new += prepared.edits;
                    count.messages_new += prepared.messages;
                } else {
                    for row in rows {
                        seen.add_row(commit, &row.row()?)?;
                    }
                }
            }
            for (i, row) in &batch {
                if let Some(seen) = chats.get_mut(*i) {
                    seen.add_row(commit, row)?;
                }
            }
            Ok(())
        })?;
        for (id, Tally { added, .. }) in tallies {
            if let Some(seen) = by_id.get(&id).and_then(|i| chats.get_mut(*i)) {
                seen.count.messages_new += added;
            }
        }
        let numbers: Vec<i64> = files.iter().filter_map(|t| t.number).collect();
        self.archive.media.keep(&numbers)?;
        if !self.archive.trial {
            self.pending.clear();
        }
        Ok(())
    }
}

impl Seen {
    fn add_row(&mut self, commit: &mut Commit<'_>, row: &Row) -> Result<()> {
        let put = commit.add_row(&self.count.chat, row)?;
        let count = &mut self.count;
        count.rows_new += u64::from(put.new);
        count.rows_known += u64::from(!put.changed && !put.refused);
        count.refused += u64::from(put.refused);
        count.versions_new += put.versions + u64::from(put.new && row.kind == Kind::EDIT);
        Ok(())
    }
}

/// A chat's title as every device shows it: nothing where it says no more than the conversation.
fn title(seen: &Seen) -> Option<&str> {
    let title = seen.info.title.as_deref().filter(|t| !t.is_empty() && *t != seen.count.chat.conversation)?;
    Some(title.split_at(title.floor_char_boundary(BEGINNING_BYTES_MAX)).0)
}

/// The import row that tells other devices a chat's title. Its as-of is joined by min, so it says since when the title
/// was seen, and the title seen last wins.
fn title_row(seen: &Seen) -> Option<Row> {
    let (title, shape, last) = (title(seen), seen.info.shape, seen.last?);
    if title.is_none() && shape.is_none() {
        return None;
    }
    let title = title.unwrap_or_default();
    let name = blake3::hash(title.as_bytes()).to_hex();
    let mut row = Row::new(Kind::IMPORT, 0, format!("title/{}/{name}", shape.unwrap_or_default()));
    row.fields.set_some(tag::TITLE, Some(title)).set_some(tag::ACTION, shape).set_number(tag::AS_OF, last);
    Some(row)
}

impl Sink for Import<'_> {
    fn chat(&mut self, chat: &Chat, info: &ChatInfo) -> Result<(), ImportError> {
        if chat.source.len() > Chat::SOURCE_BYTES_MAX || chat.conversation.len() > Chat::CONVERSATION_BYTES_MAX {
            return Err(ImportError::Unreadable("a chat's key is longer than a vault holds".into()));
        }
        let i = self.seen(chat);
        if let Some(seen) = self.chats.get_mut(i) {
            seen.announced &= seen.info == *info;
            seen.info = info.clone();
        }
        Ok(())
    }

    fn row(&mut self, chat: &Chat, row: Row) -> Result<(), ImportError> {
        Ok(self.add(chat, row)?)
    }

    fn about(&mut self, chat: &Chat, target_native: &str, mut row: Row) -> Result<(), ImportError> {
        let class = Kind::MESSAGE.id_class();
        row.target = Target::Event(self.archive.parts.ids.event(chat, class, target_native));
        Ok(self.add(chat, row)?)
    }

    fn file(&mut self, path: &str, content: &mut dyn Read) -> Result<FileTaken, ImportError> {
        if self.left_in.is_none() {
            return Ok(self.take(content)?);
        }
        let told = media::hash_content(content)?;
        self.left_there(path, told)?;
        Ok(told)
    }

    fn skip(&mut self, item: &str, reason: &str) {
        self.out.skipped_total += 1;
        if self.out.skipped.len() < SKIPPED_MAX {
            self.out.skipped.push((item.to_owned(), reason.to_owned()));
        }
    }
}

impl From<ArchiveError> for ImportError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Io(e) => Self::Io(e),
            ArchiveError::Full => Self::Io(std::io::ErrorKind::StorageFull.into()),
            other => Self::Sink(other.to_string()),
        }
    }
}
