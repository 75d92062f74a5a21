//! Runs the rules on a store that has transactions: one method of [`Meta`], one transaction.

use async_trait::async_trait;
use bytes::Bytes;
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;

use super::ops::{account, admin, append, expire, gate, mailbox, mirror, pack, read, roster, sweep, trim};
use super::tables::Tables;
use super::types::*;
use super::{Caller, Meta, Result};

/// A store whose transactions run the synchronous rules.
#[async_trait]
pub trait Transactions: Send + Sync + 'static {
    /// Runs in a transaction that commits if the result is good, durably before this returns, and else changes nothing.
    async fn write<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static;

    /// Runs on one consistent state and may change nothing.
    async fn read<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static;
}

#[async_trait]
impl<S: Transactions> Meta for S {
    async fn create_account(&self, new: NewAccount, now_ms: u64) -> Result<Placed> {
        self.write(move |t| roster::create_account(t, &new, now_ms)).await
    }

    async fn credentials(&self, name: &AccountName) -> Result<Option<Credentials>> {
        let name = name.clone();
        self.read(move |t| account::credentials(t, &name)).await
    }

    async fn sign_in(&self, id: &AccountId, kind: SlotKind) -> Result<SignIn> {
        let id = *id;
        self.read(move |t| account::sign_in(t, &id, kind)).await
    }

    async fn device_access(&self, account: &AccountId, device: &DeviceId) -> Result<Option<DeviceAccess>> {
        let (account, device) = (*account, *device);
        self.read(move |t| gate::device_access(t, &account, &device)).await
    }

    async fn spend_guess(&self, key: [u8; 32], now_ms: u64) -> Result<()> {
        self.write(move |t| gate::spend_guess(t, &key, now_ms)).await
    }

    async fn put_once(&self, kind: Once, id: [u8; 32], value: Vec<u8>, until_ms: u64) -> Result<()> {
        self.write(move |t| t.put_once(kind, &id, &value, until_ms)).await
    }

    async fn take_once(&self, kind: Once, id: [u8; 32], now_ms: u64) -> Result<Option<Vec<u8>>> {
        self.write(move |t| gate::take_once(t, kind, &id, now_ms)).await
    }

    async fn open_mailbox(&self, caller: &Caller, key: [u8; 32], seed: [u8; 32], now_ms: u64) -> Result<u32> {
        let caller = caller.clone();
        self.write(move |t| mailbox::open(t, &caller, key, &seed, now_ms)).await
    }

    async fn look_mailbox(&self, number: u32, key: [u8; 32], received: u32, now_ms: u64) -> Result<Option<Bytes>> {
        self.read(move |t| mailbox::look(t, number, &key, received, now_ms)).await
    }

    async fn use_mailbox(&self, number: u32, key: [u8; 32], letter: Letter, now_ms: u64) -> Result<Bytes> {
        self.write(move |t| mailbox::exchange(t, number, key, letter, now_ms)).await
    }

    async fn append(&self, caller: &Caller, batch: Vec<NewRecord>, now_ms: u64) -> Result<Appended> {
        let caller = caller.clone();
        self.write(move |t| append::append(t, &caller, &batch, now_ms)).await
    }

    async fn append_roster(&self, new: NewRecord, slots: Vec<SlotBytes>, now_ms: u64) -> Result<Appended> {
        self.write(move |t| roster::append_roster(t, &new, &slots, now_ms)).await
    }

    async fn open(&self, caller: &Caller, query: OpenQuery, now_ms: u64) -> Result<Opened> {
        let caller = caller.clone();
        self.read(move |t| read::open(t, &caller, query, now_ms)).await
    }

    async fn pull(&self, caller: &Caller, query: PullQuery, now_ms: u64) -> Result<Pulled> {
        let caller = caller.clone();
        self.read(move |t| read::pull(t, &caller, query, now_ms)).await
    }

    async fn log_size(&self, caller: &Caller) -> Result<u64> {
        let caller = caller.clone();
        self.read(move |t| read::log_size(t, &caller)).await
    }

    async fn slots(&self, caller: &Caller) -> Result<Vec<SlotBytes>> {
        let caller = caller.clone();
        self.read(move |t| read::slots(t, &caller)).await
    }

    async fn reserve_pack(&self, caller: &Caller, new: NewPack, now_ms: u64) -> Result<Reserved> {
        let caller = caller.clone();
        self.write(move |t| pack::reserve(t, &caller, new, now_ms)).await
    }

    async fn pack_stored(&self, caller: &Caller, id: PackId, now_ms: u64) -> Result<()> {
        let caller = caller.clone();
        self.write(move |t| pack::stored(t, &caller, id, now_ms)).await
    }

