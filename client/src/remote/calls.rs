//! One method per RPC.

use bytes::Bytes;
use proto::v1::accounts_client::AccountsClient;
use proto::v1::pairing_client::PairingClient;
use proto::v1::vault_client::VaultClient;
use proto::v1::{self};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

pub use super::refusal::Refused;
use crate::error::{Error, Result};
use crate::ids::PackId;

/// A page of entries is ≤ 1 MiB; `Open` adds roster, head and front page.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Upload frames: large enough that framing costs nothing.
const UPLOAD_FRAME_BYTES: usize = 1 << 20;

/// What admits a device for an hour. Not wiped: it is worth nothing without the server's key and ends by itself.
#[derive(Clone)]
pub struct Token {
    pub bytes: Bytes,
    /// When to renew, by this device's clock, ms.
    pub until_ms: i64,
}

/// A connected server.
#[derive(Clone)]
pub struct Remote {
    accounts: AccountsClient<Channel>,
    pairing: PairingClient<Channel>,
    vault: VaultClient<Channel>,
}

type Answer<T> = Result<T, Refused>;

fn with_token<T>(message: T, token: &Token) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert_bin("chatkeep-token-bin", MetadataValue::from_bytes(&token.bytes));
    request
}

fn answer<T>(result: std::result::Result<tonic::Response<T>, Status>) -> Answer<T> {
    result.map(tonic::Response::into_inner).map_err(Refused::new)
}

impl Remote {
    pub fn new(channel: Channel) -> Self {
        let accounts = AccountsClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let pairing = PairingClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let vault = VaultClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Self { accounts, pairing, vault }
    }

    pub async fn server(&self) -> Answer<v1::ServerResponse> {
        answer(self.accounts.clone().server(v1::ServerRequest {}).await)
    }

    pub async fn register_start(&self, request: v1::RegisterStartRequest) -> Answer<v1::RegisterStartResponse> {
        answer(self.accounts.clone().register_start(request).await)
    }

    pub async fn register_finish(&self, request: v1::RegisterFinishRequest) -> Answer<v1::RegisterFinishResponse> {
        answer(self.accounts.clone().register_finish(request).await)
    }

    pub async fn login_start(&self, name: &str, ke1: Vec<u8>) -> Answer<v1::LoginStartResponse> {
        let request = v1::LoginStartRequest { name: name.to_owned(), ke1: ke1.into() };
        answer(self.accounts.clone().login_start(request).await)
    }

    pub async fn login_finish(&self, login_id: Bytes, ke3: Vec<u8>) -> Answer<v1::SignInAnswer> {
        answer(self.accounts.clone().login_finish(v1::LoginFinishRequest { login_id, ke3: ke3.into() }).await)
    }

    pub async fn challenge(&self, request: v1::ChallengeRequest) -> Answer<Bytes> {
        answer(self.accounts.clone().challenge(request).await).map(|r| r.nonce)
    }

    pub async fn token(&self, nonce: Bytes, proof: v1::token_request::Proof) -> Answer<v1::TokenResponse> {
        answer(self.accounts.clone().token(v1::TokenRequest { nonce, proof: Some(proof) }).await)
    }

    pub async fn open_mailbox(
        &self,
        token: &Token,
        request: v1::OpenMailboxRequest,
    ) -> Answer<v1::OpenMailboxResponse> {
        answer(self.pairing.clone().open(with_token(request, token)).await)
    }

    pub async fn exchange(&self, request: v1::ExchangeRequest) -> Answer<v1::ExchangeResponse> {
        answer(self.pairing.clone().exchange(request).await)
    }

    pub async fn open(&self, token: &Token, request: v1::OpenRequest) -> Answer<v1::OpenResponse> {
        answer(self.vault.clone().open(with_token(request, token)).await)
    }

    /// Appends a device's batch; a ROSTER goes without a token.
    pub async fn append(&self, token: Option<&Token>, request: v1::AppendRequest) -> Answer<v1::AppendResponse> {
        let request = match token {
            Some(token) => with_token(request, token),
            None => Request::new(request),
        };
        answer(self.vault.clone().append(request).await)
    }

    pub async fn pull(&self, token: &Token, request: v1::PullRequest) -> Answer<v1::PullResponse> {
        answer(self.vault.clone().pull(with_token(request, token)).await)
    }

    pub async fn watch(&self, token: &Token, known_size: u64) -> Answer<Streaming<v1::WatchHint>> {
        answer(self.vault.clone().watch(with_token(v1::WatchRequest { known_size }, token)).await)
    }

