//! The service over a stream of connections.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use proto::v1::accounts_server::AccountsServer;
use proto::v1::pairing_server::PairingServer;
use proto::v1::vault_server::VaultServer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_stream::Stream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::accounts::AccountsRpc;
use super::hints::Hints;
use super::pairing::PairingRpc;
use super::state::{Settings, State};
use super::vault::VaultRpc;
use crate::auth::secrets::Secrets;
use crate::env::{Clock, Entropy};
use crate::limits::{
    Admission, AdmissionLayer, HEADER_LIST_BYTES_MAX, KEEPALIVE, LETTER_BYTES_MAX, Label, MESSAGE_BYTES_MAX, Peer,
    STREAMS_PER_CONNECTION_MAX, WINDOW_BYTES,
};
use crate::meta::Meta;
use crate::objects::Objects;

/// The service, ready to be given connections.
#[derive(Clone)]
pub struct Service {
    state: Arc<State>,
    admission: Arc<Admission>,
    health: tonic_health::server::HealthReporter,
}

impl Service {
    pub fn new(
        meta: Arc<dyn Meta>,
        objects: Arc<dyn Objects>,
        secrets: Secrets,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Self {
        let admission = Admission::new(settings.max_in_flight, settings.queue, settings.queue_timeout);
        let state = State::new(meta, objects, secrets, clock, entropy, settings);
        let health = tonic_health::server::HealthReporter::new();
        Self { state: Arc::new(state), admission: Arc::new(admission), health }
    }

    /// Serves connections until `shutdown` resolves; then ends streams, lets running calls end, and returns.
    pub async fn serve<T>(
        &self,
        incoming: impl Stream<Item = io::Result<Connection<T>>> + Send,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), tonic::transport::Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let state = self.state.clone();
        self.health.set_serving::<AccountsServer<AccountsRpc>>().await;
        self.health.set_serving::<PairingServer<PairingRpc>>().await;
        self.health.set_serving::<VaultServer<VaultRpc>>().await;
        let health = self.health.clone();
        let stop = async move {
            shutdown.await;
            health.set_not_serving::<AccountsServer<AccountsRpc>>().await;
            health.set_not_serving::<PairingServer<PairingRpc>>().await;
            health.set_not_serving::<VaultServer<VaultRpc>>().await;
            state.stopping.send_replace(true);
        };
        self.server().serve_with_incoming_shutdown(incoming, stop).await
    }

    pub fn hints(&self) -> Arc<Hints> {
        self.state.hints.clone()
    }

    /// Told when a commit may have queued work for the mirror.
    pub fn mirror_work(&self) -> Arc<Notify> {
        self.state.mirror_work.clone()
    }

    fn server(
        &self,
    ) -> tonic::transport::server::Router<impl tower::Layer<Routes, Service = Admitted> + Clone + use<>> {
        let state = self.state.clone();
        let label: Label = Arc::new(move |headers| state.label(headers));
        let (entropy, clock) = (self.state.entropy.clone(), self.state.clock.clone());
        let layer = AdmissionLayer { admission: self.admission.clone(), entropy, clock, label };
        let accounts = AccountsServer::new(AccountsRpc(self.state.clone()));
        let pairing = PairingServer::new(PairingRpc(self.state.clone()));
        let vault = VaultServer::new(VaultRpc(self.state.clone()));
        Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
            .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .layer(layer)
            .add_service(accounts.max_decoding_message_size(MESSAGE_BYTES_MAX))
            .add_service(pairing.max_decoding_message_size(LETTER_BYTES_MAX))
            .add_service(vault.max_decoding_message_size(MESSAGE_BYTES_MAX))
            .add_service(tonic_health::pb::health_server::HealthServer::new(
                tonic_health::server::HealthService::from_health_reporter(self.health.clone()),
            ))
            .add_optional_service(reflection())
    }
}

type Routes = tonic::service::Routes;
type Admitted = <AdmissionLayer as tower::Layer<Routes>>::Service;

/// Reflection, from the descriptors this build was made of.
fn reflection()
-> Option<tonic_reflection::server::v1::ServerReflectionServer<impl tonic_reflection::server::v1::ServerReflection>> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::v1::DESCRIPTOR)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .ok()
}

/// A connection and who is at its other end.
pub struct Connection<T> {
    inner: T,
    peer: Peer,
}

impl<T> Connection<T> {
    pub fn new(inner: T, peer: Peer) -> Self {
        Self { inner, peer }
    }
}

impl<T> Connected for Connection<T> {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
