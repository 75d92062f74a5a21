//! Runs of messages and the front page: rows in, packs out (`docs/format.md` §5.1).

use proto::wire::ladder::Class;

use super::assembly::Assembly;
use super::block::{BlockBuilder, ClosedBlock, Facts};
use super::block_rows::check_block;
use super::{BlockRow, Family, PackError, PackedFrame, RunEntry, SealedPack};
use crate::crypto::{Entropy, EventKey};
use crate::event::RowKey;
use crate::fields::Fields;
use crate::ids::AccountId;

/// What a run is marked with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunLabel {
    pub account: AccountId,
    pub level: u8,
    /// Days since 1970 after which the run is gone; 0 never.
    pub last_day: u32,
}

/// A run ready for upload, with its catalogue entry.
pub struct SealedRun {
    pub entry: RunEntry,
    pub bytes: Vec<u8>,
}

/// Writes sorted rows into runs of at most 1 MiB.
pub struct RunWriter<'a> {
    label: RunLabel,
    ids: &'a EventKey,
    builder: BlockBuilder,
    assembly: Assembly,
    last: Option<RowKey>,
}

impl<'a> RunWriter<'a> {
    pub fn new(label: RunLabel, ids: &'a EventKey) -> Self {
        Self { label, ids, builder: BlockBuilder::default(), assembly: Assembly::default(), last: None }
    }

    /// Adds a row behind the last one. Gives a run whenever one is filled.
    pub fn push(&mut self, row: &BlockRow, entropy: &mut dyn Entropy) -> Result<Option<SealedRun>, PackError> {
        if self.last.is_some_and(|last| last >= row.key) {
            return Err(PackError::Order);
        }
        let filled = if self.builder.takes(row) { None } else { self.close_block(entropy)? };
        self.builder.push(row)?;
        self.last = Some(row.key);
        Ok(filled)
    }

    /// Adds a frame of rows behind the last one, as it is packed. Gives a run whenever one is filled.
    pub fn push_frame(
        &mut self,
        frame: &PackedFrame,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<SealedRun>, PackError> {
        if self.last.is_some_and(|last| last >= frame.first) {
            return Err(PackError::Order);
        }
        let filled = if self.builder.has_room(frame) { None } else { self.close_block(entropy)? };
        self.builder.push_frame(frame)?;
        self.last = Some(frame.last);
        Ok(filled)
    }

    /// Gives what is left: up to two runs, since the last block may not have fitted the run before it.
    pub fn finish(mut self, entropy: &mut dyn Entropy) -> Result<Vec<SealedRun>, PackError> {
        let mut runs: Vec<SealedRun> = self.close_block(entropy)?.into_iter().collect();
        if !self.assembly.is_empty() {
            runs.push(self.seal(entropy)?);
        }
        Ok(runs)
    }

    fn close_block(&mut self, entropy: &mut dyn Entropy) -> Result<Option<SealedRun>, PackError> {
        let Some(block) = self.builder.close() else { return Ok(None) };
        let full = !self.assembly.is_empty() && !self.assembly.has_room(&block, Class::RUN_MAX);
        let run = if full { Some(self.seal(entropy)?) } else { None };
        self.assembly.push(block);
        Ok(run)
    }

    fn seal(&mut self, entropy: &mut dyn Entropy) -> Result<SealedRun, PackError> {
        let (sealed, facts, blocks) =
            self.assembly.seal(&self.label.account, Class::PACK, entropy, reads_alike(self.ids))?;
        Ok(run_of(self.label, Family::Messages, sealed, facts, blocks))
    }
}

/// Seals sorted rows as a front page; none if they do not fit 128 KiB, so that the caller shortens.
pub fn seal_front_page(
    account: &AccountId,
    rows: &[BlockRow],
    ids: &EventKey,
    entropy: &mut dyn Entropy,
) -> Result<Option<SealedPack>, PackError> {
    let mut builder = BlockBuilder::default();
    let mut assembly = Assembly::default();
    let mut add = |block: Option<ClosedBlock>| match block {
        Some(block) if !assembly.has_room(&block, Class::FRONT_PAGE_MAX) => false,
        Some(block) => {
            assembly.push(block);
            true
        }
        None => true,
    };
    let mut last = None;
    for row in rows {
        if last.is_some_and(|last| last >= row.key) {
            return Err(PackError::Order);
        }
        last = Some(row.key);
        if !builder.takes(row) && !add(builder.close()) {
            return Ok(None);
        }
        builder.push(row)?;
    }
    if !add(builder.close()) {
        return Ok(None);
    }
    let (sealed, _, _) = assembly.seal(account, Class::PAGE, entropy, reads_alike(ids))?;
    Ok(Some(sealed))
}

pub(super) fn run_of(label: RunLabel, family: Family, sealed: SealedPack, facts: Facts, blocks: usize) -> SealedRun {
    let entry = RunEntry {
        pack: sealed.pack,
        family,
        level: label.level,
        rows: facts.rows,
        arrival: facts.arrival,
        time: facts.time,
        last_day: label.last_day,
        filter: facts.filter,
        blocks: u32::try_from(blocks).expect("a run of 1 MiB has fewer blocks than bytes"),
        rest: Fields::default(),
    };
    SealedRun { entry, bytes: sealed.bytes }
}

fn reads_alike(ids: &EventKey) -> impl Fn(&[u8], &mut blake3::Hasher) -> Option<()> + '_ {
    |plaintext, check| check_block(plaintext, ids, check).ok()
}

#[cfg(test)]
mod tests;
