//! SQLite's rows of packs, queues and guards.

use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::last_day::DAY_MS;
use rusqlite::params;

use super::rows::Rows;
use super::values::{self, int, object_key};
use crate::meta::tables::{GuessRow, MirrorRow, PackRow, PermitRow};
use crate::meta::{DuePlace, Invite, MirrorObject, Once, Result, Totals};

pub fn pack(rows: &Rows<'_>, account: &AccountId, id: &PackId) -> Result<Option<PackRow>> {
    let sql = "SELECT * FROM pack WHERE account = ?1 AND id = ?2";
    rows.one(sql, params![account.0, id.0], values::pack)
}

pub fn put_pack(rows: &Rows<'_>, account: &AccountId, row: &PackRow) -> Result<()> {
    rows.run(
        "INSERT OR REPLACE INTO pack
           (account, id, class, last_day, device, whole, due_ms, pin, in_head, dropped_by, dropper, page, braked, purged)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
        params![
            account.0,
            row.id.0,
            row.class.number(),
            row.last_day,
            row.device.0,
            row.whole,
            row.due_ms.map(int),
            row.pin.map(int),
            row.in_head,
            row.dropped.map(|d| int(d.generation)),
            row.dropped.map(|d| d.author.0),
            row.page,
            row.dropped.is_some_and(|d| d.braked),
            row.dropped.is_some_and(|d| d.purged),
        ],
    )?;
    Ok(())
}

pub fn remove_pack(rows: &Rows<'_>, account: &AccountId, id: &PackId) -> Result<()> {
    rows.run("DELETE FROM pack WHERE account = ?1 AND id = ?2", params![account.0, id.0]).map(drop)
}

pub fn staged(rows: &Rows<'_>, account: &AccountId, device: &DeviceId, limit: usize) -> Result<Vec<PackRow>> {
    let sql = "SELECT * FROM pack WHERE account = ?1 AND device = ?2
               AND pin IS NULL AND in_head = 0 AND dropped_by IS NULL ORDER BY id LIMIT ?3";
    rows.many(sql, params![account.0, device.0, int(limit as u64)], values::pack)
}

pub fn due(rows: &Rows<'_>, until_ms: u64, after: Option<DuePlace>, limit: usize) -> Result<Vec<(AccountId, PackRow)>> {
    let limit = int(limit as u64);
    match after {
        None => rows.many(
            "SELECT * FROM pack WHERE due_ms <= ?1 ORDER BY due_ms, account, id LIMIT ?2",
            params![int(until_ms), limit],
            values::pack_of,
        ),
        Some((due_ms, account, id)) => rows.many(
            "SELECT * FROM pack WHERE due_ms <= ?1 AND (due_ms, account, id) > (?2, ?3, ?4)
             ORDER BY due_ms, account, id LIMIT ?5",
            params![int(until_ms), int(due_ms), account.0, id.0, limit],
            values::pack_of,
        ),
    }
}

/// Days since 1970: what has an earlier last day is past it.
pub fn today(now_ms: u64) -> i64 {
    int(now_ms / DAY_MS)
}

pub fn expiring(rows: &Rows<'_>, now_ms: u64, limit: usize) -> Result<Vec<AccountId>> {
    let sql = "SELECT account FROM pack WHERE last_day > 0 AND last_day < ?1 AND (due_ms IS NULL OR due_ms > ?2)
               UNION SELECT account FROM log WHERE last_day > 0 AND last_day < ?1 AND erased = 0 ORDER BY account LIMIT ?3";
    let values = params![today(now_ms), int(now_ms), int(limit as u64)];
    rows.many(sql, values, |r| Ok(AccountId(values::array(r, "account")?)))
}

pub fn packs_past(rows: &Rows<'_>, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>> {
    let sql = "SELECT * FROM pack WHERE account = ?1 AND last_day > 0 AND last_day < ?2
               AND (due_ms IS NULL OR due_ms > ?3) ORDER BY id LIMIT ?4";
    rows.many(sql, params![account.0, today(now_ms), int(now_ms), int(limit as u64)], values::pack)
}

