//! Sending packs, a few at a time. A pack is noted before it is sent and when it is whole at the service, so that a run
//! of work that was killed knows what it need not send again. Their bytes go one pack after the other: the link is as
//! full as if they went side by side, and a kill finds one pack half sent instead of all of them.

use std::sync::Arc;

use bytes::Bytes;
use proto::wire::ladder::Class;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::retry::{pause, with_retry};
use crate::archive::{Archive, PackState, StagedPack};
use crate::crypto::large::Lent;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::remote::OrError;
use crate::vault::{Session, Work};

/// Packs in flight: each is up to 8 MiB of memory.
const IN_FLIGHT_MAX: usize = 2;

/// Sends packs in the background.
pub(super) struct Uploader {
    sending: JoinSet<Result<StagedPack>>,
    work: Work,
    /// Whose bytes are being sent. The answer to one upload is waited for beside the bytes of the next.
    turn: Arc<Semaphore>,
    pub sent_bytes: u64,
}

impl Uploader {
    pub fn new(work: &Work) -> Self {
        Self { sending: JoinSet::new(), work: work.clone(), turn: Arc::new(Semaphore::new(1)), sent_bytes: 0 }
    }

    /// Begins to send a pack that [`note`] was called for; waits while too many are in flight.
    pub async fn send(
        &mut self,
        session: &Session,
        archive: &mut Archive,
        id: PackId,
        class: Class,
        bytes: Vec<u8>,
    ) -> Result<()> {
        self.send_timed(session, archive, id, class, 0, bytes).await
    }

    /// As [`send`](Self::send), a pack that goes after its last day.
    pub async fn send_timed(
        &mut self,
        session: &Session,
        archive: &mut Archive,
        id: PackId,
        class: Class,
        last_day: u32,
        bytes: Vec<u8>,
    ) -> Result<()> {
        while self.sending.len() >= IN_FLIGHT_MAX {
            self.one(archive).await?;
        }
        self.work.check()?;
        let (remote, token) = (session.remote().await?, session.token().await?);
        let (env, work): (Env, Work) = (session.env.clone(), self.work.clone());
        let turns = self.turn.clone();
        let (server, account) = (session.identity.server.clone(), session.identity.shown());
        self.sent_bytes += bytes.len() as u64;
        pause(&self.work, self.work.pace(bytes.len() as u64)).await?;
        let bytes = Bytes::from_owner(Lent(bytes));
        self.sending.spawn(async move {
            with_retry(&env, &work, || async {
                let turn = turns.clone().acquire_owned().await.map_err(|e| Error::Internal(e.to_string()))?;
                let answer = remote.put_timed_pack(&token, id, (class.number(), last_day), bytes.clone(), turn).await;
                answer.or_error(&server, &account)
            })
            .await?;
            work.sent(bytes.len() as u64);
            let at = env.now_ms();
            Ok(StagedPack { pack: id, class: class.number(), state: PackState::Staged, at })
        });
        Ok(())
    }

    /// Waits until everything is whole at the service.
    pub async fn finish(&mut self, archive: &mut Archive) -> Result<()> {
        while !self.sending.is_empty() {
            self.one(archive).await?;
        }
        Ok(())
    }

    async fn one(&mut self, archive: &mut Archive) -> Result<()> {
        let Some(done) = self.sending.join_next().await else { return Ok(()) };
        let staged = done.map_err(|e| Error::Internal(e.to_string()))??;
        Ok(archive.commit(|c| c.set_pack(&staged))?)
    }
}

/// Notes packs that are about to be sent, beside whatever belongs to them.
pub(super) fn reserved(id: PackId, class: Class, now_ms: i64) -> StagedPack {
    StagedPack { pack: id, class: class.number(), state: PackState::Reserved, at: now_ms }
}
