//! Object storage: whole packs and the mirrored objects of `docs/format.md` §7.
//!
//! A pack's row comes before its bytes and no pack's name is written twice, so nothing here needs a conditional write.
//! Nothing any call here holds is needed by an append, a pull or a head commit.

mod folder;
mod memory;
mod name;
#[cfg(feature = "s3")]
mod s3;

use std::io;
use std::ops::Range;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;
use tokio_stream::Stream;

pub use folder::Folder;
pub use memory::Memory;
pub use name::ObjectName;
#[cfg(feature = "s3")]
pub use s3::{S3, S3Config};

/// The largest object: a pack of the top class.
pub const OBJECT_BYTES_MAX: u64 = 8 << 20;

/// Content on its way, in pieces.
pub type Content = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Why object storage failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ObjectError {
    #[error("there is no such object")]
    NotFound,
    /// The content was not as long as announced; nothing was kept.
    #[error("an upload was not as long as announced")]
    WrongLength,
    /// Another content is kept under this name.
    #[error("an object of this name holds something else")]
    Conflict,
    #[error("the range lies outside the object")]
    OutOfRange,
    /// The sender's stream failed; nothing was kept.
    #[error("an upload broke off")]
    Interrupted(#[source] io::Error),
    #[error("object storage is full")]
    Full,
    /// The store did not answer in time.
    #[error("object storage did not answer in time")]
    Deadline,
    #[error("object storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bucket keeps what is deleted, which breaks the promise that deleted is deleted.
    #[error("the bucket keeps deleted objects ({0}); set accept_undeletable to accept that")]
    Undeletable(&'static str),
}

pub type Result<T> = std::result::Result<T, ObjectError>;

/// An object that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub name: ObjectName,
    pub bytes: u64,
}

/// A store of opaque objects.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// Keeps a small object durably, in place of one that was there.
    async fn put(&self, name: &ObjectName, content: Bytes) -> Result<()>;
    /// Keeps a new object of exactly `length` bytes durably, or nothing. The same content again is no error.
    async fn put_stream(&self, name: &ObjectName, length: u64, content: Content) -> Result<()>;
    /// Reads an object or a range of it; the range must lie inside.
    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Content>;
    /// The object's length.
    async fn length(&self, name: &ObjectName) -> Result<u64>;
    /// Deletes an object; one that is not there is deleted already.
    async fn delete(&self, name: &ObjectName) -> Result<()>;
    /// Objects of a folder by name after a name, at most `limit`.
    async fn list(&self, folder: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<Found>>;
    /// Room left, where the store knows.
    async fn free_bytes(&self) -> Result<Option<u64>>;
    /// Whether the store answers.
    async fn ready(&self) -> Result<()>;
}

/// Reads content whole; refuses more than `max`.
pub async fn collect(mut content: Content, max: u64) -> Result<Bytes> {
    let mut out = bytes::BytesMut::new();
    while let Some(piece) = tokio_stream::StreamExt::next(&mut content).await {
        let piece = piece.map_err(ObjectError::Interrupted)?;
        if (out.len() + piece.len()) as u64 > max {
            return Err(ObjectError::WrongLength);
        }
        out.extend_from_slice(&piece);
    }
    Ok(out.freeze())
}
