//! Objects in memory: for tests and simulation.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Content, Found, ObjectError, ObjectName, Objects, Result, collect};

/// A store that ends with the process.
#[derive(Default)]
pub struct Memory {
    objects: Mutex<BTreeMap<ObjectName, Bytes>>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<ObjectName, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &ObjectName) -> Result<Bytes> {
        self.objects().get(name).cloned().ok_or(ObjectError::NotFound)
    }
}

/// The range of an object's bytes, held to its length.
pub(super) fn checked(range: Option<Range<u64>>, length: u64) -> Result<Range<u64>> {
    let range = range.unwrap_or(0..length);
    if range.start > range.end || range.end > length { Err(ObjectError::OutOfRange) } else { Ok(range) }
}

#[async_trait]
impl Objects for Memory {
    async fn put(&self, name: &ObjectName, content: Bytes) -> Result<()> {
        self.objects().insert(name.clone(), content);
        Ok(())
    }

    async fn put_stream(&self, name: &ObjectName, length: u64, content: Content) -> Result<()> {
        let content = collect(content, length).await?;
        if content.len() as u64 != length {
            return Err(ObjectError::WrongLength);
        }
        let mut objects = self.objects();
        let kept = objects.entry(name.clone()).or_insert_with(|| content.clone());
        if *kept == content { Ok(()) } else { Err(ObjectError::Conflict) }
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Content> {
        let content = self.find(name)?;
        let range = checked(range, content.len() as u64)?;
        let part = content.slice(range.start as usize..range.end as usize);
        Ok(Box::pin(tokio_stream::iter((!part.is_empty()).then_some(Ok(part)))))
    }

    async fn length(&self, name: &ObjectName) -> Result<u64> {
        Ok(self.find(name)?.len() as u64)
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        self.objects().remove(name);
        Ok(())
    }

    async fn list(&self, folder: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<Found>> {
        let objects = self.objects();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let of_folder = objects.range((from, Bound::Unbounded)).filter(|(name, _)| name.folder() == folder);
        let found = of_folder.map(|(name, content)| Found { name: name.clone(), bytes: content.len() as u64 });
        Ok(found.take(limit).collect())
    }

    async fn free_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}
