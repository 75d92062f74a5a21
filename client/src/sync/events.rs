//! Rows that wait, as records: blocks in their bodies while they are few.

use proto::wire::events::EventsClear;
use proto::wire::limits::RECORD_PACKS_MAX;

use super::flow::{Flow, broken};
use super::send::Sent;
use crate::archive::{OwnRecord, StoredRow};
use crate::error::Result;
use crate::event::last_day;
use crate::ids::PackId;
use crate::log::{EventsContent, Ticket};
use crate::pack::{BlockBuilder, BlockRow};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Above so many bytes of rows an import travels as runs.
pub(super) const BULK_BYTES: u64 = 256 << 10;
/// Rows read at once for records.
const ROWS_AT_ONCE: usize = 2_000;

impl Flow<'_> {
    /// Sends every row that waits.
    pub async fn push_rows(&mut self) -> Result<()> {
        loop {
            // Rows with a timer never lie in a run that the log pins: it is of many days.
            let timed = self.archive.unsynced_timed(ROWS_AT_ONCE)?;
            if !timed.is_empty() {
                if let Sent::Gone(packs) = self.push_some(timed).await? {
                    self.forget_packs(&packs)?;
                }
                continue;
            }
            let waiting: u64 = self.archive.unsynced_days()?.iter().map(|day| day.bytes).sum();
            if waiting == 0 {
                return Ok(());
            }
            let bulk = waiting > BULK_BYTES || self.archive.has_unsynced_frames()?;
            let sent = if bulk {
                self.push_bulk().await?
            } else {
                let few = self.archive.unsynced(ROWS_AT_ONCE)?;
                self.push_some(few).await?
            };
            if let Sent::Gone(packs) = sent {
                self.forget_packs(&packs)?;
            }
        }
    }

    /// Signs records for some rows that wait, and sends them.
    async fn push_some(&mut self, stored: Vec<StoredRow>) -> Result<Sent> {
        let mut rows = Vec::with_capacity(stored.len());
        for row in &stored {
            rows.push(self.block_row(row)?);
        }
        let mut last = self.last_own();
        let mut at = 0;
        let mut records = Vec::new();
        while at < rows.len() {
            let (sealed, taken) = self.seal_some(last, rows.get(at..).unwrap_or_default(), None)?;
            last = (sealed.record.header.counter, sealed.record.digest());
            let own = OwnRecord { counter: last.0, record: sealed.record.encode().to_vec(), body: sealed.body };
            records.push((own, at..at + taken));
            at += taken;
        }
        self.archive.commit(|c| {
            for (own, range) in &records {
                c.send(own, stored.get(range.clone()).unwrap_or_default().iter().map(|row| row.key))?;
            }
            Ok(())
        })?;
        let sent = self.send_outbox().await?;
        if sent == Sent::Taken {
            self.pushed_events += stored.len() as u64;
        }
        Ok(sent)
    }

    /// Fills one record from the beginning of the rows, as far as they share a last day; answers how many it took.
    pub fn seal_some(
        &self,
        last: (u64, [u8; 32]),
        rows: &[BlockRow],
        ticket: Option<Ticket>,
    ) -> Result<(crate::crypto::SealedRecord, usize)> {
        let day = rows.first().map_or(0, |row| last_day(&row.row));
        let mut most = rows.iter().take_while(|row| last_day(&row.row) == day).count();
        loop {
            let mut block = BlockBuilder::default();
            let mut taken = 0;
            let mut packs = BTreeSet::new();
            for row in rows.iter().take(most) {
                // What the vault has of their files is relied on: a head that drops it is then too late.
                let more = self.relied_on(row)?;
                let too_many = taken > 0 && packs.union(&more).count() > RECORD_PACKS_MAX;
                if block.is_full() || too_many {
                    break;
                }
                packs.extend(more);
                block.push(row).map_err(|e| crate::error::Error::Internal(e.to_string()))?;
                taken += 1;
            }
            let packs = packs.into_iter().take(RECORD_PACKS_MAX).collect();
            let clear = EventsClear { packs, permit: None }.encode();
            let closed = block.close().ok_or_else(|| broken("a record of no rows"))?;
            let content = EventsContent { block: Some(closed.plaintext), ticket, ..EventsContent::default() };
            match self.seal_events(last, day, &clear, &content.encode()) {
                Ok(sealed) => return Ok((sealed, taken)),
                // Text that does not compress: half of it fits.
                Err(_) if taken > 1 => most = taken / 2,
                Err(e) => return Err(crate::error::Error::Internal(e.to_string())),
            }
        }
    }

    fn relied_on(&self, row: &BlockRow) -> Result<BTreeSet<PackId>> {
        let mut packs = BTreeSet::new();
        for file in self.archive.files_of(&row.row) {
            packs.extend(self.archive.packs_of_file(&file)?);
        }
        Ok(packs)
    }

    /// A stored row as it stands in blocks that are sent: its arrival is not known yet.
    pub fn block_row(&self, stored: &StoredRow) -> Result<BlockRow> {
        Ok(BlockRow::new(&self.keys.event, Arc::new(stored.chat.clone()), 0, stored.row()?))
    }
}
