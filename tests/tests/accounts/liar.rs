//! A service that stands before the real one and changes what it answers, or loses it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use client::error::{Error, Result};
use client::remote::Connector;
use hyper_util::rt::TokioIo;
use proto::v1;
use proto::v1::accounts_client::AccountsClient;
use proto::v1::accounts_server::{Accounts, AccountsServer};
use proto::v1::vault_client::VaultClient;
use proto::v1::vault_server::VaultServer;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status};

use tests::world::{SERVER, World};

type Lie = Box<dyn FnMut(&mut v1::SignInAnswer) + Send>;
/// Changes what is told to one who asks for everything.
type OpenLie = Box<dyn FnMut(&mut v1::OpenResponse) + Send>;
type Answer<T> = std::result::Result<Response<T>, Status>;

/// The service before the service.
#[derive(Clone)]
pub struct Liar {
    accounts: AccountsClient<Channel>,
    pub vault: VaultClient<Channel>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    lie: Option<Lie>,
    pub open_lie: Option<OpenLie>,
    seen: Vec<v1::SignInAnswer>,
    /// Answers to appends and to a registration's end that get lost.
    pub lost: usize,
    pub registrations: Vec<v1::RegisterFinishRequest>,
    pub appends: Vec<v1::AppendRequest>,
    /// What happens before an append is passed on, the last one first.
    pub first: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Slots are answered that no roster names.
    pub other_slots: bool,
    pub tokens: usize,
}

/// Connects to the liar.
pub struct ToLiar(mpsc::Sender<std::io::Result<DuplexStream>>);

impl Liar {
    pub async fn before(world: &World) -> (Self, Arc<ToLiar>) {
        let accounts = AccountsClient::new(world.service.channel().await.unwrap()).max_decoding_message_size(4 << 20);
        let vault = VaultClient::new(world.service.channel().await.unwrap()).max_decoding_message_size(4 << 20);
        let liar = Self { accounts, vault, state: Arc::default() };
        let (sender, incoming) = mpsc::channel(4);
        let server = Server::builder()
            .add_service(AccountsServer::new(liar.clone()))
            .add_service(VaultServer::new(liar.clone()));
        tokio::spawn(server.serve_with_incoming(ReceiverStream::new(incoming)));
        (liar, Arc::new(ToLiar(sender)))
    }

    /// From now on sign-in answers are changed so.
    pub fn lies(&self, lie: impl FnMut(&mut v1::SignInAnswer) + Send + 'static) {
        self.state().lie = Some(Box::new(lie));
    }

    /// The last honest answer to a sign-in.
    pub fn last_seen(&self) -> v1::SignInAnswer {
        self.state().seen.last().unwrap().clone()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn told(&self, mut answer: v1::SignInAnswer) -> v1::SignInAnswer {
        let mut state = self.state();
        state.seen.push(answer.clone());
        if let Some(lie) = &mut state.lie {
            lie(&mut answer);
        }
        answer
    }
}

#[tonic::async_trait]
impl Connector for ToLiar {
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

#[tonic::async_trait]
impl Accounts for Liar {
    async fn server(&self, request: Request<v1::ServerRequest>) -> Answer<v1::ServerResponse> {
        self.accounts.clone().server(request).await
    }

    async fn register_start(&self, request: Request<v1::RegisterStartRequest>) -> Answer<v1::RegisterStartResponse> {
        self.accounts.clone().register_start(request).await
    }

    async fn register_finish(&self, request: Request<v1::RegisterFinishRequest>) -> Answer<v1::RegisterFinishResponse> {
        self.state().registrations.push(request.get_ref().clone());
        let answer = self.accounts.clone().register_finish(request).await;
        let mut state = self.state();
        if state.lost > 0 {
            state.lost -= 1;
            return Err(Status::unavailable("the connection broke"));
        }
        answer
    }

    async fn login_start(&self, request: Request<v1::LoginStartRequest>) -> Answer<v1::LoginStartResponse> {
        self.accounts.clone().login_start(request).await
    }

    async fn login_finish(&self, request: Request<v1::LoginFinishRequest>) -> Answer<v1::SignInAnswer> {
        let answer = self.accounts.clone().login_finish(request).await?.into_inner();
        Ok(Response::new(self.told(answer)))
    }

    async fn challenge(&self, request: Request<v1::ChallengeRequest>) -> Answer<v1::ChallengeResponse> {
        self.accounts.clone().challenge(request).await
    }

    async fn token(&self, request: Request<v1::TokenRequest>) -> Answer<v1::TokenResponse> {
        self.state().tokens += 1;
        let mut answer = self.accounts.clone().token(request).await?.into_inner();
        answer.sign_in = answer.sign_in.map(|sign_in| self.told(sign_in));
        Ok(Response::new(answer))
    }
}
