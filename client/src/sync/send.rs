//! Appending this device's records: signed and kept just before they are sent, sent verbatim until the log has them.

use proto::v1;
use proto::v1::refusal::Reason;
use proto::wire::header::{Header, Leaf, Record, RecordKind};
use proto::wire::limits::{BATCH_BYTES_MAX, BATCH_PACKS_MAX, BATCH_RECORDS_MAX, RECORD_BYTES};

use super::contact::odd;
use super::flow::Flow;
use super::retry::with_retry;
use crate::archive::OwnRecord;
use crate::crypto::{BodyTooLong, SealedRecord, seal_record};
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::vault::{CallError, Session, Work};

/// What became of records that were sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The log has all of them.
    Taken,
    /// The log moved in a way that they do not fit; they were taken back, and everything else has been pulled.
    Moved,
    /// As `Moved`, because these packs are gone.
    Gone(Vec<PackId>),
}

/// What the service answered to one batch.
pub(super) enum Answer {
    Placed(v1::AppendResponse),
    Moved,
    Gone(Vec<PackId>),
}

impl Flow<'_> {
    /// Seals a record under the current epoch, behind `last`.
    pub fn seal(
        &self,
        kind: RecordKind,
        last: (u64, [u8; 32]),
        clear: &[u8],
        content: &[u8],
    ) -> Result<SealedRecord, BodyTooLong> {
        self.seal_with(self.header(kind, last, 0), clear, content)
    }

    /// Seals a record of rows that share a last day, behind `last`.
    pub fn seal_events(
        &self,
        last: (u64, [u8; 32]),
        last_day: u32,
        clear: &[u8],
        content: &[u8],
    ) -> Result<SealedRecord, BodyTooLong> {
        self.seal_with(self.header(RecordKind::Events, last, last_day), clear, content)
    }

    fn seal_with(&self, header: Header, clear: &[u8], content: &[u8]) -> Result<SealedRecord, BodyTooLong> {
        let device = &self.vault.session.device;
        seal_record(device, self.keyring().current(), header, clear, content, &mut self.entropy())
    }

    /// Sends what the outbox holds, in order, and takes the entries into the log as it is known here.
    pub async fn send_outbox(&mut self) -> Result<Sent> {
        loop {
            let outbox = self.archive.outbox()?;
            let batch = batch(&outbox)?;
            if batch.is_empty() {
                return Ok(Sent::Taken);
            }
            self.work.check()?;
            let bytes: usize = batch.iter().map(|own| RECORD_BYTES + own.body.len()).sum();
            match append(&self.vault.session, &self.work, batch).await? {
                Answer::Placed(answer) => {
                    self.work.sent(bytes as u64);
                    self.placed(batch, &answer).await?;
                }
                moved => return self.moved(moved).await,
            }
        }
    }

    /// Pulls what moved the log, and takes back what does not fit any more.
    pub async fn moved(&mut self, answer: Answer) -> Result<Sent> {
        self.pull_entries().await?;
        self.take_back().map(|_| ())?;
        Ok(match answer {
            Answer::Gone(packs) => Sent::Gone(packs),
            _ => Sent::Moved,
        })
    }

    /// Takes placed records in. Where others wrote in between, all of it is pulled instead.
    pub async fn placed(&mut self, batch: &[OwnRecord], answer: &v1::AppendResponse) -> Result<()> {
        if answer.placed.len() != batch.len() {
            return Err(odd("an answer for another number of records"));
        }
        let here = self.follower.size();
        let in_a_row = answer.placed.iter().zip(here..).all(|(placed, at)| placed.index == at);
        if !in_a_row {
            return self.pull_entries().await;
        }
        let mut page = Vec::with_capacity(batch.len());
        for (own, placed) in batch.iter().zip(&answer.placed) {
            let record =
                Record::decode(&own.record).map_err(|_| super::flow::broken("an own record cannot be read"))?;
            let leaf = Leaf { record, server_time: placed.server_time_ms };
            let taken = self.follower.accept(placed.index, &leaf.encode(), &own.body, false);
            page.push((taken.map_err(|alarm| self.alarm(alarm))?, &own.body[..]));
        }
        self.commit_page(page, None)
    }

    /// Pulls without sending anything.
    pub async fn pull_entries(&mut self) -> Result<()> {
        let opened = self.open(false).await?;
        Box::pin(self.read_on(&[], opened.log)).await
    }

    /// Takes back every record that the log, as pulled now, does not have: its rows wait again.
    fn take_back(&mut self) -> Result<usize> {
        let outbox = self.archive.outbox()?;
        self.archive.commit(|c| {
            for own in &outbox {
                c.take_back(own.counter)?;
            }
            Ok(())
        })?;
        Ok(outbox.len())
    }

    /// Sends what an interrupted run left in the outbox, before anything new is signed.
    pub async fn send_left_over(&mut self) -> Result<()> {
        match self.send_outbox().await? {
            Sent::Taken | Sent::Moved => Ok(()),
            Sent::Gone(packs) => self.forget_packs(&packs),
        }
    }

    /// Forgets packs that the service no longer has; what they held is made anew.
    pub fn forget_packs(&mut self, packs: &[PackId]) -> Result<()> {
        let mut chunks = Vec::new();
        for pack in packs {
            chunks.extend(self.archive.chunks_of(pack)?.into_iter().map(|chunk| chunk.id));
        }
        let bulk: Vec<_> = self.archive.bulk()?.into_iter().filter(|run| packs.contains(&run.pack)).collect();
        self.archive.commit(|c| {
            for chunk in &chunks {
                c.drop_chunk(chunk)?;
            }
            for pack in packs {
                c.drop_pack(pack)?;
            }
            for run in &bulk {
                c.drop_bulk(run.seq)?;
            }
            c.forget_files_without_chunks()
        })?;
        Ok(())
    }
}

