//! A device's conversation with its server: one connection, and a token that is renewed by the device's signature.

use std::sync::Arc;

use bytes::Bytes;
use proto::v1;
use proto::v1::refusal::Reason;
use proto::v1::token_request::Proof;
use tokio::sync::Mutex;

use super::Where;
use super::identity::Identity;
use crate::crypto::DeviceKeys;
use crate::crypto::opaque::Bounds;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::remote::{Connector, Refused, Remote, Token};

/// A signed-in device, connected at first use.
pub struct Session {
    pub identity: Identity,
    pub device: DeviceKeys,
    pub env: Env,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) bounds: Bounds,
    remote: Mutex<Option<Remote>>,
    token: Mutex<Option<Token>>,
}

/// Why a call failed: refused by the service for a reason the caller may act on, or failed before.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    Refused(Refused),
    Error(Error),
}

/// A token is renewed this long before its end.
const RENEW_BEFORE_MS: i64 = 5 * 60 * 1000;

impl Session {
    pub(super) fn new(at: Where, identity: Identity, device: DeviceKeys) -> Self {
        let Where { connector, env, bounds } = at;
        Self { identity, device, env, connector, bounds, remote: Mutex::new(None), token: Mutex::new(None) }
    }

    /// The server, connected to at first use. A connection that breaks is made again by itself.
    pub async fn remote(&self) -> Result<Remote> {
        let mut remote = self.remote.lock().await;
        if let Some(remote) = &*remote {
            return Ok(remote.clone());
        }
        let new = Remote::new(self.connector.connect().await?);
        Ok(remote.insert(new).clone())
    }

    /// A token that is good for some minutes at least.
    pub async fn token(&self) -> Result<Token> {
        self.current(&self.remote().await?, None).await.map_err(|e| e.into_error(&self.identity))
    }

    /// Makes one call with a token. A token the service no longer takes is renewed once, and the call repeated.
    pub async fn call<T, F>(&self, call: impl Fn(Remote, Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, Refused>>,
    {
        let remote = self.remote().await?;
        let token = self.current(&remote, None).await?;
        match call(remote.clone(), token.clone()).await {
            Err(refused) if refused.reason == Reason::TokenExpired => {
                let token = self.current(&remote, Some(&token)).await?;
                Ok(call(remote, token).await?)
            }
            other => Ok(other?),
        }
    }

    /// The token as kept, or a new one: when its end is near, or when it is the one that was `refused`.
    async fn current(&self, remote: &Remote, refused: Option<&Token>) -> Result<Token, CallError> {
        // Held while a new one is fetched, so that callers who find it old together fetch one together.
        let mut kept = self.token.lock().await;
        let now_ms = self.env.now_ms();
        let good = |token: &&Token| {
            now_ms < token.until_ms.saturating_sub(RENEW_BEFORE_MS) && refused.is_none_or(|r| r.bytes != token.bytes)
        };
        if let Some(token) = kept.as_ref().filter(good) {
            return Ok(token.clone());
        }
        *kept = None;
        let token = self.sign_in(remote, now_ms).await?;
        Ok(kept.insert(token).clone())
    }

    /// Offers a token an earlier process was given; one that is here already stays.
    pub fn offer(&mut self, token: Token) {
        self.token.get_mut().get_or_insert(token);
    }

    /// The token as it is now, for processes to come.
    pub fn held(&mut self) -> Option<Token> {
        self.token.get_mut().clone()
    }

    async fn sign_in(&self, remote: &Remote, now_ms: i64) -> Result<Token, CallError> {
        let account = Bytes::copy_from_slice(&self.identity.account.0);
        let device = Bytes::copy_from_slice(&self.device.id().0);
        let asked = v1::ChallengeRequest { account: account.clone(), device: device.clone(), name: String::new() };
        let nonce = remote.challenge(asked).await?;
        let signed: &[u8; 32] = (&nonce[..]).try_into().map_err(|_| malformed("a challenge has no 32 bytes"))?;
        let signature = self.device.sign_in(&self.identity.server_name, &self.identity.account, signed);
        let signature = Bytes::copy_from_slice(&signature);
        let proof = Proof::Device(v1::DeviceProof { account, device, signature });
        let answer = match remote.token(nonce, proof).await {
            // The same reason that a wrong passphrase has; nobody has typed one here.
            Err(refused) if refused.reason == Reason::WrongSecret => {
                let server = &self.identity.server;
                let says = format!("{server} does not take this device's signature; has the server's name changed?");
                return Err(Error::Refused(says).into());
            }
            answer => answer?,
        };
        tracing::debug!(valid_s = answer.valid_s, "signed in");
        let until_ms = now_ms.saturating_add(i64::from(answer.valid_s) * 1000);
        Ok(Token { bytes: answer.token, until_ms })
    }
}

pub(super) fn malformed(what: &'static str) -> Error {
    Error::Server { request_id: "none".to_owned(), cause: what.to_owned() }
}

impl CallError {
    /// The error for callers that have no better use for the reason.
    pub fn into_error(self, identity: &Identity) -> Error {
        match self {
            Self::Refused(refused) => refused.into_error(&identity.server, &identity.shown()),
            Self::Error(error) => error,
        }
    }
}

impl From<Refused> for CallError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
