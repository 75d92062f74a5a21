//! Events of this device: sealed in one record, which is on its way while they become durable here.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::super::flow::Flow;
use super::super::send::{Answer, Sent, append};
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
/// Turns of the runtime until a request is on the wire: through the channel's queue, its head, and its body. One that
/// needs more leaves later; nothing else depends on it.
const TURNS: usize = 3;
/// How long the entries between the known log and an own record are awaited from the stream before they are pulled.
const HINT_PATIENCE: Duration = Duration::from_millis(250);

impl Flow<'_> {
    /// Keeps and sends the events that are there, and those that come while the service takes long to answer. Answers
    /// how many rows were sent.
    pub(super) async fn take_orders(&mut self, inbox: &mut Inbox, hints: &mut Hints) -> Result<u64> {
        let before = self.pushed_events;
        let events = inbox.take(EVENTS_AT_ONCE);
        if !events.is_empty() && self.keep_and_send(events, inbox, hints).await? {
            self.push_rows().await?;
        }
        Ok(self.pushed_events - before)
    }

    /// Keeps events and sends the record that carries them. Answers whether rows are left that no record carries yet.
    async fn keep_and_send(&mut self, events: Vec<Event>, inbox: &mut Inbox, hints: &mut Hints) -> Result<bool> {
        let (mut fitting, mut long): (Vec<Event>, Vec<Event>) = (Vec::new(), Vec::new());
        for event in events {
            if fits(&event.row) { fitting.push(event) } else { long.push(event) }
        }
        let mut left = !long.is_empty();
        keep(self.archive, long);
        let mut rows: Vec<(BlockRow, Event)> = Vec::with_capacity(fitting.len());
        for event in fitting {
            let row = BlockRow::new(&self.keys.event, Arc::new(event.chat.clone()), 0, event.row.clone());
            rows.push((row, event));
        }
        if rows.is_empty() {
            return Ok(left);
        }
        rows.sort_by_key(|(row, _)| row.key);
        let once = rows.windows(2).all(|two| two.first().map(|r| r.0.key) != two.last().map(|r| r.0.key));
        if !once || !self.archive.has_sent_all()? {
            keep(self.archive, rows.into_iter().map(|(_, event)| event));
            self.send_left_over().await?;
            return Ok(true);
        }
        let (rows, events): (Vec<BlockRow>, Vec<Event>) = rows.into_iter().unzip();
        let (sealed, taken) = self.seal_some(self.last_own(), &rows, self.tickets.next)?;
        let own = [OwnRecord {
            counter: sealed.record.header.counter,
            record: sealed.record.encode().to_vec(),
            body: sealed.body,
        }];
        left |= taken < rows.len();
        let early =
            self.tickets.next.is_some() && self.archive.knows_none(&rows)? && self.archive.keeps_as_given(&rows)?;
        let (signed, answer) = {
            let Self { vault, archive, work, pushed_events, .. } = &mut *self;
            let mut call = std::pin::pin!(append(&vault.session, work, &own));
            let mut answer = None;
            if early {
                // On its way, so that the others wait for it and not for this device's disk as well.
                for _ in 0..TURNS {
                    if let Poll::Ready(ready) = futures::poll!(call.as_mut()) {
                        answer = Some(ready);
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let signed = keep_signed(archive, &own, &rows, taken, events)?;
            *pushed_events += if signed { taken as u64 } else { 0 };
            match answer {
                Some(answer) => (signed, Some((answer?, false))),
                None if signed || early => (signed, answered(call, archive, inbox).await?),
                None => (signed, None),
            }
        };
        if !signed {
            // Sent early it met nothing, since only rows that nothing is known of are.
            return if early { Err(Error::Internal("a new row met another".to_owned())) } else { Ok(true) };
        }
        let Some((answer, unsigned)) = answer else { return Ok(false) };
        Ok(self.after(answer, &own, hints).await? != Sent::Taken || unsigned || left)
    }

    /// Takes in what the answer to a record says.
    async fn after(&mut self, answer: Answer, own: &[OwnRecord], hints: &mut Hints) -> Result<Sent> {
        let Answer::Placed(placed) = answer else { return self.moved(answer).await };
        self.work.sent(bytes(own));
        if placed.placed.first().is_some_and(|first| first.index > self.follower.size()) {
            self.catch_up_by_hints(hints, placed.size).await?;
        } else {
            self.placed(own, &placed).await?;
        }
        Ok(Sent::Taken)
    }

    /// Others wrote in between: their entries, and the own ones, are on their way here already.
    async fn catch_up_by_hints(&mut self, hints: &mut Hints, size: u64) -> Result<()> {
        while self.follower.size() < size {
            match tokio::time::timeout(HINT_PATIENCE, hints.take()).await {
                Ok(Ok(hint)) => drop(self.take_hint(hint, None).await?),
                Ok(Err(_)) | Err(_) => return self.pull_entries().await,
            }
        }
        Ok(())
    }
}

/// Makes events durable together with the record that carries the first ones. Answers false where a row met another of
/// its key, and now stands here in another form than it was sealed in: the record is then not to be sent.
fn keep_signed(
    archive: &mut Archive,
    own: &[OwnRecord],
    rows: &[BlockRow],
    taken: usize,
    events: Vec<Event>,
) -> Result<bool> {
    let (puts, signed) = archive.commit(|c| {
        let puts = rows.iter().map(|row| c.add_row(&row.chat, &row.row)).collect::<crate::archive::Result<Vec<_>>>()?;
        let as_sealed = puts.iter().take(taken).all(|put| put.new && put.as_given && put.versions == 0);
        if as_sealed {
            for own in own {
                c.send(own, puts.iter().take(taken).map(|put| put.key))?;
            }
        }
        Ok((puts, as_sealed))
    })?;
    for (event, put) in events.into_iter().zip(puts) {
        answer(event, if put.refused { Err(REFUSED.into()) } else { Ok(put.key.id) });
    }
    Ok(signed)
}

/// Waits for the answer; events that come while it takes long are kept meanwhile. Also answers whether some were; nothing
/// where the home is wanted and the answer was not awaited.
async fn answered(
    mut call: Pin<&mut impl Future<Output = Result<Answer>>>,
    archive: &mut Archive,
    inbox: &mut Inbox,
) -> Result<Option<(Answer, bool)>> {
    let mut quick = std::pin::pin!(tokio::time::sleep(REQUEST_PATIENCE));
    let (mut is_slow, mut unsigned) = (false, false);
    loop {
        tokio::select! {
            biased;
            answer = &mut call => return Ok(Some((answer?, unsigned))),
            () = &mut quick, if !is_slow => is_slow = true,
            () = inbox.arrived(), if is_slow => {
                let events = inbox.take(EVENTS_AT_ONCE);
                unsigned |= !events.is_empty();
                keep(archive, events);
                if inbox.is_wanted() {
                    return Ok(None);
                }
            }
        }
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