/// Makes one call of a batch.
pub(super) async fn append(session: &Session, work: &Work, batch: &[OwnRecord]) -> Result<Answer> {
    let records: Vec<v1::Record> = batch
        .iter()
        .map(|own| v1::Record { record: own.record.clone().into(), body: own.body.clone().into() })
        .collect();
    with_retry(&session.env, work, || async {
        let call = session.call(|remote, token| {
            let request = v1::AppendRequest { records: records.clone(), slots: Vec::new() };
            async move { remote.append(Some(&token), request).await }
        });
        match call.await {
            Ok(answer) => Ok(Answer::Placed(answer)),
            Err(CallError::Refused(refused)) => match refused.reason {
                Reason::RosterMoved | Reason::HeadMoved | Reason::HeadCondition => Ok(Answer::Moved),
                // Pulling shows whether the log holds a record of this device's that it did not make.
                Reason::Equivocation | Reason::CounterGap => Ok(Answer::Moved),
                Reason::PackGone => {
                    let packs = refused.detail.packs.iter().filter_map(|id| PackId::from_slice(id));
                    Ok(Answer::Gone(packs.collect()))
                }
                _ => Err(CallError::Refused(refused).into_error(&session.identity)),
            },
            Err(error) => Err(error.into_error(&session.identity)),
        }
    })
    .await
}

/// The longest beginning of the outbox that one call may carry.
pub(super) fn batch(outbox: &[OwnRecord]) -> Result<&[OwnRecord]> {
    let (mut bytes, mut packs, mut count) = (0, 0, 0);
    for own in outbox.iter().take(BATCH_RECORDS_MAX) {
        let record = Record::decode(&own.record).map_err(|_| super::flow::broken("an own record cannot be read"))?;
        bytes += RECORD_BYTES + own.body.len();
        packs += match record.header.kind {
            RecordKind::Events => record
                .split_body(&own.body)
                .ok()
                .and_then(|(clear, _)| proto::wire::events::EventsClear::decode(clear).ok())
                .map_or(0, |clear| clear.packs.len()),
            _ => 0,
        };
        if count > 0 && (bytes > BATCH_BYTES_MAX || packs > BATCH_PACKS_MAX) {
            break;
        }
        count += 1;
    }
    outbox.get(..count).ok_or_else(|| Error::Internal("a batch longer than the outbox".to_owned()))
}
