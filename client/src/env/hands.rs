//! Where work that keeps a core busy is done.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::task::JoinHandle;

/// Work that was handed over ended in a panic.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("work on another thread broke off")]
pub struct BrokeOff;

/// Who does work beside the task that asked for it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Hands {
    /// Threads of their own.
    #[default]
    Threads,
    /// The task itself, at once: for a simulation, where the order of everything is given.
    Own,
}

impl Hands {
    /// Begins work, whether or not somebody waits for it yet.
    pub fn begin<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Job<T> {
        match self {
            Self::Threads => Job::Elsewhere(tokio::task::spawn_blocking(work)),
            Self::Own => Job::Done(Some(work())),
        }
    }
}

/// Work that was begun; waits for its end.
pub enum Job<T> {
    Elsewhere(JoinHandle<T>),
    /// Done, and not yet taken.
    Done(Option<T>),
}

impl<T: Unpin> Future for Job<T> {
    type Output = Result<T, BrokeOff>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Elsewhere(handle) => Pin::new(handle).poll(context).map(|done| done.map_err(|_| BrokeOff)),
            Self::Done(done) => Poll::Ready(done.take().ok_or(BrokeOff)),
        }
    }
}
