//! Own deletions in force: who did them, when, and until when each can be undone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::authors::Author;
use super::chats::{self, Entry};
use super::error::Result;
use super::graves::APART_MS;
use super::rows::{self, RowKey, StoredRow, act_at, named, taken_away};
use super::statements::Statements as _;
use super::{Archive, mass};
use crate::event::{Chat, Kind, Row};
use crate::ids::{DeviceId, EventId};

/// In formats without ids: exports of several zones, and an edit or deletion in the app, bring rows of one message.
const ROWS_OF_A_MESSAGE: usize = 4;

/// Which rows the indexes of deletions are over.
pub(super) const OF_MESSAGES: &str = "kind IN (18, 19)";
pub(super) const OF_MEDIA: &str = "kind IN (24, 25)";

/// How long a deletion can be undone, and nothing of it goes.
pub const UNDO_MS: i64 = 24 * 3_600_000;
/// As [`UNDO_MS`], for one of very many that no permit covers.
pub const HELD_MS: i64 = 14 * 24 * 3_600_000;

/// An own deletion in force, of a message whose rows are still here, or of attachments that are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deletion {
    pub chat: Arc<Chat>,
    /// Key of the deletion's own row; its target is the message.
    pub key: RowKey,
    /// When it was done: when the log had it, by the server's clock. While it waits to be sent, as it says itself.
    pub at: i64,
    /// Log index of its first record.
    pub arrival: Option<u64>,
    /// The device that wrote it, where this device has seen its record.
    pub device: Option<DeviceId>,
    /// How many messages it takes away: one, unless it names more rows than a message has.
    pub messages: u64,
    /// One of so many of that device that every device is told (see [`mass`](super::Mass)).
    pub mass: bool,
    /// The account's root has consented.
    pub permitted: bool,
    /// Until then it can be undone; after that its message goes for good.
    pub until: i64,
}

impl Deletion {
    /// Whether it waits longer than a day because it is one of very many and nobody proved a secret.
    pub fn is_held(&self) -> bool {
        self.mass && !self.permitted
    }
}

impl Archive {
    /// Lists the own deletions in force whose messages have not gone yet, chat by chat in key order.
    ///
    /// `now` is the server's clock as far as it is known, ms; `me` wrote what waits to be sent.
    pub fn deletions(&self, now: i64, me: &DeviceId) -> Result<Vec<Deletion>> {
        let wanted = |chat: &Entry, row: &Row, target: &EventId| {
            Ok(row.kind == Kind::MEDIA_DELETE || self.has_rows(chat, row, target)?)
        };
        let mut list = Vec::new();
        for deletion in self.deletions_that(now, me, wanted)? {
            // Attachments go while their message stays: what is over and has no file left is done.
            let row = if deletion.is_media() && deletion.until <= now { self.deletion_row(&deletion)? } else { None };
            if row.map_or(Ok(true), |row| self.has_media_left(&row))? {
                list.push(deletion);
            }
        }
        Ok(list)
    }

    /// As [`deletions`](Self::deletions), also of messages whose rows are not here: the vault may have them still.
    pub fn all_deletions(&self, now: i64, me: &DeviceId) -> Result<Vec<Deletion>> {
        self.deletions_that(now, me, |_, _, _| Ok(true))
    }

    fn deletions_that(
        &self,
        now: i64,
        me: &DeviceId,
        wanted: impl Fn(&Entry, &Row, &EventId) -> Result<bool>,
    ) -> Result<Vec<Deletion>> {
        let authors = self.authors()?;
        let mut list = Vec::new();
        for chat in self.chats_with_deletions()? {
            for kinds in [(Kind::OWN_DELETE, Kind::UNDELETE), (Kind::MEDIA_DELETE, Kind::MEDIA_UNDELETE)] {
                self.deletions_of(&chat, kinds, &authors, (now, me), &wanted, &mut list)?;
            }
        }
        mass::mark(&mut list, &authors, self.counts_messages()?);
        Ok(list)
    }

    /// The row of a deletion.
    pub fn deletion_row(&self, deletion: &Deletion) -> Result<Option<Row>> {
        let RowKey { chat, time, target, kind, id } = &deletion.key;
        let Some(chat) = chats::by_id(&self.db, chat)? else { return Ok(None) };
        let sql = "SELECT value FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3 AND kind = ?4 AND id = ?5";
        let mut statement = self.db.prepare_cached(sql)?;
        let place = params![chat.n, time, target.0, i64::from(kind.0), id.0];
        let value: Option<Vec<u8>> = statement.query_row(place, |r| r.get(0)).optional()?;
        Ok(value.map(|value| Row::decode(&value)).transpose()?)
    }

