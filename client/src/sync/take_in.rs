//! Fetching runs and making rows of them, newest first.

use futures::StreamExt as _;
use zeroize::Zeroizing;

use super::apply::set_entries;
use super::flow::{Flow, broken};
use super::packs::{NoPack, Packs, ServicePacks};
use crate::archive::Archive;
use crate::crypto::EventKey;
use crate::error::{Error, Result};
use crate::event::is_gone;
use crate::ids::{AccountId, PackId};
use crate::log::EventsContent;
use crate::pack::{Damaged, Family, RunEntry, open_run, open_sound_blocks, read_block_frames, read_chunk_block};
use crate::strata::run_frames;
use crate::vault::{Phase, Progress, Work};

/// Packs asked for ahead.
const AHEAD: usize = 4;

/// What came of fetching runs.
#[derive(Default)]
pub(super) struct TakenIn {
    pub rows: u64,
    /// Runs that are missing or do not verify, with the rows in them that are not to be had.
    pub lost: Vec<(PackId, u64, &'static str)>,
}

impl Flow<'_> {
    /// Takes in every run that waits. With `go_on`, one that does not verify is counted and the rest taken in.
    pub async fn take_in_runs(&mut self, go_on: bool) -> Result<TakenIn> {
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let account = &self.vault.session.identity.account;
        let gone = self.server_gone();
        let taken = take_in(&source, account, &self.keys.event, self.archive, &self.work, (go_on, gone)).await?;
        if taken.rows > 0 {
            let now = self.server_now();
            self.archive.commit(|c| c.note_strange_deletions(now))?;
        }
        Ok(taken)
    }
}

/// Fetches the archive's waiting runs from any source of packs: messages before chunks, the newest first. One that is
/// not there although its last day is over, `gone` being the last that is, went by its timer and is let go of.
pub(super) async fn take_in(
    source: &dyn Packs,
    account: &AccountId,
    ids: &EventKey,
    archive: &mut Archive,
    work: &Work,
    (go_on, gone): (bool, u32),
) -> Result<TakenIn> {
    let waiting = waiting(archive)?;
    let chunks = waiting.iter().any(|run| run.family == Family::Chunks);
    let mut out = TakenIn::default();
    let (total_items, total_bytes) = waiting
        .iter()
        .filter(|run| run.family == Family::Messages)
        .fold((0, 0), |(rows, bytes), run| (rows + run.rows, bytes + run.pack.class.bytes() as u64));
    let mut done_bytes = 0;
    let mut coming = futures::stream::iter(waiting)
        .map(|run| async move { (source.get(run.pack.id, run.pack.class).await, run) })
        .buffered(AHEAD);
    while let Some((got, run)) = coming.next().await {
        work.check()?;
        let id = run.pack.id;
        let (taken, bytes) = match got {
            Ok(bytes) => match run.family {
                Family::Messages => (take_rows(archive, account, ids, &run, &bytes)?, bytes),
                Family::Chunks => (take_chunks(archive, account, &run, &bytes)?, bytes),
            },
            Err(NoPack::Short(bytes)) => (Err("truncated"), bytes),
            Err(no) => (Err(no.reason()?), Vec::new()),
        };
        match taken {
            Ok(rows) => out.rows += rows,
            Err(_) if is_gone(run.last_day, gone) => archive.commit(|c| c.drop_run(&id))?,
            Err(why) if go_on => {
                let saved = take_sound(archive, account, ids, &run, &bytes)?;
                out.rows += saved;
                out.lost.push((id, run.rows.saturating_sub(saved), why));
            }
            Err(why) => {
                return Err(Error::Damaged { objects: 1, details: vec![format!("{}: a run, {why}", id.hex())] });
            }
        }
        if run.family == Family::Messages {
            done_bytes += run.pack.class.bytes() as u64;
            let phase = Phase::Download;
            work.tell(Progress { phase, done_bytes, total_bytes, done_items: out.rows, total_items });
        }
    }
    if chunks {
        again_from_tail(archive)?;
    }
    Ok(out)
}

