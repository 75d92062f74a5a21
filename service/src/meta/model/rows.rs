//! The model's rows, step by step.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::last_day::is_past;
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;
use proto::wire::tree::Hash;

use super::{Account, State};
use crate::meta::tables::{AccountRow, DeviceRow, GuessRow, LogRow, MirrorRow, PackRow, PermitRow, RosterRow, Tables};
use crate::meta::{DuePlace, Invite, MetaError, MirrorObject, Once, Result, SlotBytes, Totals};

impl State {
    fn of(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id).map(Arc::as_ref)
    }

    fn of_mut(&mut self, id: &AccountId) -> Result<&mut Account> {
        self.accounts.get_mut(id).map(Arc::make_mut).ok_or(MetaError::Damaged("a row belongs to no account"))
    }

    fn packs(&self) -> impl Iterator<Item = (AccountId, &PackRow)> {
        self.accounts.iter().flat_map(|(id, account)| account.packs.values().map(|p| (*id, p)))
    }
}

impl Tables for State {
    fn account(&mut self, id: &AccountId) -> Result<Option<AccountRow>> {
        Ok(self.of(id).map(|a| a.row.clone()))
    }

    fn account_named(&mut self, name: &AccountName) -> Result<Option<AccountRow>> {
        Ok(self.names.get(name).and_then(|id| self.of(id)).map(|a| a.row.clone()))
    }