    fn counts_messages(&self) -> Result<u64> {
        let sql = "SELECT coalesce(sum(messages), 0) FROM chats";
        Ok(self.db.one(sql, [], |r| r.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Chats in which own deletions, or their undoing, stand.
    pub(super) fn chats_with_deletions(&self) -> Result<Vec<Entry>> {
        let mut numbers = BTreeSet::new();
        for of in [OF_MESSAGES, OF_MEDIA] {
            let sql = format!("SELECT min(chat) FROM rows WHERE {of} AND chat > ?1");
            let mut next = self.db.prepare_cached(&sql)?;
            let mut last = i64::MIN;
            while let Some(n) = next.query_row([last], |r| r.get::<_, Option<i64>>(0))? {
                numbers.insert(n);
                last = n;
            }
        }
        numbers.into_iter().map(|n| chats::by_number(&self.db, n)).collect()
    }

    fn deletions_of(
        &self,
        chat: &Entry,
        (deletes, undoes): (Kind, Kind),
        authors: &BTreeMap<u64, Author>,
        (now, me): (i64, &DeviceId),
        wanted: impl Fn(&Entry, &Row, &EventId) -> Result<bool>,
        list: &mut Vec<Deletion>,
    ) -> Result<()> {
        let undone = self.undone(chat, undoes)?;
        let shared = Arc::new(chat.chat.clone());
        self.each_act(chat, deletes, |stored| {
            let row = stored.row()?;
            if is_undone(&stored.key.id, &row, &undone) || !wanted(chat, &row, &stored.key.target)? {
                return Ok(());
            }
            let author = stored.arrival.map(|at| authors.get(&at));
            let (device, at) = match author {
                None => (Some(*me), act_at(&row).min(now)),
                // Not noted yet: it came just now.
                Some(None) => (None, now),
                Some(Some(author)) => (author.device, author.at),
            };
            let (key, arrival, chat) = (stored.key, stored.arrival, shared.clone());
            let (until, messages) = (at.saturating_add(UNDO_MS), self.names(&chat, &row));
            list.push(Deletion { chat, key, at, arrival, device, messages, mass: false, permitted: false, until });
            Ok(())
        })
    }

    /// How many messages a deletion can take away. One row may name hundreds, and would else count as one.
    fn names(&self, chat: &Chat, deletion: &Row) -> u64 {
        taken_away(&self.parts, chat, deletion).len().div_ceil(ROWS_OF_A_MESSAGE) as u64
    }

    /// Rows of one kind of act of a chat, in key order.
    pub(super) fn each_act(
        &self,
        chat: &Entry,
        kind: Kind,
        mut take: impl FnMut(StoredRow) -> Result<()>,
    ) -> Result<()> {
        // As the index of these rows says it.
        let of = if matches!(kind, Kind::OWN_DELETE | Kind::UNDELETE) { OF_MESSAGES } else { OF_MEDIA };
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT time, target, kind, id, value, arrival FROM rows \
             WHERE chat = ?1 AND {of} AND kind = ?2 ORDER BY time, target, kind, id",
        ))?;
        let mut found = statement.query(params![chat.n, i64::from(kind.0)])?;
        while let Some(row) = found.next()? {
            take(rows::read(chat, row)?)?;
        }
        Ok(())
    }

    /// What undeletes of one kind, of a chat, name, each with the latest time.
    pub(super) fn undone(&self, chat: &Entry, undoes: Kind) -> Result<BTreeMap<EventId, i64>> {
        let mut undone: BTreeMap<EventId, i64> = BTreeMap::new();
        self.each_act(chat, undoes, |stored| {
            let row = stored.row()?;
            for id in named(&row) {
                let last = undone.entry(id).or_insert(i64::MIN);
                *last = (*last).max(act_at(&row));
            }
            Ok(())
        })?;
        Ok(undone)
    }

    /// Whether any row of a deleted message is still here.
    fn has_rows(&self, chat: &Entry, deletion: &Row, target: &EventId) -> Result<bool> {
        let mut purged = self.db.prepare_cached("SELECT purged FROM tombstones WHERE id = ?1")?;
        if purged.query_row([target.0], |r| r.get::<_, bool>(0)).optional()? == Some(true) {
            return Ok(false);
        }
        let exact = "SELECT EXISTS (SELECT 1 FROM rows WHERE chat = ?1 AND time = ?2 AND target = ?3 \
                     AND kind NOT IN (18, 19))";
        if self.db.prepare_cached(exact)?.query_row(params![chat.n, deletion.time, target.0], |r| r.get(0))? {
            return Ok(true);
        }
        if self.parts.rules.has_ids(&chat.chat.source) {
            return Ok(false);
        }
        // Rows of other strands stand at other times.
        let near = "SELECT EXISTS (SELECT 1 FROM rows WHERE chat = ?1 AND time BETWEEN ?2 AND ?3 \
                    AND (id = ?4 OR target = ?4) AND kind NOT IN (18, 19))";
        let (first, last) = (deletion.time.saturating_sub(APART_MS), deletion.time.saturating_add(APART_MS));
        let mut near = self.db.prepare_cached(near)?;
        for id in named(deletion) {
            if near.query_row(params![chat.n, first, last, id.0], |r| r.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether an undelete ends a deletion: it names it, or a message of it and is not older.
pub(super) fn is_undone(id: &EventId, deletion: &Row, undone: &BTreeMap<EventId, i64>) -> bool {
    let later = |target: &EventId| undone.get(target).is_some_and(|at| *at >= act_at(deletion));
    undone.contains_key(id) || named(deletion).iter().any(later)
}