    pub async fn staged(&self, token: &Token) -> Answer<Vec<v1::staged_response::Pack>> {
        answer(self.vault.clone().staged(with_token(v1::StagedRequest {}, token)).await).map(|r| r.packs)
    }

    pub async fn slots(&self, token: &Token) -> Answer<Vec<v1::SlotBytes>> {
        answer(self.vault.clone().slots(with_token(v1::SlotsRequest {}, token)).await).map(|r| r.slots)
    }

    /// Uploads a whole pack. `content` is exactly 2^class bytes; `turn` is let go with the last of them.
    pub async fn put_pack(
        &self,
        token: &Token,
        id: PackId,
        class: u8,
        content: Bytes,
        turn: impl Send + 'static,
    ) -> Answer<bool> {
        self.put_timed_pack(token, id, (class, 0), content, turn).await
    }

    /// As [`put_pack`](Self::put_pack), of a class and a last day.
    pub async fn put_timed_pack(
        &self,
        token: &Token,
        id: PackId,
        of: (u8, u32),
        content: Bytes,
        turn: impl Send + 'static,
    ) -> Answer<bool> {
        let stream = tokio_stream::iter(frames(id, of, content, turn));
        answer(self.vault.clone().put_pack(with_token(stream, token)).await).map(|r| r.already)
    }

    /// Downloads a pack or a range of it; refuses more than was asked for.
    pub async fn get_pack(
        &self,
        token: &Token,
        id: PackId,
        offset: u64,
        length: u64,
        expected: usize,
    ) -> Answer<Vec<u8>> {
        let request = v1::GetPackRequest { id: Bytes::copy_from_slice(&id.0), offset, length };
        let mut stream = answer(self.vault.clone().get_pack(with_token(request, token)).await)?;
        let mut content = Vec::with_capacity(expected);
        while let Some(part) = stream.message().await.map_err(Refused::new)? {
            if content.len() + part.content.len() > expected {
                return Err(Refused::new(Status::out_of_range("a pack is longer than its class")));
            }
            content.extend_from_slice(&part.content);
        }
        Ok(content)
    }
}

/// A pack as the messages of its upload. The turn goes when the last one is taken, or with all of them.
fn frames<T>(
    id: PackId,
    (class, last_day): (u8, u32),
    content: Bytes,
    turn: T,
) -> impl Iterator<Item = v1::PutPackRequest> {
    let last = content.len().div_ceil(UPLOAD_FRAME_BYTES).max(1) - 1;
    let mut turn = Some(turn);
    (0..=last).map(move |i| {
        if i == last {
            drop(turn.take());
        }
        let start = i * UPLOAD_FRAME_BYTES;
        let end = content.len().min(start + UPLOAD_FRAME_BYTES);
        let first = i == 0;
        v1::PutPackRequest {
            id: if first { Bytes::copy_from_slice(&id.0) } else { Bytes::new() },
            class: if first { u32::from(class) } else { 0 },
            last_day: if first { last_day } else { 0 },
            content: content.slice(start..end),
        }
    })
}

/// Turns a refusal into an error with the names people know.
pub trait OrError<T> {
    fn or_error(self, server: &str, account: &str) -> Result<T, Error>;
}

impl<T> OrError<T> for Answer<T> {
    fn or_error(self, server: &str, account: &str) -> Result<T, Error> {
        self.map_err(|refused| refused.into_error(server, account))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_upload_lets_its_turn_go_with_its_last_frame() {
        let turn = Arc::new(());
        let content = Bytes::from(vec![7; 2 * UPLOAD_FRAME_BYTES + 1]);
        let mut upload = frames(PackId([1; 16]), (22, 20_000), content.clone(), turn.clone());
        let first: Vec<_> = upload.by_ref().take(2).collect();
        assert_eq!(Arc::strong_count(&turn), 2);
        let last = upload.next().unwrap();
        assert_eq!(Arc::strong_count(&turn), 1);
        assert!(upload.next().is_none());
        let sent: Vec<u8> = first.iter().chain([&last]).flat_map(|frame| frame.content.to_vec()).collect();
        assert_eq!(sent, content);
        assert_eq!((&first[0].id[..], first[0].class, &last.id[..]), (&[1; 16][..], 22, &[][..]));
        assert_eq!((first[0].last_day, last.last_day), (20_000, 0));
        // One that is given up does not keep it either.
        drop(frames(PackId([1; 16]), (22, 0), content, turn.clone()));
        assert_eq!(Arc::strong_count(&turn), 1);
    }
}
