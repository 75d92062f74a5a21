//! An export's files as an import sees them: without those left out, and counted as they are read.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::glob::{Glob, any};
use crate::sources::{FileEntry, Files};
use crate::vault::{Phase, Progress, Work};

/// How far an import is told to be, at the most once in so many bytes.
const TOLD_BYTES: u64 = 256 << 10;

/// Counts bytes and messages, and tells.
#[derive(Clone)]
pub(super) struct Meter(Arc<Counts>);

struct Counts {
    work: Work,
    total: u64,
    bytes: AtomicU64,
    told: AtomicU64,
    items: AtomicU64,
}

impl Meter {
    pub fn new(work: Work, total: u64) -> Self {
        let (bytes, told, items) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Counts { work, total, bytes, told, items }))
    }

    pub fn item(&self) {
        self.0.items.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, bytes: u64) {
        let counts = &self.0;
        let done = counts.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if done - counts.told.load(Ordering::Relaxed) < TOLD_BYTES && done < counts.total {
            return;
        }
        counts.told.store(done, Ordering::Relaxed);
        counts.work.tell(Progress {
            phase: Phase::Read,
            done_bytes: done.min(counts.total),
            total_bytes: counts.total,
            done_items: counts.items.load(Ordering::Relaxed),
            total_items: 0,
        });
    }
}

/// Files that count what is read of them.
pub(super) struct Metered<'f> {
    files: &'f (dyn Files + Send + Sync),
    meter: Meter,
}

impl<'f> Metered<'f> {
    pub fn new(files: &'f (dyn Files + Send + Sync), meter: Meter) -> Self {
        Self { files, meter }
    }
}

impl Files for Metered<'_> {
    fn list(&self) -> &[FileEntry] {
        self.files.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Counted { inner: self.files.open(path)?, meter: self.meter.clone() }))
    }
}

struct Counted<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.meter.read(n as u64);
        Ok(n)
    }
}

/// Files without those that are left out.
pub(super) struct Kept {
    files: Box<dyn Files + Send + Sync>,
    list: Vec<FileEntry>,
}

impl Kept {
    pub fn new(files: Box<dyn Files + Send + Sync>, exclude: &[Glob]) -> Self {
        let list = files.list().iter().filter(|f| !any(exclude, &f.path)).cloned().collect();
        Self { files, list }
    }
}

impl Files for Kept {
    fn list(&self) -> &[FileEntry] {
        &self.list
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        // Both lists are sorted by path.
        if self.list.binary_search_by(|f| f.path.as_str().cmp(path)).is_err() {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.files.open(path)
    }
}
