//! The first call of every run of work: what has the log come to since?

use proto::v1;
use proto::wire::tree::{Frontier, Hash};

use super::flow::Flow;
use crate::error::{Error, Result};
use crate::vault::{Session, Vault};

/// What the vault holds of this account at the server.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Usage {
    pub stored_bytes: u64,
    pub quota_bytes: u64,
    /// The server's clock, ms since 1970 UTC.
    pub server_time_ms: u64,
}

/// The answer to `Open`, its frontiers read and the served log held to the known one.
pub(super) struct Opened {
    pub answer: v1::OpenResponse,
    pub log: Frontier,
}

impl Vault {
    /// Asks the server what it stores for this account.
    pub async fn usage(&self) -> Result<Usage> {
        let request = v1::OpenRequest { known_roster: u64::MAX, no_front_page: true, ..request() };
        let answer = open(&self.session, request).await?;
        Ok(usage(&answer))
    }
}

pub(super) fn usage(answer: &v1::OpenResponse) -> Usage {
    let stated = answer.usage.unwrap_or_default();
    Usage { stored_bytes: stated.stored_bytes, quota_bytes: stated.quota_bytes, server_time_ms: answer.server_time_ms }
}

fn request() -> v1::OpenRequest {
    v1::OpenRequest { client_version: env!("CARGO_PKG_VERSION").to_owned(), ..Default::default() }
}

async fn open(session: &Session, request: v1::OpenRequest) -> Result<v1::OpenResponse> {
    let call = session.call(|remote, token| {
        let request = request.clone();
        async move { remote.open(&token, request).await }
    });
    call.await.map_err(|e| e.into_error(&session.identity))
}

impl Flow<'_> {
    /// Opens the vault at the service and checks that its log continues the one known here.
    pub async fn open(&mut self, with_front_page: bool) -> Result<Opened> {
        let state = self.follower.state();
        let known_head = state.head.as_ref().map_or(0, |h| h.generation);
        let known_head = if self.is_new()? { 0 } else { known_head };
        self.open_knowing(known_head, state.roster.version, with_front_page).await
    }

    /// As [`open`](Self::open), and has the newest head and every roster that leads to the newest told again where they
    /// are above what is known.
    pub async fn open_knowing(&mut self, known_head: u64, known_roster: u64, with_front_page: bool) -> Result<Opened> {
        let state = self.follower.state();
        let request = v1::OpenRequest {
            known_size: state.frontier.size(),
            known_incarnation: state.incarnation,
            known_head,
            known_roster,
            no_front_page: !with_front_page,
            ..request()
        };
        let answer = open(&self.vault.session, request).await?;
        if answer.incarnation != state.incarnation {
            return Err(if answer.incarnation < state.incarnation { Error::Rollback } else { Error::Fork });
        }
        let log = self.served(answer.log.as_ref(), &answer.consistency)?;
        self.note_clock(answer.server_time_ms)?;
        Ok(Opened { answer, log })
    }

    /// Reads a served log state and holds it to what is known.
    pub fn served(&self, log: Option<&v1::LogState>, consistency: &[bytes::Bytes]) -> Result<Frontier> {
        let log = frontier(log)?;
        let proof = hashes(consistency)?;
        self.follower.continues(&log, &proof).map_err(|alarm| self.alarm(alarm))?;
        Ok(log)
    }
}

pub(super) fn odd(cause: &'static str) -> Error {
    Error::Server { request_id: "none".to_owned(), cause: cause.to_owned() }
}

pub(super) fn frontier(log: Option<&v1::LogState>) -> Result<Frontier> {
    let log = log.ok_or_else(|| odd("an answer without the log's state"))?;
    Frontier::from_parts(log.size, hashes(&log.frontier)?).map_err(|_| odd("a frontier that is none"))
}

pub(super) fn hashes(list: &[bytes::Bytes]) -> Result<Vec<Hash>> {
    let one = |bytes: &bytes::Bytes| bytes[..].try_into().map_err(|_| odd("a hash that has no 32 bytes"));
    list.iter().map(one).collect()
}
