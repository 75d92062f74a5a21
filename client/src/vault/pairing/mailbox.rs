//! One side of a mailbox at the service: messages in turn, each asked for until it is there.

use std::time::Duration;

use bytes::Bytes;
use proto::v1;
use proto::v1::refusal::Reason;
use zeroize::Zeroizing;

use super::super::Work;
use super::super::advance::repeated;
use crate::crypto::Entropy;
use crate::env::SharedEntropy;
use crate::error::{Error, Result};
use crate::remote::{OrError as _, Refused, Remote};

/// The first answers come at once; later the other side waits for a person.
const ASK_FIRST: Duration = Duration::from_millis(20);
const ASK_LATER: Duration = Duration::from_secs(1);
/// So many calls in a row may fail while somebody is waited for.
const FAILURES_MAX: u32 = 20;

pub(super) struct Mailbox {
    remote: Remote,
    server: String,
    number: u32,
    key: Zeroizing<[u8; 32]>,
    sent: u32,
    received: u32,
}

/// What names one side of a mailbox.
pub(super) fn new_key(entropy: &mut SharedEntropy) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    entropy.fill(&mut key[..]);
    key
}

impl Mailbox {
    pub fn new(remote: Remote, server: String, number: u32, key: Zeroizing<[u8; 32]>) -> Self {
        Self { remote, server, number, key, sent: 0, received: 0 }
    }

    /// Leaves this side's next message.
    pub async fn leave(&mut self, message: &[u8]) -> Result<()> {
        let request = v1::ExchangeRequest { message: Bytes::copy_from_slice(message), ..self.request() };
        let left = repeated(|| self.call(request.clone())).await;
        left.or_error(&self.server, &self.server)?;
        self.sent += 1;
        Ok(())
    }

    /// Waits for the other side's next message.
    pub async fn take(&mut self, work: &Work) -> Result<Bytes> {
        let (mut wait, mut failures) = (ASK_FIRST, 0);
        // First contact that fails is reported at once.
        let patience = if self.sent + self.received > 0 { FAILURES_MAX } else { 0 };
        loop {
            work.check()?;
            match self.call(self.request()).await.or_error(&self.server, &self.server) {
                Ok(answer) if answer.message.is_empty() => failures = 0,
                Ok(answer) => {
                    self.received += 1;
                    return Ok(answer.message);
                }
                Err(error) if error.is_retryable() && failures < patience => {
                    failures += 1;
                    wait = ASK_LATER;
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(wait).await;
            wait = ASK_LATER.min(wait * 2);
        }
    }

    /// Ends the mailbox, so that the other side hears of it; it ends by itself where this fails.
    pub async fn close(&self) {
        self.closing().await;
    }

    /// As [`close`](Self::close), for one who must end it while another task uses it.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let request = v1::ExchangeRequest { close: true, ..self.request() };
        let remote = self.remote.clone();
        async move {
            match remote.exchange(request).await {
                Ok(_) => {}
                Err(refused) if refused.reason == Reason::NoMailbox => {}
                Err(refused) => tracing::debug!(code = ?refused.code(), "a mailbox was not closed"),
            }
        }
    }

    fn request(&self) -> v1::ExchangeRequest {
        v1::ExchangeRequest {
            number: self.number,
            key: Bytes::copy_from_slice(&self.key[..]),
            received: self.received,
            sent: self.sent,
            message: Bytes::new(),
            close: false,
        }
    }

    async fn call(&self, request: v1::ExchangeRequest) -> Result<v1::ExchangeResponse, Refused> {
        self.remote.exchange(request).await
    }

    /// Ends the mailbox before the error is told, unless it is over already.
    pub async fn failed(&self, error: Error) -> Error {
        self.close().await;
        error
    }
}
