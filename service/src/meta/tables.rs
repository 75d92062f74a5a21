//! What one transaction sees: rows, and steps that read or write one of them. The rules (`ops`) stand above it and are
//! the same for every store; a store decides only how rows are kept and how a transaction commits.

use bytes::Bytes;
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::last_day::is_past;
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;
use proto::wire::tree::{Frontier, Hash};

use super::{DuePlace, Invite, MirrorObject, Once, Result, SlotBytes, Totals};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountRow {
    pub id: AccountId,
    pub name: AccountName,
    pub created_ms: u64,
    pub suspended: bool,
    /// Deletion has begun, by the owner's last ROSTER or by the operator.
    pub ended: bool,
    pub incarnation: u32,
    pub frontier: Frontier,
    /// Server time of the last entry, which never falls.
    pub last_time_ms: u64,
    /// Bytes of all bodies ever appended.
    pub body_bytes: u64,
    /// Access generation: raised by every ROSTER and leaving.
    pub generation: u64,
    pub roster_version: u64,
    pub roster_index: u64,
    pub head: Option<HeadRow>,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub devices_max: u32,
    /// Bytes of packs that a record or head pins.
    pub live_bytes: u64,
    pub brake: BrakeRow,
    /// Bodies below it may go, except those of rosters.
    pub trim_to: u64,
    /// How far bodies have gone.
    pub trimmed: u64,
    /// Below it some body has gone that is not a roster's: who reads from there reads the head instead.
    pub gone_below: u64,
}

/// What heads have dropped in the day that began when they first did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BrakeRow {
    pub since_ms: u64,
    pub bytes: u64,
}

