//! Rows of one run in key order, a block at a time.

use std::collections::VecDeque;

use crate::crypto::EventKey;
use crate::crypto::Wiped;
use crate::ids::AccountId;
use crate::pack::{BlockRow, Damaged, FrameRead, RunEntry, open_run, read_block, read_block_frames};

/// Rows in ascending order of key.
pub trait Sorted {
    fn next_row(&mut self) -> Result<Option<BlockRow>, Damaged>;
}

/// Reads a run. Holds its blocks as they are compressed, and the rows of one.
pub struct RunRows<'a> {
    ids: &'a EventKey,
    blocks: VecDeque<Wiped>,
    rows: VecDeque<BlockRow>,
    last: Option<crate::event::RowKey>,
    /// Stands in for rows that do not state their arrival: 1 + the index of the record that brought the run.
    arrival: u64,
    left: u64,
}

impl<'a> RunRows<'a> {
    /// Opens a run's bytes, every block of it.
    pub fn open(account: &AccountId, entry: &RunEntry, bytes: &[u8], ids: &'a EventKey) -> Result<Self, Damaged> {
        let open = open_run(account, &entry.pack, bytes)?;
        let stated: u64 = open.footer.blocks().iter().map(|b| b.rows).sum();
        if stated != entry.rows || open.blocks.len() as u64 != u64::from(entry.blocks) {
            return Err(Damaged);
        }
        let arrival = entry.arrival.0;
        Ok(Self { ids, blocks: open.blocks.into(), rows: VecDeque::new(), last: None, arrival, left: stated })
    }
}

/// Reads a run as the frames its blocks are made of, all of it verified.
pub fn run_frames(
    account: &AccountId,
    entry: &RunEntry,
    bytes: &[u8],
    ids: &EventKey,
) -> Result<Vec<FrameRead>, Damaged> {
    let run = RunRows::open(account, entry, bytes, ids)?;
    let (mut frames, mut last, mut left) = (Vec::new(), None, run.left);
    for block in &run.blocks {
        for frame in read_block_frames(block, ids)? {
            for row in &frame.rows {
                if last.is_some_and(|last| last >= row.key) || left == 0 {
                    return Err(Damaged);
                }
                last = Some(row.key);
                left -= 1;
            }
            frames.push(frame);
        }
    }
    if left == 0 { Ok(frames) } else { Err(Damaged) }
}

impl Sorted for RunRows<'_> {
    fn next_row(&mut self) -> Result<Option<BlockRow>, Damaged> {
        while self.rows.is_empty() {
            let Some(block) = self.blocks.pop_front() else {
                return if self.left == 0 { Ok(None) } else { Err(Damaged) };
            };
            self.rows = read_block(&block, self.ids)?.into();
        }
        let Some(mut row) = self.rows.pop_front() else { return Ok(None) };
        if self.last.is_some_and(|last| last >= row.key) || self.left == 0 {
            return Err(Damaged);
        }
        self.last = Some(row.key);
        self.left -= 1;
        if row.arrival == 0 {
            row.arrival = self.arrival;
        }
        Ok(Some(row))
    }
}

/// Rows in memory.
impl Sorted for VecDeque<BlockRow> {
    fn next_row(&mut self) -> Result<Option<BlockRow>, Damaged> {
        Ok(self.pop_front())
    }
}
