//! The new device's side: it shows it has the code, says who it is, signs the roster that lists it, and holds what the
//! server then shows to what the other device has seen.

use proto::wire::roster::{Joiner, Roster};

use super::super::install::Joined;
use super::super::login::current_slots;
use super::super::verify::{Seen, verify_seen};
use super::super::{CallError, Identity, Session, Vault, Where, Work, facts};
use super::failed;
use super::mailbox::{Mailbox, new_key};
use super::told::{About, FromOld, Hello};
use crate::crypto::DeviceKeys;
use crate::crypto::pairing::{Paired, Pairing, PairingCode, PairingSide};
use crate::crypto::roster::Label;
use crate::error::{Error, Result};
use crate::remote::Remote;
use proto::v1;

/// A new device that has met one of the account's: both have the same key, and nobody has let it in yet.
pub struct Joining {
    at: Where,
    server_name: String,
    device: DeviceKeys,
    paired: Paired,
    mailbox: Mailbox,
    /// Sealed messages sent and received.
    sealed: u32,
    opened: u32,
}

/// A roster that this device has signed, and what was told beside it.
struct Signed {
    about: About,
    version: u64,
    content: Vec<u8>,
}

impl Vault {
    /// Meets the device that made the code. Nothing is written on this machine.
    pub async fn join(at: Where, code: PairingCode, label: Label, work: &Work) -> Result<Joining> {
        let server = at.connector.server().to_owned();
        let remote = Remote::new(at.connector.connect().await?);
        let server_name = facts::facts(&remote, &server).await?.server_name;
        let mut entropy = at.env.entropy.clone();
        let mut mailbox = Mailbox::new(remote, server, code.number(), new_key(&mut entropy));
        let pairing = Pairing::start(&code, &server_name, PairingSide::New, &mut entropy);
        drop(code);
        let device = DeviceKeys::generate(&mut entropy);
        let hello = Hello { public: device.public().clone(), label };
        match meet(pairing, &mut mailbox, hello, &at, work).await {
            Ok(paired) => Ok(Joining { at, server_name, device, paired, mailbox, sealed: 1, opened: 0 }),
            Err(error) => Err(mailbox.failed(error).await),
        }
    }
}

async fn meet(pairing: Pairing, mailbox: &mut Mailbox, hello: Hello, at: &Where, work: &Work) -> Result<Paired> {
    let theirs = mailbox.take(work).await?;
    let own = *pairing.message();
    let paired = pairing.finish(&theirs).map_err(failed)?;
    mailbox.leave(&[&own[..], &paired.confirmation()].concat()).await?;
    let confirmation = mailbox.take(work).await?;
    // Nothing is sealed for somebody who has not shown the key.
    if !paired.confirms(&confirmation) {
        return Err(Error::PairingFailed);
    }
    let hello = hello.encode().ok_or_else(|| Error::Internal("a device's word on itself does not fit".to_owned()))?;
    mailbox.leave(&paired.seal(0, &hello, &mut at.env.entropy.clone())).await?;
    Ok(paired)
}

impl Joining {
    /// Three words that both screens must show.
    pub fn check_words(&self) -> [&'static str; 3] {
        self.paired.check_words()
    }

