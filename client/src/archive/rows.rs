//! Rows: storing them one by one with what is known of their key, and reading them in key order.
//!
//! A row has two values while it changes: what the log says (`logged`) and what this device knows (`value`). They
//! differ only until the device's own record has come back in the log.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::chats::Entry;
use super::error::{ArchiveError, Result};
use super::graves::{self, Acted};
use super::parts::Parts;
use super::statements::Statements as _;
use super::stretch::{self, Opened, Prepared, Spans};
use super::{media_deletions, read_marks, timed};
use crate::crypto::Digest;
use crate::event::{Chat, Kind, ROW_BYTES_MAX, Row, RowHead, Target, is_gone, last_day, tag};
use crate::ids::{ChatId, EventId, FileId};

/// The place of a row in blocks and runs (`docs/format.md` §3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey {
    pub chat: ChatId,
    pub time: i64,
    pub target: EventId,
    pub kind: Kind,
    pub id: EventId,
}

/// A stored row as it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRow {
    pub key: RowKey,
    pub chat: Chat,
    /// The encoded row.
    pub value: Vec<u8>,
    /// Log index of its first record; absent where it is not in the log.
    pub arrival: Option<u64>,
}

impl StoredRow {
    pub fn row(&self) -> Result<Row> {
        Ok(Row::decode(&self.value)?)
    }
}

/// Where a row comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// This device: an import or an act of its own.
    Here,
    /// The log, or a run; with the index of its first record.
    Log(u64),
}

/// What storing a row did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stored {
    New,
    Changed,
    Known,
    /// An own deletion refuses it.
    Refused,
    /// Its timer has ended.
    Gone,
}

/// `state` of a row: its value is in the log, it waits, or (above zero) the own record of that counter carries it.
pub(super) const SYNCED: i64 = 0;
pub(super) const UNSYNCED: i64 = -1;

/// The prepared statements of one transaction, and the join.
pub(super) struct Rows<'t> {
    db: &'t Connection,
    parts: &'t Parts,
    insert: CachedStatement<'t>,
    find: CachedStatement<'t>,
    update: CachedStatement<'t>,
    tombstone: CachedStatement<'t>,
    /// Whether there are tombstones at all; asking is then saved for every row.
    deletions: bool,
    /// What the rows of this transaction change in the digest of what the log holds.
    change: BTreeMap<u32, Digest>,
    /// Whether any row may have a timer; telling the last day of each value is then saved.
    timers: bool,
    /// The last of the days whose rows have gone from here.
    gone: u32,
    /// Deletions and undeletes that the log holds since this transaction began.
    acted: Acted,
    /// Spans of stretches, and the one that was looked into last.
    spans: Spans,
    opened: Option<Opened>,
    /// Stretches that were dissolved and whose messages waited: how many, and the targets to fold.
    unfolded: Vec<(Entry, i64, Vec<(i64, EventId)>)>,
}

struct Known {
    value: Vec<u8>,
    logged: Option<Vec<u8>>,
    arrival: Option<u64>,
    state: i64,
}

impl<'t> Rows<'t> {
    pub fn new(db: &'t Connection, parts: &'t Parts) -> Result<Self> {
        Ok(Self {
            db,
            parts,
            insert: db.prepare_cached(
                "INSERT OR IGNORE INTO rows (chat, time, target, kind, id, value, arrival, state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            find: db.prepare_cached(
                "SELECT value, logged, arrival, state FROM rows \
                 WHERE chat = ?1 AND time = ?2 AND target = ?3 AND kind = ?4 AND id = ?5",
            )?,
            update: db.prepare_cached(
                "UPDATE rows SET value = ?6, logged = ?7, arrival = ?8, state = ?9 \
                 WHERE chat = ?1 AND time = ?2 AND target = ?3 AND kind = ?4 AND id = ?5",
            )?,
            tombstone: db.prepare_cached("SELECT here, purged FROM tombstones WHERE id = ?1")?,
            deletions: db.one("SELECT EXISTS (SELECT 1 FROM tombstones)", [], |r| r.get(0))?,
            change: BTreeMap::new(),
            timers: timed::any(db)?,
            gone: timed::gone(db)?,
            acted: Acted::new(),
            spans: Spans::default(),
            opened: None,
            unfolded: Vec::new(),
        })
    }

