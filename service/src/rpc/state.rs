//! What every call can reach.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};

use super::hints::Hints;
use super::refusal::{busy, token_expired};
use crate::auth::secrets::Secrets;
use crate::auth::token::Caller;
use crate::env::{Clock, Entropy};
use crate::limits::{Fairness, Network, NetworkLimit, Share};
use crate::meta::Meta;
use crate::objects::Objects;

/// Metadata key of the token.
const TOKEN: &str = "chatkeep-token-bin";
/// Uploads and downloads in flight in the whole service; each holds at most a pack in memory.
const MEDIA_AT_ONCE_MAX: usize = 128;
/// Challenges and signed sign-ins cost no guess, so a network may make more of them.
const SIGNED_PER_AUTH: u32 = 10;
const DAY_MS: u64 = 86_400_000;
/// How long a call that meets its account's own limit stays away.
const SHARE_RETRY: Duration = Duration::from_secs(2);

/// Who may register.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    Closed,
    Invite,
    Open,
}

impl Registration {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invite => "invite",
            Self::Open => "open",
        }
    }
}

/// What an operator decides, as far as calls depend on it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name sign-ins are bound to. Changing it locks passphrases out.
    pub server_name: String,
    pub registration: Registration,
    pub quota_bytes: u64,
    pub devices_max: u32,
    pub max_in_flight: usize,
    pub queue: usize,
    pub queue_timeout: Duration,
    pub auth_per_minute: u32,
    pub notice: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_name: "localhost".to_owned(),
            registration: Registration::Invite,
            quota_bytes: 20 << 30,
            devices_max: 10,
            max_in_flight: 2000,
            queue: 500,
            queue_timeout: Duration::from_secs(3),
            auth_per_minute: 10,
            notice: String::new(),
        }
    }
}

pub struct State {
    pub meta: Arc<dyn Meta>,
    pub objects: Arc<dyn Objects>,
    pub secrets: Secrets,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub settings: Settings,
    pub hints: Arc<Hints>,
    pub fairness: Arc<Fairness>,
    pub media: Arc<Semaphore>,
    pub guesses: NetworkLimit,
    pub signed: NetworkLimit,
    /// Tells the mirror that a commit may have queued work.
    pub mirror_work: Arc<Notify>,
    /// Ends streams when the service stops.
    pub stopping: tokio::sync::watch::Sender<bool>,
}

impl State {
    pub fn new(
        meta: Arc<dyn Meta>,
        objects: Arc<dyn Objects>,
        secrets: Secrets,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Self {
        Self {
            meta,
            objects,
            secrets,
            clock,
            entropy,
            hints: Arc::default(),
            fairness: Arc::default(),
            media: Arc::new(Semaphore::new(MEDIA_AT_ONCE_MAX)),
            guesses: NetworkLimit::new(settings.auth_per_minute),
            signed: NetworkLimit::new(settings.auth_per_minute.saturating_mul(SIGNED_PER_AUTH)),
            mirror_work: Arc::default(),
            stopping: tokio::sync::watch::Sender::new(false),
            settings,
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Whom the call's token admits, by its MAC alone. Rows are compared where they are read.
    pub fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let token = metadata.get_bin(TOKEN).and_then(|v| v.to_bytes().ok()).ok_or_else(token_expired)?;
        self.caller_of(&token)
    }

    pub fn caller_of(&self, token: &Bytes) -> Result<Caller, Status> {
        self.secrets.tokens.open(token, self.now_ms()).ok_or_else(token_expired)
    }

    /// What logs call the account of a call, if its token is good: a keyed hash that is another one every day.
    pub fn label(&self, headers: &http::HeaderMap) -> Option<String> {
        let token = MetadataMap::from_headers(headers.clone()).get_bin(TOKEN)?.to_bytes().ok()?;
        let now_ms = self.now_ms();
        let caller = self.secrets.tokens.open(&token, now_ms)?;
        Some(self.secrets.log_label(&caller.account, now_ms / DAY_MS))
    }

    /// The caller, and one of the things it may have in flight.
    pub fn enter(&self, metadata: &MetadataMap, share: Share) -> Result<(Caller, impl Drop + Send + use<>), Status> {
        let caller = self.caller(metadata)?;
        let busy = || busy("this account has too much in flight", SHARE_RETRY);
        let place = self.fairness.enter(caller.account, share).ok_or_else(busy)?;
        Ok((caller, place))
    }
}

/// Takes one try of the call's network.
pub fn take_try(limit: &NetworkLimit, call: &Extensions, now_ms: u64) -> Result<(), Status> {
    let network = call.get::<Network>().copied();
    limit.take(network, now_ms).map_err(|wait| busy("too many tries from this network", wait))
}
