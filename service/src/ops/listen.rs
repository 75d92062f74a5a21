//! The main listener: TCP, and TLS around it where configured, as a stream of connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use crate::limits::Peer;
use crate::rpc::Connection;

/// Connections at once; a permit is taken before a connection is accepted.
const CONNECTIONS_MAX: usize = 10_000;
/// A handshake takes a few round trips.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Accepted connections that wait to be served.
const WAITING_MAX: usize = 64;
/// After a failed accept (too many open files), the listener rests this long.
const REST: Duration = Duration::from_millis(100);

/// How connections are protected.
pub enum Protection {
    /// Loopback only, as the configuration has checked.
    Plain,
    Tls(Arc<ServerConfig>),
    /// TLS ended at a proxy; only these may connect, and are believed about whom they speak for.
    Proxy(Vec<IpAddr>),
}

/// Accepts connections for as long as the stream is read.
pub fn incoming(listener: TcpListener, protection: Protection) -> ReceiverStream<io::Result<Connection<Io>>> {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    tokio::spawn(accept(listener, protection, sender));
    ReceiverStream::new(receiver)
}

type Sender = mpsc::Sender<io::Result<Connection<Io>>>;

async fn accept(listener: TcpListener, protection: Protection, sender: Sender) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (tls, proxies) = match protection {
        Protection::Plain => (None, None),
        Protection::Tls(config) => (Some(TlsAcceptor::from(config)), None),
        Protection::Proxy(proxies) => (None, Some(proxies)),
    };
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = sender.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(event = "accept_failed", %error);
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let ip = address.ip().to_canonical();
        if proxies.as_ref().is_some_and(|trusted| !trusts(trusted, &address)) {
            metrics::counter!("chatkeepd_rpc_shed_total", "reason" => "not_a_proxy").increment(1);
            continue;
        }
        let peer = Peer { ip: Some(ip), is_proxy: proxies.is_some() };
        // A handshake of its own task: one slow client keeps nobody waiting.
        tokio::spawn(hand_over(stream, tls.clone(), peer, place, sender.clone()));
    }
}

/// Without a list, loopback is trusted.
fn trusts(trusted: &[IpAddr], address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    if trusted.is_empty() { ip.is_loopback() } else { trusted.iter().any(|t| t.to_canonical() == ip) }
}

async fn hand_over(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: Peer,
    place: OwnedSemaphorePermit,
    sender: Sender,
) {
    let _ = stream.set_nodelay(true);
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
            // Scanners and clients that do not trust us: nothing to tell anybody.
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let _ = sender.send(Ok(Connection::new(Io { stream, _place: place }, peer))).await;
}

/// A connection of the main listener.
pub struct Io {
    stream: Stream,
    _place: OwnedSemaphorePermit,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_write(cx, bytes),
            Stream::Tls(s) => Pin::new(s).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_flush(cx),
            Stream::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_trusted_by_address() {
        let from = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 5);
        assert!(trusts(&[], &from("127.0.0.1")));
        assert!(trusts(&[], &from("::ffff:127.0.0.1")));
        assert!(!trusts(&[], &from("192.0.2.1")));
        let listed = ["192.0.2.1".parse().unwrap()];
        assert!(trusts(&listed, &from("::ffff:192.0.2.1")));
        assert!(!trusts(&listed, &from("127.0.0.1")));
    }
}
