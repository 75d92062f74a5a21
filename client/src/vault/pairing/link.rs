//! The side that is signed in: it makes the code, meets who had it, and lets the device in with the account's secret.

use std::time::Duration;

use proto::v1;
use proto::v1::refusal::Reason;
use zeroize::Zeroizing;

use super::super::advance::{Advanced, Change, Drafted, Made, PLANS_MAX, overtaken};
use super::super::change::Known;
use super::super::gate::{Gate, Proved};
use super::super::{CallError, Secret, Vault, Work};
use super::failed;
use super::mailbox::{Mailbox, new_key};
use super::told::{About, FromOld, Hello};
use crate::archive::Archive;
use crate::crypto::pairing::{CONFIRMATION_BYTES, EXCHANGE_BYTES, Paired, Pairing, PairingCode, PairingSide};
use crate::crypto::roster::Plan;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ids::DeviceId;
use proto::wire::roster::Joiner;

/// How long a newcomer may take to sign.
const SIGN_WAIT: Duration = Duration::from_secs(60);

/// A code that waits for the other device.
pub struct Linking {
    code: PairingCode,
    pairing: Pairing,
    mailbox: Mailbox,
    env: Env,
}

/// A device that had the code. A person has yet to say that it is the one meant.
pub struct Newcomer {
    hello: Hello,
    paired: Paired,
    mailbox: Mailbox,
    /// Sealed messages sent and received.
    sealed: u32,
    opened: u32,
}

impl Vault {
    /// Opens a mailbox and makes the code of it. Needs no secret: nobody is let in by it.
    pub async fn link(&self) -> Result<Linking> {
        let session = &self.session;
        let mut entropy = session.env.entropy.clone();
        let key = new_key(&mut entropy);
        let opened = session.call(|remote, token| {
            let request = v1::OpenMailboxRequest { key: bytes::Bytes::copy_from_slice(&key[..]) };
            async move { remote.open_mailbox(&token, request).await }
        });
        let opened = opened.await.map_err(|e| e.into_error(&session.identity))?;
        let code = PairingCode::generate(opened.number, &mut entropy);
        let server_name = &session.identity.server_name;
        let pairing = Pairing::start(&code, server_name, PairingSide::Old, &mut entropy);
        let remote = session.remote().await?;
        let mut mailbox = Mailbox::new(remote, session.identity.server.clone(), opened.number, key);
        mailbox.leave(pairing.message()).await?;
        Ok(Linking { code, pairing, mailbox, env: session.env.clone() })
    }

    /// Lets a newcomer in, once its owner has said that both screens show the same words. The secret is proved first.
    pub async fn admit(&mut self, archive: &mut Archive, newcomer: Newcomer, secret: &Secret) -> Result<DeviceId> {
        let mut newcomer = newcomer;
        let device = newcomer.hello.public.id();
        let appended = match self.known(archive) {
            Ok(known) => self.append_for(&known, &mut newcomer, secret).await,
            Err(error) => Err(error),
        };
        match appended {
            Ok(advanced) => {
                let taken = self.take(archive, advanced);
                // It is a device of the account, whatever becomes of the note of it here.
                let told = newcomer.tell(&FromOld::Joined, &self.session.env).await;
                taken?;
                if let Err(error) = told {
                    // The newcomer asks the service itself when it hears nothing more.
                    tracing::info!(code = error.code(), "a device that joined was not told");
                }
                Ok(device)
            }
            Err(error) => Err(newcomer.mailbox.failed(error).await),
        }
    }

    async fn append_for(&self, known: &Known, newcomer: &mut Newcomer, secret: &Secret) -> Result<Advanced> {
        let gate = Gate::of(&self.session).await?;
        let mut too_late = None;
        for _ in 0..PLANS_MAX {
            let proved = known.hold(self, gate.prove(secret).await?)?;
            let version = proved.verified.roster().version;
            overtaken(&mut too_late, version)?;
            let made = self.signed_by_both(known, proved, newcomer).await?;
            match gate.append(&made).await {
                Ok((index, server_time)) => return Ok(Advanced { made, index, server_time }),
                Err(CallError::Refused(refused)) if refused.reason == Reason::RosterMoved => too_late = Some(version),
                Err(CallError::Refused(refused)) => return Err(gate.unanswered(refused)),
                Err(CallError::Error(error)) => return Err(error),
            }
        }
        Err(gate.changing())
    }

