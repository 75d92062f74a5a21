//! Going through many rows or messages in bounded memory.

use std::collections::{BTreeSet, VecDeque};

use rusqlite::{ToSql, params};

use super::chats::{self, Entry};
use super::error::Result;
use super::read::{Anchor, Position};
use super::rows::{self, StoredRow};
use super::stretch::{self, Opened, Stretch};
use super::{Archive, record};
use crate::event::{Chat, Kind};
use crate::ids::ChatId;
use crate::merge::Message;

const SELECT: &str = "SELECT time, target, kind, id, value, arrival FROM rows WHERE chat = ?1";
/// As above, but the value the log holds.
const SELECT_LOGGED: &str = "SELECT time, target, kind, id, coalesce(logged, value), arrival FROM rows \
                             WHERE chat = ?1 AND arrival IS NOT NULL";
const ORDER: &str = "ORDER BY time, target, kind, id";

/// Messages an export reads at once.
const PAGE: usize = 500;

impl Archive {
    /// Hands out rows in key order, of all chats or of the given ones, until `take` answers false.
    ///
    /// With `logged` only what the log holds is handed out, as the log has it: what a fold writes.
    pub fn each_row(
        &self,
        of: Option<&[ChatId]>,
        logged: bool,
        mut take: impl FnMut(StoredRow) -> Result<bool>,
    ) -> Result<()> {
        let select = if logged { SELECT_LOGGED } else { SELECT };
        for chat in self.chosen(of)? {
            let mut stretches = self.stretches(&chat, i64::MIN)?;
            if logged {
                stretches.retain(|stretch| stretch.state == rows::SYNCED);
            }
            if !self.all_rows(&chat, &format!("{select} {ORDER}"), params![chat.n], stretches, &mut take)? {
                break;
            }
        }
        Ok(())
    }

    /// Hands out the rows of one chat from a time on, in key order, and the chat's import rows before them: what paints
    /// the chat's end on another device.
    pub fn rows_since(&self, chat: &ChatId, time: i64, mut take: impl FnMut(StoredRow) -> Result<bool>) -> Result<()> {
        let Some(chat) = chats::by_id(&self.db, chat)? else { return Ok(()) };
        let import = i64::from(Kind::IMPORT.0);
        let sql = format!("{SELECT_LOGGED} AND (time >= ?2 OR (time = 0 AND kind = ?3)) {ORDER}");
        let mut stretches = self.stretches(&chat, time)?;
        stretches.retain(|stretch| stretch.state == rows::SYNCED);
        let mut later = |row: StoredRow| {
            let import = row.key.time == 0 && row.key.kind == Kind::IMPORT;
            if row.key.time >= time || import { take(row) } else { Ok(true) }
        };
        self.all_rows(&chat, &sql, params![chat.n, time, import], stretches, &mut later)?;
        Ok(())
    }

    /// Lists single rows that wait to be sent and are in no record yet, in key order.
    pub fn unsynced(&self, limit: usize) -> Result<Vec<StoredRow>> {
        let sql = format!("{SELECT} AND state = -1 AND state <> 0 {ORDER} LIMIT ?2");
        let mut list = Vec::new();
        for chat in self.unsynced_chats()? {
            let left = i64::try_from(limit - list.len()).unwrap_or(i64::MAX);
            let mut push = |row| {
                list.push(row);
                Ok(true)
            };
            self.rows(&chat, &sql, params![chat.n, left], &mut push)?;
            if list.len() >= limit {
                break;
            }
        }
        Ok(list)
    }

    /// Chats with rows that wait, by id; the index is asked chat by chat instead of being read through.
    pub(super) fn unsynced_chats(&self) -> Result<Vec<Entry>> {
        let mut next =
            self.db.prepare_cached("SELECT min(chat) FROM rows WHERE state = -1 AND state <> 0 AND chat > ?1")?;
        let mut numbers = BTreeSet::new();
        let mut last = i64::MIN;
        while let Some(n) = next.query_row([last], |r| r.get::<_, Option<i64>>(0))? {
            numbers.insert(n);
            last = n;
        }
        let mut bulk = self.db.prepare_cached("SELECT DISTINCT chat FROM stretches WHERE state = -1 AND state <> 0")?;
        for n in bulk.query_map([], |r| r.get(0))? {
            numbers.insert(n?);
        }
        let mut list = Vec::with_capacity(numbers.len());
        for n in numbers {
            list.push(chats::by_number(&self.db, n)?);
        }
        list.sort_by_key(|chat| chat.id);
        Ok(list)
    }

    /// Lists the snapshot rows, newest first.
    pub fn snapshots(&self) -> Result<Vec<StoredRow>> {
        self.vault_rows(Kind::SNAPSHOT)
    }

    /// Lists rows of one kind in the vault's own chat, newest first.
    pub fn vault_rows(&self, kind: Kind) -> Result<Vec<StoredRow>> {
        let Some(vault) = chats::by_id(&self.db, &self.parts.ids.chat(&Chat::vault()))? else { return Ok(Vec::new()) };
        let sql = format!("{SELECT} AND kind = ?2 ORDER BY time DESC, id");
        let mut list = Vec::new();
        let mut push = |row| {
            list.push(row);
            Ok(true)
        };
        self.rows(&vault, &sql, params![vault.n, i64::from(kind.0)], &mut push)?;
        Ok(list)
    }

