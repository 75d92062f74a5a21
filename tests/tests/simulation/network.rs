//! The simulated wire: streams of turmoil under HTTP/2, each read and write noted in the trace with its virtual time.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use client::error::{Error, Result};
use client::remote::Connector;
use hyper_util::rt::TokioIo;
use service::limits::Peer;
use service::rpc::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_stream::Stream;
use tonic::transport::{Channel, Endpoint, Uri};
use turmoil::net::{TcpListener, TcpStream};

pub const SERVICE: &str = "vault";
const PORT: u16 = 8443;
/// A connection that was cut stays silent; shorter than in earnest, so that a run is short too.
const KEEPALIVE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What went over the wire, when and how much at a time.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<(blake3::Hasher, u64)>>);

impl Trace {
    fn note(&self, who: &str, what: u8, bytes: usize) {
        let at = turmoil::sim_elapsed().unwrap_or_default().as_micros() as u64;
        let mut trace = self.0.lock().unwrap();
        trace.0.update(who.as_bytes()).update(&[what]).update(&at.to_le_bytes()).update(&bytes.to_le_bytes());
        trace.1 += 1;
    }

    pub fn connected(&self, who: &str) {
        self.note(who, b'c', 0);
    }

    /// Number of events and their hash.
    pub fn hash(&self) -> String {
        let trace = self.0.lock().unwrap();
        format!("{} events, {}", trace.1, trace.0.finalize().to_hex())
    }

    pub fn events(&self) -> u64 {
        self.0.lock().unwrap().1
    }
}

/// Connections that arrive at the service.
pub async fn incoming() -> impl Stream<Item = io::Result<Connection<TcpStream>>> + Send {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await.unwrap();
    let (connections, incoming) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let accepted = listener.accept().await.map(|(stream, _)| Connection::new(stream, Peer::default()));
            if connections.send(accepted).await.is_err() {
                return;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(incoming)
}

/// The way of one device to the service.
pub struct Wire {
    pub device: &'static str,
    pub trace: Trace,
}

#[tonic::async_trait]
impl Connector for Wire {
    fn server(&self) -> &str {
        tests::world::SERVER
    }

    async fn connect(&self) -> Result<Channel> {
        let (device, trace) = (self.device, self.trace.clone());
        let connector = tower::service_fn(move |_: Uri| {
            let trace = trace.clone();
            async move {
                let stream = TcpStream::connect((SERVICE, PORT)).await?;
                trace.connected(device);
                io::Result::Ok(TokioIo::new(Traced { stream, device, trace }))
            }
        });
        let endpoint = Endpoint::from_static("http://vault")
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true);
        let unreachable =
            |e: tonic::transport::Error| Error::Unreachable { server: self.server().into(), cause: e.to_string() };
        endpoint.connect_with_connector(connector).await.map_err(unreachable)
    }
}

struct Traced {
    stream: TcpStream,
    device: &'static str,
    trace: Trace,
}

impl AsyncRead for Traced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready() {
            self.trace.note(self.device, b'r', buf.filled().len() - before);
        }
        polled
    }
}

impl AsyncWrite for Traced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = polled {
            self.trace.note(self.device, b'w', bytes);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