    fn accounts_after(&mut self, after: Option<&AccountName>, limit: usize) -> Result<Vec<AccountRow>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.names.range((from, Bound::Unbounded)).take(limit);
        Ok(names.filter_map(|(_, id)| self.of(id)).map(|a| a.row.clone()).collect())
    }

    fn ended_accounts(&mut self, limit: usize) -> Result<Vec<AccountId>> {
        let ended = self.accounts.values().filter(|a| a.row.ended);
        Ok(ended.take(limit).map(|a| a.row.id).collect())
    }

    fn put_account(&mut self, row: &AccountRow) -> Result<()> {
        if let Some(account) = self.accounts.get_mut(&row.id) {
            Arc::make_mut(account).row = row.clone();
            return Ok(());
        }
        self.names.insert(row.name.clone(), row.id);
        self.accounts.insert(row.id, Arc::new(Account::new(row.clone())));
        Ok(())
    }

    fn remove_rows(&mut self, id: &AccountId, limit: usize) -> Result<usize> {
        let Some(account) = self.accounts.get_mut(id) else { return Ok(0) };
        let account = Arc::make_mut(account);
        let gone = account.remove_rows(limit);
        if gone < limit {
            let name = account.row.name.clone();
            self.names.remove(&name);
            self.accounts.remove(id);
        }
        Ok(gone)
    }

    fn device(&mut self, account: &AccountId, id: &DeviceId) -> Result<Option<DeviceRow>> {
        Ok(self.of(account).and_then(|a| a.devices.get(id)).cloned())
    }

    fn devices(&mut self, account: &AccountId) -> Result<Vec<DeviceRow>> {
        Ok(self.of(account).map(|a| a.devices.values().cloned().collect()).unwrap_or_default())
    }

    fn put_device(&mut self, account: &AccountId, row: &DeviceRow) -> Result<()> {
        self.of_mut(account)?.devices.insert(row.id, row.clone());
        Ok(())
    }

    fn entry(&mut self, account: &AccountId, index: u64) -> Result<Option<LogRow>> {
        Ok(self.of(account).and_then(|a| a.log.get(index as usize)).cloned())
    }

    fn entries(&mut self, account: &AccountId, from: u64, limit: usize, bytes_max: usize) -> Result<Vec<LogRow>> {
        let Some(account) = self.of(account) else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        let mut bytes = 0usize;
        for row in account.log.iter().skip(from as usize).take(limit) {
            bytes += row.leaf.len() + row.body.len();
            out.push(row.clone());
            if bytes > bytes_max {
                break;
            }
        }
        Ok(out)
    }

    fn add_entry(&mut self, account: &AccountId, row: &LogRow, author: Option<(&DeviceId, u64)>) -> Result<()> {
        let account = self.of_mut(account)?;
        if row.index != account.log.len() as u64 {
            return Err(MetaError::Damaged("an entry is not at the log's end"));
        }
        if let Some((device, counter)) = author
            && account.by_counter.insert((*device, counter), row.index).is_some()
        {
            return Err(MetaError::Damaged("a counter is used twice"));
        }
        account.log.push(row.clone());
        Ok(())
    }

    fn index_of(&mut self, account: &AccountId, device: &DeviceId, counter: u64) -> Result<Option<u64>> {
        Ok(self.of(account).and_then(|a| a.by_counter.get(&(*device, counter))).copied())
    }

    fn erase_body(&mut self, account: &AccountId, index: u64) -> Result<()> {
        let row = self.of_mut(account)?.log.get_mut(index as usize);
        let row = row.ok_or(MetaError::Damaged("a log entry is missing"))?;
        row.body = Bytes::new();
        row.erased = true;
        Ok(())
    }

    fn leaf_hashes(&mut self, account: &AccountId, row: u64) -> Result<Vec<u8>> {
        Ok(self.of(account).and_then(|a| a.leaf_hashes.get(&row)).map(|b| b.to_vec()).unwrap_or_default())
    }

    fn put_leaf_hashes(&mut self, account: &AccountId, row: u64, hashes: &[u8]) -> Result<()> {
        self.of_mut(account)?.leaf_hashes.insert(row, Bytes::copy_from_slice(hashes));
        Ok(())
    }

    fn node(&mut self, account: &AccountId, height: u32, index: u64) -> Result<Option<Hash>> {
        Ok(self.of(account).and_then(|a| a.nodes.get(&(height, index))).copied())
    }

    fn put_node(&mut self, account: &AccountId, height: u32, index: u64, hash: &Hash) -> Result<()> {
        self.of_mut(account)?.nodes.insert((height, index), *hash);
        Ok(())
    }

    fn roster(&mut self, account: &AccountId, version: u64) -> Result<Option<RosterRow>> {
        Ok(self.of(account).and_then(|a| a.rosters.get(&version)).cloned())
    }

    fn rotations(&mut self, account: &AccountId, above: u64) -> Result<Vec<RosterRow>> {
        let Some(account) = self.of(account) else { return Ok(Vec::new()) };
        let newer = account.rosters.values().filter(|r| r.version > above && r.rotation.is_some());
        Ok(newer.cloned().collect())
    }

    fn put_roster(&mut self, account: &AccountId, row: &RosterRow) -> Result<()> {
        self.of_mut(account)?.rosters.insert(row.version, row.clone());
        Ok(())
    }

    fn slot(&mut self, account: &AccountId, kind: SlotKind) -> Result<Option<SlotBytes>> {
        Ok(self.of(account).and_then(|a| a.slots.get(&kind)).cloned())
    }

    fn put_slot(&mut self, account: &AccountId, slot: &SlotBytes) -> Result<()> {
        self.of_mut(account)?.slots.insert(slot.kind, slot.clone());
        Ok(())
    }

    fn slot_owner(&mut self, name: &[u8; 16]) -> Result<Option<AccountId>> {
        let owner = self.accounts.values().find(|a| a.slots.values().any(|s| s.slot_name == Some(*name)));
        Ok(owner.map(|a| a.row.id))
    }

    fn pack(&mut self, account: &AccountId, id: &PackId) -> Result<Option<PackRow>> {
        Ok(self.of(account).and_then(|a| a.packs.get(id)).cloned())
    }

    fn put_pack(&mut self, account: &AccountId, row: &PackRow) -> Result<()> {
        self.of_mut(account)?.packs.insert(row.id, row.clone());
        Ok(())
    }

    fn remove_pack(&mut self, account: &AccountId, id: &PackId) -> Result<()> {
        self.of_mut(account)?.packs.remove(id);
        Ok(())
    }

    fn staged(&mut self, account: &AccountId, device: &DeviceId, limit: usize) -> Result<Vec<PackRow>> {
        let Some(account) = self.of(account) else { return Ok(Vec::new()) };
        let staged = account.packs.values().filter(|p| p.device == *device && p.is_staged());
        Ok(staged.take(limit).cloned().collect())
    }

    fn due(&mut self, until_ms: u64, after: Option<DuePlace>, limit: usize) -> Result<Vec<(AccountId, PackRow)>> {
        let mut due: BTreeMap<DuePlace, &PackRow> = BTreeMap::new();
        for (account, row) in self.packs() {
            if let Some(at) = row.due_ms.filter(|at| *at <= until_ms) {
                due.insert((at, account, row.id), row);
            }
        }
        let rest = due.into_iter().filter(|(place, _)| after.is_none_or(|a| *place > a));
        Ok(rest.take(limit).map(|((_, account, _), row)| (account, row.clone())).collect())
    }

    fn waiting(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>> {
        let Some(account) = self.of(account) else { return Ok(Vec::new()) };
        let waits = |p: &&PackRow| {
            !p.page && p.due_ms.is_some_and(|due| due > now_ms) && p.dropped.is_some_and(|drop| !drop.braked)
        };
        Ok(account.packs.values().filter(waits).take(limit).cloned().collect())
    }

    fn packs_after(&mut self, after: Option<(AccountId, PackId)>, limit: usize) -> Result<Vec<(AccountId, PackRow)>> {
        let rest = self.packs().filter(|(account, row)| after.is_none_or(|a| (*account, row.id) > a));
        Ok(rest.take(limit).map(|(account, row)| (account, row.clone())).collect())
    }

    fn permits(&mut self, account: &AccountId) -> Result<Vec<PermitRow>> {
        Ok(self.of(account).map(|a| a.permits.values().cloned().collect()).unwrap_or_default())
    }

    fn put_permit(&mut self, account: &AccountId, row: &PermitRow) -> Result<()> {
        self.of_mut(account)?.permits.insert(row.signature, row.clone());
        Ok(())
    }

    fn remove_permit(&mut self, account: &AccountId, signature: &[u8; 64]) -> Result<()> {
        self.of_mut(account)?.permits.remove(signature);
        Ok(())
    }

    fn expiring(&mut self, now_ms: u64, limit: usize) -> Result<Vec<AccountId>> {
        let accounts: Vec<AccountId> = self.accounts.values().map(|a| a.row.id).collect();
        let mut found = Vec::new();
        for id in accounts {
            if !self.packs_past(&id, now_ms, 1)?.is_empty() || !self.bodies_past(&id, now_ms, 1)?.is_empty() {
                found.push(id);
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    fn packs_past(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>> {
        let Some(account) = self.of(account) else { return Ok(Vec::new()) };
        let past = |p: &&PackRow| is_past(p.last_day, now_ms) && p.due_ms.is_none_or(|due| due > now_ms);
        Ok(account.packs.values().filter(past).take(limit).cloned().collect())
    }

    fn bodies_past(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<u64>> {
        let Some(account) = self.of(account) else { return Ok(Vec::new()) };
        let past = account.log.iter().filter(|row| !row.erased && is_past(row.last_day, now_ms));
        Ok(past.take(limit).map(|row| row.index).collect())
    }

    fn trimming(&mut self, limit: usize) -> Result<Vec<AccountId>> {
        let behind = self.accounts.values().filter(|a| !a.row.ended && a.row.trimmed < a.row.trim_to);
        Ok(behind.take(limit).map(|a| a.row.id).collect())
    }

    fn guess(&mut self, key: &[u8; 32]) -> Result<Option<GuessRow>> {
        Ok(self.guesses.get(key).copied())
    }

    fn put_guess(&mut self, key: &[u8; 32], row: GuessRow) -> Result<()> {
        self.guesses.insert(*key, row);
        Ok(())
    }

    fn put_once(&mut self, kind: Once, id: &[u8; 32], value: &[u8], until_ms: u64) -> Result<()> {
        self.once.insert((kind, *id), (value.to_vec(), until_ms));
        Ok(())
    }

    fn once(&mut self, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>> {
        Ok(self.once.get(&(kind, *id)).cloned())
    }

    fn take_once(&mut self, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>> {
        Ok(self.once.remove(&(kind, *id)))
    }

    fn drop_before(&mut self, once_until_ms: u64, guess_since_ms: u64) -> Result<()> {
        self.once.retain(|_, (_, until)| *until > once_until_ms);
        self.guesses.retain(|_, row| row.since_ms > guess_since_ms);
        Ok(())
    }

    fn invite(&mut self, hash: &[u8; 32]) -> Result<Option<Invite>> {
        Ok(self.invites.get(hash).cloned())
    }

    fn put_invite(&mut self, row: &Invite) -> Result<()> {
        self.invites.insert(row.hash, row.clone());
        Ok(())
    }

    fn invites(&mut self) -> Result<Vec<Invite>> {
        Ok(self.invites.values().cloned().collect())
    }

    fn mirror(&mut self, account: &AccountId, object: &MirrorObject) -> Result<Option<MirrorRow>> {
        Ok(self.of(account).and_then(|a| a.mirror.get(object)).cloned())
    }

    fn put_mirror(&mut self, row: &MirrorRow) -> Result<()> {
        self.of_mut(&row.account)?.mirror.insert(row.object.clone(), row.clone());
        Ok(())
    }

    fn remove_mirror(&mut self, account: &AccountId, object: &MirrorObject) -> Result<()> {
        self.of_mut(account)?.mirror.remove(object);
        Ok(())
    }

    fn mirror_accounts(&mut self, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>> {
        let with_rows =
            self.accounts.iter().filter(|(id, a)| after.is_none_or(|after| *id > after) && !a.mirror.is_empty());
        Ok(with_rows.map(|(id, _)| *id).take(limit).collect())
    }

    fn mirror_rows(&mut self, account: &AccountId, limit: usize) -> Result<Vec<MirrorRow>> {
        Ok(self.of(account).map(|a| a.mirror.values().take(limit).cloned().collect()).unwrap_or_default())
    }

    fn mirror_since(&mut self) -> Result<Option<u64>> {
        Ok(self.accounts.values().flat_map(|a| a.mirror.values()).map(|r| r.since_ms).min())
    }

    fn totals(&mut self) -> Result<Totals> {
        let accounts = || self.accounts.values();
        Ok(Totals {
            accounts: accounts().count() as u64,
            devices: accounts().flat_map(|a| a.devices.values()).filter(|d| d.active).count() as u64,
            packs: accounts().map(|a| a.packs.len() as u64).sum(),
            stored_bytes: accounts().map(|a| a.row.used_bytes).sum(),
        })
    }
}

impl Account {
    fn new(row: AccountRow) -> Self {
        Self {
            row,
            devices: BTreeMap::new(),
            log: Vec::new(),
            by_counter: BTreeMap::new(),
            leaf_hashes: BTreeMap::new(),
            nodes: BTreeMap::new(),
            rosters: BTreeMap::new(),
            slots: BTreeMap::new(),
            packs: BTreeMap::new(),
            permits: BTreeMap::new(),
            mirror: BTreeMap::new(),
        }
    }

    fn remove_rows(&mut self, limit: usize) -> usize {
        let mut gone = 0;
        while gone < limit && (self.packs.pop_first().is_some() || self.log.pop().is_some()) {
            gone += 1;
        }
        gone
    }
}
