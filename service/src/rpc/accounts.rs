//! `Accounts`: registration, sign-in, tokens.

use std::sync::Arc;

use bytes::Bytes;
use proto::v1;
use proto::v1::accounts_server::Accounts;
use proto::v1::refusal::Reason;
use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::ids::{AccountId, DeviceId};
use proto::wire::limits::ACCOUNT_NAME_BYTES_MAX;
use proto::wire::roster::SlotKind;
use proto::wire::signin::{device_message, opaque_context, recovery_message, verify_device, verify_recovery};
use proto::wire::slot::{AccountName, Argon2Cost, OpaqueObject, SlotPrefix};
use tonic::{Code, Request, Response, Status};

use super::answers;
use super::checked::{self, Registrant, SignedIn};
use super::refusal::{malformed, of_meta, refuse, wrong_secret};
use super::state::{Registration, State, take_try};
use crate::auth::opaque::{self, Terms, login_finish};
use crate::auth::secrets::ARGON2_DEFAULT;
use crate::auth::token::{Caller, TOKEN_SECONDS};
use crate::env::random;
use crate::meta::{MetaError, NewAccount, Once, Refused, SlotBytes};

/// How long a challenge or the state of a login waits for its second half.
const ONCE_MS: u64 = 60_000;
/// The oldest client this version serves.
pub const OLDEST_CLIENT: &str = "0.1.0";