/// Notes once more what records above the head say of chunks: it is newer than any run, and was read before.
fn again_from_tail(archive: &mut Archive) -> Result<()> {
    let (mut contents, days) = (Vec::new(), archive.tail_days()?);
    archive.each_tail(|index, content| {
        let day = days.get(&index).copied().unwrap_or(0);
        contents.extend(EventsContent::decode(content).ok().map(|content| (content, day)));
        Ok(())
    })?;
    Ok(archive.commit(|c| contents.iter().try_for_each(|(content, day)| set_entries(c, &content.chunks, *day)))?)
}

fn waiting(archive: &Archive) -> Result<Vec<RunEntry>> {
    let mut waiting = Vec::new();
    for (_, entry) in archive.runs()? {
        let entry = Zeroizing::new(entry);
        waiting.push(RunEntry::decode(&entry).map_err(|_| broken("a run's entry cannot be read"))?);
    }
    // Chunks come oldest first: of two places the newer stays, and the older may be a pack that was found damaged.
    let (mut messages, mut chunks): (Vec<_>, Vec<_>) =
        waiting.into_iter().partition(|run: &RunEntry| run.family == Family::Messages);
    messages.sort_by_key(|run| std::cmp::Reverse((run.arrival.1, run.time.1)));
    chunks.sort_by_key(|run| run.arrival.1);
    messages.extend(chunks);
    Ok(messages)
}

type Taken = std::result::Result<u64, &'static str>;

fn take_rows(
    archive: &mut Archive,
    account: &AccountId,
    ids: &EventKey,
    run: &RunEntry,
    bytes: &[u8],
) -> Result<Taken> {
    // All of it is read before any of it is stored: a run is taken in whole or not at all.
    let Ok(frames) = run_frames(account, run, bytes, ids) else { return Ok(Err("damaged")) };
    archive.commit(|c| {
        for frame in frames {
            c.apply_frame(frame.packed, &frame.rows, run.arrival.0.saturating_sub(1))?;
        }
        c.drop_run(&run.pack.id)?;
        c.set_restored(&run.pack.id)
    })?;
    Ok(Ok(run.rows))
}

/// Takes in the sound blocks of a run that is not whole. It goes on waiting: what it lacks may be made whole elsewhere.
fn take_sound(archive: &mut Archive, account: &AccountId, ids: &EventKey, run: &RunEntry, bytes: &[u8]) -> Result<u64> {
    let Ok(blocks) = open_sound_blocks(account, &run.pack, bytes) else { return Ok(0) };
    let mut saved = 0;
    for block in blocks.iter().flatten() {
        match run.family {
            Family::Messages => {
                let Ok(frames) = read_block_frames(block, ids) else { continue };
                saved += frames.iter().map(|frame| frame.rows.len() as u64).sum::<u64>();
                archive.commit(|c| {
                    for frame in frames {
                        c.apply_frame(frame.packed, &frame.rows, run.arrival.0.saturating_sub(1))?;
                    }
                    Ok(())
                })?;
            }
            Family::Chunks => {
                let Ok(entries) = read_chunk_block(block) else { continue };
                archive.commit(|c| set_entries(c, &entries, run.last_day))?;
            }
        }
    }
    Ok(saved)
}

fn take_chunks(archive: &mut Archive, account: &AccountId, run: &RunEntry, bytes: &[u8]) -> Result<Taken> {
    let read = || {
        let blocks = open_run(account, &run.pack, bytes)?.blocks;
        blocks.iter().map(|block| read_chunk_block(block)).collect::<std::result::Result<Vec<_>, Damaged>>()
    };
    let Ok(blocks) = read() else { return Ok(Err("damaged")) };
    archive.commit(|c| {
        for entries in &blocks {
            set_entries(c, entries, run.last_day)?;
        }
        c.drop_run(&run.pack.id)?;
        c.set_restored(&run.pack.id)
    })?;
    Ok(Ok(0))
}
