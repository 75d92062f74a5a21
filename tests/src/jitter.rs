//! Ways to a service that take a time drawn from a seed, in tokio's own time: one seed, one order of everything.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use client::error::{Error, Result};
use client::remote::Connector;
use hyper_util::rt::TokioIo;
use service::limits::Peer;
use service::rpc::{Connection, Service};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::world::SERVER;

/// What arrives may take so long.
const LONGEST_MS: u64 = 40;

/// Draws numbers from a seed.
pub struct Draw(AtomicU64);

impl Draw {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    pub fn below(&self, most: u64) -> u64 {
        let step = self.0.fetch_add(1, Ordering::Relaxed);
        let hash = blake3::hash(&step.to_le_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()) % most
    }
}

/// One device's way to the service.
pub struct Jittery {
    connections: mpsc::Sender<io::Result<Connection<DuplexStream>>>,
    draw: Arc<Draw>,
}

impl Jittery {
    pub fn new(service: Service, draw: Arc<Draw>) -> Arc<Self> {
        let (connections, incoming) = mpsc::channel(16);
        tokio::spawn(async move { service.serve(ReceiverStream::new(incoming), std::future::pending()).await });
        Arc::new(Self { connections, draw })
    }
}

#[tonic::async_trait]
impl Connector for Jittery {
    fn server(&self) -> &str {
        SERVER
    }

    async fn connect(&self) -> Result<Channel> {
        let (connections, draw) = (self.connections.clone(), self.draw.clone());
        let connector = tower::service_fn(move |_: Uri| {
            let (connections, draw) = (connections.clone(), draw.clone());
            async move {
                let (ours, theirs) = tokio::io::duplex(1 << 20);
                let closed = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the service has stopped");
                connections.send(Ok(Connection::new(theirs, Peer::default()))).await.map_err(closed)?;
                io::Result::Ok(TokioIo::new(Slow { inner: ours, wait: None, waited: false, draw }))
            }
        });
        let refused = |e: tonic::transport::Error| Error::Unreachable { server: SERVER.into(), cause: e.to_string() };
        Endpoint::from_static("http://in-process").connect_with_connector(connector).await.map_err(refused)
    }
}

/// A pipe from which everything comes late.
struct Slow {
    inner: DuplexStream,
    wait: Option<Pin<Box<Sleep>>>,
    waited: bool,
    draw: Arc<Draw>,
}

impl AsyncRead for Slow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.waited {
            if self.wait.is_none() {
                let late = Duration::from_millis(self.draw.below(LONGEST_MS));
                self.wait = Some(Box::pin(tokio::time::sleep(late)));
            }
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
            }
            self.wait = None;
            self.waited = true;
        }
        let done = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        self.waited = false;
        Poll::Ready(done)
    }
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
