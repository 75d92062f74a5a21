//! `Watch`: one stream of hints. A hint carries the entries themselves where they are the next ones of its stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use proto::v1;
use proto::wire::header::Leaf;

use tokio::sync::watch;
use tonic::Status;

use super::hints::Watcher;
use super::refusal::of_meta;
use super::{answers, state::State};
use crate::auth::token::Caller;
use crate::env::random;
use crate::limits::WATCH_RECHECK;
use crate::meta::{Entry, NewRecord, Placed};

type Hint = Result<v1::WatchHint, Status>;

/// Begins a stream at a cursor. It holds `place` until it ends.
pub async fn begin(
    state: Arc<State>,
    caller: Caller,
    cursor: u64,
    place: impl Send + 'static,
) -> Result<impl Stream<Item = Hint> + Send + 'static, Status> {
    // Subscribed before the size is read: what is appended in between is a hint, not a gap.
    let watcher = state.hints.subscribe(caller.account);
    let size = state.meta.log_size(&caller).await.map_err(of_meta)?;
    let stopping = state.stopping.subscribe();
    let open = Open::new(place);
    let telling =
        Telling { state, caller, watcher, stopping, cursor: Cursor::new(cursor, size), access: 0, _open: open };
    // Whoever sends the answers asks for the next one: no task stands between an append and the connection.
    Ok(stream::unfold(Some(telling), |telling| async {
        let mut telling = telling?;
        match telling.next().await {
            Ok(hint) => Some((Ok(hint), Some(telling))),
            Err(end) => Some((Err(end), None)),
        }
    }))
}

/// A stream that is open, as it is counted.
struct Open<P>(P);

impl<P> Open<P> {
    fn new(place: P) -> Self {
        metrics::gauge!("chatkeepd_sync_streams").increment(1);
        Self(place)
    }
}

impl<P> Drop for Open<P> {
    fn drop(&mut self) {
        metrics::gauge!("chatkeepd_sync_streams").decrement(1);
    }
}

/// Tells sizes until the caller is no longer admitted or the service stops.
struct Telling<P> {
    state: Arc<State>,
    caller: Caller,
    watcher: Watcher,
    stopping: watch::Receiver<bool>,
    cursor: Cursor,
    access: u64,
    _open: Open<P>,
}

impl<P> Telling<P> {
    /// The next hint, or what the stream ends with.
    async fn next(&mut self) -> Hint {
        loop {
            if let Some(hint) = self.cursor.hint(&self.watcher) {
                return Ok(hint);
            }
            let check = tokio::select! {
                biased;
                hint = self.watcher.next() => {
                    self.cursor.grew(hint.size);
                    std::mem::replace(&mut self.access, hint.access) != hint.access
                }
                () = tokio::time::sleep(recheck_after(&self.state)) => true,
                () = async { drop(self.stopping.wait_for(|s| *s).await) } => {
                    return Err(Status::unavailable("the service is stopping"));
                }
            };
            // Before anything more is told: whoever has been removed hears of nothing that came after.
            if check {
                self.cursor.grew(self.state.meta.log_size(&self.caller).await.map_err(of_meta)?);
            }
        }
    }
}

/// How far a stream has told.
struct Cursor {
    at: u64,
    size: u64,
    begun: bool,
}

impl Cursor {
    fn new(at: u64, size: u64) -> Self {
        Self { at, size, begun: false }
    }

    fn grew(&mut self, size: u64) {
        self.size = self.size.max(size);
    }

    /// What is to be told now: the first hint always, later ones where the log has grown.
    fn hint(&mut self, watcher: &Watcher) -> Option<v1::WatchHint> {
        if std::mem::replace(&mut self.begun, true) && self.at >= self.size {
            return None;
        }
        let entries = watcher.entries(self.at, self.size).into_iter().map(answers::entry).collect();
        self.at = self.size;
        Some(v1::WatchHint { size: self.size, entries })
    }
}

/// What a batch became in the log.
pub fn entries(records: Vec<NewRecord>, placed: &[Placed]) -> Vec<Entry> {
    let entry = |(new, placed): (NewRecord, &Placed)| {
        let leaf = Leaf { record: new.record, server_time: placed.server_time_ms };
        Entry { index: placed.index, leaf: Bytes::copy_from_slice(&leaf.encode()), body: new.body, erased: false }
    };
    records.into_iter().zip(placed).map(entry).collect()
}

/// Up to a tenth earlier than the limit, so that watchers who came together do not ask together.
fn recheck_after(state: &State) -> Duration {
    let jitter = u32::from(u16::from_le_bytes(random(state.entropy.as_ref())));
    WATCH_RECHECK - WATCH_RECHECK / 10 * jitter / u32::from(u16::MAX)
}
