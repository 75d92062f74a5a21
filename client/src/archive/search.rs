//! Searching: the index finds and orders, newest first; where the words stand is found in the text itself.

use rusqlite::types::Value;
use rusqlite::{TransactionBehavior, params, params_from_iter};

use super::messages::{Messages, first_number};
use super::read::{COLUMNS, Shown};
use super::record::flag;
use super::statements::Statements as _;
use super::{Archive, Query, Result, chats, stretch, words};
use crate::ids::ChatId;

/// What a search is narrowed to.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filters {
    pub chat: Option<ChatId>,
    /// Part of the sender's name, in whatever case and accents.
    pub from: Option<String>,
    /// Row times in ms: the first that counts, and the first that counts no more.
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub has: Option<Has>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Has {
    Link,
    Media,
    File,
}

/// What a search found.
#[derive(Clone, PartialEq, Debug)]
pub struct Hits {
    /// All messages that match, also those not returned.
    pub total: u64,
    /// Newest first.
    pub hits: Vec<Hit>,
    /// Whether every message was searched; after an import the index fills for a moment.
    pub index_complete: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Hit {
    pub shown: Shown,
    /// Where the words stand in the text, in Unicode scalars.
    pub matches: Vec<(usize, usize)>,
}

/// The part of a query behind `SELECT …`, and that behind `SELECT count(*)`, with the same values.
struct Plan {
    from: String,
    count: String,
    values: Vec<Value>,
}

impl Archive {
    /// Searches all messages. A query without words finds whatever passes the filters.
    pub fn search(&self, query: &Query, filters: &Filters, limit: usize) -> Result<Hits> {
        let index_complete = self.index_complete()?;
        let Some(Plan { from, count, mut values }) = self.plan(query, filters)? else {
            return Ok(Hits { total: 0, hits: Vec::new(), index_complete });
        };
        let total: i64 = self.db.one(&format!("SELECT count(*) {count}"), params_from_iter(&values), |r| r.get(0))?;
        let mut hits = Vec::new();
        if total > 0 && limit > 0 {
            values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
            let number = if query.is_empty() { "m.n" } else { "words.rowid" };
            let sql = format!("SELECT {COLUMNS} {from} ORDER BY {number} DESC LIMIT ?{}", values.len());
            let mut statement = self.db.prepare_cached(&sql)?;
            let mut found = statement.query(params_from_iter(&values))?;
            while let Some(row) = found.next()? {
                let shown = self.shown(row)?;
                let matches = query.find(shown.message.text.as_deref().unwrap_or_default());
                hits.push(Hit { shown, matches });
            }
        }
        Ok(Hits { total: total.cast_unsigned(), hits, index_complete })
    }

