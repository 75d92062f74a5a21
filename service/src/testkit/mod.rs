//! A service inside this process: for tests, simulations, and embedders who want to try the client without a server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::auth::secrets::Secrets;
use crate::env::{Clock, SystemClock, SystemEntropy};
use crate::limits::{KEEPALIVE, Peer, WINDOW_BYTES};
use crate::meta::Model;
use crate::objects::Memory;
use crate::rpc::{Connection, Service, Settings};

/// Bytes one end of a connection may be ahead of the other.
const PIPE_BYTES: usize = 1 << 20;

/// A running service whose connections are pipes of this process.
pub struct InProcess {
    pub service: Service,
    connections: mpsc::Sender<io::Result<Connection<DuplexStream>>>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl InProcess {
    /// Starts a service that keeps everything in memory.
    pub fn on_memory(settings: Settings) -> Self {
        Self::on_memory_at(settings, Arc::new(SystemClock))
    }

    /// Starts a service that keeps everything in memory and lives by the given clock.
    pub fn on_memory_at(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let secrets = Secrets::fresh(&SystemEntropy);
        let (meta, objects) = (Arc::new(Model::new()), Arc::new(Memory::new()));
        Self::start(Service::new(meta, objects, secrets, clock, Arc::new(SystemEntropy), settings))
    }

    pub fn start(service: Service) -> Self {
        let (connections, incoming) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn({
            let service = service.clone();
            async move {
                let shutdown = async { drop(stopped.await) };
                service.serve(ReceiverStream::new(incoming), shutdown).await
            }
        });
        Self { service, connections, stop, running }
    }

    /// A channel to the service; each connection is a new pipe.
    pub async fn channel(&self) -> Result<Channel, tonic::transport::Error> {
        let connections = self.connections.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let connections = connections.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
                let connection = Connection::new(theirs, Peer::default());
                let closed = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the service has stopped");
                connections.send(Ok(connection)).await.map_err(closed)?;
                io::Result::Ok(TokioIo::new(ours))
            }
        });
        Endpoint::from_static("http://in-process")
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .connect_with_connector(connector)
            .await
    }

    /// Stops the service after its running calls have ended.
    pub async fn stop(self) -> Result<(), tonic::transport::Error> {
        let _ = self.stop.send(());
        self.running.await.unwrap_or(Ok(()))
    }
}

/// A clock that moves only when told.
#[derive(Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    pub fn new(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
