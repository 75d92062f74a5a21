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

/// Gathers sorted rows until they make a run of at most 1 MiB, and leaves it to others to seal it.
pub struct RunFiller {
    label: RunLabel,
    builder: BlockBuilder,
    assembly: Assembly,
    last: Option<RowKey>,
}

/// The blocks of a run, not sealed yet. Sealing it needs nothing of what comes behind it.
pub struct FilledRun {
    label: RunLabel,
    assembly: Assembly,
}

impl RunFiller {
    pub fn new(label: RunLabel) -> Self {
        Self { label, builder: BlockBuilder::default(), assembly: Assembly::default(), last: None }
    }

    /// Adds a row behind the last one. Gives a run whenever one is filled.
    pub fn push(&mut self, row: &BlockRow) -> Result<Option<FilledRun>, PackError> {
        if self.last.is_some_and(|last| last >= row.key) {
            return Err(PackError::Order);
        }
        let filled = if self.builder.takes(row) { None } else { self.close_block() };
        self.builder.push(row)?;
        self.last = Some(row.key);
        Ok(filled)
    }

    /// Adds a frame of rows behind the last one, as it is packed. Gives a run whenever one is filled.
    pub fn push_frame(&mut self, frame: &PackedFrame) -> Result<Option<FilledRun>, PackError> {
        if self.last.is_some_and(|last| last >= frame.first) {
            return Err(PackError::Order);
        }
        let filled = if self.builder.has_room(frame) { None } else { self.close_block() };
        self.builder.push_frame(frame)?;
        self.last = Some(frame.last);
        Ok(filled)
    }

    /// Gives what is left: up to two runs, since the last block may not have fitted the run before it.
    pub fn finish(mut self) -> Vec<FilledRun> {
        let mut runs: Vec<FilledRun> = self.close_block().into_iter().collect();
        if !self.assembly.is_empty() {
            runs.push(self.take());
        }
        runs
    }

    fn close_block(&mut self) -> Option<FilledRun> {
        let block = self.builder.close()?;
        let full = !self.assembly.is_empty() && !self.assembly.has_room(&block, Class::RUN_MAX);
        let run = full.then(|| self.take());
        self.assembly.push(block);
        run
    }

    fn take(&mut self) -> FilledRun {
        FilledRun { label: self.label, assembly: std::mem::take(&mut self.assembly) }
    }
}

impl FilledRun {
    pub fn rows(&self) -> u64 {
        self.assembly.rows()
    }

    /// Seals it, and reads back what was sealed.
    pub fn seal(self, ids: &EventKey, entropy: &mut dyn Entropy) -> Result<SealedRun, PackError> {
        let Self { label, assembly } = self;
        let (sealed, facts, blocks) = assembly.seal(&label.account, Class::PACK, entropy, reads_alike(ids))?;
        Ok(run_of(label, Family::Messages, sealed, facts, blocks))
    }
}

/// Writes sorted rows into runs of at most 1 MiB, each sealed as soon as it is filled.
pub struct RunWriter<'a> {
    ids: &'a EventKey,
    filler: RunFiller,
}

impl<'a> RunWriter<'a> {
    pub fn new(label: RunLabel, ids: &'a EventKey) -> Self {
        Self { ids, filler: RunFiller::new(label) }
    }

    /// See [`RunFiller::push`].
    pub fn push(&mut self, row: &BlockRow, entropy: &mut dyn Entropy) -> Result<Option<SealedRun>, PackError> {
        self.filler.push(row)?.map(|run| run.seal(self.ids, entropy)).transpose()
    }

    /// See [`RunFiller::finish`].
    pub fn finish(self, entropy: &mut dyn Entropy) -> Result<Vec<SealedRun>, PackError> {
        self.filler.finish().into_iter().map(|run| run.seal(self.ids, entropy)).collect()
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
