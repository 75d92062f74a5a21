//! Why the metadata store answers no.

use std::sync::Arc;

use proto::wire::ids::PackId;
use thiserror::Error;

/// A request that the rules refuse. Nothing was changed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    #[error("the name is taken")]
    NameTaken,
    #[error("the invite is not valid")]
    InviteInvalid,
    #[error("there is no such account")]
    UnknownAccount,
    #[error("the account is suspended")]
    Suspended,
    #[error("the account has ended")]
    AccountEnded,
    /// The roster moved since the token was made, but the device is still in it.
    #[error("the token is older than the roster")]
    TokenOld,
    #[error("the device may not write any more")]
    DeviceGone,
    #[error("the account has all the devices it may have")]
    DevicesFull,
    #[error("guesses are spent")]
    GuessesSpent { retry_after_ms: u64 },
    #[error("a record breaks a rule: {0}")]
    BadRecord(&'static str),
    #[error("another record has this counter")]
    Equivocation { last_counter: u64 },
    #[error("a counter is missing")]
    CounterGap { last_counter: u64 },
    #[error("the roster has moved")]
    RosterMoved,
    #[error("the head has moved")]
    HeadMoved,
    #[error("a head breaks a rule: {0}")]
    HeadCondition(&'static str),
    #[error("a pack is not live")]
    PackGone(Vec<PackId>),
    #[error("the pack exists with other facts")]
    PackConflict,
    #[error("there is no such pack")]
    UnknownPack,
    #[error("the quota is used up")]
    Quota { needed_bytes: u64, free_bytes: u64 },
    #[error("too much is staged")]
    StagedTooMuch { needed_bytes: u64, free_bytes: u64 },
    #[error("an index lies outside the log")]
    OutOfRange,
    #[error("there is no such mailbox")]
    NoMailbox,
    #[error("too many mailboxes are open")]
    MailboxesFull,
    #[error("a message is longer than its side may leave")]
    LetterTooLong,
}

/// Any failure of the metadata store.
#[derive(Debug, Error, Clone)]
#[non_exhaustive]
pub enum MetaError {
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No room on the disk of the database: reads go on, writes wait for the operator.
    #[error("the database's disk is full")]
    Full,
    /// The database was written by a newer version.
    #[error("the database has schema {found}, this version knows {known}")]
    NewerSchema { found: u32, known: u32 },
    /// Rows contradict each other: damage, not a request's fault.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    #[error("the database failed")]
    Database(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The store is stopping.
    #[error("the database is closed")]
    Closed,
}

pub type Result<T, E = MetaError> = std::result::Result<T, E>;