    /// Goes through messages in the order of exports: conversation, source, time, place, id; each with its chat's title.
    pub fn export(&self, of: Option<&[ChatId]>, since: Option<i64>, until: Option<i64>) -> Result<ExportMessages<'_>> {
        let mut chats = chats::in_export_order(&self.db)?;
        if let Some(of) = of {
            chats.retain(|chat| of.contains(&chat.id));
        }
        let chats = chats.into();
        Ok(ExportMessages { archive: self, chats, since, until, page: VecDeque::new(), at: None, failed: false })
    }

    fn chosen(&self, of: Option<&[ChatId]>) -> Result<Vec<Entry>> {
        let mut chats = chats::in_key_order(&self.db)?;
        if let Some(of) = of {
            chats.retain(|chat| of.contains(&chat.id));
        }
        Ok(chats)
    }

    fn rows(
        &self,
        chat: &Entry,
        sql: &str,
        values: &[&dyn ToSql],
        take: &mut dyn FnMut(StoredRow) -> Result<bool>,
    ) -> Result<bool> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut found = statement.query(values)?;
        while let Some(row) = found.next()? {
            if !take(rows::read(chat, row)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Archive {
    /// The stretches of a chat that reach to a time or beyond it, by time.
    fn stretches(&self, chat: &Entry, time: i64) -> Result<Vec<Stretch>> {
        let sql = format!("SELECT {} FROM stretches WHERE chat = ?1 AND last >= ?2 ORDER BY first", stretch::COLUMNS);
        let mut statement = self.db.prepare_cached(&sql)?;
        let found = statement.query_map(params![chat.n, time], stretch::read)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Hands out single rows, as [`rows`](Self::rows) does, and those of stretches, together in key order.
    fn all_rows(
        &self,
        chat: &Entry,
        sql: &str,
        values: &[&dyn ToSql],
        stretches: Vec<Stretch>,
        take: &mut dyn FnMut(StoredRow) -> Result<bool>,
    ) -> Result<bool> {
        let mut stretches = stretches.into_iter().peekable();
        let give = |stretch: Stretch, take: &mut dyn FnMut(StoredRow) -> Result<bool>| -> Result<bool> {
            for row in Opened::new(&self.db, &self.parts, chat, stretch)?.stored(chat) {
                if !take(row)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let goes_on = self.rows(chat, sql, values, &mut |row| {
            while let Some(stretch) = stretches.next_if(|stretch| stretch.first < row.key.time) {
                if !give(stretch, take)? {
                    return Ok(false);
                }
            }
            take(row)
        })?;
        if !goes_on {
            return Ok(false);
        }
        for stretch in stretches {
            if !give(stretch, take)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Messages for an export, page by page. See [`Archive::export`].
pub struct ExportMessages<'a> {
    archive: &'a Archive,
    chats: VecDeque<Entry>,
    since: Option<i64>,
    until: Option<i64>,
    page: VecDeque<(Message, Option<String>)>,
    at: Option<Position>,
    failed: bool,
}

impl ExportMessages<'_> {
    fn fill(&mut self) -> Result<()> {
        while self.page.is_empty() {
            let Some(chat) = self.chats.front() else { return Ok(()) };
            let anchor = self.at.map_or(Anchor::Time(self.since.unwrap_or(i64::MIN)), Anchor::After);
            let page = self.archive.page(&chat.id, anchor, 0, PAGE)?;
            self.at = page.last().map(|shown| Position::of(&shown.message));
            let until = self.until;
            let inside = page.into_iter().filter(|s| until.is_none_or(|until| s.message.time < until));
            self.page.extend(inside.map(|s| (s.message, s.chat_title)));
            if self.page.is_empty() {
                self.chats.pop_front();
                self.at = None;
            }
        }
        Ok(())
    }
}

impl Iterator for ExportMessages<'_> {
    type Item = Result<(Message, Option<String>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if let Err(e) = self.fill() {
            self.failed = true;
            return Some(Err(e));
        }
        self.page.pop_front().map(Ok)
    }
}

impl Archive {
    /// Finds which of the given row ids stand for messages here: each with its message's public id.
    pub fn message_ids(&self, ids: &[crate::ids::EventId]) -> Result<Vec<(crate::ids::EventId, crate::ids::EventId)>> {
        let mut find = self.db.prepare_cached(
            "SELECT id FROM messages WHERE prefix = ?1 AND id = ?2 UNION ALL \
             SELECT m.id FROM also a JOIN messages m ON m.n = a.n WHERE a.prefix = ?1 AND a.id = ?2 LIMIT 1",
        )?;
        let mut list = Vec::new();
        let mut left = BTreeSet::new();
        for id in ids {
            let mut found = find.query(params![record::prefix(id), id.0])?;
            if let Some(row) = found.next()? {
                list.push((*id, crate::ids::EventId(row.get(0)?)));
            } else {
                left.insert(*id);
            }
        }
        if !left.is_empty() {
            self.each_waiting_message(|_, message| {
                list.extend(message.row_ids.iter().filter(|id| left.contains(id)).map(|id| (*id, message.id)));
                Ok(true)
            })?;
        }
        Ok(list)
    }
}
