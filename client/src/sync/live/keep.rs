//! Events of this device: kept and signed in one step, sent in one request.

use std::sync::Arc;
use std::time::Duration;

use super::super::flow::Flow;
use super::super::send::{Answer, Sent, append, batch};
use super::hints::Hints;
use super::inbox::{Event, Inbox};
use crate::archive::{Archive, OwnRecord, REFUSED, fits};
use crate::error::{Error, Result};
use crate::ids::EventId;
use crate::pack::BlockRow;

/// Events taken at once.
const EVENTS_AT_ONCE: usize = 256;
/// Events that come while a request is under way wait for its end, but no longer than this: then they are kept first.
const REQUEST_PATIENCE: Duration = Duration::from_millis(30);
/// How long the entries between the known log and an own record are awaited from the stream before they are pulled.
const HINT_PATIENCE: Duration = Duration::from_millis(250);

impl Flow<'_> {
    /// Keeps and sends the events that are there, and those that come while the service takes long to answer. Answers
    /// how many rows were sent.
    pub(super) async fn take_orders(&mut self, inbox: &mut Inbox, hints: &mut Hints) -> Result<u64> {
        let before = self.pushed_events;
        let events = inbox.take(EVENTS_AT_ONCE);
        if !events.is_empty() {
            let all_signed = self.keep_and_sign(events)?;
            match self.send_beside(inbox, hints).await? {
                Some((Sent::Taken, false)) if all_signed => {}
                Some(_) => self.push_rows().await?,
                None => {}
            }
        }
        Ok(self.pushed_events - before)
    }

    /// Makes events durable together with the record that carries them. Answers false where rows are left that no
    /// record carries yet.
    fn keep_and_sign(&mut self, events: Vec<Event>) -> Result<bool> {
        let (mut fitting, mut long): (Vec<Event>, Vec<Event>) = (Vec::new(), Vec::new());
        for event in events {
            if fits(&event.row) { fitting.push(event) } else { long.push(event) }
        }
        let none_long = long.is_empty();
        keep(self.archive, long);
        let mut rows: Vec<(BlockRow, Event)> = Vec::with_capacity(fitting.len());
        for event in fitting {
            let row = BlockRow::new(&self.keys.event, Arc::new(event.chat.clone()), 0, event.row.clone());
            rows.push((row, event));
        }
        rows.sort_by_key(|(row, _)| row.key);
        let once = rows.windows(2).all(|two| two.first().map(|r| r.0.key) != two.last().map(|r| r.0.key));
        if rows.is_empty() || !once || !self.archive.outbox()?.is_empty() {
            let nothing = rows.is_empty();
            keep(self.archive, rows.into_iter().map(|(_, event)| event));
            return Ok(nothing && none_long);
        }
        let (rows, events): (Vec<BlockRow>, Vec<Event>) = rows.into_iter().unzip();
        let (sealed, taken) = self.seal_some(self.last_own(), &rows)?;
        let own = OwnRecord {
            counter: sealed.record.header.counter,
            record: sealed.record.encode().to_vec(),
            body: sealed.body,
        };
        let (puts, signed) = self.archive.commit(|c| {
            let puts =
                rows.iter().map(|row| c.add_row(&row.chat, &row.row)).collect::<crate::archive::Result<Vec<_>>>()?;
            // A row that met another of its key may stand here in another form than it was sealed in.
            let as_sealed = puts.iter().take(taken).all(|put| put.new && put.as_given && put.versions == 0);
            if as_sealed {
                c.send(&own, puts.iter().take(taken).map(|put| put.key))?;
            }
            Ok((puts, as_sealed))
        })?;
        if signed {
            self.pushed_events += taken as u64;
        }
        for (event, put) in events.into_iter().zip(puts) {
            answer(event, if put.refused { Err(REFUSED.into()) } else { Ok(put.key.id) });
        }
        Ok(signed && taken == rows.len() && none_long)
    }

    /// As [`send_outbox`](Self::send_outbox); events that come while a request takes long are kept meanwhile. Also
    /// answers whether some were; nothing where the home is wanted and the answer was not awaited.
    async fn send_beside(&mut self, inbox: &mut Inbox, hints: &mut Hints) -> Result<Option<(Sent, bool)>> {
        let mut unsigned = false;
        loop {
            let outbox = self.archive.outbox()?;
            let batch = batch(&outbox)?;
            if batch.is_empty() {
                return Ok(Some((Sent::Taken, unsigned)));
            }
            let answer = {
                let mut call = std::pin::pin!(append(&self.vault.session, &self.work, batch));
                let mut quick = std::pin::pin!(tokio::time::sleep(REQUEST_PATIENCE));
                let mut is_slow = false;
                loop {
                    tokio::select! {
                        biased;
                        answer = &mut call => break answer?,
                        () = &mut quick, if !is_slow => is_slow = true,
                        () = inbox.arrived(), if is_slow => {
                            let events = inbox.take(EVENTS_AT_ONCE);
                            unsigned |= !events.is_empty();
                            keep(self.archive, events);
                            if inbox.is_wanted() {
                                return Ok(None);
                            }
                        }
                    }
                }
            };
            let Answer::Placed(placed) = answer else {
                return self.moved(answer).await.map(|sent| Some((sent, unsigned)));
            };
            self.work.sent(bytes(batch));
            if placed.placed.first().is_some_and(|first| first.index > self.follower.size()) {
                self.catch_up_by_hints(hints, placed.size).await?;
            } else {
                self.placed(batch, &placed).await?;
            }
        }
    }

    /// Others wrote in between: their entries, and the own ones, are on their way here already.
    async fn catch_up_by_hints(&mut self, hints: &mut Hints, size: u64) -> Result<()> {
        while self.follower.size() < size {
            match tokio::time::timeout(HINT_PATIENCE, hints.take()).await {
                Ok(Ok(hint)) => drop(self.take_hint(hint).await?),
                Ok(Err(_)) | Err(_) => return self.pull_entries().await,
            }
        }
        Ok(())
    }
}

fn bytes(batch: &[OwnRecord]) -> u64 {
    batch.iter().map(|own| (proto::wire::limits::RECORD_BYTES + own.body.len()) as u64).sum()
}

/// Keeps events without sending them.
pub(super) fn keep(archive: &mut Archive, events: impl IntoIterator<Item = Event>) {
    for event in events {
        let kept = archive.record(&event.chat, &event.row);
        answer(event, kept.map_err(Error::from));
    }
}

fn answer(event: Event, kept: Result<EventId>) {
    // Whoever asked may have gone; the event is kept all the same.
    let _ = event.kept.send(kept);
}
