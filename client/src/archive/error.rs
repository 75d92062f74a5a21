//! What can go wrong with the archive. No text of a chat and no key is ever part of an error.

use std::io;

use thiserror::Error;

pub type Result<T, E = ArchiveError> = std::result::Result<T, E>;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArchiveError {
    #[error("there is no archive here")]
    Missing,
    #[error("an archive exists here already")]
    Exists,
    /// Wrong key, no archive, or a first page damaged beyond telling: these cannot be told apart.
    #[error("the archive does not open with this key")]
    WrongKey,
    #[error("the archive was written by a newer version of chatkeep")]
    Newer,
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// Somebody else writes at this moment.
    #[error("the archive is busy")]
    Busy,
    #[error("the disk is full")]
    Full,
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A row or file is longer than the format allows, or a search cannot be understood.
    #[error("{0}")]
    Refused(&'static str),
    /// The database failed; its own words, which name tables, never contents.
    #[error("the archive's database failed: {0}")]
    Database(String),
}

impl From<rusqlite::Error> for ArchiveError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::NotADatabase) => Self::WrongKey,
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy,
            Some(Code::DiskFull) => Self::Full,
            Some(Code::DatabaseCorrupt) => Self::Damaged("a page does not verify".into()),
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<proto::wire::bytes::Malformed> for ArchiveError {
    fn from(error: proto::wire::bytes::Malformed) -> Self {
        Self::Damaged(format!("a stored value {error}"))
    }
}