    async fn readable_pack(&self, caller: &Caller, id: PackId, now_ms: u64) -> Result<Class> {
        let caller = caller.clone();
        self.read(move |t| pack::readable(t, &caller, id, now_ms)).await
    }

    async fn staged(&self, caller: &Caller, now_ms: u64) -> Result<Vec<StagedPack>> {
        let caller = caller.clone();
        self.read(move |t| pack::staged(t, &caller, now_ms)).await
    }

    async fn sweepable(&self, now_ms: u64, after: Option<DuePlace>, limit: usize) -> Result<DuePage> {
        self.read(move |t| sweep::sweepable(t, now_ms, after, limit)).await
    }

    async fn pack_swept(&self, due: DuePack, now_ms: u64) -> Result<()> {
        self.write(move |t| sweep::swept(t, due, now_ms)).await
    }

    async fn drop_expired(&self, now_ms: u64) -> Result<()> {
        self.write(move |t| gate::drop_expired(t, now_ms)).await
    }

    async fn expiring(&self, now_ms: u64, limit: usize) -> Result<Vec<AccountId>> {
        self.read(move |t| t.expiring(now_ms, limit)).await
    }

    async fn expire_step(&self, account: &AccountId, now_ms: u64) -> Result<bool> {
        let account = *account;
        self.write(move |t| expire::step(t, &account, now_ms)).await
    }

    async fn trimming(&self, limit: usize) -> Result<Vec<AccountId>> {
        self.read(move |t| t.trimming(limit)).await
    }

    async fn trim_step(&self, account: &AccountId) -> Result<bool> {
        let account = *account;
        self.write(move |t| trim::step(t, &account)).await
    }

    async fn deleting(&self, limit: usize) -> Result<Vec<AccountId>> {
        self.read(move |t| t.ended_accounts(limit)).await
    }

    async fn deleting_slots(&self, account: &AccountId) -> Result<Vec<RecoverySlot>> {
        let account = *account;
        self.read(move |t| sweep::recovery_slots(t, &account)).await
    }

    async fn delete_step(&self, account: &AccountId) -> Result<bool> {
        let account = *account;
        self.write(move |t| sweep::delete_step(t, &account)).await
    }

    async fn mirror_accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountId>> {
        self.read(move |t| t.mirror_accounts(after.as_ref(), limit)).await
    }

    async fn mirror_jobs(&self, account: &AccountId, limit: usize) -> Result<Vec<MirrorJob>> {
        let account = *account;
        self.read(move |t| mirror::jobs(t, &account, limit)).await
    }

    async fn mirror_done(&self, job: &MirrorJob) -> Result<()> {
        let job = MirrorJob { content: None, ..job.clone() };
        self.write(move |t| mirror::done(t, &job)).await
    }

    async fn mirror_since(&self) -> Result<Option<u64>> {
        self.read(|t| t.mirror_since()).await
    }

    async fn invite_create(&self, invite: Invite) -> Result<()> {
        self.write(move |t| t.put_invite(&invite)).await
    }

    async fn invites(&self) -> Result<Vec<Invite>> {
        self.read(|t| t.invites()).await
    }

    async fn invite_revoke(&self, hash: [u8; 32]) -> Result<bool> {
        self.write(move |t| admin::invite_revoke(t, &hash)).await
    }

    async fn invite_usable(&self, hash: [u8; 32], now_ms: u64) -> Result<bool> {
        self.read(move |t| admin::invite_usable(t, &hash, now_ms)).await
    }

    async fn users(&self, after: Option<&AccountName>, limit: usize) -> Result<Vec<User>> {
        let after = after.cloned();
        self.read(move |t| admin::users(t, after.as_ref(), limit)).await
    }

    async fn user(&self, name: &AccountName) -> Result<Option<User>> {
        let name = name.clone();
        self.read(move |t| admin::user(t, &name)).await
    }

    async fn user_devices(&self, account: &AccountId) -> Result<Vec<DeviceFacts>> {
        let account = *account;
        self.read(move |t| admin::user_devices(t, &account)).await
    }

    async fn user_change(&self, name: &AccountName, change: UserChange) -> Result<()> {
        let name = name.clone();
        self.write(move |t| admin::user_change(t, &name, change)).await
    }

    async fn packs_after(&self, after: Option<(AccountId, PackId)>, limit: usize) -> Result<Vec<PackFacts>> {
        self.read(move |t| admin::packs_after(t, after, limit)).await
    }

    async fn totals(&self) -> Result<Totals> {
        self.read(|t| t.totals()).await
    }

    async fn ready(&self) -> Result<()> {
        self.write(|_| Ok(())).await
    }
}
