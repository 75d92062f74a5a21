//! Packs on their way in and out. Nothing held here is needed by an append, a pull or a head commit.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Status, Streaming};

use super::checked::{self, GetPack};
use super::refusal::{busy, malformed, of_meta, of_objects};
use super::state::State;
use crate::auth::token::Caller;
use crate::env::Stopwatch;
use crate::limits::{OBJECT_DEADLINE, UPLOAD_IDLE};
use crate::meta::Reserved;
use crate::objects::{Content, ObjectError, ObjectName};

/// Pieces of an upload between network and store.
const PIECES_WAITING_MAX: usize = 2;
/// A reader that takes nothing for this long is gone.
const READER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// How long one waits for one of the service's places for bulk bytes.
const MEDIA_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// Content per message of a download.
const DOWNLOAD_BYTES: usize = 256 << 10;

/// Takes a pack in: row first, then bytes, then the mark that they are all there.
pub async fn put(
    state: &State,
    caller: &Caller,
    mut messages: Streaming<v1::PutPackRequest>,
) -> Result<v1::PutPackResponse, Status> {
    let first = tokio::time::timeout(UPLOAD_IDLE, messages.message()).await.map_err(|_| too_slow())??;
    let (pack, first) = checked::put_pack(first.ok_or_else(|| malformed("an upload has no first message"))?)?;
    let reserved = state.meta.reserve_pack(caller, pack, state.now_ms()).await.map_err(of_meta)?;
    if reserved == Reserved::Already {
        return Ok(v1::PutPackResponse { already: true });
    }
    let _place = media_place(state).await?;
    let length = pack.class.bytes() as u64;
    let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    let name = ObjectName::pack(&caller.account, pack.id);
    let clock = Stopwatch::start();
    let store = state.objects.put_stream(&name, length, Box::pin(ReceiverStream::new(receiver)));
    // Both run in this call: the sender's faults are told as they are, whatever the store makes of a broken stream.
    let (received, stored) = tokio::join!(receive(first, &mut messages, length, sender), store);
    metrics::histogram!("chatkeepd_storage_operation_duration_seconds", "op" => "put").record(clock.elapsed());
    count("put", stored.is_ok());
    received?;
    stored.map_err(of_objects)?;
    state.meta.pack_stored(caller, pack.id, state.now_ms()).await.map_err(of_meta)?;
    metrics::counter!("chatkeepd_packs_stored_total").increment(1);
    metrics::counter!("chatkeepd_received_bytes_total").increment(length);
    Ok(v1::PutPackResponse { already: false })
}

/// Passes an upload's content on, never more than its length; whether it was all of it the store tells.
async fn receive(
    first: Bytes,
    messages: &mut Streaming<v1::PutPackRequest>,
    length: u64,
    sender: mpsc::Sender<std::io::Result<Bytes>>,
) -> Result<(), Status> {
    let mut left = length;
    let mut piece = Some(first);
    while let Some(content) = piece {
        left = left.checked_sub(content.len() as u64).ok_or_else(wrong_length)?;
        if !content.is_empty() && sender.send(Ok(content)).await.is_err() {
            // The store gave up: its own answer says why.
            return Ok(());
        }
        let next = tokio::time::timeout(UPLOAD_IDLE, messages.message()).await.map_err(|_| too_slow())??;
        piece = next.map(checked::put_pack_more).transpose()?;
    }
    Ok(())
}

fn wrong_length() -> Status {
    malformed("a pack is not as long as its class says")
}

fn too_slow() -> Status {
    Status::deadline_exceeded("nothing came for too long")
}

async fn media_place(state: &State) -> Result<tokio::sync::OwnedSemaphorePermit, Status> {
    let place = tokio::time::timeout(MEDIA_PATIENCE, state.media.clone().acquire_owned()).await;
    let refused = || {
        metrics::counter!("chatkeepd_rpc_shed_total", "reason" => "media").increment(1);
        busy("too many packs are on their way", MEDIA_PATIENCE)
    };
    place.ok().and_then(Result::ok).ok_or_else(refused)
}

/// Gives a pack or a range of it out, piece by piece.
pub async fn get<P: Send + 'static>(
    state: &State,
    caller: &Caller,
    asked: GetPack,
    share: P,
) -> Result<impl Stream<Item = Result<v1::GetPackResponse, Status>> + Send + use<P>, Status> {
    let class = state.meta.readable_pack(caller, asked.id, state.now_ms()).await.map_err(of_meta)?;
    let range = asked.range(class)?;
    let place = media_place(state).await?;
    let name = ObjectName::pack(&caller.account, asked.id);
    let clock = Stopwatch::start();
    let content = tokio::time::timeout(OBJECT_DEADLINE, state.objects.get(&name, range)).await;
    let content = content.unwrap_or(Err(ObjectError::Deadline));
    metrics::histogram!("chatkeepd_storage_operation_duration_seconds", "op" => "get").record(clock.elapsed());
    count("get", content.is_ok());
    let content = content.map_err(of_objects)?;
    let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    // A task of its own, so that a reader who stops reading cannot hold its places for ever.
    tokio::spawn(async move {
        let _places = (place, share);
        send(content, sender).await;
    });
    Ok(Download(ReceiverStream::new(receiver)))
}

async fn send(mut content: Content, sender: mpsc::Sender<Result<v1::GetPackResponse, Status>>) {
    loop {
        let next = tokio::time::timeout(OBJECT_DEADLINE, content.next()).await;
        let piece = match next {
            Ok(None) => return,
            Ok(Some(Ok(piece))) => Ok(piece),
            Ok(Some(Err(error))) => {
                tracing::error!(event = "object_read_failed", %error);
                Err(Status::unavailable("object storage failed"))
            }
            Err(_) => Err(of_objects(ObjectError::Deadline)),
        };
        let over = piece.is_err();
        let parts = match piece {
            Ok(piece) => split(piece).map(|content| Ok(v1::GetPackResponse { content })).collect(),
            Err(status) => vec![Err(status)],
        };
        for part in parts {
            if let Ok(message) = &part {
                metrics::counter!("chatkeepd_sent_bytes_total").increment(message.content.len() as u64);
            }
            if sender.send_timeout(part, READER_PATIENCE).await.is_err() {
                return;
            }
        }
        if over {
            return;
        }
    }
}

fn split(mut piece: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || (!piece.is_empty()).then(|| piece.split_to(piece.len().min(DOWNLOAD_BYTES))))
}

fn count(op: &'static str, done: bool) {
    let outcome = if done { "done" } else { "failed" };
    metrics::counter!("chatkeepd_storage_operations_total", "op" => op, "outcome" => outcome).increment(1);
}

/// The receiving end of a download.
struct Download(ReceiverStream<Result<v1::GetPackResponse, Status>>);

impl Stream for Download {
    type Item = Result<v1::GetPackResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}