/// A permit the log holds. It stays until its last day, used up or not: so it counts once however often it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PermitRow {
    pub signature: [u8; 64],
    pub roster_version: u64,
    pub bytes_left: u64,
    pub last_day: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeadRow {
    pub generation: u64,
    pub author: DeviceId,
    pub index: u64,
    pub digest: [u8; 32],
    pub covered_size: u64,
    /// `body_bytes` as it was at the covered size: what lies above is the tail.
    pub covered_bytes: u64,
    pub front_size: u64,
    pub front_page: Option<PackId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceRow {
    pub id: DeviceId,
    /// In the roster, and not left by itself.
    pub active: bool,
    pub counter: u64,
    pub digest: [u8; 32],
    pub seen_size: u64,
    pub agreed: u64,
    pub last_time_ms: u64,
    /// Bytes reserved that neither record nor head pins yet.
    pub staged_bytes: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRow {
    pub index: u64,
    pub leaf: Bytes,
    pub body: Bytes,
    pub erased: bool,
    /// `AccountRow::body_bytes` before this entry.
    pub bytes_before: u64,
    /// The last day of a record of events, 0 for none: its body goes after it, head or no head.
    pub last_day: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RosterRow {
    pub version: u64,
    pub index: u64,
    pub digest: [u8; 32],
    /// The root generation it began, if it rotated the root.
    pub rotation: Option<u32>,
    /// The clear content (`docs/format.md` §4.4).
    pub content: Bytes,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackRow {
    pub id: PackId,
    pub class: Class,
    pub last_day: u32,
    pub device: DeviceId,
    /// All its bytes are durable.
    pub whole: bool,
    /// Empty while a record or head pins it.
    pub due_ms: Option<u64>,
    /// The newest record that relies on it.
    pub pin: Option<u64>,
    pub in_head: bool,
    /// A head has named it as a page of its catalogue.
    pub page: bool,
    pub dropped: Option<DroppedBy>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DroppedBy {
    pub generation: u64,
    pub author: DeviceId,
    /// Too much went at once: it waits longer, and no purge ends that.
    pub braked: bool,
    /// A purge or a last day: nobody has to agree first.
    pub purged: bool,
}

impl PackRow {
    /// Not past its due time: there for every check.
    pub fn live(&self, now_ms: u64) -> bool {
        self.due_ms.is_none_or(|due| now_ms < due) && !is_past(self.last_day, now_ms)
    }

    /// A record or head pins it.
    pub fn is_pinned(&self) -> bool {
        self.due_ms.is_none()
    }

    /// Reserved and pinned by nothing so far.
    pub fn is_staged(&self) -> bool {
        self.pin.is_none() && !self.in_head && self.dropped.is_none()
    }

    pub fn bytes(&self) -> u64 {
        self.class.bytes() as u64
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GuessRow {
    pub spent: u32,
    /// From when the next refill counts.
    pub since_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MirrorRow {
    pub account: AccountId,
    pub object: MirrorObject,
    pub since_ms: u64,
    pub stamp: u64,
}

/// The rows of one transaction.
pub trait Tables {
    fn account(&mut self, id: &AccountId) -> Result<Option<AccountRow>>;
    fn account_named(&mut self, name: &AccountName) -> Result<Option<AccountRow>>;
    fn accounts_after(&mut self, after: Option<&AccountName>, limit: usize) -> Result<Vec<AccountRow>>;
    fn ended_accounts(&mut self, limit: usize) -> Result<Vec<AccountId>>;
    fn put_account(&mut self, row: &AccountRow) -> Result<()>;
    /// Removes up to `limit` rows of an account, its own row last; tells how many went.
    fn remove_rows(&mut self, id: &AccountId, limit: usize) -> Result<usize>;

    fn device(&mut self, account: &AccountId, id: &DeviceId) -> Result<Option<DeviceRow>>;
    fn devices(&mut self, account: &AccountId) -> Result<Vec<DeviceRow>>;
    fn put_device(&mut self, account: &AccountId, row: &DeviceRow) -> Result<()>;

    fn entry(&mut self, account: &AccountId, index: u64) -> Result<Option<LogRow>>;
    /// Entries from an index on: at most `limit`, and none after leaf and body bytes have passed `bytes_max`.
    fn entries(&mut self, account: &AccountId, from: u64, limit: usize, bytes_max: usize) -> Result<Vec<LogRow>>;
    fn add_entry(&mut self, account: &AccountId, row: &LogRow, author: Option<(&DeviceId, u64)>) -> Result<()>;
    fn index_of(&mut self, account: &AccountId, device: &DeviceId, counter: u64) -> Result<Option<u64>>;
    fn erase_body(&mut self, account: &AccountId, index: u64) -> Result<()>;

    /// Up to 64 leaf hashes, one after another.
    fn leaf_hashes(&mut self, account: &AccountId, row: u64) -> Result<Vec<u8>>;
    fn put_leaf_hashes(&mut self, account: &AccountId, row: u64, hashes: &[u8]) -> Result<()>;
    fn node(&mut self, account: &AccountId, height: u32, index: u64) -> Result<Option<Hash>>;
    fn put_node(&mut self, account: &AccountId, height: u32, index: u64, hash: &Hash) -> Result<()>;

    fn roster(&mut self, account: &AccountId, version: u64) -> Result<Option<RosterRow>>;
    /// Rotations above a version, oldest first.
    fn rotations(&mut self, account: &AccountId, above: u64) -> Result<Vec<RosterRow>>;
    fn put_roster(&mut self, account: &AccountId, row: &RosterRow) -> Result<()>;

    fn slot(&mut self, account: &AccountId, kind: SlotKind) -> Result<Option<SlotBytes>>;
    fn put_slot(&mut self, account: &AccountId, slot: &SlotBytes) -> Result<()>;
    /// Whose recovery slot has this name in the bucket.
    fn slot_owner(&mut self, name: &[u8; 16]) -> Result<Option<AccountId>>;

    fn pack(&mut self, account: &AccountId, id: &PackId) -> Result<Option<PackRow>>;
    fn put_pack(&mut self, account: &AccountId, row: &PackRow) -> Result<()>;
    fn remove_pack(&mut self, account: &AccountId, id: &PackId) -> Result<()>;
    /// What a device has reserved and nothing has pinned, by id.
    fn staged(&mut self, account: &AccountId, device: &DeviceId, limit: usize) -> Result<Vec<PackRow>>;
    /// Packs due at or before a time, longest due first, beginning after a place.
    fn due(&mut self, until_ms: u64, after: Option<DuePlace>, limit: usize) -> Result<Vec<(AccountId, PackRow)>>;
    /// Packs dropped that still wait and that a purge lets go: not yet due, not braked, no page of a catalogue. By id.
    fn waiting(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>>;
    fn packs_after(&mut self, after: Option<(AccountId, PackId)>, limit: usize) -> Result<Vec<(AccountId, PackRow)>>;

    fn permits(&mut self, account: &AccountId) -> Result<Vec<PermitRow>>;
    fn put_permit(&mut self, account: &AccountId, row: &PermitRow) -> Result<()>;
    fn remove_permit(&mut self, account: &AccountId, signature: &[u8; 64]) -> Result<()>;
    /// Accounts with packs that are past their last day and not due yet, or with bodies past it.
    fn expiring(&mut self, now_ms: u64, limit: usize) -> Result<Vec<AccountId>>;
    /// An account's packs that are past their last day and not due yet, by id.
    fn packs_past(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<PackRow>>;
    /// Entries of an account that are past their last day and still have bodies, in order.
    fn bodies_past(&mut self, account: &AccountId, now_ms: u64, limit: usize) -> Result<Vec<u64>>;
    /// Accounts with bodies that may go.
    fn trimming(&mut self, limit: usize) -> Result<Vec<AccountId>>;

    fn guess(&mut self, key: &[u8; 32]) -> Result<Option<GuessRow>>;
    fn put_guess(&mut self, key: &[u8; 32], row: GuessRow) -> Result<()>;
    fn put_once(&mut self, kind: Once, id: &[u8; 32], value: &[u8], until_ms: u64) -> Result<()>;
    /// Reads a value and leaves it.
    fn once(&mut self, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>>;
    fn take_once(&mut self, kind: Once, id: &[u8; 32]) -> Result<Option<(Vec<u8>, u64)>>;
    /// Drops single-use values that ended and budgets untouched since the times given.
    fn drop_before(&mut self, once_until_ms: u64, guess_since_ms: u64) -> Result<()>;

    fn invite(&mut self, hash: &[u8; 32]) -> Result<Option<Invite>>;
    fn put_invite(&mut self, row: &Invite) -> Result<()>;
    fn invites(&mut self) -> Result<Vec<Invite>>;

    fn mirror(&mut self, account: &AccountId, object: &MirrorObject) -> Result<Option<MirrorRow>>;
    fn put_mirror(&mut self, row: &MirrorRow) -> Result<()>;
    fn remove_mirror(&mut self, account: &AccountId, object: &MirrorObject) -> Result<()>;
    /// Accounts with rows, after one, in the order of their ids.
    fn mirror_accounts(&mut self, after: Option<&AccountId>, limit: usize) -> Result<Vec<AccountId>>;
    /// In the order of the objects.
    fn mirror_rows(&mut self, account: &AccountId, limit: usize) -> Result<Vec<MirrorRow>>;
    fn mirror_since(&mut self) -> Result<Option<u64>>;

    fn totals(&mut self) -> Result<Totals>;
}
