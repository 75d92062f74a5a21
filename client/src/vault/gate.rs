//! Where a secret is proved: to the service by OPAQUE or by signature, and by what it answers to ourselves.

use bytes::Bytes;
use proto::v1;
use proto::v1::refusal::Reason;
use proto::v1::token_request::Proof;
use proto::wire::slot::AccountName;

use super::passphrase::held;
use super::session::{Session, malformed};
use super::verify::{Verified, verify};
use super::{Secret, Where, facts, identity};
use crate::crypto::opaque::{Bounds, Login, OpaqueError, Terms};
use crate::crypto::passphrase::Passphrase;
use crate::crypto::slot::{OpenSlot, open_passphrase_slot, open_recovery_slot};
use crate::crypto::{RecoveryKey, Root};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::remote::{Refused, Remote};

/// A connected server, and the account whose owner stands before it.
pub(super) struct Gate {
    pub remote: Remote,
    pub server: String,
    pub server_name: String,
    pub name: AccountName,
    pub env: Env,
    pub bounds: Bounds,
}

/// A secret that was proved: the root it opens, and the account's state as verified under it.
pub(super) struct Proved {
    pub root: Root,
    pub verified: Verified,
    pub suspended: bool,
}

impl Gate {
    /// Connects, and asks the server for the name it goes by.
    pub async fn connect(at: &Where, name: AccountName) -> Result<Self> {
        let server = at.connector.server().to_owned();
        let remote = Remote::new(at.connector.connect().await?);
        let server_name = facts::facts(&remote, &server).await?.server_name;
        Ok(Self { remote, server, server_name, name, env: at.env.clone(), bounds: at.bounds })
    }

    /// The gate of an account this device belongs to.
    pub async fn of(session: &Session) -> Result<Self> {
        let identity = session.identity.clone();
        Ok(Self {
            remote: session.remote().await?,
            server: identity.server,
            server_name: identity.server_name,
            name: identity.name,
            env: session.env.clone(),
            bounds: session.bounds,
        })
    }

    /// The account as people write it.
    pub fn shown(&self) -> String {
        identity::shown(&self.name, &self.server)
    }

    pub fn error(&self, refused: Refused) -> Error {
        refused.into_error(&self.server, &self.shown())
    }

    /// As [`error`](Self::error), for a call that makes something new: where no answer came it may have been done.
    pub fn unanswered(&self, refused: Refused) -> Error {
        if refused.is_lost() { Error::AnswerLost { server: self.server.clone() } } else { self.error(refused) }
    }

    /// Proves the secret and verifies all that the service answers, in the order of `docs/design.md` §4. Nothing is
    /// written meanwhile.
    pub async fn prove(&self, secret: &Secret) -> Result<Proved> {
        let (answer, slot) = match secret {
            Secret::Passphrase(passphrase) => self.by_passphrase(passphrase).await?,
            Secret::Recovery(key) => self.by_recovery(key).await?,
        };
        let suspended = answer.suspended;
        let verified = verify(answer, &slot)?;
        Ok(Proved { root: slot.root, verified, suspended })
    }

    async fn by_passphrase(&self, passphrase: &Passphrase) -> Result<(v1::SignInAnswer, OpenSlot)> {
        let mut entropy = self.env.entropy.clone();
        let started = Login::start(passphrase.again(), &mut entropy);
        let (login, ke1) = started.map_err(|e| Error::Internal(e.to_string()))?;
        let started = self.remote.login_start(self.name.as_str(), ke1.to_vec()).await.map_err(|r| self.error(r))?;
        let v1::LoginStartResponse { ke2, argon2, login_id } = started;
        let cost = held(self.bounds, &argon2, &self.server)?;
        let (server_name, name) = (self.server_name.clone(), self.name.clone());
        let finished = stretched(move || {
            let terms = Terms { server_name: &server_name, name: &name, cost };
            login.finish(&ke2, &terms, &mut entropy)
        });
        let proved = finished.await?.map_err(|e| match e {
            OpaqueError::WrongPassphrase => Error::WrongPassphrase { account: self.shown() },
            other => opaque_failed(other),
        })?;
        let answer = self.remote.login_finish(login_id, proved.ke3.to_vec()).await.map_err(|r| self.error(r))?;
        let slot = open_passphrase_slot(&answer.slot, &self.name, &proved.export_key, &cost.get());
        Ok((answer, slot.map_err(|_| not_its_slot())?))
    }

    async fn by_recovery(&self, key: &RecoveryKey) -> Result<(v1::SignInAnswer, OpenSlot)> {
        let refused = |refused: Refused| match refused.reason {
            Reason::WrongSecret => Error::WrongRecoveryKey,
            _ => self.error(refused),
        };
        let asked = v1::ChallengeRequest { name: self.name.as_str().to_owned(), ..Default::default() };
        let nonce = self.remote.challenge(asked).await.map_err(refused)?;
        let signed: &[u8; 32] = (&nonce[..]).try_into().map_err(|_| malformed("a challenge has no 32 bytes"))?;
        let signature = key.signer().sign_in(&self.server_name, &self.name, signed);
        let signature = Bytes::copy_from_slice(&signature);
        let proof = Proof::Recovery(v1::RecoveryProof { name: self.name.as_str().to_owned(), signature });
        let answer = self.remote.token(nonce, proof).await.map_err(refused)?.sign_in;
        let answer = answer.ok_or_else(|| malformed("a recovery key is answered without a slot"))?;
        let slot = open_recovery_slot(&answer.slot, Some(&self.name), key);
        Ok((answer, slot.map_err(|_| not_its_slot())?))
    }
}

/// The secret was proved, so the fault is not with whoever typed it.
fn not_its_slot() -> Error {
    Error::RosterMismatch { what: "the slot the server answered" }
}

pub(super) fn opaque_failed(error: OpaqueError) -> Error {
    match error {
        OpaqueError::OutOfMemory => Error::Refused(error.to_string()),
        _ => malformed("an answer is not of OPAQUE's form"),
    }
}

/// Runs what stretches a passphrase where it holds up nobody.
pub(super) async fn stretched<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal("stretching a passphrase broke off".to_owned()))
}