pub struct AccountsRpc(pub Arc<State>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Accounts for AccountsRpc {
    async fn server(&self, _: Request<v1::ServerRequest>) -> Answer<v1::ServerResponse> {
        let settings = &self.0.settings;
        Ok(Response::new(v1::ServerResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            server_name: settings.server_name.clone(),
            registration: settings.registration.as_str().to_owned(),
            oldest_client: OLDEST_CLIENT.to_owned(),
            time_ms: self.0.now_ms(),
            notice: settings.notice.clone(),
        }))
    }

    async fn register_start(&self, request: Request<v1::RegisterStartRequest>) -> Answer<v1::RegisterStartResponse> {
        let state = &self.0;
        take_try(&state.guesses, request.extensions(), state.now_ms())?;
        let asked = checked::register_start(request.into_inner())?;
        let (name, guess_key) = match asked.who {
            Registrant::Token(token) => state.name_of(&state.caller_of(&token)?).await?,
            Registrant::New { name, invite } => {
                state.may_register(&name, invite).await?;
                let guess_key = state.secrets.pretend(&name).guess_key;
                (name, guess_key)
            }
        };
        state.meta.spend_guess(guess_key, state.now_ms()).await.map_err(of_meta)?;
        let credential_id = state.secrets.new_credential_id(&name, state.entropy.as_ref());
        let response = state.secrets.opaque.register(&credential_id, &asked.request);
        let response = response.map_err(|_| malformed("this is not a registration request"))?;
        Ok(Response::new(v1::RegisterStartResponse {
            opaque_response: Bytes::copy_from_slice(&response),
            credential_id: Bytes::copy_from_slice(&credential_id),
            argon2: Bytes::copy_from_slice(&ARGON2_DEFAULT.encode()),
        }))
    }

    async fn register_finish(&self, request: Request<v1::RegisterFinishRequest>) -> Answer<v1::RegisterFinishResponse> {
        let state = &self.0;
        take_try(&state.signed, request.extensions(), state.now_ms())?;
        let asked = checked::register_finish(request.into_inner())?;
        match (state.settings.registration, asked.invite) {
            (Registration::Closed, _) | (Registration::Invite, None) => return Err(registration_closed()),
            (Registration::Invite, Some(_)) | (Registration::Open, _) => {}
        }
        check_credentials(state, &asked.slots, Some(&asked.name))?;
        let new = NewAccount {
            name: asked.name,
            roster: asked.roster,
            slots: asked.slots,
            quota_bytes: state.settings.quota_bytes,
            devices_max: state.settings.devices_max,
            invite: asked.invite,
        };
        let placed = state.meta.create_account(new, state.now_ms()).await;
        let outcome = if placed.is_ok() { "created" } else { "refused" };
        metrics::counter!("chatkeepd_registrations_total", "outcome" => outcome).increment(1);
        let placed = placed.map_err(of_meta)?;
        state.mirror_work.notify_one();
        let answer = v1::RegisterFinishResponse { index: placed.index, server_time_ms: placed.server_time_ms };
        Ok(Response::new(answer))
    }

    async fn login_start(&self, request: Request<v1::LoginStartRequest>) -> Answer<v1::LoginStartResponse> {
        let state = &self.0;
        take_try(&state.guesses, request.extensions(), state.now_ms())?;
        let v1::LoginStartRequest { name, ke1 } = request.into_inner();
        let name = checked::name(&name)?;
        let known = state.known(&name).await?;
        state.meta.spend_guess(known.guess_key, state.now_ms()).await.map_err(of_meta)?;
        let context = opaque_context(&state.settings.server_name, &known.cost);
        let terms = state.terms(&name, &context);
        let record = known.record.as_ref();
        let started = state
            .secrets
            .opaque
            .login_start(state.entropy.as_ref(), record, &known.credential_id, &ke1, terms)
            .map_err(|_| malformed("this is not a login's first message"))?;
        let login_id: [u8; 32] = random(state.entropy.as_ref());
        let login = Login { account: known.account, name, cost: known.cost, state: started.state.to_vec() };
        let until_ms = state.now_ms() + ONCE_MS;
        state.meta.put_once(Once::Login, login_id, login.encode(), until_ms).await.map_err(of_meta)?;
        Ok(Response::new(v1::LoginStartResponse {
            ke2: Bytes::copy_from_slice(&started.ke2),
            argon2: Bytes::copy_from_slice(&known.cost.encode()),
            login_id: Bytes::copy_from_slice(&login_id),
        }))
    }

    async fn login_finish(&self, request: Request<v1::LoginFinishRequest>) -> Answer<v1::SignInAnswer> {
        let state = &self.0;
        take_try(&state.signed, request.extensions(), state.now_ms())?;
        let v1::LoginFinishRequest { login_id, ke3 } = request.into_inner();
        let login_id = checked::array(&login_id, "a login id has 32 bytes")?;
        let kept = state.meta.take_once(Once::Login, login_id, state.now_ms()).await.map_err(of_meta)?;
        let kept = kept.ok_or_else(|| Status::failed_precondition("this login is over; begin again"))?;
        let login = Login::decode(&kept).map_err(|_| Status::internal("the service's database failed"))?;
        let context = opaque_context(&state.settings.server_name, &login.cost);
        let proved = login_finish(&login.state, &ke3, state.terms(&login.name, &context));
        count("passphrase", proved.is_ok());
        match (proved, login.account) {
            (Ok(()), Some(account)) => state.sign_in(&account, SlotKind::Passphrase).await.map(Response::new),
            (Err(opaque::Refused::Malformed), _) => Err(malformed("this is not a login's last message")),
            _ => Err(wrong_secret()),
        }
    }

    async fn challenge(&self, request: Request<v1::ChallengeRequest>) -> Answer<v1::ChallengeResponse> {
        let state = &self.0;
        take_try(&state.signed, request.extensions(), state.now_ms())?;
        checked::challenge(request.into_inner())?;
        let nonce: [u8; 32] = random(state.entropy.as_ref());
        let until_ms = state.now_ms() + ONCE_MS;
        state.meta.put_once(Once::Nonce, nonce, Vec::new(), until_ms).await.map_err(of_meta)?;
        Ok(Response::new(v1::ChallengeResponse { nonce: Bytes::copy_from_slice(&nonce) }))
    }

    async fn token(&self, request: Request<v1::TokenRequest>) -> Answer<v1::TokenResponse> {
        let state = &self.0;
        take_try(&state.signed, request.extensions(), state.now_ms())?;
        let (nonce, proof) = checked::token(request.into_inner())?;
        let taken = state.meta.take_once(Once::Nonce, nonce, state.now_ms()).await.map_err(of_meta)?;
        taken.ok_or_else(|| Status::failed_precondition("this challenge is over; ask for another"))?;
        let answer = match proof {
            SignedIn::Device { account, device, signature } => {
                state.token_for(account, device, &nonce, &signature).await?
            }
            SignedIn::Recovery { name, signature } => {
                let sign_in = state.recover(&name, &nonce, &signature).await?;
                v1::TokenResponse { sign_in: Some(sign_in), ..Default::default() }
            }
        };
        Ok(Response::new(answer))
    }
}

