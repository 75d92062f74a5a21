//! What goes in and out of the metadata store.

use bytes::Bytes;
use proto::wire::header::Record;
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;
use proto::wire::tree::{Frontier, Hash};

/// A record as its author sent it, its header already read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRecord {
    pub record: Record,
    /// Empty where the record has none.
    pub body: Bytes,
}

/// A slot and its credential as they travel beside a ROSTER.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotBytes {
    pub kind: SlotKind,
    pub slot: Bytes,
    /// OPAQUE object, or the recovery verifying key.
    pub credential: Bytes,
    /// A recovery slot's name in the bucket.
    pub slot_name: Option<[u8; 16]>,
}

/// A registration, complete.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub name: AccountName,
    pub roster: NewRecord,
    pub slots: Vec<SlotBytes>,
    pub quota_bytes: u64,
    pub devices_max: u32,
    /// Hash of the invite that admits it; one use of it is taken in the same transaction, and its quota, if it names
    /// one, stands before `quota_bytes`.
    pub invite: Option<[u8; 32]>,
}

/// Where a record came to lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    pub index: u64,
    pub server_time_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appended {
    pub placed: Vec<Placed>,
    /// The log's size now.
    pub size: u64,
    /// Whether anything changed: a repeated batch wakes nobody.
    pub grew: bool,
}

/// An entry of the log as it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub index: u64,
    /// 284 bytes.
    pub leaf: Bytes,
    /// Empty where there is none, it was erased, or headers alone were asked for.
    pub body: Bytes,
    pub erased: bool,
}

/// What a sign-in by name needs to be judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    pub account: AccountId,
    /// The OPAQUE object, where the account has a passphrase.
    pub opaque: Option<Bytes>,
    /// The recovery verifying key, where the account has one.
    pub recovery: Option<[u8; 32]>,
}

/// What a device that proved a secret is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignIn {
    pub slot: Bytes,
    pub account: AccountId,
    /// Root rotations oldest first, then the newest ROSTER.
    pub rosters: Vec<Entry>,
    pub roster_proof: Vec<Hash>,
    pub head: Option<Entry>,
    pub head_proof: Vec<Hash>,
    pub log: Frontier,
    pub incarnation: u32,
    pub suspended: bool,
}

/// What admits a device's signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceAccess {
    pub verifying_key: [u8; 32],
    /// The account's access generation, for the token.
    pub generation: u64,
    pub suspended: bool,
}

/// The head that covers what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trimmed {
    pub generation: u64,
    pub index: u64,
}

/// What `Open` asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenQuery {
    pub known_size: u64,
    pub known_incarnation: u32,
    pub known_head: u64,
    pub known_roster: u64,
}

/// What `Open` answers, front page aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    pub incarnation: u32,
    pub log: Frontier,
    pub consistency: Vec<Hash>,
    /// Whether `consistency` proves anything: the size known is one this incarnation had.
    pub continuity: bool,
    pub rosters: Vec<Entry>,
    pub roster_proof: Vec<Hash>,
    pub head: Option<Entry>,
    pub head_proof: Vec<Hash>,
    /// The front page's pack, where the head is new to the device and has one.
    pub front_page: Option<(PackId, Class)>,
    pub usage: Usage,
    pub tail: Vec<Entry>,
    pub tail_from: Frontier,
    pub last_counter: u64,
    pub last_digest: [u8; 32],
    pub server_time_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PullQuery {
    pub from: u64,
    pub known_size: u64,
    pub headers_only: bool,
    /// Entries also where bodies have gone.
    pub past_gaps: bool,
    /// Leaves and bodies together; one entry is given even if it is larger.
    pub bytes_max: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pulled {
    pub entries: Vec<Entry>,
    pub log: Frontier,
    pub start: Frontier,
    /// Set where a body at or above `from` has gone: what follows is read through this head.
    pub trimmed: Option<Trimmed>,
    pub consistency: Vec<Hash>,
    pub continuity: bool,
    pub server_time_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    pub stored_bytes: u64,
    pub quota_bytes: u64,
}

/// A pack a device wants to upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewPack {
    pub id: PackId,
    pub class: Class,
    pub last_day: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reserved {
    /// The row is there; the bytes are to come.
    Send,
    /// All its bytes are kept already.
    Already,
}

/// A pack whose bytes are kept and which is not due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StagedPack {
    pub id: PackId,
    pub class: Class,
    pub whole: bool,
}

