//! A service that stands before the real one: it passes everything on, and changes or loses what it likes of a pairing
//! and of the first `Open` of a new device.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use client::error::{Error, Result};
use client::remote::Connector;
use client::vault::Where;
use hyper_util::rt::TokioIo;
use proto::v1;
use proto::v1::pairing_client::PairingClient;
use proto::v1::pairing_server::{Pairing, PairingServer};
use tests::world::{SERVER, World, reached_by};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status};
use tower::Service;

type Swap = Box<dyn FnMut(&mut v1::ExchangeRequest) + Send>;
type Told = Box<dyn FnMut(&v1::ExchangeRequest, &mut v1::ExchangeResponse) + Send>;

/// The service before the service.
#[derive(Clone)]
pub struct Between {
    pairing: PairingClient<Channel>,
    to: Arc<ToBetween>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Changes what is left for the other side.
    swap: Option<Swap>,
    /// Changes what the caller is given.
    told: Option<Told>,
    ended: bool,
    calls: usize,
}

struct ToBetween(mpsc::Sender<std::io::Result<DuplexStream>>);

impl Between {
    pub async fn before(world: &World) -> Self {
        let channel = world.service.channel().await.unwrap();
        let pairing = PairingClient::new(channel.clone());
        let (sender, incoming) = mpsc::channel(4);
        let between = Self { pairing, to: Arc::new(ToBetween(sender)), state: Arc::default() };
        let server = Server::builder()
            .add_service(PairingServer::new(between.clone()))
            .add_service(Accounts(channel.clone()))
            .add_service(Vault(channel));
        tokio::spawn(server.serve_with_incoming(ReceiverStream::new(incoming)));
        between
    }

    pub fn at(&self) -> Where {
        reached_by(self.to.clone())
    }

    pub fn swaps(&self, swap: impl FnMut(&mut v1::ExchangeRequest) + Send + 'static) {
        self.state().swap = Some(Box::new(swap));
    }

    pub fn tells(&self, told: impl FnMut(&v1::ExchangeRequest, &mut v1::ExchangeResponse) + Send + 'static) {
        self.state().told = Some(Box::new(told));
    }

    /// From now on the caller is told that there is no such mailbox.
    pub fn ends(&self) {
        self.state().ended = true;
    }

    /// Calls of pairings so far.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[tonic::async_trait]
impl Pairing for Between {
    async fn open(
        &self,
        request: Request<v1::OpenMailboxRequest>,
    ) -> std::result::Result<Response<v1::OpenMailboxResponse>, Status> {
        self.pairing.clone().open(request).await
    }

    async fn exchange(
        &self,
        request: Request<v1::ExchangeRequest>,
    ) -> std::result::Result<Response<v1::ExchangeResponse>, Status> {
        let mut asked = request.into_inner();
        {
            let mut state = self.state();
            state.calls += 1;
            if let Some(swap) = &mut state.swap {
                swap(&mut asked);
            }
            if state.ended {
                // No mailbox has such a number.
                asked.number = 1;
            }
        }
        let mut answer = self.pairing.clone().exchange(asked.clone()).await?.into_inner();
        if let Some(told) = &mut self.state().told {
            told(&asked, &mut answer);
        }
        Ok(Response::new(answer))
    }
}

/// Passes calls of a service on as they are.
macro_rules! passed_on {
    ($name:ident, $service:literal) => {
        #[derive(Clone)]
        struct $name(Channel);

        impl NamedService for $name {
            const NAME: &'static str = $service;
        }

        impl Service<tonic::codegen::http::Request<Body>> for $name {
            type Response = tonic::codegen::http::Response<Body>;
            type Error = Infallible;
            type Future = Pin<Box<dyn Future<Output = std::result::Result<Self::Response, Infallible>> + Send>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: tonic::codegen::http::Request<Body>) -> Self::Future {
                let channel = self.0.clone();
                Box::pin(async move {
                    let answered = tower::ServiceExt::oneshot(channel, request).await;
                    Ok(answered.unwrap_or_else(|e| Status::unavailable(e.to_string()).into_http()))
                })
            }
        }
    };
}

passed_on!(Accounts, "chatkeep.v1.Accounts");
passed_on!(Vault, "chatkeep.v1.Vault");

#[tonic::async_trait]
impl Connector for ToBetween {
    fn server(&self) -> &str {
        SERVER
    }

    async fn connect(&self) -> Result<Channel> {
        let sender = self.0.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let sender = sender.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(1 << 20);
                sender.send(Ok(theirs)).await.map_err(|_| std::io::ErrorKind::ConnectionRefused)?;
                std::io::Result::Ok(TokioIo::new(ours))
            }
        });
        let refused = |e: tonic::transport::Error| Error::Unreachable { server: SERVER.into(), cause: e.to_string() };
        Endpoint::from_static("http://in-process").connect_with_connector(connector).await.map_err(refused)
    }
}
