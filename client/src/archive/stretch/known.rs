//! Which spans of time a transaction knows to be stretches, so that asking for each row costs nothing.

use std::collections::HashMap;

use rusqlite::Connection;

use super::Stretch;
use crate::archive::error::Result;

/// Spans by chat, read when a chat is first asked for.
#[derive(Default)]
pub struct Spans(HashMap<i64, Vec<Span>>);

#[derive(Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
    n: i64,
}

impl Spans {
    /// Number of the stretch whose span holds a time.
    pub fn covering(&mut self, db: &Connection, chat: i64, time: i64) -> Result<Option<i64>> {
        let spans = self.of(db, chat)?;
        let at = spans.partition_point(|span| span.first <= time);
        let found = at.checked_sub(1).and_then(|at| spans.get(at));
        Ok(found.filter(|span| span.last >= time).map(|span| span.n))
    }

    /// Whether a span meets any other.
    pub fn meets(&mut self, db: &Connection, chat: i64, first: i64, last: i64) -> Result<bool> {
        let spans = self.of(db, chat)?;
        let at = spans.partition_point(|span| span.first <= last);
        Ok(at.checked_sub(1).and_then(|at| spans.get(at)).is_some_and(|span| span.last >= first))
    }

    pub fn add(&mut self, stretch: &Stretch) {
        if let Some(spans) = self.0.get_mut(&stretch.chat) {
            let at = spans.partition_point(|span| span.first <= stretch.first);
            spans.insert(at, Span { first: stretch.first, last: stretch.last, n: stretch.n });
        }
    }

    pub fn remove(&mut self, stretch: &Stretch) {
        if let Some(spans) = self.0.get_mut(&stretch.chat) {
            spans.retain(|span| span.n != stretch.n);
        }
    }

    fn of(&mut self, db: &Connection, chat: i64) -> Result<&mut Vec<Span>> {
        if !self.0.contains_key(&chat) {
            let sql = "SELECT first, last, n FROM stretches WHERE chat = ?1 ORDER BY first";
            let mut statement = db.prepare_cached(sql)?;
            let found =
                statement.query_map([chat], |r| Ok(Span { first: r.get(0)?, last: r.get(1)?, n: r.get(2)? }))?;
            self.0.insert(chat, found.collect::<rusqlite::Result<_>>()?);
        }
        Ok(self.0.entry(chat).or_default())
    }
}