/// Kinds of single-use values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Once {
    Nonce = 1,
    Login = 2,
    /// Credential ids given to a registration or change that is under way.
    Registration = 3,
    /// A pairing's mailbox, under its number. It is looked into more than once.
    Mailbox = 4,
    /// One row: which mailboxes are open.
    Mailboxes = 5,
}

/// One side's turn in a pairing's mailbox.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Letter {
    /// Messages of the other side that this side has.
    pub received: u32,
    /// Messages this side has left before this one.
    pub sent: u32,
    /// Empty where this side only looks.
    pub message: Bytes,
    /// The mailbox ends.
    pub close: bool,
}

/// An invite as operators see it. The token itself is nowhere: rows hold its hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invite {
    pub hash: [u8; 32],
    pub uses_left: u32,
    pub expires_ms: u64,
    pub quota_bytes: Option<u64>,
    pub created_ms: u64,
    pub revoked: bool,
}

/// An account as operators see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    pub name: AccountName,
    pub account: AccountId,
    pub created_ms: u64,
    pub suspended: bool,
    pub ended: bool,
    pub usage: Usage,
    pub log_size: u64,
    pub devices: u32,
    /// When it last appended, ms.
    pub last_append_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserChange {
    Suspend,
    Resume,
    Quota(u64),
    /// Begins deletion: from now on the account is gone for every call, its rows and objects go in steps.
    Delete,
}

/// A device of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceFacts {
    pub id: DeviceId,
    pub active: bool,
    pub counter: u64,
    pub seen_size: u64,
    /// The newest head it found equal.
    pub agreed: u64,
    pub last_append_ms: u64,
}

/// A pack as the check of database against storage walks them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackFacts {
    pub account: AccountId,
    pub id: PackId,
    pub class: Class,
    pub whole: bool,
}

/// A pack that may leave storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DuePack {
    pub account: AccountId,
    pub id: PackId,
}

/// A place in the order of due packs: due time, account, pack.
pub type DuePlace = (u64, AccountId, PackId);

/// A page of packs that may leave storage.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DuePage {
    pub packs: Vec<DuePack>,
    /// Where the next page begins; nothing after the last.
    pub next: Option<DuePlace>,
}

/// Objects beside packs that the bucket holds (`docs/format.md` §7), in the order an account's are written: a roster
/// only when a slot that opens it and every rotation before it are there, and what it replaces is erased after it.
/// Wherever that is cut off, some recovery slot in the bucket opens the roster in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MirrorObject {
    PassphraseSlot,
    Opaque,
    RecoverySlot(RecoverySlot),
    Rotation(u32),
    Roster,
    Head,
    /// Erases a replaced recovery slot.
    EraseRecoverySlot(RecoverySlot),
}

/// A recovery slot's place in the bucket. The name is made from the recovery key alone; the slot's generation tells
/// contents of one key apart, so that none is ever overwritten. (The root's would not: a slot can be made anew for the
/// root it has, while a roster takes another content only with the next generation.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RecoverySlot {
    pub name: [u8; 16],
    pub generation: u32,
}

/// One object to write to or erase from the bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MirrorJob {
    pub account: AccountId,
    pub object: MirrorObject,
    /// What to write; nothing where the object is to be erased.
    pub content: Option<Bytes>,
    /// Tells a job that changed while it was carried out.
    pub stamp: u64,
    /// Since when the bucket is behind, ms.
    pub since_ms: u64,
}

/// Totals for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    pub accounts: u64,
    pub devices: u64,
    pub packs: u64,
    pub stored_bytes: u64,
}