    /// Whether every message is in the index.
    pub fn index_complete(&self) -> Result<bool> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM unindexed) AND NOT EXISTS (SELECT 1 FROM chats WHERE dirty = 1) \
                   AND NOT EXISTS (SELECT 1 FROM stretches WHERE waiting > 0)";
        Ok(self.db.one(sql, [], |r| r.get(0))?)
    }

    /// None where a filter names what is not here.
    fn plan(&self, query: &Query, filters: &Filters) -> Result<Option<Plan>> {
        let mut values = Vec::new();
        let mut bind = |value: Value| {
            values.push(value);
            format!("?{}", values.len())
        };
        let mut all = Vec::new();
        let (tables, number) = match query.wanted() {
            Some(wanted) => {
                let matching = match query.unwanted() {
                    Some(unwanted) => format!("({wanted}) NOT ({unwanted})"),
                    None => wanted,
                };
                all.push(format!("words MATCH {}", bind(Value::Text(matching))));
                ("FROM words CROSS JOIN messages m ON m.n = words.rowid", "words.rowid")
            }
            None => {
                if let Some(unwanted) = query.unwanted() {
                    let unwanted = bind(Value::Text(unwanted));
                    all.push(format!("m.n NOT IN (SELECT rowid FROM words WHERE words MATCH {unwanted})"));
                }
                ("FROM messages m", "m.n")
            }
        };
        // What the index alone decides it also counts alone: a look at each message of a frequent word takes a second.
        let by_words = all.first().filter(|_| !query.is_empty() && *filters == Filters::default());
        let by_words = by_words.map(|matching| format!("FROM words WHERE {matching}"));
        // The numbers narrow the search in the index; times beyond what they hold are compared as well.
        if let Some(since) = filters.since {
            let (first, since) = (bind(Value::Integer(first_number(since))), bind(Value::Integer(since)));
            all.push(format!("{number} >= {first} AND m.time >= {since}"));
        }
        if let Some(until) = filters.until {
            all.push(format!("m.time < {}", bind(Value::Integer(until))));
        }
        if let Some(chat) = &filters.chat {
            let Some(entry) = chats::by_id(&self.db, chat)? else { return Ok(None) };
            all.push(format!("m.chat = {}", bind(Value::Integer(entry.n))));
        }
        if let Some(has) = filters.has {
            let flag = match has {
                Has::Link => flag::LINK,
                Has::Media => flag::MEDIA,
                Has::File => flag::FILE,
            };
            all.push(format!("m.flags & {} <> 0", bind(Value::Integer(flag))));
        }
        if let Some(name) = &filters.from {
            let name = bind(Value::Text(words::fold(name)));
            all.push(format!("m.sender IN (SELECT n FROM senders WHERE instr(folded, {name}) > 0)"));
        }
        let condition = if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) };
        let from = format!("{tables}{condition}");
        let count = by_words.unwrap_or_else(|| from.clone());
        Ok(Some(Plan { from, count, values }))
    }

    /// How many messages wait to be indexed.
    pub(super) fn unindexed(&self) -> Result<u64> {
        let sql = "SELECT (SELECT count(*) FROM unindexed) + \
                   (SELECT coalesce(sum(waiting), 0) FROM stretches WHERE waiting > 0)";
        Ok(self.db.one(sql, [], |r| r.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Puts about `limit` messages of stretches into the tables in one transaction; answers whether there were any.
    pub(super) fn settle_stretches(&mut self, limit: usize) -> Result<bool> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut any = false;
        {
            let sql = format!("SELECT {} FROM stretches WHERE waiting > 0 ORDER BY last", stretch::COLUMNS);
            let mut statement = transaction.prepare_cached(&sql)?;
            let mut found = statement.query([])?;
            let (mut waiting, mut left) = (Vec::new(), i64::try_from(limit).unwrap_or(i64::MAX));
            while left > 0
                && let Some(row) = found.next()?
            {
                let stretch = stretch::read(row)?;
                left -= stretch.waiting;
                waiting.push(stretch);
            }
            drop(found);
            any |= !waiting.is_empty();
            let mut messages = Messages::new(&transaction, &self.parts, &self.media)?;
            messages.settle_stretches(&waiting)?;
            messages.finish()?;
        }
        transaction.commit()?;
        self.behind = false;
        Ok(any)
    }

    /// Indexes up to `limit` messages in one transaction; answers whether there were any. Ascending numbers are what
    /// the index takes without cutting its segments.
    pub fn fill_index(&mut self, limit: usize) -> Result<bool> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut last = None;
        {
            let mut waiting = transaction.prepare_cached(
                "SELECT u.n, m.text FROM unindexed u JOIN messages m ON m.n = u.n ORDER BY u.n LIMIT ?1",
            )?;
            let mut insert = transaction.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?;
            let mut found = waiting.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
            while let Some(row) = found.next()? {
                let n: i64 = row.get(0)?;
                let text: Option<String> = row.get(1)?;
                insert.execute(params![n, words::indexed(text.as_deref().unwrap_or_default())])?;
                last = Some(n);
            }
        }
        // Without a last one only numbers of messages that are gone could be left.
        transaction.execute("DELETE FROM unindexed WHERE n <= ?1", [last.unwrap_or(i64::MAX)])?;
        transaction.commit()?;
        self.behind = false;
        Ok(last.is_some())
    }
}
