//! Everything that can go wrong, as one type with the codes of SURFACE §10.
//!
//! The library says what happened and to what; the command line adds the hint.

use std::time::Duration;

use thiserror::Error;

use crate::archive::ArchiveError;
use crate::crypto::pairing::NoCode;
use crate::home::KeyError;
use crate::sources::ImportError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An operation's failure.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    #[error("no account is set up on this device")]
    NotSetUp,
    #[error("that passphrase does not open {account}")]
    WrongPassphrase { account: String },
    #[error("this passphrase is too weak: {reason}")]
    WeakPassphrase { reason: String },
    #[error("this is not a complete recovery key: the checksum does not match")]
    RecoveryKeyTypo,
    #[error("this recovery key belongs to another account or was replaced")]
    WrongRecoveryKey,
    #[error("this device was removed from {account}{}", at.as_deref().map(|a| format!(" on {a}")).unwrap_or_default())]
    DeviceRevoked { account: String, at: Option<String> },
    #[error("the account {account} was deleted, or never was")]
    AccountEnded { account: String },
    #[error("this account is suspended by the operator of {server}")]
    Suspended { server: String },
    #[error("the pairing code was wrong or has expired")]
    PairingFailed,
    /// Found here, before anything was sent.
    #[error(transparent)]
    NoPairingCode(#[from] NoCode),
    #[error("another machine runs with this device's keys (a restored disk image?)")]
    DeviceCloned,
    #[error("{0}")]
    NotFound(String),
    #[error("\"{given}\" matches {} {what}", candidates.len())]
    Ambiguous { given: String, what: &'static str, candidates: Vec<String> },
    #[error("the name \"{name}\" is already in use on {server}")]
    NameTaken { name: String, server: String },
    #[error("{server} does not accept new accounts without an invite")]
    RegistrationClosed { server: String },
    #[error("\"{name}\" cannot be an account name")]
    NameInvalid { name: String },
    #[error("{path} already contains files")]
    TargetNotEmpty { path: String },
    #[error("an archive of {account} is kept in {path}")]
    ArchiveKept { account: String, path: String },
    #[error("an account is already set up here: {account}")]
    AlreadySetUp { account: String },
    #[error("this backup needs {needed} bytes but {free} bytes are free")]
    Quota { needed: u64, free: u64 },
    #[error("too many tries for this account; the next is possible in {} s", wait.as_secs().max(1))]
    Guesses { wait: Duration },
    #[error("the account has as many devices as it may have")]
    DevicesFull,
    #[error("the server has shown this device and another one different histories")]
    Fork,
    #[error("the server shows older history than this device has already seen")]
    Rollback,
    #[error("{what} does not fit this account's verified roster")]
    RosterMismatch { what: &'static str },
    #[error("{messages} messages on this device are not backed up yet")]
    Unsaved { messages: u64 },
    #[error("{0}")]
    Refused(String),
    #[error("the keyring does not open: {0}")]
    Keyring(String),
    #[error("another chatkeep (pid {pid}, {command}) is using this archive")]
    Busy { pid: u32, command: String },
    #[error("{server} presented a certificate this device does not trust")]
    Tls { server: String, cause: String },
    #[error("this client is too old or too new for {server}: {detail}")]
    Version { server: String, detail: String },
    #[error("cannot reach {server} ({cause})")]
    Unreachable { server: String, cause: String },
    /// Something was sent that may have been done: what made it valid must be kept.
    #[error("{server} has not said whether it took this")]
    AnswerLost { server: String },
    #[error("{server} is very busy and asked us to wait {} s", wait.as_secs().max(1))]
    Overloaded { server: String, wait: Duration },
    #[error("the server failed on this request (id {request_id})")]
    Server { request_id: String, cause: String },
    #[error("{objects} objects fail verification; your passphrase is correct")]
    Damaged { objects: u64, details: Vec<String> },
    #[error("{what} needs {needed} bytes, {free} bytes are free in {path}")]
    DiskFull { what: &'static str, needed: u64, free: u64, path: String },
    #[error("cannot read or write {path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("the archive on this device does not open: {0}")]
    Archive(String),
    #[error("unexpected failure: {0}")]
    Internal(String),
    #[error("interrupted")]
    Cancelled,
}

impl Error {
    /// The stable code (SURFACE §10).
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSetUp => "E_NOT_SET_UP",
            Self::WrongPassphrase { .. } => "E_WRONG_PASSPHRASE",
            Self::WeakPassphrase { .. } | Self::Refused(_) | Self::Keyring(_) | Self::DevicesFull => "E_REFUSED",
            Self::RecoveryKeyTypo => "E_RECOVERY_KEY_TYPO",
            Self::WrongRecoveryKey => "E_WRONG_RECOVERY_KEY",
            Self::DeviceRevoked { .. } => "E_DEVICE_REVOKED",
            Self::AccountEnded { .. } => "E_ACCOUNT_DELETED",
            Self::Suspended { .. } => "E_SUSPENDED",
            Self::PairingFailed | Self::NoPairingCode(_) => "E_PAIRING_FAILED",
            Self::DeviceCloned => "E_DEVICE_CLONED",
            Self::NotFound(_) => "E_NOT_FOUND",
            Self::Ambiguous { .. } => "E_AMBIGUOUS",
            Self::NameTaken { .. } => "E_NAME_TAKEN",
            Self::RegistrationClosed { .. } => "E_REGISTRATION_CLOSED",
            Self::NameInvalid { .. } => "E_USAGE",
            Self::TargetNotEmpty { .. } | Self::ArchiveKept { .. } | Self::AlreadySetUp { .. } => "E_TARGET_NOT_EMPTY",
            Self::Quota { .. } => "E_QUOTA",
            Self::Guesses { .. } => "E_GUESSES",
            Self::Fork => "E_FORK",
            Self::Rollback | Self::RosterMismatch { .. } => "E_ROLLBACK",
            Self::Unsaved { .. } => "E_UNSAVED",
            Self::Busy { .. } => "E_BUSY",
            Self::Tls { .. } => "E_TLS",
            Self::Version { .. } => "E_VERSION",
            Self::Unreachable { .. } | Self::AnswerLost { .. } => "E_UNREACHABLE",
            Self::Overloaded { .. } => "E_OVERLOADED",
            Self::Server { .. } => "E_SERVER",
            Self::Damaged { .. } => "E_DAMAGED",
            Self::DiskFull { .. } | Self::Io { .. } => "E_DISK_FULL",
            Self::Import(e) => match e {
                ImportError::Hostile(_) => "E_SOURCE_HOSTILE",
                ImportError::Undecided { .. } => "E_INPUT_REQUIRED",
                ImportError::Io(_) => "E_DISK_FULL",
                ImportError::Unreadable(_) => "E_SOURCE",
                ImportError::Sink(_) => "E_INTERNAL",
            },
            Self::Archive(_) => "E_DAMAGED",
            Self::Internal(_) => "E_INTERNAL",
            Self::Cancelled => "E_INTERRUPTED",
        }
    }

    /// The process exit code that goes with [`code`](Self::code) (SURFACE §5).
    pub fn exit(&self) -> u8 {
        match self.code() {
            "E_USAGE" | "E_CONFIG" | "E_INPUT_REQUIRED" | "E_AMBIGUOUS" => 2,
            "E_NOT_SET_UP" => 10,
            "E_BUSY" => 11,
            "E_WRONG_PASSPHRASE" | "E_RECOVERY_KEY_TYPO" | "E_WRONG_RECOVERY_KEY" | "E_PAIRING_FAILED" => 12,
            "E_DEVICE_REVOKED" | "E_ACCOUNT_DELETED" | "E_SUSPENDED" | "E_DEVICE_CLONED" => 13,
            "E_NOT_FOUND" => 14,
            "E_NAME_TAKEN" | "E_TARGET_NOT_EMPTY" => 15,
            "E_QUOTA" => 16,
            "E_REGISTRATION_CLOSED" | "E_REFUSED" | "E_UNSAVED" => 17,
            "E_TLS" => 18,
            "E_VERSION" => 19,
            "E_UNREACHABLE" => 20,
            "E_GUESSES" | "E_OVERLOADED" => 21,
            "E_SERVER" => 22,
            "E_DAMAGED" => 30,
            "E_FORK" | "E_ROLLBACK" => 31,
            "E_DISK_FULL" => 32,
            "E_SOURCE" | "E_SOURCE_HOSTILE" => 33,
            "E_INTERRUPTED" => 130,
            _ => 1,
        }
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self.exit(), 11 | 20 | 21 | 22)
    }

    /// How long the other side asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { wait, .. } | Self::Guesses { wait } => Some(*wait),
            _ => None,
        }
    }

    /// Adds the path to an I/O error.
    pub fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }
}

impl From<crate::env::BrokeOff> for Error {
    fn from(broke_off: crate::env::BrokeOff) -> Self {
        Self::Internal(broke_off.to_string())
    }
}

impl From<ArchiveError> for Error {
    fn from(error: ArchiveError) -> Self {
        let path = || "the archive".to_owned();
        match error {
            ArchiveError::Io(source) => Self::Io { path: path(), source },
            ArchiveError::Full => Self::Io { path: path(), source: std::io::ErrorKind::StorageFull.into() },
            ArchiveError::Refused(why) => Self::Refused(why.to_owned()),
            other => Self::Archive(other.to_string()),
        }
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Io(source) => Self::Io { path: "the key store".to_owned(), source },
            KeyError::Store(why) => Self::Keyring(why),
            KeyError::Exposed(_) => Self::Refused(error.to_string()),
            other => Self::Archive(other.to_string()),
        }
    }
}