    /// Stores rows as a stretch; `arrival` is that of rows that state none, absent where the log has none of them yet.
    /// Answers false, and stores nothing, where single rows or another stretch stand in its span, or a deletion names
    /// one of its rows.
    pub fn put_stretch(
        &mut self,
        chat: &Entry,
        prepared: &Prepared,
        keys: impl IntoIterator<Item = RowKey>,
        arrival: Option<u64>,
    ) -> Result<bool> {
        if self.spans.meets(self.db, chat.n, prepared.first, prepared.last)? {
            return Ok(false);
        }
        let single = "SELECT EXISTS (SELECT 1 FROM rows WHERE chat = ?1 AND time BETWEEN ?2 AND ?3)";
        let span = params![chat.n, prepared.first, prepared.last];
        if self.db.prepare_cached(single)?.query_row(span, |r| r.get(0))? {
            return Ok(false);
        }
        if self.deletions {
            for key in keys {
                if self.is_refused(&key, Origin::Here)? || graves::is_dead(self.db, &[key.id, key.target])? {
                    return Ok(false);
                }
            }
        }
        let state = if arrival.is_some() { SYNCED } else { UNSYNCED };
        let stretch = stretch::place(self.db, chat, prepared, arrival.map(index), state)?;
        self.spans.add(&stretch);
        if arrival.is_some() {
            self.change.entry(0).or_default().combine(&prepared.lanes);
        }
        Ok(true)
    }

    /// Whether a stretch has exactly this row; one that says otherwise, or should hold it, is dissolved.
    fn is_in_stretch(&mut self, chat: &Entry, key: &RowKey, value: &[u8], origin: Origin) -> Result<bool> {
        let Some(n) = self.spans.covering(self.db, chat.n, key.time)? else { return Ok(false) };
        if self.opened.as_ref().is_none_or(|opened| opened.stretch.n != n) {
            let stretch = stretch::covering(self.db, chat.n, key.time)?;
            let stretch = stretch.ok_or_else(|| ArchiveError::Damaged("a stretch is missing".into()))?;
            self.opened = Some(Opened::new(self.db, self.parts, chat, stretch)?);
        }
        let Some(opened) = &self.opened else { return Ok(false) };
        let known = opened.find(key).is_some_and(|(known, arrival)| {
            known == value
                && match origin {
                    Origin::Here => true,
                    Origin::Log(at) => opened.stretch.state == SYNCED && arrival.is_some_and(|a| a <= index(at)),
                }
        });
        if !known && let Some(opened) = self.opened.take() {
            self.dissolve(chat, &opened)?;
        }
        Ok(known)
    }

    fn dissolve(&mut self, chat: &Entry, opened: &Opened) -> Result<()> {
        self.spans.remove(&opened.stretch);
        let targets = stretch::dissolve(self.db, &mut self.insert, opened)?;
        if opened.stretch.waiting > 0 {
            self.unfolded.push((chat.clone(), opened.stretch.waiting, targets));
        }
        Ok(())
    }

    /// Dissolves every stretch that has rows between two times.
    pub fn dissolve_between(&mut self, chat: &Entry, first: i64, last: i64) -> Result<()> {
        while self.spans.meets(self.db, chat.n, first, last)? {
            let Some(stretch) = stretch::before(self.db, chat.n, last)? else {
                return Err(ArchiveError::Damaged("a stretch is missing".into()));
            };
            self.opened = None;
            self.dissolve(chat, &Opened::new(self.db, self.parts, chat, stretch)?)?;
        }
        Ok(())
    }

    /// Stretches dissolved since this was last asked whose messages waited: how many, and all targets.
    pub fn take_unfolded(&mut self) -> Vec<(Entry, i64, Vec<(i64, EventId)>)> {
        std::mem::take(&mut self.unfolded)
    }

