//! Merging sorted rows: rows of one key are joined, their arrival is the first (`docs/format.md` §3.4, §5).

use std::collections::BTreeMap;

use super::rows::Sorted;
use crate::crypto::{DigestKey, Entropy, EventKey};
use crate::event::RowKey;
use crate::ids::AccountId;
use crate::merge::{Joined, join};
use crate::pack::{
    BlockRow, ChunkRunEntry, ChunkRunWriter, Damaged, PackError, RunEntry, RunLabel, RunWriter, SealedRun, open_run,
    read_chunk_block,
};
use thiserror::Error;

/// Why a merge came to nothing.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeError {
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Keys that merging needs: those that name rows, and the one that decides between them.
#[derive(Clone, Copy)]
pub struct MergeKeys<'a> {
    pub ids: &'a EventKey,
    pub digest: &'a DigestKey,
}

/// Merges sources into runs, which `put` takes one after another. Answers how many rows came out.
pub fn merge_rows(
    keys: MergeKeys<'_>,
    label: RunLabel,
    mut sources: Vec<Box<dyn Sorted + '_>>,
    entropy: &mut dyn Entropy,
    mut put: impl FnMut(SealedRun),
) -> Result<u64, MergeError> {
    let mut fronts: Vec<Option<BlockRow>> = Vec::with_capacity(sources.len());
    for source in &mut sources {
        fronts.push(source.next_row()?);
    }
    // Versions that a join makes sort behind the row they come from.
    let mut made: BTreeMap<RowKey, BlockRow> = BTreeMap::new();
    let mut writer = RunWriter::new(label, keys.ids);
    let mut rows = 0;
    loop {
        let least = fronts.iter().flatten().map(|row| row.key).chain(made.keys().next().copied()).min();
        let Some(key) = least else { break };
        let mut row = made.remove(&key);
        for (source, front) in sources.iter_mut().zip(&mut fronts) {
            if front.as_ref().is_some_and(|f| f.key == key) {
                let next = std::mem::replace(front, source.next_row()?);
                row = match (row, next) {
                    (Some(a), Some(b)) => Some(join_rows(keys, a, b, &mut made)),
                    (one, other) => one.or(other),
                };
            }
        }
        if let Some(row) = row {
            rows += 1;
            if let Some(run) = writer.push(&row, entropy)? {
                put(run);
            }
        }
    }
    for run in writer.finish(entropy)? {
        put(run);
    }
    Ok(rows)
}

/// Joins two rows of one key; a version that comes of it waits in `made` for its turn.
pub(super) fn join_rows(
    keys: MergeKeys<'_>,
    a: BlockRow,
    b: BlockRow,
    made: &mut BTreeMap<RowKey, BlockRow>,
) -> BlockRow {
    let arrival = match (a.arrival, b.arrival) {
        (0, known) | (known, 0) => known,
        (a, b) => a.min(b),
    };
    let chat = a.chat.clone();
    let Joined { row, version } =
        join(a.key.own, &a.row, &b.row, |row| keys.digest.row(&chat.source, &chat.conversation, &row.encode()));
    if let Some(version) = version {
        let version = BlockRow::new(keys.ids, chat.clone(), arrival, version);
        let version = match made.remove(&version.key) {
            Some(known) => join_rows(keys, known, version, made),
            None => version,
        };
        made.insert(version.key, version);
    }
    BlockRow { key: a.key, chat, arrival, row }
}