/// What a login is answered from, for a name that exists and for one that does not.
struct Known {
    account: Option<AccountId>,
    record: Option<[u8; proto::wire::limits::OPAQUE_RECORD_BYTES]>,
    credential_id: [u8; 32],
    cost: Argon2Cost,
    guess_key: [u8; 32],
}

impl State {
    fn terms<'a>(&'a self, name: &'a AccountName, context: &'a [u8]) -> Terms<'a> {
        Terms { context, client: name.as_str().as_bytes(), server: self.settings.server_name.as_bytes() }
    }

    /// Finds what a login is answered from. The pretended values are made in any case, so both ways cost alike.
    async fn known(&self, name: &AccountName) -> Result<Known, Status> {
        let pretended = self.secrets.pretend(name);
        let unknown = Known {
            account: None,
            record: None,
            credential_id: pretended.credential_id,
            cost: pretended.cost,
            guess_key: pretended.guess_key,
        };
        let Some(found) = self.meta.credentials(name).await.map_err(of_meta)? else { return Ok(unknown) };
        let guess_key = found.account.0;
        let Some(bytes) = found.opaque else { return Ok(Known { guess_key, ..unknown }) };
        let object = OpaqueObject::decode(&bytes).map_err(|_| of_meta(MetaError::Damaged("an OPAQUE object")))?;
        Ok(Known {
            account: Some(found.account),
            record: Some(object.record),
            credential_id: object.credential_id,
            cost: object.cost,
            guess_key,
        })
    }

    async fn may_register(&self, name: &AccountName, invite: Option<[u8; 32]>) -> Result<(), Status> {
        match (self.settings.registration, invite) {
            (Registration::Closed, _) | (Registration::Invite, None) => return Err(registration_closed()),
            (Registration::Open, None) => {}
            (_, Some(hash)) => {
                if !self.meta.invite_usable(hash, self.now_ms()).await.map_err(of_meta)? {
                    return Err(of_meta(Refused::InviteInvalid.into()));
                }
            }
        }
        match self.meta.credentials(name).await.map_err(of_meta)? {
            Some(_) => Err(of_meta(Refused::NameTaken.into())),
            None => Ok(()),
        }
    }

    /// Name and guess key of the caller's account. Its slots state the name; an account always has one.
    async fn name_of(&self, caller: &Caller) -> Result<(AccountName, [u8; 32]), Status> {
        let slots = self.meta.slots(caller).await.map_err(of_meta)?;
        let prefix = slots.first().and_then(|s| SlotPrefix::split(&s.slot).ok());
        let (prefix, _) = prefix.ok_or_else(|| of_meta(MetaError::Damaged("an account without a slot")))?;
        Ok((prefix.name, caller.account.0))
    }

    async fn sign_in(&self, account: &AccountId, kind: SlotKind) -> Result<v1::SignInAnswer, Status> {
        let answer = self.meta.sign_in(account, kind).await.map_err(of_meta)?;
        Ok(answers::sign_in(answer))
    }

    async fn token_for(
        &self,
        account: AccountId,
        device: DeviceId,
        nonce: &[u8; 32],
        signature: &[u8; 64],
    ) -> Result<v1::TokenResponse, Status> {
        let access = self.meta.device_access(&account, &device).await.map_err(of_meta)?;
        let access = access.ok_or_else(|| of_meta(Refused::DeviceGone.into()))?;
        let message = device_message(&self.settings.server_name, &account, &device, nonce);
        let proved = verify_device(&access.verifying_key, &message, signature);
        count("device", proved.is_ok());
        proved.map_err(|_| wrong_secret())?;
        if access.suspended {
            return Err(of_meta(Refused::Suspended.into()));
        }
        let caller = Caller { account, device, generation: access.generation };
        let token = self.secrets.tokens.make(&caller, self.now_ms());
        Ok(v1::TokenResponse { token: token.into(), valid_s: TOKEN_SECONDS as u32, sign_in: None })
    }

    async fn recover(
        &self,
        name: &AccountName,
        nonce: &[u8; 32],
        signature: &[u8; 64],
    ) -> Result<v1::SignInAnswer, Status> {
        let found = self.meta.credentials(name).await.map_err(of_meta)?;
        let account = found.as_ref().filter(|f| f.recovery.is_some()).map(|f| f.account);
        let key = found.and_then(|f| f.recovery).unwrap_or(self.secrets.nobodys_key);
        let message = recovery_message(&self.settings.server_name, name, nonce);
        let proved = verify_recovery(&key, &message, signature);
        count("recovery_key", proved.is_ok());
        match (proved, account) {
            (Ok(()), Some(account)) => self.sign_in(&account, SlotKind::Recovery).await,
            _ => Err(wrong_secret()),
        }
    }
}

