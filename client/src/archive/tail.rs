//! What a fold and a bulk upload need: the log's tail as it was opened, and runs sealed ahead of the record that pins
//! them, so that an interrupted run of work finds them again.

use std::collections::BTreeMap;

use rusqlite::params;

use super::error::Result;
use super::log::OwnRecord;
use super::rows::StoredRow;
use super::statements::Statements as _;
use super::{Archive, Commit, chats, rows, stretch};
use crate::ids::PackId;

/// Rows that wait to be sent, by day of their time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsynced {
    /// Days since 1970 of the rows' times, rounded down.
    pub day: i64,
    pub rows: u64,
    pub bytes: u64,
}

/// What waits to be sent in bulk.
pub enum Waiting {
    Row(Box<StoredRow>),
    /// A packed frame of one chat's rows, none of which is in the log.
    Frame(Vec<u8>),
}

/// A run sealed from rows that wait, not yet pinned by a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BulkRun {
    pub seq: u64,
    /// First and last time, ms, of the slice of rows it was made from; a slice may fill several runs.
    pub slice: (i64, i64),
    pub rows: u64,
    /// BLAKE3 over what went in, in order: tells whether the rows are still the same.
    pub hash: [u8; 32],
    pub pack: PackId,
    /// Its encoded entry.
    pub entry: Vec<u8>,
}

const DAY_MS: i64 = 86_400_000;