/// Merges chunk runs, given as their entries and bytes, oldest first: of two entries of one id the later stays.
pub fn merge_chunk_runs(
    account: &AccountId,
    label: RunLabel,
    runs: &[(&RunEntry, Vec<u8>)],
    entropy: &mut dyn Entropy,
    mut put: impl FnMut(SealedRun),
) -> Result<(), MergeError> {
    let mut entries: BTreeMap<([u8; 32], u8), ChunkRunEntry> = BTreeMap::new();
    for (entry, bytes) in runs {
        for block in open_run(account, &entry.pack, bytes)?.blocks {
            entries.extend(read_chunk_block(&block)?.into_iter().map(|e| (e.order(), e)));
        }
    }
    let mut writer = ChunkRunWriter::new(label);
    for entry in entries.into_values() {
        if let Some(run) = writer.push(&entry, entropy)? {
            put(run);
        }
    }
    for run in writer.finish(entropy)? {
        put(run);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use super::*;
    use crate::crypto::Lifetime;
    use crate::crypto::fixed::Fixed;
    use crate::event::{Chat, Kind, Row, tag};
    use crate::strata::RunRows;
    use proptest::prelude::*;

    const ACCOUNT: AccountId = AccountId([1; 32]);

    /// Rows drawn from few keys and few values, so that many meet.
    fn row(ids: &EventKey, chat: &Arc<Chat>, (time, native, text, arrival): (i64, u8, u8, u64)) -> BlockRow {
        let mut row = Row::new(Kind::MESSAGE, time, &format!("n{native}"));
        row.fields.set(tag::BODY, format!("text {text}"));
        BlockRow::new(ids, chat.clone(), arrival, row)
    }

    fn sorted(mut rows: Vec<BlockRow>) -> VecDeque<BlockRow> {
        rows.sort_by_key(|r| r.key);
        rows.dedup_by_key(|r| r.key);
        rows.into()
    }

    fn merged(keys: MergeKeys<'_>, parts: Vec<VecDeque<BlockRow>>) -> Vec<BlockRow> {
        let mut entropy = Fixed::new("merge");
        let mut out = Vec::new();
        let label = RunLabel { account: ACCOUNT, level: 1, last_day: 0 };
        let sources = parts.into_iter().map(|p| Box::new(p) as Box<dyn Sorted>).collect();
        let count = merge_rows(keys, label, sources, &mut entropy, |run| {
            let mut rows = RunRows::open(&ACCOUNT, &run.entry, &run.bytes, keys.ids).unwrap();
            while let Some(row) = rows.next_row().unwrap() {
                out.push(row);
            }
        });
        assert_eq!(count.unwrap(), out.len() as u64);
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn merging_at_once_or_in_steps_comes_to_the_same(
            drawn in prop::collection::vec(prop::collection::vec((0i64..3, 0u8..3, 0u8..3, 1u64..9), 0..12), 1..6),
            cut in 0usize..6,
        ) {
            let lifetime = Lifetime::generate(&mut Fixed::new("keys"));
            let (ids, digest) = (lifetime.event_key(), lifetime.digest_key());
            let keys = MergeKeys { ids: &ids, digest: &digest };
            let chat = Arc::new(Chat { source: "telegram".into(), conversation: "1".into() });
            let parts: Vec<VecDeque<BlockRow>> =
                drawn.iter().map(|p| sorted(p.iter().map(|d| row(&ids, &chat, *d)).collect())).collect();
            let once = merged(keys, parts.clone());
            let (left, right) = parts.split_at(cut.min(parts.len()));
            let steps = vec![merged(keys, right.to_vec()).into(), merged(keys, left.to_vec()).into()];
            // When a version first arrived is told no finer than by the rows it was joined from.
            let values = |rows: &[BlockRow]| rows.iter().map(|r| (r.key, r.row.clone())).collect::<Vec<_>>();
            prop_assert_eq!(values(&once), values(&merged(keys, steps)));
            // Nothing that was written is missing: every text of every key is there, as row or version.
            for row in parts.iter().flatten() {
                let text = row.row.fields.get(tag::BODY);
                let there = once.iter().any(|o| o.key.target == row.key.target && o.row.fields.get(tag::BODY) == text);
                prop_assert!(there);
            }
            prop_assert!(once.is_sorted_by(|a, b| a.key < b.key));
        }
    }
}
