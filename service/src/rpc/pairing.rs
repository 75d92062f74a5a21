//! `Pairing`: mailboxes between a signed-in device and a new one.

use std::sync::Arc;

use bytes::Bytes;
use proto::v1;
use proto::v1::pairing_server::Pairing;
use proto::wire::limits::PAIRING_SECONDS;
use tonic::{Request, Response, Status};

use super::checked;
use super::refusal::of_meta;
use super::state::{State, take_try};
use crate::env::random;
use crate::limits::Share;
use crate::meta::{MetaError, Refused};

pub struct PairingRpc(pub Arc<State>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Pairing for PairingRpc {
    async fn open(&self, request: Request<v1::OpenMailboxRequest>) -> Answer<v1::OpenMailboxResponse> {
        let state = &self.0;
        let (caller, _place) = state.enter(request.metadata(), Share::Call)?;
        take_try(&state.signed, request.extensions(), state.now_ms())?;
        let key = checked::open_mailbox(request.into_inner())?;
        let seed = random(state.entropy.as_ref());
        let number = state.meta.open_mailbox(&caller, key, seed, state.now_ms()).await.map_err(of_meta)?;
        count("opened");
        Ok(Response::new(v1::OpenMailboxResponse { number, valid_s: PAIRING_SECONDS }))
    }

    async fn exchange(&self, request: Request<v1::ExchangeRequest>) -> Answer<v1::ExchangeResponse> {
        let state = &self.0;
        let (_, extensions, message) = request.into_parts();
        let checked::Exchange { number, key, letter } = checked::exchange(message)?;
        let now_ms = state.now_ms();
        let looked = state.meta.look_mailbox(number, key, letter.received, now_ms).await.map_err(of_meta)?;
        let is_new = looked.is_none();
        let message = match looked {
            Some(message) if letter.message.is_empty() && !letter.close => message,
            Some(_) => state.meta.use_mailbox(number, key, letter, now_ms).await.map_err(of_meta)?,
            // Whoever tries numbers is counted before it is told whether there is such a one.
            None => {
                take_try(&state.guesses, &extensions, now_ms)?;
                self.join(number, key, letter).await?
            }
        };
        if is_new {
            count("joined");
        }
        Ok(Response::new(v1::ExchangeResponse { message }))
    }
}

impl PairingRpc {
    async fn join(&self, number: u32, key: [u8; 32], letter: crate::meta::Letter) -> Result<Bytes, Status> {
        let joined = self.0.meta.use_mailbox(number, key, letter, self.0.now_ms()).await;
        if matches!(joined, Err(MetaError::Refused(Refused::NoMailbox))) {
            count("refused");
        }
        joined.map_err(of_meta)
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("chatkeepd_pairings_total", "outcome" => outcome).increment(1);
}