pub fn waiting(rows: &Rows<'_>, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>> {
    let sql = "SELECT * FROM pack INDEXED BY pack_dropped WHERE account = ?1 AND dropped_by IS NOT NULL
               AND due_ms > ?2 AND braked = 0 AND page = 0 ORDER BY id LIMIT ?3";
    rows.many(sql, params![account.0, int(now_ms), int(limit as u64)], values::pack)
}

pub fn put_permit(rows: &Rows<'_>, account: &AccountId, row: &PermitRow) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO permit (account, signature, roster_version, bytes_left, last_day)
               VALUES (?1,?2,?3,?4,?5)";
    let (version, left) = (int(row.roster_version), int(row.bytes_left));
    rows.run(sql, params![account.0, row.signature, version, left, row.last_day]).map(drop)
}

pub fn packs_after(
    rows: &Rows<'_>,
    after: Option<(AccountId, PackId)>,
    limit: usize,
) -> Result<Vec<(AccountId, PackRow)>> {
    let limit = int(limit as u64);
    match after {
        None => rows.many("SELECT * FROM pack ORDER BY account, id LIMIT ?1", [limit], values::pack_of),
        Some((account, id)) => rows.many(
            "SELECT * FROM pack WHERE (account, id) > (?1, ?2) ORDER BY account, id LIMIT ?3",
            params![account.0, id.0, limit],
            values::pack_of,
        ),
    }
}

pub fn guess(rows: &Rows<'_>, key: &[u8; 32]) -> Result<Option<GuessRow>> {
    rows.one("SELECT * FROM guess WHERE key = ?1", [key], |r| {
        let spent = u32::try_from(values::number(r, "spent")?).unwrap_or(u32::MAX);
        Ok(GuessRow { spent, since_ms: values::number(r, "since_ms")? })
    })
}

pub fn put_guess(rows: &Rows<'_>, key: &[u8; 32], row: GuessRow) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO guess (key, spent, since_ms) VALUES (?1,?2,?3)";
    rows.run(sql, params![key, row.spent, int(row.since_ms)]).map(drop)
}

pub fn put_once(rows: &Rows<'_>, kind: Once, id: &[u8; 32], value: &[u8], until_ms: u64) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO once (kind, id, value, until_ms) VALUES (?1,?2,?3,?4)";
    rows.run(sql, params![kind as u8, id, value, int(until_ms)]).map(drop)
}

pub fn once(rows: &Rows<'_>, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>> {
    let sql = "SELECT value, until_ms FROM once WHERE kind = ?1 AND id = ?2";
    rows.one(sql, params![kind as u8, id], once_row)
}

pub fn take_once(rows: &Rows<'_>, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>> {
    let sql = "DELETE FROM once WHERE kind = ?1 AND id = ?2 RETURNING value, until_ms";
    rows.one(sql, params![kind as u8, id], once_row)
}

fn once_row(row: &rusqlite::Row<'_>) -> Result<(Vec<u8>, u64)> {
    Ok((row.get("value").map_err(values::failed)?, values::number(row, "until_ms")?))
}

pub fn drop_before(rows: &Rows<'_>, once_until_ms: u64, guess_since_ms: u64) -> Result<()> {
    rows.run("DELETE FROM once WHERE until_ms <= ?1", [int(once_until_ms)])?;
    rows.run("DELETE FROM guess WHERE since_ms <= ?1", [int(guess_since_ms)]).map(drop)
}

pub fn put_invite(rows: &Rows<'_>, row: &Invite) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO invite (hash, uses_left, expires_ms, quota_bytes, created_ms, revoked)
               VALUES (?1,?2,?3,?4,?5,?6)";
    let (expires, quota, created) = (int(row.expires_ms), row.quota_bytes.map(int), int(row.created_ms));
    rows.run(sql, params![row.hash, row.uses_left, expires, quota, created, row.revoked]).map(drop)
}