    /// Takes note that the log now holds what a stretch adds.
    pub fn logged_stretch(&mut self, lanes: &Digest) {
        self.change.entry(0).or_default().combine(lanes);
    }

    /// Stores a row, joining it with what is known of its key. Version rows that the join makes are added to `made`;
    /// the caller stores them as well.
    pub fn put(
        &mut self,
        chat: &Entry,
        row: &Row,
        origin: Origin,
        made: &mut Vec<(Row, Origin)>,
    ) -> Result<(RowKey, Stored)> {
        let value = row.encode();
        if value.len() > ROW_BYTES_MAX || row.native.len() > Row::NATIVE_BYTES_MAX {
            return Err(ArchiveError::Refused("a row is longer than 24 KiB"));
        }
        let key = key_of(self.parts, &chat.chat, chat.id, row);
        if self.deletions && self.is_refused(&key, origin)? {
            return Ok((key, Stored::Refused));
        }
        let day = last_day(row);
        // Whatever brings it back: it goes by its own timer.
        if is_gone(day, self.gone) {
            return Ok((key, Stored::Gone));
        }
        self.timers |= day != 0;
        if self.is_in_stretch(chat, &key, &value, origin)? {
            return Ok((key, Stored::Known));
        }
        let (arrival, state) = match origin {
            Origin::Here => (None, UNSYNCED),
            Origin::Log(index) => (Some(index), SYNCED),
        };
        let kind = i64::from(key.kind.0);
        let place = params![chat.n, key.time, key.target.0, kind, key.id.0, value, arrival.map(index), state];
        let stored = if self.insert.execute(place)? == 1 {
            if arrival.is_some() {
                self.logged(&chat.chat, &[key.id, key.target], key.kind, None, &value)?;
            }
            timed::note(self.db, chat.n, &key, 0, day)?;
            Stored::New
        } else {
            self.join(chat, &key, row, &value, origin, made)?
        };
        if stored != Stored::Known {
            self.note(chat, &key, row)?;
            self.reopen(&key)?;
        }
        if arrival.is_some() {
            self.acted(chat, key.kind, key.time);
        }
        Ok((key, stored))
    }

