//! A device written from `docs/format.md` alone: it shares no encoder with the service.
#![allow(dead_code, reason = "each test program uses a part of it")]

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, Identifiers, RegistrationResponse,
};
use proto::v1;
use proto::v1::accounts_client::AccountsClient;
use proto::v1::token_request::Proof;
use proto::v1::vault_client::VaultClient;
use rand_core_06::{OsRng, RngCore as _};
use tonic::transport::Channel;
use tonic::{Request, Status};

pub const SERVER: &str = "localhost";

struct Suite;

impl opaque_ke::CipherSuite for Suite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2_010::Sha512>;
    type Ksf = opaque_ke::ksf::Identity;
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    OsRng.fill_bytes(&mut out);
    out
}

/// `H(p, x)` of format §1.
pub fn h(purpose: &str, x: &[u8]) -> [u8; 32] {
    blake3::derive_key(&format!("chatkeep 2026 v1 {purpose}"), x)
}

fn sign(key: &SigningKey, purpose: &str, x: &[u8]) -> [u8; 64] {
    let context = format!("chatkeep 2026 v1 {purpose}\0");
    key.sign(&[context.as_bytes(), x].concat()).to_bytes()
}

/// `lp(x)` for x shorter than 128 bytes.
fn lp(x: &[u8]) -> Vec<u8> {
    assert!(x.len() < 128);
    [&[x.len() as u8], x].concat()
}

pub struct Device {
    pub name: String,
    pub account: [u8; 32],
    pub id: [u8; 32],
    pub key: SigningKey,
    pub roster_key: SigningKey,
    pub recovery_key: SigningKey,
    kem: [u8; 1216],
    pub counter: u64,
    pub previous: [u8; 32],
    pub roster_version: u64,
    /// Size and root of the log this device has seen.
    pub seen: (u64, [u8; 32]),
    pub token: Option<Bytes>,
    pub accounts: AccountsClient<Channel>,
    pub vault: VaultClient<Channel>,
    /// The newest slots, as the roster names them: kind, generation, slot, credential.
    pub slots: Vec<(u8, u32, Vec<u8>, Vec<u8>)>,
    passphrase: Vec<u8>,
    /// Other devices of the roster: id, state, joined version, verifying key, rest of its entry.
    pub others: Vec<(Vec<u8>, u8, u64, [u8; 32], Vec<u8>)>,
    pub epoch: u32,
}

impl Device {
    pub fn new(channel: &Channel, name: &str, passphrase: &str) -> Self {
        let roster_key = SigningKey::from_bytes(&random());
        let key = SigningKey::from_bytes(&random());
        let kem = random::<1216>();
        Self {
            name: name.to_owned(),
            account: h("account id", roster_key.verifying_key().as_bytes()),
            id: h("device id", &[&key.verifying_key().to_bytes()[..], &kem].concat()),
            key,
            roster_key,
            recovery_key: SigningKey::from_bytes(&random()),
            kem,
            counter: 0,
            previous: [0; 32],
            roster_version: 0,
            seen: (0, [0; 32]),
            token: None,
            accounts: AccountsClient::new(channel.clone()).max_decoding_message_size(4 << 20),
            vault: VaultClient::new(channel.clone()).max_decoding_message_size(4 << 20),
            slots: Vec::new(),
            passphrase: passphrase.as_bytes().to_vec(),
            others: Vec::new(),
            epoch: 0,
        }
    }