    /// Lets the other device know that nobody waits here any more, for a process that ends.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.mailbox.closing()
    }

    /// Waits until the other device lets this one in. Nothing is written on this machine.
    pub async fn finish(mut self, work: &Work) -> Result<Joined> {
        let mut signed = None;
        let ended = self.follow(&mut signed, work).await;
        match (ended, signed) {
            (Ok(()), Some(signed)) => {
                self.mailbox.close().await;
                self.enter(signed).await
            }
            (Ok(()), None) => Err(self.mailbox.failed(Error::PairingFailed).await),
            // It may have been let in just before all was over; if not, the service says so.
            (Err(Error::PairingFailed), Some(signed)) => match self.enter(signed).await {
                Err(Error::DeviceRevoked { .. }) => Err(Error::PairingFailed),
                other => other,
            },
            (Err(error), _) => Err(self.mailbox.failed(error).await),
        }
    }

    /// Signs rosters until one of them is in the log.
    async fn follow(&mut self, signed: &mut Option<Signed>, work: &Work) -> Result<()> {
        loop {
            match self.hear(work).await? {
                FromOld::Joined => return Ok(()),
                FromOld::Sign { about, content } => {
                    if signed.as_ref().is_some_and(|before| before.about != about) {
                        return Err(Error::PairingFailed);
                    }
                    let (joiner, version) = sign(&self.device, &about, &content)?;
                    *signed = Some(Signed { about, version, content });
                    let mut entropy = self.at.env.entropy.clone();
                    let sealed = self.paired.seal(self.sealed, &joiner.signature, &mut entropy);
                    self.sealed += 1;
                    self.mailbox.leave(&sealed).await?;
                }
            }
        }
    }

    async fn hear(&mut self, work: &Work) -> Result<FromOld> {
        let sealed = self.mailbox.take(work).await?;
        let content = self.paired.open(self.opened, &sealed).map_err(failed)?;
        self.opened += 1;
        FromOld::decode(&content).map_err(failed)
    }

    /// Signs in as a device of the account, and holds all the server shows to what the other device told.
    async fn enter(self, signed: Signed) -> Result<Joined> {
        let Self { at, server_name, device, .. } = self;
        let Signed { about, version, content } = signed;
        let server = at.connector.server().to_owned();
        let identity = Identity { server, server_name, name: about.name, account: about.account };
        let session = Session::new(at, identity, device);
        let opened = session.call(|remote, token| {
            let request = v1::OpenRequest {
                known_size: about.log_size,
                known_incarnation: about.incarnation,
                known_head: 0,
                known_roster: 0,
                client_version: env!("CARGO_PKG_VERSION").to_owned(),
                no_front_page: true,
            };
            async move { remote.open(&token, request).await }
        });
        let answer = match opened.await {
            Err(CallError::Error(error)) => return Err(error),
            Err(refused) => return Err(refused.into_error(&session.identity)),
            Ok(answer) => answer,
        };
        let seen = Seen {
            account: about.account,
            incarnation: about.incarnation,
            size: about.log_size,
            root: about.log_root,
            roster_version: version,
            roster_content: content,
        };
        let (ring, log) = verify_seen(answer, &seen, &session.device)?;
        let slots = current_slots(&session, &ring).await;
        Ok(Joined { session, ring, log, slots, history: true })
    }
}

/// Signs what is a roster of that account and lists this device as joining; anything else never.
fn sign(device: &DeviceKeys, about: &About, content: &[u8]) -> Result<(Joiner, u64)> {
    let roster = Roster::decode(content).map_err(failed)?;
    if roster.account != about.account || roster.ended {
        return Err(Error::PairingFailed);
    }
    Ok((device.join(content).map_err(failed)?, roster.version))
}

#[cfg(test)]
mod tests {
    use proto::wire::slot::AccountName;

    use super::*;
    use crate::crypto::fixed::Fixed;
    use crate::crypto::roster::Plan;
    use crate::crypto::{Keyring, Root, account_of};
    use crate::ids::AccountId;

    #[test]
    fn only_a_roster_that_lets_this_device_in_is_signed() {
        let mut entropy = Fixed::new("sign");
        let (root, keyring) = (Root::generate(&mut entropy), Keyring::generate(&mut entropy));
        let [device, other] = [(); 2].map(|()| DeviceKeys::generate(&mut entropy));
        let account = account_of(&root.signer().verifying_key());
        let mut content = |device: &DeviceKeys, ended| {
            let mut plan = Plan {
                account,
                version: 4,
                root_generation: 1,
                ended,
                slots: Vec::new(),
                active: Vec::new(),
                gone: Vec::new(),
                rest: Default::default(),
            };
            plan.join(device.public().clone(), Label::new("phone", "android", 0));
            plan.draft(&root, &keyring, &mut entropy).unwrap().content().to_vec()
        };
        let name = AccountName::new("ana").unwrap();
        let about = About { account, name, incarnation: 1, log_size: 1, log_root: [1; 32] };
        let good = content(&device, false);
        assert_eq!(sign(&device, &about, &good).unwrap().1, 4);
        let elsewhere = About { account: AccountId([9; 32]), ..about.clone() };
        assert!(sign(&device, &elsewhere, &good).is_err(), "a roster of another account than was told");
        assert!(sign(&device, &about, &content(&other, false)).is_err(), "a roster that lists another device");
        assert!(sign(&device, &about, &content(&device, true)).is_err(), "a roster that ends the account");
        assert!(sign(&device, &about, &[&good[..], &[0]].concat()).is_err());
        assert!(sign(&device, &about, b"").is_err());
    }
}