impl Archive {
    /// Counts the rows that wait by day, oldest first. Times far off are counted with the days they claim.
    pub fn unsynced_days(&self) -> Result<Vec<Unsynced>> {
        let mut statement = self.db.prepare_cached(
            "SELECT (time - ((time % ?1) + ?1) % ?1) / ?1 AS day, sum(rows), sum(bytes) FROM ( \
               SELECT time, 1 AS rows, length(value) AS bytes FROM rows WHERE state = -1 AND state <> 0 UNION ALL \
               SELECT last, rows, bytes FROM stretches WHERE state = -1 AND state <> 0 \
             ) GROUP BY day ORDER BY day",
        )?;
        let found = statement.query_map([DAY_MS], |r| {
            let (rows, bytes): (i64, i64) = (r.get(1)?, r.get(2)?);
            Ok(Unsynced { day: r.get(0)?, rows: rows.cast_unsigned(), bytes: bytes.cast_unsigned() })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Hands out what waits in a slice, in key order: single rows whose time lies in it, and frames of rows the last of
    /// which does.
    pub fn each_unsynced(&self, slice: (i64, i64), mut take: impl FnMut(Waiting) -> Result<()>) -> Result<()> {
        let mut single = self.db.prepare_cached(
            "SELECT time, target, kind, id, value, arrival FROM rows \
             WHERE state = -1 AND state <> 0 AND chat = ?1 AND time BETWEEN ?2 AND ?3 ORDER BY time, target, kind, id",
        )?;
        let mut stretches = self.db.prepare_cached(&format!(
            "SELECT {} FROM stretches WHERE state = -1 AND state <> 0 AND chat = ?1 AND last BETWEEN ?2 AND ?3 \
             ORDER BY first",
            stretch::COLUMNS
        ))?;
        for chat in self.unsynced_chats()? {
            let span = params![chat.n, slice.0, slice.1];
            let found = stretches.query_map(span, stretch::read)?;
            let mut frames = found.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().peekable();
            let mut found = single.query(span)?;
            loop {
                let row = found.next()?.map(|row| rows::read(&chat, row)).transpose()?;
                let time = row.as_ref().map_or(i64::MAX, |row| row.key.time);
                while let Some(stretch) = frames.next_if(|stretch| row.is_none() || stretch.first < time) {
                    take(Waiting::Frame(stretch::frame(&self.db, stretch.n)?))?;
                }
                match row {
                    Some(row) => take(Waiting::Row(Box::new(row)))?,
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Whether whole frames of rows wait.
    pub fn has_unsynced_frames(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM stretches WHERE state = -1 AND state <> 0)";
        Ok(self.db.one(sql, [], |r| r.get(0))?)
    }

    /// Runs sealed ahead, in the order they were made.
    pub fn bulk(&self) -> Result<Vec<BulkRun>> {
        let mut statement =
            self.db.prepare_cached("SELECT seq, first, last, rows, hash, pack, entry FROM bulk ORDER BY seq")?;
        let found = statement.query_map([], |r| {
            let (seq, rows): (i64, i64) = (r.get(0)?, r.get(3)?);
            Ok(BulkRun {
                seq: seq.cast_unsigned(),
                slice: (r.get(1)?, r.get(2)?),
                rows: rows.cast_unsigned(),
                hash: r.get(4)?,
                pack: PackId(r.get(5)?),
                entry: r.get(6)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Bytes of opened content that the log's tail holds from an index on.
    pub fn tail_bytes(&self, from: u64) -> Result<u64> {
        let sql = "SELECT coalesce(sum(length(content)), 0) FROM tail WHERE at >= ?1";
        Ok(self.db.one(sql, [from.cast_signed()], |r| r.get::<_, i64>(0))?.cast_unsigned())
    }

    /// The last days of those of the tail's records that have one, by index.
    pub fn tail_days(&self) -> Result<BTreeMap<u64, u32>> {
        let mut statement = self.db.prepare_cached("SELECT at, last_day FROM tail WHERE last_day <> 0")?;
        let found = statement.query_map([], |r| Ok((r.get::<_, i64>(0)?.cast_unsigned(), r.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Hands out the opened contents of the tail's records, by index.
    pub fn each_tail(&self, mut take: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let mut statement = self.db.prepare_cached("SELECT at, content FROM tail ORDER BY at")?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let at: i64 = row.get(0)?;
            take(at.cast_unsigned(), row.get_ref(1)?.as_blob().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Commit<'_> {
    /// Keeps a record's content, and its last day, until a head covers it.
    pub fn set_tail(&mut self, index: u64, content: &[u8], last_day: u32) -> Result<()> {
        let values = params![index.cast_signed(), content, last_day];
        self.db.run("INSERT OR REPLACE INTO tail VALUES (?1, ?2, ?3)", values)?;
        Ok(())
    }

    /// Forgets contents below a head's covered size.
    pub fn drop_tail(&mut self, below: u64) -> Result<()> {
        self.db.run("DELETE FROM tail WHERE at < ?1", [below.cast_signed()])?;
        Ok(())
    }

    pub fn set_bulk(&mut self, run: &BulkRun) -> Result<()> {
        let BulkRun { seq, slice, rows, hash, pack, entry } = run;
        let values = params![seq.cast_signed(), slice.0, slice.1, rows.cast_signed(), hash, pack.0, entry];
        self.db.run("INSERT OR REPLACE INTO bulk VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", values)?;
        Ok(())
    }

    pub fn drop_bulk(&mut self, seq: u64) -> Result<()> {
        self.db.run("DELETE FROM bulk WHERE seq = ?1", [seq.cast_signed()])?;
        Ok(())
    }

    /// Which runs sealed ahead these packs are.
    pub fn sent_bulk(&self, packs: &[PackId]) -> Result<Vec<u64>> {
        let mut find = self.db.prepare_cached("SELECT seq FROM bulk WHERE pack = ?1")?;
        let mut found = Vec::new();
        for pack in packs {
            let mut rows = find.query([pack.0])?;
            while let Some(row) = rows.next()? {
                found.push(row.get::<_, i64>(0)?.cast_unsigned());
            }
        }
        Ok(found)
    }

    /// As [`send`](Self::send), for a record whose runs carry all rows that wait in these slices.
    pub fn send_slices(&mut self, own: &OwnRecord, slices: &[(i64, i64)]) -> Result<()> {
        self.send(own, [])?;
        let mut mark = self.db.prepare_cached(
            "UPDATE rows SET state = ?3 WHERE state = -1 AND state <> 0 AND chat = ?4 AND time BETWEEN ?1 AND ?2",
        )?;
        let chats = chats::in_key_order(self.db)?;
        for (first, last) in slices {
            for chat in &chats {
                mark.execute(params![first, last, own.counter.cast_signed(), chat.n])?;
            }
            self.db.run(
                "UPDATE stretches SET state = ?3 WHERE state = -1 AND state <> 0 AND last BETWEEN ?1 AND ?2",
                params![first, last, own.counter.cast_signed()],
            )?;
        }
        Ok(())
    }
}