pub fn mirror(rows: &Rows<'_>, account: &AccountId, object: &MirrorObject) -> Result<Option<MirrorRow>> {
    let (kind, part) = object_key(object);
    let sql = "SELECT * FROM mirror WHERE account = ?1 AND kind = ?2 AND part = ?3";
    rows.one(sql, params![account.0, kind, part], values::mirror)
}

pub fn put_mirror(rows: &Rows<'_>, row: &MirrorRow) -> Result<()> {
    let (kind, part) = object_key(&row.object);
    let sql = "INSERT OR REPLACE INTO mirror (account, kind, part, since_ms, stamp) VALUES (?1,?2,?3,?4,?5)";
    rows.run(sql, params![row.account.0, kind, part, int(row.since_ms), int(row.stamp)]).map(drop)
}

pub fn remove_mirror(rows: &Rows<'_>, account: &AccountId, object: &MirrorObject) -> Result<()> {
    let (kind, part) = object_key(object);
    let sql = "DELETE FROM mirror WHERE account = ?1 AND kind = ?2 AND part = ?3";
    rows.run(sql, params![account.0, kind, part]).map(drop)
}

pub fn mirror_accounts(rows: &Rows<'_>, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>> {
    let sql = "SELECT DISTINCT account FROM mirror WHERE account > ?1 ORDER BY account LIMIT ?2";
    // Every id is above the empty one.
    let after = after.map_or(&[][..], |id| &id.0);
    rows.many(sql, params![after, limited(limit)], |row| Ok(AccountId(values::array(row, "account")?)))
}

/// Kinds are numbered in the order of the objects, and so are the parts of one kind.
pub fn mirror_rows(rows: &Rows<'_>, account: &AccountId, limit: usize) -> Result<Vec<MirrorRow>> {
    let sql = "SELECT * FROM mirror WHERE account = ?1 ORDER BY kind, part LIMIT ?2";
    rows.many(sql, params![account.0, limited(limit)], values::mirror)
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Removes an account's many rows in steps, then its few and its own in the last one.
pub fn remove_rows(rows: &Rows<'_>, id: &AccountId, limit: usize) -> Result<usize> {
    let part = |gone: usize| int((limit - gone) as u64);
    let packs = "DELETE FROM pack WHERE account = ?1 AND id IN (SELECT id FROM pack WHERE account = ?1 LIMIT ?2)";
    let mut gone = rows.run(packs, params![id.0, part(0)])?;
    let log = "DELETE FROM log WHERE rowid IN (SELECT rowid FROM log WHERE account = ?1 LIMIT ?2)";
    gone += rows.run(log, params![id.0, part(gone)])?;
    let hashes = "DELETE FROM leaf_hashes WHERE rowid IN (SELECT rowid FROM leaf_hashes WHERE account = ?1 LIMIT ?2)";
    gone += rows.run(hashes, params![id.0, part(gone)])?;
    if gone >= limit {
        return Ok(gone);
    }
    for sql in [
        "DELETE FROM node WHERE account = ?1",
        "DELETE FROM roster WHERE account = ?1",
        "DELETE FROM device WHERE account = ?1",
        "DELETE FROM slot WHERE account = ?1",
        "DELETE FROM mirror WHERE account = ?1",
        "DELETE FROM permit WHERE account = ?1",
        "DELETE FROM account WHERE id = ?1",
    ] {
        rows.run(sql, [id.0])?;
    }
    Ok(gone)
}

pub fn totals(rows: &Rows<'_>) -> Result<Totals> {
    let sql = "SELECT (SELECT count(*) FROM account) AS accounts,
                      (SELECT count(*) FROM device WHERE active = 1) AS devices,
                      (SELECT count(*) FROM pack) AS packs,
                      (SELECT coalesce(sum(used_bytes), 0) FROM account) AS stored_bytes";
    let found = rows.one(sql, [], |r| {
        Ok(Totals {
            accounts: values::number(r, "accounts")?,
            devices: values::number(r, "devices")?,
            packs: values::number(r, "packs")?,
            stored_bytes: values::number(r, "stored_bytes")?,
        })
    })?;
    Ok(found.unwrap_or_default())
}
