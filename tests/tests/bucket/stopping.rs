//! A bucket whose service is lost: after so many changes the mirror makes no more, and the last one may be made without
//! the queue being told, as a crash between the two leaves it.

use std::ops::Range;
use std::sync::Mutex;

use service::objects::{Content, Folder, Found, ObjectError, ObjectName, Objects, Result};
use tonic::async_trait;
use tonic::codegen::Bytes;

pub struct Stopping {
    inner: Folder,
    left: Mutex<Left>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Left {
    All,
    One,
    /// One, which is made and fails all the same.
    OneUntold,
    None,
}

impl Stopping {
    pub fn new(inner: Folder) -> Self {
        Self { inner, left: Mutex::new(Left::All) }
    }

    pub fn leave(&self, left: Left) {
        *self.left.lock().unwrap() = left;
    }

    /// Takes a change; what to answer when it is made.
    fn change(&self) -> Result<Result<()>> {
        let mut left = self.left.lock().unwrap();
        match *left {
            Left::All => return Ok(Ok(())),
            Left::None => return Err(ObjectError::Deadline),
            Left::One | Left::OneUntold => {}
        }
        let told = *left == Left::One;
        *left = Left::None;
        Ok(if told { Ok(()) } else { Err(ObjectError::Deadline) })
    }
}

#[async_trait]
impl Objects for Stopping {
    async fn put(&self, name: &ObjectName, content: Bytes) -> Result<()> {
        let answer = self.change()?;
        self.inner.put(name, content).await?;
        answer
    }
    async fn put_stream(&self, name: &ObjectName, length: u64, content: Content) -> Result<()> {
        self.inner.put_stream(name, length, content).await
    }
    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Content> {
        self.inner.get(name, range).await
    }
    async fn length(&self, name: &ObjectName) -> Result<u64> {
        self.inner.length(name).await
    }
    async fn delete(&self, name: &ObjectName) -> Result<()> {
        let answer = self.change()?;
        self.inner.delete(name).await?;
        answer
    }
    async fn list(&self, folder: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<Found>> {
        self.inner.list(folder, after, limit).await
    }
    async fn free_bytes(&self) -> Result<Option<u64>> {
        self.inner.free_bytes().await
    }
    async fn ready(&self) -> Result<()> {
        self.inner.ready().await
    }
}
