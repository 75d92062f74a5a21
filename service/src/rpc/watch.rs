//! `Watch`: one stream of hints. A hint carries the entries themselves where they are the next ones of its stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::v1;
use proto::wire::header::Leaf;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::hints::Watcher;
use super::refusal::of_meta;
use super::{answers, state::State};
use crate::auth::token::Caller;
use crate::env::random;
use crate::limits::{HINTS_WAITING_MAX, WATCH_RECHECK};
use crate::meta::{Entry, NewRecord, Placed};

type Hint = Result<v1::WatchHint, Status>;

/// Begins a stream at a cursor. It holds `place` until it ends.
pub async fn begin(
    state: Arc<State>,
    caller: Caller,
    cursor: u64,
    place: impl Send + 'static,
) -> Result<ReceiverStream<Hint>, Status> {
    // Subscribed before the size is read: what is appended in between is a hint, not a gap.
    let watcher = state.hints.subscribe(caller.account);
    let size = state.meta.log_size(&caller).await.map_err(of_meta)?;
    let (sender, receiver) = mpsc::channel(HINTS_WAITING_MAX);
    tokio::spawn(async move {
        let _place = place;
        metrics::gauge!("chatkeepd_sync_streams").increment(1);
        let gone = sender.clone();
        tokio::select! {
            biased;
            () = tell(&state, &caller, watcher, Cursor::new(cursor, size), sender) => {}
            () = gone.closed() => {}
        }
        metrics::gauge!("chatkeepd_sync_streams").decrement(1);
    });
    Ok(ReceiverStream::new(receiver))
}

/// Tells sizes until the caller is no longer admitted, the service stops, or nobody listens.
async fn tell(state: &State, caller: &Caller, mut watcher: Watcher, mut cursor: Cursor, sender: mpsc::Sender<Hint>) {
    let mut stopping = state.stopping.subscribe();
    let mut access = 0;
    loop {
        if let Some(hint) = cursor.hint(&watcher)
            && sender.send(Ok(hint)).await.is_err()
        {
            return;
        }
        let check = tokio::select! {
            biased;
            hint = watcher.next() => {
                cursor.grew(hint.size);
                std::mem::replace(&mut access, hint.access) != hint.access
            }
            () = tokio::time::sleep(recheck_after(state)) => true,
            () = async { drop(stopping.wait_for(|s| *s).await) } => {
                let _ = sender.send(Err(Status::unavailable("the service is stopping"))).await;
                return;
            }
        };
        if !check {
            continue;
        }
        // Before anything more is told: whoever has been removed hears of nothing that came after.
        match state.meta.log_size(caller).await {
            Ok(size) => cursor.grew(size),
            Err(error) => {
                let _ = sender.send(Err(of_meta(error))).await;
                return;
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
