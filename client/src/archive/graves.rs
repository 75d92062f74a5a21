//! Own deletions: which rows they name, which are in force by what the log holds, and which still have rows to purge.
//!
//! A row that the log holds and a deletion in the log names is no part of the digest, purged or not: so a purge changes
//! nothing that devices compare. What this device has not sent counts for what it shows, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::chats::{self, Entry};
use super::error::Result;
use super::parts::Parts;
use super::{Archive, rows};
use crate::crypto::Digest;
use crate::event::{Chat, Kind, Row};
use crate::ids::EventId;

/// Rows of one message lie this far apart at most: strands of formats without ids differ by up to 27 hours.
pub const APART_MS: i64 = 28 * 3_600_000;
/// An undelete ends deletions of rows it shares a name with, and these name others in turn.
const REACH_MS: i64 = 4 * APART_MS;

/// An own deletion that the log holds, in force, with rows of its message still there.
#[derive(Clone, Debug)]
pub struct Grave {
    pub chat: Chat,
    /// Its own id.
    pub id: EventId,
    pub row: Row,
    /// Log index of its first record.
    pub arrival: u64,
    /// Every row that it takes away.
    pub names: BTreeSet<EventId>,
}

/// Chats whose deletions changed in the log, with the first and last time they are about.
pub(super) type Acted = BTreeMap<i64, (Entry, i64, i64)>;

/// Takes note of an act that the log now holds.
pub(super) fn note(acted: &mut Acted, chat: &Entry, time: i64) {
    let span = acted.entry(chat.n).or_insert_with(|| (chat.clone(), time, time));
    (span.1, span.2) = (span.1.min(time), span.2.max(time));
}

/// Acts of a chat between two times that the log below a size holds, each with its arrival.
fn acts(db: &Connection, chat: i64, (first, last): (i64, i64), below: u64) -> Result<Vec<(EventId, Row, u64)>> {
    let mut find = db.prepare_cached(
        "SELECT id, coalesce(logged, value), arrival FROM rows \
         WHERE chat = ?1 AND time BETWEEN ?2 AND ?3 AND kind IN (?4, ?5) AND arrival < ?6",
    )?;
    let [own_delete, undelete] = [Kind::OWN_DELETE, Kind::UNDELETE].map(|k| i64::from(k.0));
    let below = i64::try_from(below).unwrap_or(i64::MAX);
    let mut found = find.query(params![chat, first, last, own_delete, undelete, below])?;
    let mut list = Vec::new();
    while let Some(r) = found.next()? {
        let row = Row::decode(r.get_ref(1)?.as_blob().unwrap_or_default())?;
        list.push((EventId(r.get(0)?), row, r.get::<_, i64>(2)?.cast_unsigned()));
    }
    Ok(list)
}

/// What deletions in force take away, by the deletion's id.
fn in_force(parts: &Parts, chat: &Chat, acts: &[(EventId, Row, u64)]) -> BTreeMap<EventId, BTreeSet<EventId>> {
    let acts: Vec<(EventId, Row)> = acts.iter().map(|(id, row, _)| (*id, row.clone())).collect();
    let mut graves = parts.rules.graves(&acts);
    for (id, row) in &acts {
        if let Some(names) = graves.get_mut(id) {
            *names = rows::taken_away(parts, chat, row).into_iter().collect();
        }
    }
    graves
}

fn reach(first: i64, last: i64) -> (i64, i64) {
    (first.saturating_sub(REACH_MS), last.saturating_add(REACH_MS))
}

/// Brings up to date what deletions in the log name, and answers what that changes in the digest.
pub(super) fn settle(db: &Connection, parts: &Parts, acted: Acted) -> Result<BTreeMap<u32, Digest>> {
    let mut change = BTreeMap::new();
    for (chat, first, last) in acted.into_values() {
        let acts = acts(db, chat.n, reach(first, last), u64::MAX)?;
        let dead: BTreeSet<EventId> = in_force(parts, &chat.chat, &acts).into_values().flatten().collect();
        let mut turned = Turned::default();
        for (_, row, _) in acts.iter().filter(|(_, row, _)| row.kind == Kind::OWN_DELETE) {
            for id in rows::taken_away(parts, &chat.chat, row) {
                turned.set(db, &chat, row.time, id, dead.contains(&id))?;
            }
        }
        turned.recount(db, parts, &chat, &mut change)?;
    }
    Ok(change)
}

