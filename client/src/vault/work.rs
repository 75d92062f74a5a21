//! How long work tells how far it is, is slowed, and is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};

/// What is being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Read,
    Encrypt,
    Upload,
    Commit,
    Download,
    Verify,
    Write,
}

/// How far work is. Items are messages or attachments; a total of 0 is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub phase: Phase,
    pub done_bytes: u64,
    pub total_bytes: u64,
    pub done_items: u64,
    pub total_items: u64,
}

/// Work that stands still until it tries again.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    /// What kept it from going on.
    pub error: &'a Error,
    pub left: Duration,
}

/// Stops work at its next durable point. Cloned handles stop the same work.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How one run of work behaves, and what it has carried over the network.
#[derive(Clone)]
pub struct Work {
    told: Arc<dyn Fn(Progress) + Send + Sync>,
    waits: Arc<dyn Fn(Option<Wait<'_>>) + Send + Sync>,
    cancel: Cancel,
    /// Stops this part of the work alone.
    also: Cancel,
    upload_limit: Option<u64>,
    max_wait: Duration,
    carried: Arc<Carried>,
}

/// Bytes of packs and record bodies as they went over the network.
#[derive(Default)]
struct Carried {
    up: AtomicU64,
    down: AtomicU64,
}

const MAX_WAIT: Duration = Duration::from_secs(120);

impl Work {
    /// Work that tells nobody and is not stopped.
    pub fn quiet() -> Self {
        Self::new(|_| {}, Cancel::default())
    }

    pub fn new(told: impl Fn(Progress) + Send + Sync + 'static, cancel: Cancel) -> Self {
        let carried = Arc::default();
        let also = Cancel::default();
        Self {
            told: Arc::new(told),
            waits: Arc::new(|_| {}),
            cancel,
            also,
            upload_limit: None,
            max_wait: MAX_WAIT,
            carried,
        }
    }

    /// Sends no more than so many bytes a second.
    pub fn upload_limit(mut self, bytes: Option<u64>) -> Self {
        self.upload_limit = bytes;
        self
    }

    /// Goes on trying for so long when the server cannot be reached after work has begun.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Is called while work waits to try again, several times a second, and with none when it goes on.
    pub fn on_wait(mut self, waits: impl Fn(Option<Wait<'_>>) + Send + Sync + 'static) -> Self {
        self.waits = Arc::new(waits);
        self
    }

    pub(crate) fn tell_wait(&self, wait: Option<Wait<'_>>) {
        (self.waits)(wait);
    }

    pub fn tell(&self, progress: Progress) {
        (self.told)(progress);
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled() || self.also.is_cancelled()
    }

    /// The same work, a part of which can be stopped alone.
    pub(crate) fn stoppable(&self) -> (Self, Cancel) {
        let also = Cancel::default();
        (Self { also: also.clone(), ..self.clone() }, also)
    }

    /// Ends work that was stopped; called where everything done so far is durable.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    pub fn longest_wait(&self) -> Duration {
        self.max_wait
    }

    /// How long so many bytes take at the least.
    pub fn pace(&self, bytes: u64) -> Duration {
        self.upload_limit.map_or(Duration::ZERO, |limit| Duration::from_secs_f64(bytes as f64 / limit.max(1) as f64))
    }

    pub fn sent(&self, bytes: u64) {
        self.carried.up.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn received(&self, bytes: u64) {
        self.carried.down.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes sent and received so far.
    pub fn carried(&self) -> (u64, u64) {
        (self.carried.up.load(Ordering::Relaxed), self.carried.down.load(Ordering::Relaxed))
    }
}
