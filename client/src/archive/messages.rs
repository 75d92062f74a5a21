//! Keeping the messages in step with the rows: folding what changed, and writing only what came out different.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::chats::{self, Entry};
use super::error::{ArchiveError, Result};
use super::media;
use super::parts::Parts;
use super::record;
use super::rows::long_file;
use super::statements::Statements as _;
use super::stretch::{self, Opened, Stretch};
use super::words;
use crate::event::{Row, tag};
use crate::ids::EventId;
use crate::merge::{Folded, Message};

/// What folding did to the messages.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    /// Rows that an own deletion hides since, though it does not name them: what stood in its place says so. Known of
    /// chats without ids alone; in others the deletion names them.
    pub refused: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.added += other.added;
        self.changed += other.changed;
        self.removed += other.removed;
        self.refused += other.refused;
    }
}

/// A message's number holds its time, so that the newest hits of a search come first without sorting: seconds since
/// 1970 above, a running number below. Few bits, because the index stores differences of numbers.
pub(super) const NUMBER_BITS: u32 = 12;

pub(super) fn first_number(time: i64) -> i64 {
    // An i64 of ms is below 2^54 seconds; the clamp only keeps the shift from running over.
    time.div_euclid(1000).clamp(-(1 << 50), (1 << 50) - 1) << NUMBER_BITS
}

/// The prepared statements that write messages.
pub(super) struct Messages<'t> {
    db: &'t Connection,
    parts: &'t Parts,
    media: &'t media::Store,
    target_rows: CachedStatement<'t>,
    find: CachedStatement<'t>,
    last_number: CachedStatement<'t>,
    insert: CachedStatement<'t>,
    also: CachedStatement<'t>,
    attachment: CachedStatement<'t>,
    to_index: CachedStatement<'t>,
    was_indexed: CachedStatement<'t>,
    senders: HashMap<String, i64>,
    text_bytes: CachedStatement<'t>,
    /// Change of each chat's number of messages, and of the bytes of their texts.
    counts: BTreeMap<i64, (i64, i64)>,
}

/// A stored message's number and mark.
type Found = (i64, i64);