/// Ids that deletions in the log name now and did not, or name no more.
#[derive(Default)]
struct Turned {
    ids: BTreeMap<EventId, bool>,
    span: Option<(i64, i64)>,
}

impl Turned {
    fn set(&mut self, db: &Connection, chat: &Entry, time: i64, id: EventId, dead: bool) -> Result<()> {
        let known = is_dead(db, &[id])?;
        if known == dead {
            return Ok(());
        }
        db.prepare_cached(
            "INSERT INTO tombstones VALUES (?1, ?2, ?3, 0, ?4, ?4, 0) \
             ON CONFLICT (id) DO UPDATE SET logged = ?4, open = ?4",
        )?
        .execute(params![id.0, chat.n, time, dead])?;
        self.ids.insert(id, dead);
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
        Ok(())
    }

    /// Takes rows that are named now out of the digest, and puts in again those that are named no more.
    fn recount(self, db: &Connection, parts: &Parts, chat: &Entry, change: &mut BTreeMap<u32, Digest>) -> Result<()> {
        let Some((first, last)) = self.span else { return Ok(()) };
        let mut find = db.prepare_cached(
            "SELECT id, target, coalesce(logged, value) FROM rows \
             WHERE chat = ?1 AND time BETWEEN ?2 AND ?3 AND kind NOT IN (?4, ?5) AND arrival IS NOT NULL",
        )?;
        let [own_delete, undelete] = [Kind::OWN_DELETE, Kind::UNDELETE].map(|k| i64::from(k.0));
        let span = (first.saturating_sub(APART_MS), last.saturating_add(APART_MS));
        let mut found = find.query(params![chat.n, span.0, span.1, own_delete, undelete])?;
        while let Some(r) = found.next()? {
            let names = [EventId(r.get(0)?), EventId(r.get(1)?)];
            // A row may be named by its own id and by its target: it is out while either is.
            let now = is_dead(db, &names)?;
            let known = |id: &EventId| is_dead(db, std::slice::from_ref(id));
            let mut before = false;
            for id in &names {
                before |= match self.ids.get(id) {
                    Some(dead) => !dead,
                    None => known(id)?,
                };
            }
            if now == before {
                continue;
            }
            let value = r.get_ref(2)?.as_blob().unwrap_or_default();
            let term = parts.ids.term(&chat.chat, value);
            let change = change.entry(rows::day_of(value)?).or_default();
            if now { change.remove(&term) } else { change.add(&term) }
        }
        Ok(())
    }
}

/// Whether a deletion that the log holds names any of these.
pub(super) fn is_dead(db: &Connection, ids: &[EventId]) -> Result<bool> {
    let mut find = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM tombstones WHERE id = ?1 AND logged = 1)")?;
    for id in ids {
        if find.query_row([id.0], |r| r.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Archive {
    /// Whether a deletion names a row, or the message it is about.
    pub fn is_deleted(&self, key: &rows::RowKey) -> Result<bool> {
        if matches!(key.kind, Kind::OWN_DELETE | Kind::UNDELETE) {
            return Ok(false);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM tombstones WHERE id IN (?1, ?2) AND (here = 1 OR logged = 1))";
        Ok(self.db.prepare_cached(sql)?.query_row([key.id.0, key.target.0], |r| r.get(0))?)
    }

    /// Own deletions in force in the log below a size that may have rows left to purge, chat by chat.
    pub fn deletions_open(&self, below: u64) -> Result<Vec<Grave>> {
        let mut places =
            self.db.prepare("SELECT DISTINCT chat, time FROM tombstones WHERE open = 1 ORDER BY chat, time")?;
        let found = places.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
        let places: Vec<(i64, i64)> = found.collect::<rusqlite::Result<_>>()?;
        let mut list = Vec::new();
        let near = |a: &(i64, i64), b: &(i64, i64)| a.0 == b.0 && b.1.saturating_sub(a.1) <= REACH_MS;
        for group in places.chunk_by(near) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let chat = chats::by_number(&self.db, first.0)?.chat;
            let acts = acts(&self.db, first.0, reach(first.1, last.1), below)?;
            let mut graves = in_force(&self.parts, &chat, &acts);
            let times: BTreeSet<i64> = group.iter().map(|place| place.1).collect();
            for (id, row, arrival) in acts {
                if let Some(names) = graves.remove(&id).filter(|_| times.contains(&row.time)) {
                    list.push(Grave { chat: chat.clone(), id, row, arrival, names });
                }
            }
        }
        Ok(list)
    }
}
