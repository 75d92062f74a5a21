//! The metadata store: accounts, rosters, logs, packs. The source of truth for every commit.
//!
//! Each method is one transaction of one account. Times come from the caller; an account's server time never falls
//! whatever the caller's clock does. Who calls with a [`Caller`] has it held to the account's access generation in
//! the transaction itself, so a revoked device's token ends with the ROSTER that revokes it.

mod error;
mod model;
mod ops;
mod run;
mod sqlite;
#[cfg(test)]
pub(crate) mod suite;
mod tables;
mod types;

use async_trait::async_trait;
use bytes::Bytes;
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;

pub use crate::auth::token::Caller;
pub use error::{MetaError, Refused, Result};
pub use model::Model;
pub use ops::admin::usable;
pub use ops::brake::{BRAKE_LEAST_BYTES, BRAKED_MS};
pub use ops::gate::{GUESS_REFILL_MS, GUESSES_MAX};
pub use ops::head::DROPPED_MS;
pub use ops::pack::STAGED_MS;
pub use ops::roster::FIRST_INCARNATION;
pub use ops::sweep::SWEEP_DELAY_MS;
pub use sqlite::Sqlite;
pub use types::*;

/// Everything the service keeps in rows.
#[async_trait]
pub trait Meta: Send + Sync + 'static {
    /// Creates an account with its first ROSTER. Repeating the same bytes answers the same.
    async fn create_account(&self, new: NewAccount, now_ms: u64) -> Result<Placed>;
    /// Finds what a sign-in by name is judged by.
    async fn credentials(&self, name: &AccountName) -> Result<Option<Credentials>>;
    /// Gives slot, rosters, head and proofs to one who proved the secret of that slot.
    async fn sign_in(&self, account: &AccountId, kind: SlotKind) -> Result<SignIn>;
    /// Finds an active device's key; nothing where account or device is not (any more) there.
    async fn device_access(&self, account: &AccountId, device: &DeviceId) -> Result<Option<DeviceAccess>>;
    /// Counts one guess before it is evaluated: 10, refilling one per 10 minutes. The key is the account's id, or for
    /// an unknown name a value that depends on the name alone.
    async fn spend_guess(&self, key: [u8; 32], now_ms: u64) -> Result<()>;
    /// Keeps a single-use value until a time.
    async fn put_once(&self, kind: Once, id: [u8; 32], value: Vec<u8>, until_ms: u64) -> Result<()>;
    /// Takes a single-use value; the second taker and one who comes late get nothing.
    async fn take_once(&self, kind: Once, id: [u8; 32], now_ms: u64) -> Result<Option<Vec<u8>>>;

    /// Opens a mailbox for a pairing of the caller's account; answers its number, drawn with `seed`. The account's
    /// oldest goes where it has too many.
    async fn open_mailbox(&self, caller: &Caller, key: [u8; 32], seed: [u8; 32], now_ms: u64) -> Result<u32>;
    /// What the other side has left after so many messages; nothing where the key is of neither side.
    async fn look_mailbox(&self, number: u32, key: [u8; 32], received: u32, now_ms: u64) -> Result<Option<Bytes>>;
    /// Leaves a message and takes the other side's next one. A new key takes the second side if that is free.
    async fn use_mailbox(&self, number: u32, key: [u8; 32], letter: Letter, now_ms: u64) -> Result<Bytes>;

    /// Appends a device's batch in order, all of it or nothing.
    async fn append(&self, caller: &Caller, batch: Vec<NewRecord>, now_ms: u64) -> Result<Appended>;
    /// Appends a ROSTER, which the roster key alone admits, with the slot bytes it newly names.
    async fn append_roster(&self, roster: NewRecord, slots: Vec<SlotBytes>, now_ms: u64) -> Result<Appended>;
    /// Tells a device all that changed.
    async fn open(&self, caller: &Caller, query: OpenQuery, now_ms: u64) -> Result<Opened>;
    /// Reads entries with the proof that they continue what the device knows.
    async fn pull(&self, caller: &Caller, query: PullQuery, now_ms: u64) -> Result<Pulled>;
    /// The log's size, if the caller is still admitted.
    async fn log_size(&self, caller: &Caller) -> Result<u64>;
    /// The bytes of all current slots.
    async fn slots(&self, caller: &Caller) -> Result<Vec<SlotBytes>>;

    /// Makes a pack's row before a byte of it is kept, and charges the quota.
    async fn reserve_pack(&self, caller: &Caller, pack: NewPack, now_ms: u64) -> Result<Reserved>;
    /// Notes that all bytes of a reserved pack are durable.
    async fn pack_stored(&self, caller: &Caller, id: PackId, now_ms: u64) -> Result<()>;
    /// The class of a pack that is whole and not due: it may be read.
    async fn readable_pack(&self, caller: &Caller, id: PackId, now_ms: u64) -> Result<Class>;
    /// What the caller's device has staged and nothing pins yet.
    async fn staged(&self, caller: &Caller, now_ms: u64) -> Result<Vec<StagedPack>>;

    /// Packs that were due an hour ago and may leave storage, a page at a time.
    async fn sweepable(&self, now_ms: u64, after: Option<DuePlace>, limit: usize) -> Result<DuePage>;
    /// Removes a pack's row after its object is gone, and refunds it.
    async fn pack_swept(&self, pack: DuePack, now_ms: u64) -> Result<()>;
    /// Drops single-use values and guess budgets that say nothing any more.
    async fn drop_expired(&self, now_ms: u64) -> Result<()>;
    /// Accounts with packs or bodies whose last day is over.
    async fn expiring(&self, now_ms: u64, limit: usize) -> Result<Vec<AccountId>>;
    /// Makes an account's next packs due, and erases its next bodies, whose last day is over; true when none are left.
    async fn expire_step(&self, account: &AccountId, now_ms: u64) -> Result<bool>;
    /// Accounts with bodies that a confirmed head covers.
    async fn trimming(&self, limit: usize) -> Result<Vec<AccountId>>;
    /// Erases an account's next bodies that may go; true when none are left.
    async fn trim_step(&self, account: &AccountId) -> Result<bool>;
    /// Accounts whose deletion has begun.
    async fn deleting(&self, limit: usize) -> Result<Vec<AccountId>>;
    /// A deleting account's recovery slots that may be in the bucket.
    async fn deleting_slots(&self, account: &AccountId) -> Result<Vec<RecoverySlot>>;
    /// Removes up to 1,000 rows of a deleting account; true when nothing is left of it.
    async fn delete_step(&self, account: &AccountId) -> Result<bool>;

    /// Accounts with mirror work after one, in the order of their ids, at most `limit`.
    async fn mirror_accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountId>>;
    /// An account's mirror work as it stands at one moment, in the order it must be done, at most `limit` jobs. Where a
    /// row is damaged what comes before it; damage in the first is an error.
    async fn mirror_jobs(&self, account: &AccountId, limit: usize) -> Result<Vec<MirrorJob>>;
    /// Takes a job off the queue unless it changed meanwhile.
    async fn mirror_done(&self, job: &MirrorJob) -> Result<()>;
    /// Since when the oldest mirror job waits, ms.
    async fn mirror_since(&self) -> Result<Option<u64>>;

    async fn invite_create(&self, invite: Invite) -> Result<()>;
    async fn invites(&self) -> Result<Vec<Invite>>;
    /// Revokes an invite by its hash; false where there is none.
    async fn invite_revoke(&self, hash: [u8; 32]) -> Result<bool>;
    /// Whether an invite could be used now; nothing is taken.
    async fn invite_usable(&self, hash: [u8; 32], now_ms: u64) -> Result<bool>;
    /// Accounts by name after a name, at most `limit`.
    async fn users(&self, after: Option<&AccountName>, limit: usize) -> Result<Vec<User>>;
    async fn user(&self, name: &AccountName) -> Result<Option<User>>;
    async fn user_devices(&self, account: &AccountId) -> Result<Vec<DeviceFacts>>;
    async fn user_change(&self, name: &AccountName, change: UserChange) -> Result<()>;
    /// Packs of all accounts after one, for the check against storage.
    async fn packs_after(&self, after: Option<(AccountId, PackId)>, limit: usize) -> Result<Vec<PackFacts>>;
    async fn totals(&self) -> Result<Totals>;
    /// Whether the store can be read and written.
    async fn ready(&self) -> Result<()>;
}