impl<'t> Messages<'t> {
    pub fn new(db: &'t Connection, parts: &'t Parts, media: &'t media::Store) -> Result<Self> {
        Ok(Self {
            db,
            parts,
            media,
            target_rows: db
                .prepare_cached("SELECT id, value FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3")?,
            find: db.prepare_cached("SELECT n, mark FROM messages WHERE prefix = ?1 AND id = ?2 AND chat = ?3")?,
            last_number: db.prepare_cached("SELECT max(n) FROM messages WHERE n BETWEEN ?1 AND ?2")?,
            insert: db.prepare_cached(
                "INSERT INTO messages (n, chat, time, place, id, prefix, mark, kind, flags, sender, text, rest) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?,
            also: db.prepare_cached("INSERT OR IGNORE INTO also (prefix, id, n) VALUES (?1, ?2, ?3)")?,
            attachment: db.prepare_cached(
                "INSERT OR IGNORE INTO attachments (chat, n, pos, file, role) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            to_index: db.prepare_cached("INSERT OR IGNORE INTO unindexed (n) VALUES (?1)")?,
            was_indexed: db.prepare_cached("DELETE FROM unindexed WHERE n = ?1")?,
            text_bytes: db
                .prepare_cached("SELECT coalesce(length(CAST(text AS BLOB)), 0) FROM messages WHERE n = ?1")?,
            senders: HashMap::new(),
            counts: BTreeMap::new(),
        })
    }

    /// Folds the given targets of a chat with ids.
    pub fn refold_targets(&mut self, chat: &Entry, targets: &BTreeSet<(i64, EventId)>) -> Result<Tally> {
        let mut tally = Tally::default();
        for (time, target) in targets {
            let rows = self.target_rows(chat, *time, target)?;
            let folded = self.parts.rules.fold_target(&chat.chat, rows);
            let known = self.find(chat, target)?;
            match (folded, known) {
                (Some(message), known) => self.store(chat, &message, known, &mut tally)?,
                (None, Some((n, _))) => self.remove(chat, n, &mut tally)?,
                (None, None) => {}
            }
        }
        Ok(tally)
    }

    /// Folds a whole chat without ids; writes the messages that came out different.
    pub fn refold_chat(&mut self, chat: &Entry) -> Result<Tally> {
        let mut known: HashMap<EventId, Found> = HashMap::new();
        {
            let mut all = self.db.prepare_cached("SELECT id, n, mark FROM messages WHERE chat = ?1")?;
            let mut found = all.query([chat.n])?;
            while let Some(row) = found.next()? {
                known.insert(EventId(row.get(0)?), (row.get(1)?, row.get(2)?));
            }
        }
        let mut rows = Vec::new();
        {
            let mut all =
                self.db.prepare_cached("SELECT id, value FROM rows WHERE chat = ?1 ORDER BY time, target, kind, id")?;
            let mut found = all.query([chat.n])?;
            while let Some(row) = found.next()? {
                rows.push((EventId(row.get(0)?), self.decode(row.get_ref(1)?)?));
            }
        }
        let mut tally = Tally::default();
        let Folded { messages, refused, .. } = self.parts.rules.fold_chat(&chat.chat, rows);
        tally.refused = chats::set_refused(self.db, chat.n, refused as u64)?;
        // First what goes, so that a message that changed its id finds its place free.
        let stay: BTreeSet<EventId> = messages.iter().map(|m| m.id).collect();
        for (id, (n, _)) in &known {
            if !stay.contains(id) {
                self.remove(chat, *n, &mut tally)?;
            }
        }
        for message in messages {
            let found = known.get(&message.id).copied();
            self.store(chat, &message, found, &mut tally)?;
        }
        chats::set_dirty(self.db, chat.n, false)?;
        Ok(tally)
    }

    /// Brings the chats' counts up to date; nothing of this transaction may be lost by leaving it out.
    pub fn finish(&mut self) -> Result<()> {
        let sql = "UPDATE chats SET messages = messages + ?2, text_bytes = text_bytes + ?3 WHERE n = ?1";
        for (chat, (messages, bytes)) in std::mem::take(&mut self.counts) {
            self.db.run(sql, params![chat, messages, bytes])?;
        }
        Ok(())
    }

    /// Puts the messages of stretches that wait into the tables.
    pub fn settle_stretches(&mut self, waiting: &[Stretch]) -> Result<()> {
        let mut chats: HashMap<i64, Entry> = HashMap::new();
        let mut all: Vec<(i64, bool, Message)> = Vec::new();
        for stretch in waiting {
            if !chats.contains_key(&stretch.chat) {
                chats.insert(stretch.chat, chats::by_number(self.db, stretch.chat)?);
            }
            let Some(chat) = chats.get(&stretch.chat) else { continue };
            let opened = Opened::new(self.db, self.parts, chat, *stretch)?;
            stretch::settled(self.db, stretch)?;
            for target in opened.targets(self.parts, self.media, self.db) {
                let target = target?;
                // What has attachments, or a field that is a file, has been put there with the stretch.
                let early = target.iter().any(|(_, row)| {
                    [tag::ATTACHMENTS, tag::LONG_BODY, tag::LONG_EXTRA].iter().any(|t| row.fields.get(*t).is_some())
                });
                all.extend(self.parts.rules.fold_target(&chat.chat, target).map(|m| (stretch.chat, early, m)));
            }
        }
        // Numbers tell the time, so by time one page of the table is written after the other.
        all.sort_by_key(|(_, _, message)| message.time);
        let mut tally = Tally::default();
        for (chat, early, message) in &all {
            let Some(chat) = chats.get(chat) else { continue };
            let known = if *early { self.find(chat, &message.id)? } else { None };
            self.store(chat, message, known, &mut tally)?;
        }
        Ok(())
    }

    fn target_rows(&mut self, chat: &Entry, time: i64, target: &EventId) -> Result<Vec<(EventId, Row)>> {
        let mut encoded: Vec<(EventId, Row)> = Vec::new();
        let (parts, media, db) = (self.parts, self.media, self.db);
        let mut found = self.target_rows.query(params![chat.n, time, target.0])?;
        while let Some(row) = found.next()? {
            encoded
                .push((EventId(row.get(0)?), decode(parts, media, db, row.get_ref(1)?.as_blob().unwrap_or_default())?));
        }
        // Single rows and stretches never share a span of time.
        if encoded.is_empty()
            && let Some(stretch) = stretch::covering(db, chat.n, time)?
        {
            let opened = Opened::new(db, parts, chat, stretch)?;
            for (key, value, _) in opened.rows().filter(|(key, ..)| (key.time, key.target) == (time, *target)) {
                encoded.push((key.id, decode(parts, media, db, value)?));
            }
        }
        Ok(encoded)
    }

    fn decode(&self, value: rusqlite::types::ValueRef<'_>) -> Result<Row> {
        decode(self.parts, self.media, self.db, value.as_blob().unwrap_or_default())
    }

    fn find(&mut self, chat: &Entry, id: &EventId) -> Result<Option<Found>> {
        let place = params![record::prefix(id), id.0, chat.n];
        Ok(self.find.query_row(place, |r| Ok((r.get(0)?, r.get(1)?))).optional()?)
    }

    fn store(&mut self, chat: &Entry, message: &Message, known: Option<Found>, tally: &mut Tally) -> Result<()> {
        let flags = record::flags(message);
        let rest = record::encode_rest(message);
        let mark = record::mark(message, flags, &rest);
        if known.is_some_and(|(_, known)| known == mark) {
            return Ok(());
        }
        let mut kept = None;
        if let Some((n, _)) = known {
            self.clear(chat, n)?;
            // The number stays while it still tells the time.
            kept = Some(n).filter(|n| n >> NUMBER_BITS == first_number(message.time) >> NUMBER_BITS);
            tally.changed += 1;
        } else {
            tally.added += 1;
        }
        let count = self.counts.entry(chat.n).or_default();
        count.0 += 1;
        count.1 += i64::try_from(message.text.as_ref().map_or(0, String::len)).unwrap_or(i64::MAX);
        let n = if let Some(n) = kept { n } else { self.free_number(message.time)? };
        let sender = self.sender(message)?;
        self.insert.execute(params![
            n,
            chat.n,
            message.time,
            message.place,
            message.id.0,
            record::prefix(&message.id),
            mark,
            i64::from(message.kind.0),
            flags,
            sender,
            message.text,
            rest
        ])?;
        for id in message.row_ids.iter().filter(|id| **id != message.id) {
            self.also.execute(params![record::prefix(id), id.0, n])?;
        }
        for (pos, attachment) in message.attachments.iter().enumerate() {
            let file = attachment.hash.zip(attachment.size).map(|(hash, size)| self.parts.ids.file(&hash, size).0);
            let pos = i64::try_from(pos).unwrap_or(i64::MAX);
            self.attachment.execute(params![chat.n, n, pos, file, attachment.role as i64])?;
        }
        if message.text.as_deref().is_some_and(|t| !t.is_empty()) {
            self.to_index.execute([n])?;
        }
        Ok(())
    }

    fn remove(&mut self, chat: &Entry, n: i64, tally: &mut Tally) -> Result<()> {
        self.clear(chat, n)?;
        tally.removed += 1;
        Ok(())
    }

    /// Takes a message and all that follows from it out of every table.
    fn clear(&mut self, chat: &Entry, n: i64) -> Result<()> {
        let bytes: i64 = self.text_bytes.query_row([n], |r| r.get(0))?;
        let count = self.counts.entry(chat.n).or_default();
        (count.0, count.1) = (count.0 - 1, count.1 - bytes);
        let waits = self.was_indexed.execute([n])? == 1;
        if !waits {
            self.db.run("DELETE FROM words WHERE rowid = ?1", [n])?;
        }
        self.db.run("DELETE FROM also WHERE n = ?1", [n])?;
        self.db.run("DELETE FROM attachments WHERE chat = ?1 AND n = ?2", params![chat.n, n])?;
        self.db.run("DELETE FROM messages WHERE n = ?1", [n])?;
        Ok(())
    }

    /// Finds a number for a time. Where a second is full, ever longer spans from it on are tried, so that a million
    /// messages of one second cost a few questions each.
    fn free_number(&mut self, time: i64) -> Result<i64> {
        let first = first_number(time);
        let mut span = 1i64 << NUMBER_BITS;
        loop {
            let last = first.saturating_add(span - 1);
            match self.last_number.query_row([first, last], |r| r.get::<_, Option<i64>>(0))? {
                None => return Ok(first),
                Some(n) if n < last => return Ok(n + 1),
                Some(_) if last == i64::MAX => return Err(ArchiveError::Refused("no number is left for a message")),
                Some(_) => span = span.saturating_mul(2),
            }
        }
    }

    fn sender(&mut self, message: &Message) -> Result<Option<i64>> {
        let Some(party) = &message.sender else { return Ok(None) };
        let Some(name) = party.name.as_ref().or(party.native_id.as_ref()) else { return Ok(None) };
        if let Some(n) = self.senders.get(name) {
            return Ok(Some(*n));
        }
        self.db
            .run("INSERT OR IGNORE INTO senders (name, folded) VALUES (?1, ?2)", params![name, words::fold(name)])?;
        let n = self.db.one("SELECT n FROM senders WHERE name = ?1", [name], |r| r.get(0))?;
        self.senders.insert(name.clone(), n);
        Ok(Some(n))
    }
}

/// Decodes a row as the fold shall see it: long fields put back where their files are here.
pub(super) fn decode(parts: &Parts, media: &media::Store, db: &Connection, value: &[u8]) -> Result<Row> {
    let mut row = Row::decode(value)?;
    for (long, short) in [(tag::LONG_BODY, tag::BODY), (tag::LONG_EXTRA, tag::EXTRA)] {
        let Some(file) = long_file(parts, &row, long) else { continue };
        if let Some(whole) = media.read_text(db, &file)? {
            row.fields.set(short, whole);
        }
    }
    Ok(row)
}