    /// A deletion refuses what this device would add, and after the purge also what old runs still hold.
    fn is_refused(&mut self, key: &RowKey, origin: Origin) -> Result<bool> {
        if matches!(key.kind, Kind::OWN_DELETE | Kind::UNDELETE) {
            return Ok(false);
        }
        for id in [key.id, key.target] {
            let found = self.tombstone.query_row([id.0], |r| Ok((r.get::<_, bool>(0)?, r.get::<_, i64>(1)?)));
            let refused = found.optional()?.is_some_and(|(here, purged)| match origin {
                Origin::Here => here,
                Origin::Log(at) => index(at) < purged,
            });
            if refused {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn join(
        &mut self,
        chat: &Entry,
        key: &RowKey,
        row: &Row,
        value: &[u8],
        origin: Origin,
        made: &mut Vec<(Row, Origin)>,
    ) -> Result<Stored> {
        let place = params![chat.n, key.time, key.target.0, i64::from(key.kind.0), key.id.0];
        let known = self.find.query_row(place, |r| {
            let arrival: Option<i64> = r.get(2)?;
            Ok(Known {
                value: r.get(0)?,
                logged: r.get(1)?,
                arrival: arrival.map(i64::cast_unsigned),
                state: r.get(3)?,
            })
        })?;
        let in_log = known.arrival.map(|_| known.logged.as_deref().unwrap_or(&known.value));
        let mut one = |known: &[u8], origin| -> Result<Vec<u8>> {
            if known == value {
                return Ok(value.to_vec());
            }
            let digest = |row: &Row| self.parts.ids.digest(&chat.chat, &row.encode());
            let (joined, version) = self.parts.rules.join(key.id, &Row::decode(known)?, row, &digest);
            made.extend(version.map(|v| (v, origin)));
            Ok(joined.encode())
        };
        // A version that comes of a value only this device has is no more in the log than that value.
        let whence = if in_log.is_some_and(|logged| logged == known.value) { origin } else { Origin::Here };
        let new = one(&known.value, whence)?;
        let (logged, arrival) = match origin {
            Origin::Here => (in_log.map(<[u8]>::to_vec), known.arrival),
            Origin::Log(at) => {
                let logged = match in_log {
                    None => value.to_vec(),
                    Some(in_log) if in_log == known.value => new.clone(),
                    Some(in_log) => one(in_log, origin)?,
                };
                (Some(logged), Some(known.arrival.map_or(at, |a| a.min(at))))
            }
        };
        let state = match &logged {
            Some(logged) if *logged == new => SYNCED,
            _ if new == known.value && known.state != SYNCED => known.state,
            _ => UNSYNCED,
        };
        let stored = if new == known.value { Stored::Known } else { Stored::Changed };
        if let Some(logged) = logged.as_deref().filter(|logged| in_log != Some(*logged)) {
            let before = in_log.map(<[u8]>::to_vec);
            self.logged(&chat.chat, &[key.id, key.target], key.kind, before.as_deref(), logged)?;
        }
        let logged = logged.filter(|logged| *logged != new);
        if self.timers && stored == Stored::Changed {
            timed::note(self.db, chat.n, key, day_of(&known.value)?, day_of(&new)?)?;
        }
        if stored == Stored::Changed
            || (logged.as_ref(), arrival, state) != (known.logged.as_ref(), known.arrival, known.state)
        {
            let kind = i64::from(key.kind.0);
            let arrival = arrival.map(index);
            let place = params![chat.n, key.time, key.target.0, kind, key.id.0, new, logged, arrival, state];
            self.update.execute(place)?;
        }
        Ok(stored)
    }

    /// Takes note that the log now holds this value of a row, instead of the one before. `names` are its id and target.
    pub fn logged(
        &mut self,
        chat: &Chat,
        names: &[EventId],
        kind: Kind,
        before: Option<&[u8]>,
        value: &[u8],
    ) -> Result<()> {
        // What a deletion in the log names counts by that deletion alone.
        let act = matches!(kind, Kind::OWN_DELETE | Kind::UNDELETE);
        if self.deletions && !act && graves::is_dead(self.db, names)? {
            return Ok(());
        }
        if let Some(before) = before {
            self.counts_no_more(chat, before)?;
        }
        let day = self.day(value)?;
        self.change.entry(day).or_default().add(&self.parts.ids.term(chat, value));
        Ok(())
    }

    /// Takes note that a value of the log is none of this device's any more. `names` are its id and target.
    pub fn unlogged(&mut self, chat: &Chat, names: &[EventId], value: &[u8]) -> Result<()> {
        if self.deletions && graves::is_dead(self.db, names)? {
            return Ok(());
        }
        self.counts_no_more(chat, value)
    }

    fn counts_no_more(&mut self, chat: &Chat, value: &[u8]) -> Result<()> {
        let day = self.day(value)?;
        self.change.entry(day).or_default().remove(&self.parts.ids.term(chat, value));
        Ok(())
    }

    fn day(&self, value: &[u8]) -> Result<u32> {
        if self.timers { day_of(value) } else { Ok(0) }
    }

    /// The timer of the message that stands under an id, ms.
    pub fn timer_of(&self, chat: &Entry, time: i64, target: &EventId) -> Result<Option<i64>> {
        if !self.timers {
            return Ok(None);
        }
        let sql = "SELECT value FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3 AND id = ?3";
        let found = self.db.prepare_cached(sql)?.query_row(params![chat.n, time, target.0], |r| r.get::<_, Vec<u8>>(0));
        let Some(value) = found.optional()? else { return Ok(None) };
        Ok(Row::decode(&value)?.fields.number(tag::EXPIRES_AT))
    }

    /// From now on rows of days up to this one are gone.
    pub fn set_gone(&mut self, gone: u32) {
        self.gone = self.gone.max(gone);
    }

    /// Takes note of a deletion or undelete that the log holds.
    pub fn acted(&mut self, chat: &Entry, kind: Kind, time: i64) {
        if matches!(kind, Kind::OWN_DELETE | Kind::UNDELETE) {
            graves::note(&mut self.acted, chat, time);
        }
    }

    /// A row that came after its message was purged waits for another purge.
    fn reopen(&mut self, key: &RowKey) -> Result<()> {
        if !self.deletions || matches!(key.kind, Kind::OWN_DELETE | Kind::UNDELETE) {
            return Ok(());
        }
        let sql = "UPDATE tombstones SET open = 1 WHERE id IN (?1, ?2) AND purged > 0";
        self.db.prepare_cached(sql)?.execute([key.id.0, key.target.0])?;
        Ok(())
    }

    /// Brings the digest up to date; nothing of this transaction may be lost by leaving it out.
    pub fn finish(&mut self) -> Result<()> {
        if !self.acted.is_empty() {
            let turned = graves::settle(self.db, self.parts, std::mem::take(&mut self.acted))?;
            for (day, turned) in turned {
                self.change.entry(day).or_default().combine(&turned);
            }
        }
        for (day, change) in std::mem::take(&mut self.change) {
            if is_gone(day, self.gone) {
                continue;
            }
            let mut digest = lanes(self.db, day)?;
            digest.combine(&change);
            self.db.run("INSERT OR REPLACE INTO lanes VALUES (?1, ?2)", params![day, digest.encode()])?;
        }
        Ok(())
    }

    /// Keeps what other tables say of this row.
    fn note(&mut self, chat: &Entry, key: &RowKey, row: &Row) -> Result<()> {
        for file in [tag::LONG_BODY, tag::LONG_EXTRA].into_iter().filter_map(|t| long_file(self.parts, row, t)) {
            self.db.run(
                "INSERT OR IGNORE INTO long_fields VALUES (?1, ?2, ?3, ?4)",
                params![file.0, chat.n, key.time, key.target.0],
            )?;
        }
        match key.kind {
            Kind::IMPORT => super::chats::learn_title(self.db, chat.n, row)?,
            Kind::OWN_DELETE | Kind::UNDELETE => self.settle_tombstones(chat, key)?,
            Kind::MEDIA_DELETE => media_deletions::note(self.db, self.parts, row)?,
            Kind::READ_MARK => read_marks::note(self.db, chat.n, key.time)?,
            _ => {}
        }
        Ok(())
    }

    /// Sets or lifts the tombstones of a message by its latest deletion and undelete. Whether an undelete came too late
    /// is for the fold; here it only ends the refusing.
    fn settle_tombstones(&mut self, chat: &Entry, key: &RowKey) -> Result<()> {
        let mut acts = self.db.prepare_cached(
            "SELECT value FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3 AND kind IN (?4, ?5)",
        )?;
        let kinds = [Kind::OWN_DELETE, Kind::UNDELETE].map(|k| i64::from(k.0));
        let mut found = acts.query(params![chat.n, key.time, key.target.0, kinds[0], kinds[1]])?;
        let (mut deleted, mut undeleted, mut ids) = (None, None, Vec::new());
        while let Some(act) = found.next()? {
            let act = Row::decode(act.get_ref(0)?.as_blob().unwrap_or_default())?;
            let at = Some(act_at(&act));
            if act.kind == Kind::OWN_DELETE {
                deleted = deleted.max(at);
                ids.extend(taken_away(self.parts, &chat.chat, &act));
            } else {
                undeleted = undeleted.max(at);
            }
        }
        let mut change = self.db.prepare_cached(
            "INSERT INTO tombstones VALUES (?1, ?2, ?3, ?4, 0, 0, 0) ON CONFLICT (id) DO UPDATE SET here = ?4",
        )?;
        for id in ids {
            change.execute(params![id.0, chat.n, key.time, deleted > undeleted])?;
        }
        self.deletions = true;
        Ok(())
    }
}

/// The digest of the rows of one last day as the log holds them; of day 0 those without a timer.
fn lanes(db: &Connection, day: u32) -> Result<Digest> {
    let sql = "SELECT lanes FROM lanes WHERE last_day = ?1";
    let lanes: Option<Vec<u8>> = db.one(sql, [day], |r| r.get(0)).optional()?;
    Ok(lanes.map_or_else(|| Ok(Digest::default()), |lanes| Digest::decode(&lanes))?)
}

/// The digests of all rows as the log holds them, by last day; that of day 0 is always there.
pub(super) fn digests(db: &Connection) -> Result<BTreeMap<u32, Digest>> {
    let mut all = BTreeMap::from([(0, Digest::default())]);
    let mut statement = db.prepare_cached("SELECT last_day, lanes FROM lanes")?;
    let mut found = statement.query([])?;
    while let Some(r) = found.next()? {
        all.insert(r.get(0)?, Digest::decode(r.get_ref(1)?.as_blob().unwrap_or_default())?);
    }
    Ok(all)
}

/// The last day of an encoded row.
pub(super) fn day_of(value: &[u8]) -> Result<u32> {
    Ok(last_day(&Row::decode(value)?))
}

/// When an act was done, ms.
pub(super) fn act_at(row: &Row) -> i64 {
    let stamp = || row.sent_at().and_then(|s| s.utc_ms);
    row.fields.number(tag::EDITED_AT).or_else(stamp).or(row.fields.number(tag::AS_OF)).unwrap_or(i64::MIN)
}

/// The key of a row; the id is the same on every device.
pub(super) fn key_of(parts: &Parts, chat: &Chat, chat_id: ChatId, row: &Row) -> RowKey {
    let Row { kind, time, target, native, .. } = row;
    key_of_head(parts, chat, chat_id, &RowHead { kind: *kind, time: *time, target: *target, native })
}

/// As [`key_of`], of a row that is not decoded.
pub(super) fn key_of_head(parts: &Parts, chat: &Chat, chat_id: ChatId, row: &RowHead<'_>) -> RowKey {
    let id = parts.ids.event(chat, row.kind.id_class(), row.native);
    let target = match row.target {
        Target::Own => id,
        Target::Event(target) => target,
    };
    RowKey { chat: chat_id, time: row.time, target, kind: row.kind, id }
}

/// The ids an act names: its target and the rows that are the same message.
pub(super) fn named(row: &Row) -> Vec<EventId> {
    let more = row.fields.get(tag::ROW_IDS).unwrap_or_default().chunks_exact(EventId::LEN);
    let mut ids: Vec<EventId> = more.filter_map(EventId::from_slice).collect();
    if let Target::Event(target) = row.target {
        ids.push(target);
    }
    ids
}

/// The ids whose rows an own deletion takes away. In formats with ids that is its target alone, whatever else it names:
/// so the fold has it, and a row that hides one message must not remove others.
pub(super) fn taken_away(parts: &Parts, chat: &Chat, deletion: &Row) -> Vec<EventId> {
    match deletion.target {
        Target::Event(target) if parts.rules.has_ids(&chat.source) => vec![target],
        _ => {
            let mut ids = named(deletion);
            ids.sort_unstable();
            ids.dedup();
            ids
        }
    }
}

/// The file that holds a field too long for its row.
pub(super) fn long_file(parts: &Parts, row: &Row, field: u16) -> Option<FileId> {
    let attachment = crate::event::Attachment::decode(row.fields.get(field)?).ok()?;
    Some(parts.ids.file(&attachment.hash?, attachment.size?))
}

pub(super) fn index(index: u64) -> i64 {
    index.cast_signed()
}

/// Reads columns `time, target, kind, id, value, arrival`.
pub(super) fn read(chat: &Entry, row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredRow> {
    let kind: u16 = row.get(2)?;
    let arrival: Option<i64> = row.get(5)?;
    let key = RowKey {
        chat: chat.id,
        time: row.get(0)?,
        target: EventId(row.get(1)?),
        kind: Kind(kind),
        id: EventId(row.get(3)?),
    };
    Ok(StoredRow { key, chat: chat.chat.clone(), value: row.get(4)?, arrival: arrival.map(i64::cast_unsigned) })
}