/// Holds the OPAQUE objects beside a ROSTER to what only this service can tell: that it made the credential id for
/// this name, and that the record is one it can log in with.
pub fn check_credentials(state: &State, slots: &[SlotBytes], name: Option<&AccountName>) -> Result<(), Status> {
    for slot in slots.iter().filter(|s| s.kind == SlotKind::Passphrase) {
        let bad = || refuse(Code::InvalidArgument, Reason::BadRecord, "an OPAQUE object is not one of this service");
        let object = OpaqueObject::decode(&slot.credential).map_err(|_| bad())?;
        let right_name = name.is_none_or(|n| *n == object.name);
        let ours = state.secrets.is_credential_id(&object.name, &object.credential_id);
        if !right_name || !ours || !opaque::is_record(&object.record) {
            return Err(bad());
        }
    }
    Ok(())
}

fn registration_closed() -> Status {
    refuse(
        Code::PermissionDenied,
        Reason::RegistrationClosed,
        "this service takes new accounts by invite or not at all",
    )
}

fn count(kind: &'static str, proved: bool) {
    let outcome = if proved { "proved" } else { "refused" };
    metrics::counter!("chatkeepd_auth_attempts_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// What is kept between the two halves of a login.
struct Login {
    /// Nothing for a name that does not exist.
    account: Option<AccountId>,
    name: AccountName,
    cost: Argon2Cost,
    state: Vec<u8>,
}

impl Login {
    const STATE_BYTES_MAX: usize = 1024;

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        // As long for an unknown name as for a known one.
        w.u8(self.account.is_some().into()).raw(&self.account.map_or([0; 32], |a| a.0));
        w.prefixed(self.name.as_str().as_bytes()).raw(&self.cost.encode()).prefixed(&self.state);
        w.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let (known, account) = (r.u8()? == 1, AccountId(r.array()?));
        let name = AccountName::new(r.text(ACCOUNT_NAME_BYTES_MAX)?).ok_or(Malformed::NotCanonical)?;
        let cost = Argon2Cost::read(&mut r)?;
        let state = r.prefixed(Self::STATE_BYTES_MAX)?.to_vec();
        r.finish()?;
        Ok(Self { account: known.then_some(account), name, cost, state })
    }
}
