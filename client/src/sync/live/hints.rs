//! The stream of hints, and what is made of one.

use std::time::Duration;

use proto::v1;
use tonic::Streaming;

use super::super::flow::Flow;
use super::super::pull::Shown;
use crate::error::{Error, Result};
use crate::remote::Refused;

/// Digests kept for heads to come: a head covers a size that was reached not long before.
const DIGESTS_MAX: usize = 256;
/// A service that takes so long to begin a stream will not begin it.
const BEGIN_WAIT: Duration = Duration::from_secs(30);

/// An open stream of hints.
pub(super) struct Hints {
    stream: Streaming<v1::WatchHint>,
    next: Option<Result<v1::WatchHint, Refused>>,
}

impl Hints {
    /// Waits until a hint, or the stream's end, is there; takes nothing out.
    pub async fn arrived(&mut self) {
        if self.next.is_none() {
            let stopped = || tonic::Status::unavailable("the stream of hints has ended");
            let told = self.stream.message().await.map_err(Refused::new);
            self.next = Some(told.and_then(|hint| hint.ok_or_else(|| Refused::new(stopped()))));
        }
    }

    pub async fn take(&mut self) -> Result<v1::WatchHint, Refused> {
        self.arrived().await;
        self.next.take().expect("a hint, or the end, has arrived")
    }
}

impl Flow<'_> {
    /// Begins a stream of hints at the size known here.
    pub(super) async fn watch(&mut self) -> Result<Hints> {
        let known_size = self.follower.size();
        let session = &self.vault.session;
        let call = session.call(|remote, token| async move { remote.watch(&token, known_size).await });
        let unanswered =
            || Error::Unreachable { server: session.identity.server.clone(), cause: "no answer in 30 s".to_owned() };
        let stream = tokio::time::timeout(BEGIN_WAIT, call).await.map_err(|_| unanswered())?;
        Ok(Hints { stream: stream.map_err(|e| e.into_error(&session.identity))?, next: None })
    }

    /// Takes in what a hint brings, and pulls what it only tells of. Answers how many rows of others came.
    pub(super) async fn take_hint(&mut self, hint: v1::WatchHint, shown: Option<Shown<'_>>) -> Result<u64> {
        let (before, head) = (self.pulled_events, self.follower.state().head.clone());
        let here = self.follower.size();
        // What this device appended itself it has already.
        let new = hint.entries.partition_point(|entry| entry.index < here);
        let entries = hint.entries.get(new..).unwrap_or_default();
        if entries.first().is_some_and(|entry| entry.index == here) {
            self.work.received(entries.iter().map(|e| (e.leaf.len() + e.body.len()) as u64).sum());
            self.take_page(entries, shown).await?;
        }
        if self.follower.size() < hint.size {
            self.pull().await?;
        } else if self.follower.size() > here {
            self.take_in_named().await?;
            self.note_digest()?;
            while self.digests.len() > DIGESTS_MAX {
                self.digests.pop_first();
            }
            if self.follower.state().head != head {
                self.compare_head()?;
            }
        }
        Ok(self.pulled_events - before)
    }
}