    fn identifiers(&self) -> Identifiers<'_> {
        Identifiers { client: Some(self.name.as_bytes()), server: Some(SERVER.as_bytes()) }
    }

    /// The OPAQUE object of format §6, made with the service's help.
    pub async fn opaque_object(&mut self, invite: &[u8], generation: u32) -> Result<Vec<u8>, Status> {
        let start = ClientRegistration::<Suite>::start(&mut OsRng, &self.passphrase).unwrap();
        let request = v1::RegisterStartRequest {
            name: self.name.clone(),
            opaque_request: start.message.serialize().to_vec().into(),
            invite: invite.to_vec().into(),
            token: self.token.clone().unwrap_or_default(),
        };
        let answer = self.accounts.register_start(request).await?.into_inner();
        let response = RegistrationResponse::deserialize(&answer.opaque_response).unwrap();
        let parameters = ClientRegistrationFinishParameters::new(self.identifiers(), None);
        let finish = start.state.finish(&mut OsRng, &self.passphrase, response, parameters).unwrap();
        let mut object = vec![1];
        object.extend(self.account);
        object.extend(generation.to_le_bytes());
        object.extend(lp(self.name.as_bytes()));
        object.extend(&answer.credential_id[..]);
        object.extend(&answer.argon2[..]);
        object.extend(finish.message.serialize());
        Ok(object)
    }

    fn slot(&self, kind: u8, generation: u32) -> Vec<u8> {
        let mut slot = vec![1, kind];
        slot.extend(self.account);
        slot.extend(generation.to_le_bytes());
        slot.extend(1u32.to_le_bytes());
        slot.extend(lp(self.name.as_bytes()));
        let sealed = random::<512>();
        slot.extend(&sealed[..512 - slot.len()]);
        slot
    }

    pub async fn register(&mut self, invite: &[u8]) -> Result<v1::RegisterFinishResponse, Status> {
        let request = self.registration(invite).await?;
        let answer = self.accounts.register_finish(request.clone()).await?.into_inner();
        let again = self.accounts.register_finish(request).await?.into_inner();
        assert_eq!(answer, again, "a repeated registration answers the same");
        Ok(answer)
    }

    pub async fn registration(&mut self, invite: &[u8]) -> Result<v1::RegisterFinishRequest, Status> {
        let opaque = self.opaque_object(invite, 1).await?;
        let recovery = self.recovery_key.verifying_key().to_bytes().to_vec();
        self.slots = vec![(1, 1, self.slot(1, 1), opaque), (2, 1, self.slot(2, 1), recovery)];
        let roster = self.roster_record(Some(self.id));
        let request = v1::RegisterFinishRequest {
            name: self.name.clone(),
            invite: invite.to_vec().into(),
            roster: Some(roster),
            slots: self.slot_bytes(&[1, 2]),
        };
        Ok(request)
    }

    pub fn slot_bytes(&self, kinds: &[u8]) -> Vec<v1::SlotBytes> {
        let wanted = self.slots.iter().filter(|s| kinds.contains(&s.0));
        let bytes = wanted.map(|(kind, _, slot, credential)| v1::SlotBytes {
            kind: (*kind).into(),
            slot: slot.clone().into(),
            credential: credential.clone().into(),
            slot_name: if *kind == 2 { Bytes::copy_from_slice(&credential[..16]) } else { Bytes::new() },
        });
        bytes.collect()
    }

    /// Replaces the passphrase: new slot and OPAQUE object under the next generation.
    pub async fn change_passphrase(&mut self, passphrase: &str) -> Result<(), Status> {
        self.passphrase = passphrase.as_bytes().to_vec();
        let generation = self.slots[0].1 + 1;
        let opaque = self.opaque_object(&[], generation).await?;
        self.slots[0] = (1, generation, self.slot(1, generation), opaque);
        let roster = self.roster_record(None);
        let request = v1::AppendRequest { records: vec![roster], slots: self.slot_bytes(&[1]) };
        let answer = self.vault.append(request).await?.into_inner();
        self.token = None;
        self.seen = (0, [0; 32]);
        assert_eq!(answer.placed.len(), 1);
        Ok(())
    }

    /// ROSTER of format §4.4 with this device, the others, and the newest slots.
    pub fn roster_record(&mut self, joiner: Option<[u8; 32]>) -> v1::Record {
        self.roster_version += 1;
        let mut content = vec![1];
        content.extend(self.account);
        content.extend(self.roster_version.to_le_bytes());
        content.extend(self.epoch.to_le_bytes());
        content.extend(1u32.to_le_bytes());
        content.extend(self.roster_key.verifying_key().to_bytes());
        content.extend([self.epoch as u8; 32]);
        content.extend([8; 112]);
        content.push(0);
        content.push(self.slots.len() as u8);
        for (kind, generation, slot, credential) in &self.slots {
            content.push(*kind);
            content.extend(generation.to_le_bytes());
            content.extend(h("slot", slot));
            content.extend(h("credential", credential));
        }
        let rest = [&self.kem[..], &[3; 1120], &[4; 48]].concat();
        let mut devices = self.others.clone();
        devices.push((self.id.to_vec(), 1, 1, self.key.verifying_key().to_bytes(), rest));
        devices.sort();
        content.extend((devices.len() as u16).to_le_bytes());
        for (id, state, joined, key, rest) in devices {
            content.extend(id);
            content.push(state);
            content.extend(joined.to_le_bytes());
            content.extend(key);
            content.extend(rest);
        }
        let mut clear = content.clone();
        clear.push(0);
        match joiner {
            None => clear.push(0),
            Some(id) => {
                clear.push(1);
                clear.extend(id);
                clear.extend(sign(&self.key, "device join", &content));
            }
        }
        let clear_len = clear.len();
        let body = padded(clear);
        let header = self.header(2, clear_len, &body, [0; 32], 0, [0; 32]);
        let signature = sign(&self.roster_key, "roster", &header);
        v1::Record { record: [&header[..], &signature].concat().into(), body: body.into() }
    }

    fn header(
        &self,
        kind: u8,
        clear: usize,
        body: &[u8],
        device: [u8; 32],
        counter: u64,
        previous: [u8; 32],
    ) -> Vec<u8> {
        let mut header = vec![1, kind, 0, 0];
        header.extend(1u32.to_le_bytes());
        header.extend(self.account);
        header.extend(device);
        header.extend(counter.to_le_bytes());
        header.extend(previous);
        header.extend(self.seen.0.to_le_bytes());
        header.extend(self.seen.1);
        header.extend(0u64.to_le_bytes());
        header.extend(self.roster_version.to_le_bytes());
        header.extend(0u32.to_le_bytes());
        header.extend((clear as u32).to_le_bytes());
        header.extend((body.len() as u32).to_le_bytes());
        header.extend(h("body", body));
        assert_eq!(header.len(), 212);
        header
    }

    /// The device's next record of a kind.
    pub fn record(&mut self, kind: u8, clear: Vec<u8>, sealed_bytes: usize) -> v1::Record {
        let clear_len = clear.len();
        let mut body = clear;
        body.extend(vec![0xee; sealed_bytes]);
        let body = padded(body);
        self.counter += 1;
        let header = self.header(kind, clear_len, &body, self.id, self.counter, self.previous);
        let record = [&header[..], &sign(&self.key, "record", &header)].concat();
        self.previous = h("record digest", &record);
        v1::Record { record: record.into(), body: body.into() }
    }

    /// EVENTS relying on packs, with some sealed bytes.
    pub fn events(&mut self, packs: &[[u8; 16]], sealed_bytes: usize) -> v1::Record {
        let mut packs = packs.to_vec();
        packs.sort();
        let mut clear = (packs.len() as u16).to_le_bytes().to_vec();
        clear.extend(packs.concat());
        clear.push(0);
        self.record(1, clear, sealed_bytes)
    }

    pub fn with<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.token.as_ref().expect("signed in");
        request.metadata_mut().insert_bin("chatkeep-token-bin", tonic::metadata::MetadataValue::from_bytes(token));
        request
    }

    /// Gets a token by the device's signature.
    pub async fn sign_in(&mut self) -> Result<(), Status> {
        let account = Bytes::copy_from_slice(&self.account);
        let device = Bytes::copy_from_slice(&self.id);
        let asked = v1::ChallengeRequest { account: account.clone(), device: device.clone(), name: String::new() };
        let nonce = self.accounts.challenge(asked).await?.into_inner().nonce;
        let message = [&lp(SERVER.as_bytes())[..], &self.account, &self.id, &nonce].concat();
        let signature = Bytes::copy_from_slice(&sign(&self.key, "sign-in", &message));
        let proof = Some(Proof::Device(v1::DeviceProof { account, device, signature }));
        let answer = self.accounts.token(v1::TokenRequest { nonce, proof }).await?.into_inner();
        assert_eq!(answer.valid_s, 3600);
        self.token = Some(answer.token);
        Ok(())
    }

    pub async fn recover(&mut self, key: &SigningKey) -> Result<v1::SignInAnswer, Status> {
        let asked = v1::ChallengeRequest { name: self.name.clone(), ..Default::default() };
        let nonce = self.accounts.challenge(asked).await?.into_inner().nonce;
        let message = [&lp(SERVER.as_bytes())[..], &lp(self.name.as_bytes()), &nonce].concat();
        let signature = Bytes::copy_from_slice(&sign(key, "recovery sign-in", &message));
        let proof = Some(Proof::Recovery(v1::RecoveryProof { name: self.name.clone(), signature }));
        let answer = self.accounts.token(v1::TokenRequest { nonce, proof }).await?.into_inner();
        assert!(answer.token.is_empty());
        Ok(answer.sign_in.expect("a recovery key gets the sign-in answer"))
    }

    /// At what cost a name's passphrase is to be stretched, as everybody is told before it is tried.
    pub async fn cost_told(&mut self, name: &str) -> Bytes {
        let start = ClientLogin::<Suite>::start(&mut OsRng, b"any").unwrap();
        let ke1: Bytes = start.message.serialize().to_vec().into();
        let request = v1::LoginStartRequest { name: name.to_owned(), ke1 };
        self.accounts.login_start(request).await.unwrap().into_inner().argon2
    }

    /// A whole OPAQUE login; gives the length of the first answer and what the second says.
    pub async fn login(
        &mut self,
        name: &str,
        passphrase: &str,
    ) -> Result<(usize, Result<v1::SignInAnswer, Status>), Status> {
        let start = ClientLogin::<Suite>::start(&mut OsRng, passphrase.as_bytes()).unwrap();
        let ke1: Bytes = start.message.serialize().to_vec().into();
        let first = self.accounts.login_start(v1::LoginStartRequest { name: name.to_owned(), ke1 }).await?.into_inner();
        let length = first.ke2.len() + first.argon2.len() + first.login_id.len();
        let context = [&b"chatkeep 2026 v1 opaque\0"[..], &lp(SERVER.as_bytes()), &first.argon2].concat();
        let identifiers = Identifiers { client: Some(name.as_bytes()), server: Some(SERVER.as_bytes()) };
        let parameters = ClientLoginFinishParameters::new(Some(&context), identifiers, None);
        let ke2 = CredentialResponse::deserialize(&first.ke2).unwrap();
        // A device that cannot finish sends something all the same: the service must refuse it.
        let ke3 = match start.state.finish(&mut OsRng, passphrase.as_bytes(), ke2, parameters) {
            Ok(finish) => finish.message.serialize().to_vec(),
            Err(_) => vec![7; 64],
        };
        let request = v1::LoginFinishRequest { login_id: first.login_id, ke3: ke3.into() };
        let second = self.accounts.login_finish(request.clone()).await.map(tonic::Response::into_inner);
        let again = self.accounts.login_finish(request).await.unwrap_err();
        assert_eq!(again.code(), tonic::Code::FailedPrecondition, "a login id is good once");
        Ok((length, second))
    }

    pub async fn append(&mut self, records: Vec<v1::Record>) -> Result<v1::AppendResponse, Status> {
        let request = self.with(v1::AppendRequest { records, slots: Vec::new() });
        self.vault.append(request).await.map(tonic::Response::into_inner)
    }

    pub async fn put_pack(&mut self, id: [u8; 16], class: u32, frames: Vec<Bytes>) -> Result<bool, Status> {
        let messages = frames.into_iter().enumerate().map(move |(i, content)| match i {
            0 => v1::PutPackRequest { id: Bytes::copy_from_slice(&id), class, last_day: 0, content },
            _ => v1::PutPackRequest { content, ..Default::default() },
        });
        let request = self.with(tokio_stream::iter(messages.collect::<Vec<_>>()));
        self.vault.put_pack(request).await.map(|r| r.into_inner().already)
    }

    pub async fn get_pack(&mut self, id: [u8; 16], offset: u64, length: u64) -> Result<Vec<u8>, Status> {
        let request = self.with(v1::GetPackRequest { id: Bytes::copy_from_slice(&id), offset, length });
        let mut stream = self.vault.get_pack(request).await?.into_inner();
        let mut content = Vec::new();
        while let Some(part) = stream.message().await? {
            content.extend(&part.content[..]);
        }
        Ok(content)
    }
}

fn padded(mut body: Vec<u8>) -> Vec<u8> {
    let length = body.len().next_power_of_two().max(256);
    body.resize(length, 0);
    body
}

/// The typed reason of a refusal.
pub fn reason(status: &Status) -> v1::refusal::Reason {
    let bytes = status.metadata().get_bin("chatkeep-reason-bin").map(|v| v.to_bytes().unwrap()).unwrap_or_default();
    <v1::Refusal as prost::Message>::decode(bytes).unwrap().reason()
}

/// The root of leaves, by the definition of RFC 9162 §2.1.1.
pub fn root(leaves: &[Bytes]) -> [u8; 32] {
    match leaves {
        [] => [0; 32],
        [one] => h("log leaf", one),
        many => {
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            h("log node", &[root(left), root(right)].concat())
        }
    }
}
