//! SQLite's rows, step by step: accounts, devices, log, rosters, slots. Packs, queues and guards are in `pack_rows`.

use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;
use proto::wire::tree::Hash;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::pack_rows as more;
use super::values::{self, failed, int};
use crate::meta::tables::{AccountRow, DeviceRow, GuessRow, LogRow, MirrorRow, PackRow, PermitRow, RosterRow, Tables};
use crate::meta::{DuePlace, Invite, MirrorObject, Once, Result, SlotBytes, Totals};

/// The rows a connection sees inside its transaction.
pub struct Rows<'c>(pub &'c Connection);

impl Rows<'_> {
    pub fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(params).map_err(failed)?;
        rows.next().map_err(failed)?.map(read).transpose()
    }

    pub fn many<T>(&self, sql: &str, params: impl Params, read: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(params).map_err(failed)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            out.push(read(row)?);
        }
        Ok(out)
    }

    pub fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.0.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(failed)
    }
}

impl Tables for Rows<'_> {
    fn account(&mut self, id: &AccountId) -> Result<Option<AccountRow>> {
        self.one("SELECT * FROM account WHERE id = ?1", [id.0], values::account)
    }

    fn account_named(&mut self, name: &AccountName) -> Result<Option<AccountRow>> {
        self.one("SELECT * FROM account WHERE name = ?1", [name.as_str()], values::account)
    }

    fn accounts_after(&mut self, after: Option<&AccountName>, limit: usize) -> Result<Vec<AccountRow>> {
        let after = after.map_or("", AccountName::as_str);
        let sql = "SELECT * FROM account WHERE name > ?1 ORDER BY name LIMIT ?2";
        self.many(sql, params![after, int(limit as u64)], values::account)
    }

    fn ended_accounts(&mut self, limit: usize) -> Result<Vec<AccountId>> {
        let sql = "SELECT id FROM account WHERE ended = 1 ORDER BY id LIMIT ?1";
        self.many(sql, [int(limit as u64)], |r| Ok(AccountId(values::array(r, "id")?)))
    }

    fn put_account(&mut self, row: &AccountRow) -> Result<()> {
        let head = row.head.as_ref();
        self.run(
            "INSERT INTO account (id, name, created_ms, suspended, ended, incarnation, size, frontier,
               last_time_ms, body_bytes, generation, roster_version, roster_index, head_generation, head_index,
               head_digest, covered_size, covered_bytes, front_size, front_page, quota_bytes, used_bytes, devices_max,
               head_author, live_bytes, brake_since_ms, brake_bytes, trim_to, trimmed, gone_below)
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,
               ?28,?29,?30)
             ON CONFLICT (id) DO UPDATE SET
               (suspended, ended, incarnation, size, frontier, last_time_ms, body_bytes, generation, roster_version,
                roster_index, head_generation, head_index, head_digest, covered_size, covered_bytes, front_size,
                front_page, quota_bytes, used_bytes, devices_max, head_author, live_bytes, brake_since_ms, brake_bytes,
                trim_to, trimmed, gone_below)
             = (excluded.suspended, excluded.ended, excluded.incarnation, excluded.size, excluded.frontier,
                excluded.last_time_ms, excluded.body_bytes, excluded.generation, excluded.roster_version,
                excluded.roster_index, excluded.head_generation, excluded.head_index, excluded.head_digest,
                excluded.covered_size, excluded.covered_bytes, excluded.front_size, excluded.front_page,
                excluded.quota_bytes, excluded.used_bytes, excluded.devices_max, excluded.head_author,
                excluded.live_bytes, excluded.brake_since_ms, excluded.brake_bytes, excluded.trim_to, excluded.trimmed,
                excluded.gone_below)",
            params![
                row.id.0,
                row.name.as_str(),
                int(row.created_ms),
                row.suspended,
                row.ended,
                row.incarnation,
                int(row.frontier.size()),
                row.frontier.hashes().concat(),
                int(row.last_time_ms),
                int(row.body_bytes),
                int(row.generation),
                int(row.roster_version),
                int(row.roster_index),
                head.map(|h| int(h.generation)),
                head.map(|h| int(h.index)),
                head.map(|h| h.digest),
                head.map(|h| int(h.covered_size)),
                head.map(|h| int(h.covered_bytes)),
                head.map(|h| int(h.front_size)),
                head.and_then(|h| h.front_page).map(|p| p.0),
                int(row.quota_bytes),
                int(row.used_bytes),
                row.devices_max,
                head.map(|h| h.author.0),
                int(row.live_bytes),
                int(row.brake.since_ms),
                int(row.brake.bytes),
                int(row.trim_to),
                int(row.trimmed),
                int(row.gone_below),
            ],
        )?;
        Ok(())
    }

    fn remove_rows(&mut self, id: &AccountId, limit: usize) -> Result<usize> {
        more::remove_rows(self, id, limit)
    }

    fn device(&mut self, account: &AccountId, id: &DeviceId) -> Result<Option<DeviceRow>> {
        self.one("SELECT * FROM device WHERE account = ?1 AND id = ?2", [account.0, id.0], values::device)
    }

    fn devices(&mut self, account: &AccountId) -> Result<Vec<DeviceRow>> {
        self.many("SELECT * FROM device WHERE account = ?1 ORDER BY id", [account.0], values::device)
    }

    fn put_device(&mut self, account: &AccountId, row: &DeviceRow) -> Result<()> {
        self.run(
            "INSERT OR REPLACE INTO device
               (account, id, active, counter, digest, seen_size, agreed, last_time_ms, staged_bytes)
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
            params![
                account.0,
                row.id.0,
                row.active,
                int(row.counter),
                row.digest,
                int(row.seen_size),
                int(row.agreed),
                int(row.last_time_ms),
                int(row.staged_bytes),
            ],
        )?;
        Ok(())
    }

    fn entry(&mut self, account: &AccountId, index: u64) -> Result<Option<LogRow>> {
        let sql = "SELECT * FROM log WHERE account = ?1 AND idx = ?2";
        self.one(sql, params![account.0, int(index)], values::log)
    }

    fn entries(&mut self, account: &AccountId, from: u64, limit: usize, bytes_max: usize) -> Result<Vec<LogRow>> {
        let sql = "SELECT * FROM log WHERE account = ?1 AND idx >= ?2 ORDER BY idx LIMIT ?3";
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(params![account.0, int(from), int(limit as u64)]).map_err(failed)?;
        let mut out = Vec::new();
        let mut bytes = 0usize;
        while let Some(row) = rows.next().map_err(failed)? {
            let row = values::log(row)?;
            bytes = bytes.saturating_add(row.leaf.len() + row.body.len());
            out.push(row);
            if bytes > bytes_max {
                break;
            }
        }
        Ok(out)
    }

    fn add_entry(&mut self, account: &AccountId, row: &LogRow, author: Option<(&DeviceId, u64)>) -> Result<()> {
        self.run(
            "INSERT INTO log (account, idx, leaf, body, erased, bytes_before, device, counter, last_day)
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
            params![
                account.0,
                int(row.index),
                &row.leaf[..],
                &row.body[..],
                row.erased,
                int(row.bytes_before),
                author.map(|(device, _)| device.0),
                author.map(|(_, counter)| int(counter)),
                row.last_day,
            ],
        )?;
        Ok(())
    }

    fn index_of(&mut self, account: &AccountId, device: &DeviceId, counter: u64) -> Result<Option<u64>> {
        let sql = "SELECT idx FROM log WHERE account = ?1 AND device = ?2 AND counter = ?3";
        self.one(sql, params![account.0, device.0, int(counter)], |r| values::number(r, "idx"))
    }

    fn erase_body(&mut self, account: &AccountId, index: u64) -> Result<()> {
        let sql = "UPDATE log SET body = x'', erased = 1 WHERE account = ?1 AND idx = ?2";
        self.run(sql, params![account.0, int(index)]).map(drop)
    }

    fn leaf_hashes(&mut self, account: &AccountId, row: u64) -> Result<Vec<u8>> {
        let sql = "SELECT hashes FROM leaf_hashes WHERE account = ?1 AND row = ?2";
        let found = self
            .0
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row(params![account.0, int(row)], |r| r.get::<_, Vec<u8>>(0)).optional());
        Ok(found.map_err(failed)?.unwrap_or_default())
    }

    fn put_leaf_hashes(&mut self, account: &AccountId, row: u64, hashes: &[u8]) -> Result<()> {
        let sql = "INSERT INTO leaf_hashes (account, row, hashes) VALUES (?1,?2,?3)
                   ON CONFLICT (account, row) DO UPDATE SET hashes = excluded.hashes";
        self.run(sql, params![account.0, int(row), hashes]).map(drop)
    }

    fn node(&mut self, account: &AccountId, height: u32, index: u64) -> Result<Option<Hash>> {
        let sql = "SELECT hash FROM node WHERE account = ?1 AND height = ?2 AND idx = ?3";
        self.one(sql, params![account.0, height, int(index)], |r| values::array(r, "hash"))
    }

    fn put_node(&mut self, account: &AccountId, height: u32, index: u64, hash: &Hash) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO node (account, height, idx, hash) VALUES (?1,?2,?3,?4)";
        self.run(sql, params![account.0, height, int(index), hash]).map(drop)
    }

    fn roster(&mut self, account: &AccountId, version: u64) -> Result<Option<RosterRow>> {
        let sql = "SELECT * FROM roster WHERE account = ?1 AND version = ?2";
        self.one(sql, params![account.0, int(version)], values::roster)
    }

    fn rotations(&mut self, account: &AccountId, above: u64) -> Result<Vec<RosterRow>> {
        let sql = "SELECT * FROM roster WHERE account = ?1 AND version > ?2 AND rotation IS NOT NULL ORDER BY version";
        self.many(sql, params![account.0, int(above)], values::roster)
    }

    fn put_roster(&mut self, account: &AccountId, row: &RosterRow) -> Result<()> {
        let sql = "INSERT INTO roster (account, version, idx, digest, rotation, content) VALUES (?1,?2,?3,?4,?5,?6)";
        let (version, index) = (int(row.version), int(row.index));
        self.run(sql, params![account.0, version, index, row.digest, row.rotation, &row.content[..]]).map(drop)
    }

    fn slot(&mut self, account: &AccountId, kind: SlotKind) -> Result<Option<SlotBytes>> {
        let sql = "SELECT * FROM slot WHERE account = ?1 AND kind = ?2";
        self.one(sql, params![account.0, kind as u8], values::slot)
    }

    fn put_slot(&mut self, account: &AccountId, slot: &SlotBytes) -> Result<()> {
        let sql = "INSERT INTO slot (account, kind, slot, credential, name) VALUES (?1,?2,?3,?4,?5)
                   ON CONFLICT (account, kind) DO UPDATE SET
                     slot = excluded.slot, credential = excluded.credential, name = excluded.name";
        let kind = slot.kind as u8;
        self.run(sql, params![account.0, kind, &slot.slot[..], &slot.credential[..], slot.slot_name]).map(drop)
    }

    fn slot_owner(&mut self, name: &[u8; 16]) -> Result<Option<AccountId>> {
        let sql = "SELECT account FROM slot WHERE name = ?1";
        self.one(sql, [name], |r| Ok(AccountId(values::array(r, "account")?)))
    }

    fn pack(&mut self, account: &AccountId, id: &PackId) -> Result<Option<PackRow>> {
        more::pack(self, account, id)
    }

    fn put_pack(&mut self, account: &AccountId, row: &PackRow) -> Result<()> {
        more::put_pack(self, account, row)
    }

    fn remove_pack(&mut self, account: &AccountId, id: &PackId) -> Result<()> {
        more::remove_pack(self, account, id)
    }

    fn staged(&mut self, account: &AccountId, device: &DeviceId, limit: usize) -> Result<Vec<PackRow>> {
        more::staged(self, account, device, limit)
    }

    fn due(&mut self, until_ms: u64, after: Option<DuePlace>, limit: usize) -> Result<Vec<(AccountId, PackRow)>> {
        more::due(self, until_ms, after, limit)
    }

    fn waiting(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>> {
        more::waiting(self, account, now_ms, limit)
    }

    fn packs_after(&mut self, after: Option<(AccountId, PackId)>, limit: usize) -> Result<Vec<(AccountId, PackRow)>> {
        more::packs_after(self, after, limit)
    }

    fn permits(&mut self, account: &AccountId) -> Result<Vec<PermitRow>> {
        self.many("SELECT * FROM permit WHERE account = ?1 ORDER BY signature", [account.0], values::permit)
    }

    fn put_permit(&mut self, account: &AccountId, row: &PermitRow) -> Result<()> {
        more::put_permit(self, account, row)
    }

    fn remove_permit(&mut self, account: &AccountId, signature: &[u8; 64]) -> Result<()> {
        let sql = "DELETE FROM permit WHERE account = ?1 AND signature = ?2";
        self.run(sql, params![account.0, signature]).map(drop)
    }

    fn expiring(&mut self, now_ms: u64, limit: usize) -> Result<Vec<AccountId>> {
        more::expiring(self, now_ms, limit)
    }

    fn packs_past(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>> {
        more::packs_past(self, account, now_ms, limit)
    }

    fn bodies_past(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<u64>> {
        let sql = "SELECT idx FROM log WHERE account = ?1 AND last_day > 0 AND last_day < ?2 AND erased = 0
                   ORDER BY idx LIMIT ?3";
        self.many(sql, params![account.0, more::today(now_ms), int(limit as u64)], |r| values::number(r, "idx"))
    }

    fn trimming(&mut self, limit: usize) -> Result<Vec<AccountId>> {
        let sql = "SELECT id FROM account WHERE trimmed < trim_to AND ended = 0 ORDER BY id LIMIT ?1";
        self.many(sql, [int(limit as u64)], |r| Ok(AccountId(values::array(r, "id")?)))
    }

    fn guess(&mut self, key: &[u8; 32]) -> Result<Option<GuessRow>> {
        more::guess(self, key)
    }

    fn put_guess(&mut self, key: &[u8; 32], row: GuessRow) -> Result<()> {
        more::put_guess(self, key, row)
    }

    fn put_once(&mut self, kind: Once, id: &[u8; 32], value: &[u8], until_ms: u64) -> Result<()> {
        more::put_once(self, kind, id, value, until_ms)
    }

    fn once(&mut self, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>> {
        more::once(self, kind, id)
    }

    fn take_once(&mut self, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>> {
        more::take_once(self, kind, id)
    }

    fn drop_before(&mut self, once_until_ms: u64, guess_since_ms: u64) -> Result<()> {
        more::drop_before(self, once_until_ms, guess_since_ms)
    }

    fn invite(&mut self, hash: &[u8; 32]) -> Result<Option<Invite>> {
        self.one("SELECT * FROM invite WHERE hash = ?1", [hash], values::invite)
    }

    fn put_invite(&mut self, row: &Invite) -> Result<()> {
        more::put_invite(self, row)
    }

    fn invites(&mut self) -> Result<Vec<Invite>> {
        self.many("SELECT * FROM invite ORDER BY hash", [], values::invite)
    }

    fn mirror(&mut self, account: &AccountId, object: &MirrorObject) -> Result<Option<MirrorRow>> {
        more::mirror(self, account, object)
    }

    fn put_mirror(&mut self, row: &MirrorRow) -> Result<()> {
        more::put_mirror(self, row)
    }

    fn remove_mirror(&mut self, account: &AccountId, object: &MirrorObject) -> Result<()> {
        more::remove_mirror(self, account, object)
    }

    fn mirror_accounts(&mut self, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>> {
        more::mirror_accounts(self, after, limit)
    }

    fn mirror_rows(&mut self, account: &AccountId, limit: usize) -> Result<Vec<MirrorRow>> {
        more::mirror_rows(self, account, limit)
    }

    fn mirror_since(&mut self) -> Result<Option<u64>> {
        let sql = "SELECT since_ms FROM mirror ORDER BY since_ms LIMIT 1";
        self.one(sql, [], |r| values::number(r, "since_ms"))
    }

    fn totals(&mut self) -> Result<Totals> {
        more::totals(self)
    }
}
