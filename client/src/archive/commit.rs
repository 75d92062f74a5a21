//! One transaction of the writer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::Connection;

use super::chats::{self, Entry};
use super::error::Result;
use super::media::{self, Taken};
use super::messages::{Messages, Tally};
use super::outside::{self, Outside};
use super::parts::Parts;
use super::rows::{Origin, RowKey, Rows, Stored};
use super::stretch::{self, Gathered, Prepared};
use crate::event::{Chat, Kind, Row, Target, last_day, tag};
use crate::ids::{ChatId, EventId, FileId};
use crate::pack::BlockRow;

/// Writes that become durable together. See [`Archive::commit`](super::Archive::commit).
pub struct Commit<'t> {
    pub(super) db: &'t Connection,
    pub(super) parts: &'t Parts,
    pub(super) rows: Rows<'t>,
    messages: Messages<'t>,
    chats: HashMap<Chat, Entry>,
    touched: BTreeMap<ChatId, (Entry, BTreeSet<(i64, EventId)>)>,
    /// Messages of dissolved stretches, which come into the table now and are not new.
    known_already: BTreeMap<ChatId, u64>,
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Put {
    pub key: RowKey,
    /// Nothing of this key was known.
    pub new: bool,
    /// The row, or one of its values, was not known.
    pub changed: bool,
    /// An own deletion refuses it; nothing was stored.
    pub refused: bool,
    /// It stands as it was given: it had its message's timer, or that has none.
    pub as_given: bool,
    /// Versions that came of joining it with another value.
    pub versions: u64,
}

impl<'t> Commit<'t> {
    pub(super) fn new(db: &'t Connection, parts: &'t Parts, media: &'t media::Store) -> Result<Self> {
        let rows = Rows::new(db, parts)?;
        let messages = Messages::new(db, parts, media)?;
        Ok(Self {
            db,
            parts,
            rows,
            messages,
            chats: HashMap::new(),
            touched: BTreeMap::new(),
            known_already: BTreeMap::new(),
        })
    }

    /// Stores a row this device brings: read from an export, or an own act. It waits to be sent.
    pub fn add_row(&mut self, chat: &Chat, row: &Row) -> Result<Put> {
        self.put(chat, row, Origin::Here)
    }

    /// Stores a row of the log or of a run; `arrival` is the log index of its first record.
    pub fn apply_row(&mut self, chat: &Chat, row: &Row, arrival: u64) -> Result<Put> {
        self.put(chat, row, Origin::Log(arrival))
    }

    /// Stores rows in key order as a stretch, where nothing stands in its span; `arrival` is the log index of the record
    /// that brings those that state none, absent where this device brings them. Answers false, and stores nothing, where
    /// they have to be stored one by one.
    pub(super) fn put_stretch(
        &mut self,
        chat: &Chat,
        prepared: &Prepared,
        keys: impl IntoIterator<Item = RowKey>,
        arrival: Option<u64>,
    ) -> Result<bool> {
        let entry = self.chat(chat)?;
        if !self.parts.rules.has_ids(&chat.source) || !self.rows.put_stretch(&entry, prepared, keys, arrival)? {
            return Ok(false);
        }
        self.messages.refold_targets(&entry, &prepared.early)?;
        Ok(true)
    }

    /// Stores a frame of a run as it came: its rows in key order, and the log index of the record that brought those
    /// which state none.
    pub fn apply_frame(&mut self, packed: Vec<u8>, rows: &[BlockRow], arrival: u64) -> Result<()> {
        let Some(chat) = rows.first().map(|row| row.chat.clone()) else { return Ok(()) };
        let gathered: Vec<Gathered> = rows.iter().map(Gathered::of).collect();
        let bytes: usize = gathered.iter().map(|row| row.encoded.len()).sum();
        if bytes >= stretch::BYTES_MIN
            && self.parts.rules.has_ids(&chat.source)
            && let Some(prepared) = stretch::prepare(self.parts, &chat, &gathered, Some(packed))?
            && self.put_stretch(&chat, &prepared, gathered.iter().map(|row| row.key), Some(arrival))?
        {
            return Ok(());
        }
        for row in rows {
            let arrival = row.arrival.checked_sub(1).unwrap_or(arrival);
            self.apply_row(&chat, &row.row, arrival)?;
        }
        Ok(())
    }

