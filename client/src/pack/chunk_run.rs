//! Chunk runs: where chunks lie, sorted by id (`docs/format.md` §5.2).

use proto::wire::ladder::Class;

use super::assembly::Assembly;
use super::block::{BLOCK_BYTES_FULL, ClosedBlock, Facts};
use super::run::run_of;
use super::{ChunkRunEntry, Damaged, Family, PackError, RunLabel, SealedRun, decode_entries, encode_entries};
use crate::crypto::Entropy;

/// Writes sorted entries into runs of at most 1 MiB.
pub struct ChunkRunWriter {
    label: RunLabel,
    open: Vec<u8>,
    facts: Facts,
    assembly: Assembly,
    last: Option<([u8; 32], u8)>,
}

/// Decodes a chunk run's block.
pub fn read_chunk_block(plaintext: &[u8]) -> Result<Vec<ChunkRunEntry>, Damaged> {
    Ok(decode_entries(plaintext)?)
}

impl ChunkRunWriter {
    pub fn new(label: RunLabel) -> Self {
        Self { label, open: Vec::new(), facts: Facts::default(), assembly: Assembly::default(), last: None }
    }

    /// Adds an entry behind the last one. Gives a run whenever one is filled.
    pub fn push(&mut self, entry: &ChunkRunEntry, entropy: &mut dyn Entropy) -> Result<Option<SealedRun>, PackError> {
        let order = entry.order();
        if self.last.is_some_and(|last| last >= order) {
            return Err(PackError::Order);
        }
        let filled = if self.open.len() >= BLOCK_BYTES_FULL { self.close_block(entropy)? } else { None };
        let encoded = encode_entries(std::slice::from_ref(entry));
        self.facts.join(&Facts { rows: 1, first_id: order.0, ..Facts::default() });
        self.facts.check.update(&encoded);
        self.open.extend_from_slice(&encoded);
        self.last = Some(order);
        Ok(filled)
    }

    pub fn finish(mut self, entropy: &mut dyn Entropy) -> Result<Vec<SealedRun>, PackError> {
        let mut runs: Vec<SealedRun> = self.close_block(entropy)?.into_iter().collect();
        if !self.assembly.is_empty() {
            runs.push(self.seal(entropy)?);
        }
        Ok(runs)
    }

    fn close_block(&mut self, entropy: &mut dyn Entropy) -> Result<Option<SealedRun>, PackError> {
        if self.open.is_empty() {
            return Ok(None);
        }
        let plaintext = std::mem::take(&mut self.open);
        let block = ClosedBlock { plaintext, facts: std::mem::take(&mut self.facts) };
        let full = !self.assembly.is_empty() && !self.assembly.has_room(&block, Class::RUN_MAX);
        let run = if full { Some(self.seal(entropy)?) } else { None };
        self.assembly.push(block);
        Ok(run)
    }

    fn seal(&mut self, entropy: &mut dyn Entropy) -> Result<SealedRun, PackError> {
        let read = |plaintext: &[u8], check: &mut blake3::Hasher| {
            check.update(&encode_entries(&decode_entries(plaintext).ok()?));
            Some(())
        };
        let (sealed, facts, blocks) =
            std::mem::take(&mut self.assembly).seal(&self.label.account, Class::PACK, entropy, read)?;
        Ok(run_of(self.label, Family::Chunks, sealed, facts, blocks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fixed::Fixed;
    use crate::ids::AccountId;
    use crate::pack::entry::tests::{chunk, file};
    use crate::pack::open_run;

    const LABEL: RunLabel = RunLabel { account: AccountId([1; 32]), level: 0, last_day: 0 };

    #[test]
    fn entries_come_back_from_runs() {
        let mut entropy = Fixed::new("chunk run");
        let mut entries: Vec<_> = (0..14_000).map(|n| if n % 9 == 0 { file(n, 5) } else { chunk(n) }).collect();
        entries.push(file(20_000, 512));
        entries.sort_by_key(ChunkRunEntry::order);
        let mut writer = ChunkRunWriter::new(LABEL);
        let mut runs = Vec::new();
        for entry in &entries {
            runs.extend(writer.push(entry, &mut entropy).unwrap());
        }
        runs.extend(writer.finish(&mut entropy).unwrap());
        assert!(runs.len() > 1);
        let mut again = Vec::new();
        for run in &runs {
            assert_eq!(run.entry.family, Family::Chunks);
            let open = open_run(&LABEL.account, &run.entry.pack, &run.bytes).unwrap();
            let before = again.len();
            for (plaintext, info) in open.blocks.iter().zip(open.footer.blocks()) {
                let entries = read_chunk_block(plaintext).unwrap();
                assert_eq!((entries.len() as u64, entries[0].order().0), (info.rows, info.first_id));
                again.extend(entries);
            }
            assert_eq!((again.len() - before) as u64, run.entry.rows);
        }
        assert_eq!(encode_entries(&again), encode_entries(&entries));
    }

    #[test]
    fn entries_out_of_order_are_refused() {
        let mut entropy = Fixed::new("chunk run");
        let mut entries = [chunk(1), chunk(2)];
        entries.sort_by_key(ChunkRunEntry::order);
        let mut writer = ChunkRunWriter::new(LABEL);
        writer.push(&entries[1], &mut entropy).unwrap();
        assert_eq!(writer.push(&entries[1], &mut entropy).err(), Some(PackError::Order));
        assert_eq!(writer.push(&entries[0], &mut entropy).err(), Some(PackError::Order));
        assert!(ChunkRunWriter::new(LABEL).finish(&mut entropy).unwrap().is_empty());
    }
}