    /// Drafts the roster, has the newcomer sign what lists it, and signs as the account.
    async fn signed_by_both(&self, known: &Known, proved: Proved, newcomer: &mut Newcomer) -> Result<Made> {
        let Proved { root, verified, .. } = proved;
        let mut entropy = self.session.env.entropy.clone();
        let before = verified.roster().clone();
        let mut plan = Plan::after(&verified.open);
        plan.join(newcomer.hello.public.clone(), newcomer.hello.label.clone());
        let change = Change {
            root: &root,
            keyring: &verified.open.keyring,
            old: None,
            joining: None,
            slots: Vec::new(),
            known_keys: verified.known_keys,
        };
        let drafted = Drafted::new(plan, before, verified.log, change, &mut entropy).map_err(|error| match error {
            Error::Internal(_) => Error::PairingFailed,
            other => other,
        })?;
        let identity = &self.session.identity;
        // What this device has verified itself, entry by entry: the newcomer holds the server to it.
        let frontier = &known.log.frontier;
        let about = About {
            account: identity.account,
            name: identity.name.clone(),
            incarnation: known.log.incarnation,
            log_size: frontier.size(),
            log_root: frontier.root(),
        };
        let asked = FromOld::Sign { about, content: drafted.content().to_vec() };
        newcomer.tell(&asked, &self.session.env).await?;
        // It signs by itself; one that lets us wait does not keep the account's root in memory meanwhile.
        let signature = tokio::time::timeout(SIGN_WAIT, newcomer.hear()).await.map_err(failed)??;
        let signature = signature[..].try_into().map_err(failed)?;
        let joiner = Joiner { device: newcomer.hello.public.id(), signature };
        // Everybody would refuse a roster with a wrong signature, so it is this device that does.
        drafted.sign(Some(joiner), &mut entropy).map_err(failed)
    }
}

impl Linking {
    /// The code, to be said or typed on the other device.
    pub fn code(&self) -> Zeroizing<String> {
        self.code.text()
    }

    /// Makes the code worthless, for a process that ends while it waits.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.mailbox.closing()
    }

    /// Waits for the other device. One that had another code ends this one: a code can be tried once.
    pub async fn meet(self, work: &Work) -> Result<Newcomer> {
        let Self { pairing, mut mailbox, env, .. } = self;
        match meet(pairing, &mut mailbox, &env, work).await {
            Ok((paired, hello)) => Ok(Newcomer { hello, paired, mailbox, sealed: 0, opened: 1 }),
            Err(error) => Err(mailbox.failed(error).await),
        }
    }
}

async fn meet(pairing: Pairing, mailbox: &mut Mailbox, env: &Env, work: &Work) -> Result<(Paired, Hello)> {
    let first = mailbox.take(work).await?;
    if first.len() != EXCHANGE_BYTES + CONFIRMATION_BYTES {
        return Err(Error::PairingFailed);
    }
    let (message, confirmation) = first.split_at(EXCHANGE_BYTES);
    let paired = pairing.finish(message).map_err(failed)?;
    if !paired.confirms(confirmation) {
        return Err(Error::PairingFailed);
    }
    mailbox.leave(&paired.confirmation()).await?;
    let sealed = mailbox.take(work).await?;
    let hello = paired.open(0, &sealed).map_err(failed)?;
    let hello = Hello::decode(&hello, env.now_ms()).map_err(failed)?;
    Ok((paired, hello))
}

impl Newcomer {
    /// Three words that both screens must show.
    pub fn check_words(&self) -> [&'static str; 3] {
        self.paired.check_words()
    }

    /// What it calls itself; a stranger's words.
    pub fn name(&self) -> &str {
        &self.hello.label.name
    }

    pub fn platform(&self) -> &str {
        &self.hello.label.platform
    }

    /// Turns it away; its screen says that the pairing failed.
    pub async fn refuse(self) {
        self.mailbox.close().await;
    }

    async fn tell(&mut self, what: &FromOld, env: &Env) -> Result<()> {
        let sealed = self.paired.seal(self.sealed, &what.encode(), &mut env.entropy.clone());
        self.sealed += 1;
        self.mailbox.leave(&sealed).await
    }

    async fn hear(&mut self) -> Result<crate::crypto::Wiped> {
        let sealed = self.mailbox.take(&Work::quiet()).await?;
        let content = self.paired.open(self.opened, &sealed).map_err(failed)?;
        self.opened += 1;
        Ok(content)
    }
}