    fn put(&mut self, chat: &Chat, row: &Row, origin: Origin) -> Result<Put> {
        let entry = self.chat(chat)?;
        let with_timer = if origin == Origin::Here { self.with_timer(&entry, row)? } else { None };
        let (as_given, row) = (with_timer.is_none(), with_timer.as_ref().unwrap_or(row));
        let mut made = Vec::new();
        let (key, stored) = self.rows.put(&entry, row, origin, &mut made)?;
        self.fold_dissolved();
        self.touch(&entry, &key, row, stored);
        let mut put = Put {
            key,
            new: stored == Stored::New,
            changed: matches!(stored, Stored::New | Stored::Changed),
            refused: stored == Stored::Refused,
            as_given,
            versions: 0,
        };
        // A version may meet a version that is known; their cores are equal, so this ends.
        while let Some((version, origin)) = made.pop() {
            let (key, stored) = self.rows.put(&entry, &version, origin, &mut made)?;
            self.touch(&entry, &key, &version, stored);
            put.versions += u64::from(stored == Stored::New);
            put.changed |= stored == Stored::New;
        }
        Ok(put)
    }

    /// What is said of a message with a timer here goes with it.
    fn with_timer(&self, chat: &Entry, row: &Row) -> Result<Option<Row>> {
        let Target::Event(target) = row.target else { return Ok(None) };
        if row.fields.get(tag::EXPIRES_AT).is_some() {
            return Ok(None);
        }
        let Some(at) = self.rows.timer_of(chat, row.time, &target)? else { return Ok(None) };
        let mut timed = row.clone();
        timed.fields.set_number(tag::EXPIRES_AT, at);
        Ok((last_day(&timed) != 0).then_some(timed))
    }

    /// Shows a chat's title until an import row states one.
    pub(super) fn suggest_title(&mut self, chat: &Chat, title: Option<&str>, shape: Option<&str>) -> Result<()> {
        let entry = self.chat(chat)?;
        chats::suggest_title(self.db, entry.n, title, shape)
    }

    /// Notes where a file of an export lies.
    pub(super) fn insert_outside(&mut self, place: &Outside, file: &FileId) -> Result<()> {
        outside::insert(self.db, place, file)
    }

    pub(super) fn insert_file(&mut self, taken: &Taken) -> Result<()> {
        media::insert(self.db, taken)?;
        // Texts that were too long for their rows are whole from now on.
        let mut waiting = self.db.prepare_cached("SELECT chat, time, target FROM long_fields WHERE file = ?1")?;
        let found = waiting.query_map([taken.file.0], |r| Ok((r.get(0)?, r.get(1)?, EventId(r.get(2)?))))?;
        for found in found {
            let (chat, time, target) = found?;
            let entry = chats::by_number(self.db, chat)?;
            self.touch_target(&entry, time, target);
        }
        Ok(())
    }

    /// Finds a chat or adds it.
    pub(super) fn chat(&mut self, chat: &Chat) -> Result<Entry> {
        if let Some(entry) = self.chats.get(chat) {
            return Ok(entry.clone());
        }
        let entry = chats::entry(self.db, &*self.parts.ids, chat)?;
        self.chats.insert(chat.clone(), entry.clone());
        Ok(entry)
    }

    /// Has the messages of dissolved stretches folded at the end.
    pub(super) fn fold_dissolved(&mut self) {
        for (entry, waiting, targets) in self.rows.take_unfolded() {
            *self.known_already.entry(entry.id).or_default() += waiting.unsigned_abs();
            for (time, target) in targets {
                self.touch_target(&entry, time, target);
            }
        }
    }

    fn touch(&mut self, chat: &Entry, key: &RowKey, row: &Row, stored: Stored) {
        let standing = row.target != Target::Own || row.kind.stands() || row.kind == Kind::VIEW;
        if standing && matches!(stored, Stored::New | Stored::Changed) {
            self.touch_target(chat, key.time, key.target);
        }
    }

    pub(super) fn touch_target(&mut self, chat: &Entry, time: i64, target: EventId) {
        let touched = self.touched.entry(chat.id).or_insert_with(|| (chat.clone(), BTreeSet::new()));
        if self.parts.rules.has_ids(&chat.chat.source) {
            touched.1.insert((time, target));
        }
    }

    /// Brings the messages up to date; answers what became of them, chat by chat.
    pub(super) fn finish(mut self) -> Result<Vec<(ChatId, Tally)>> {
        let mut tallies = Vec::new();
        for (id, (chat, targets)) in std::mem::take(&mut self.touched) {
            if self.parts.rules.has_ids(&chat.chat.source) {
                let mut tally = self.messages.refold_targets(&chat, &targets)?;
                tally.added = tally.added.saturating_sub(self.known_already.remove(&id).unwrap_or(0));
                tallies.push((id, tally));
            } else {
                chats::set_dirty(self.db, chat.n, true)?;
            }
        }
        self.messages.finish()?;
        self.rows.finish()?;
        Ok(tallies)
    }
}
