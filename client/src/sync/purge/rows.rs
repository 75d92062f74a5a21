//! Runs of messages written again without the rows of deleted ones.

use proto::wire::head::DropReason;

use super::super::flow::Flow;
use super::super::fold::{Plan, merge_failed, reach_to};
use super::{Dead, MADE_BYTES_MAX, PACKS_MAX, Progress};
use crate::archive::{APART_MS, Grave};
use crate::error::{Error, Result};
use crate::ids::{ChatId, PackId};
use crate::pack::{Family, RunEntry, RunWriter, SealedRun};
use crate::strata::{RunRows, Sorted as _};

impl Flow<'_> {
    /// Looks into every run that may hold a dead row and replaces those that do; false where there is more to do than
    /// one head takes.
    pub(super) async fn purge_rows(
        &mut self,
        plan: &mut Plan,
        due: &[Grave],
        dead: &Dead,
        progress: &mut Progress,
    ) -> Result<bool> {
        let places: Vec<(ChatId, i64)> =
            due.iter().map(|d| (self.keys.event.chat(&d.chat.source, &d.chat.conversation), d.row.time)).collect();
        // The tail was written without them.
        progress.clean.extend(plan.made.keys().copied());
        let suspects: Vec<PackId> = plan
            .known
            .catalogue
            .runs
            .values()
            .filter(|run| run.family == Family::Messages && !progress.clean.contains(&run.pack.id))
            .filter(|run| places.iter().any(|(chat, time)| may_hold(run, chat, *time)))
            .map(|run| run.pack.id)
            .collect();
        let mut made_bytes = 0;
        for id in suspects {
            self.work.check()?;
            if made_bytes >= MADE_BYTES_MAX || plan.drops.len() >= PACKS_MAX {
                return Ok(false);
            }
            let Some(run) = plan.known.catalogue.runs.remove(&id) else { continue };
            let bytes = self.fetch(&run).await?;
            match self.without(&run, &bytes, dead)? {
                None => {
                    progress.clean.insert(id);
                    plan.known.catalogue.runs.insert(id, run);
                }
                Some(runs) => {
                    made_bytes += runs.iter().map(|run| run.bytes.len()).sum::<usize>();
                    progress.clean.extend(runs.iter().map(|run| run.entry.pack.id));
                    plan.drops.insert(id, DropReason::Purged);
                    plan.take(runs);
                }
            }
        }
        Ok(true)
    }

    /// A run's rows but the dead ones, as runs of its level; none where it holds no dead row.
    fn without(&self, run: &RunEntry, bytes: &[u8], dead: &Dead) -> Result<Option<Vec<SealedRun>>> {
        let failed = |e: crate::pack::Damaged| merge_failed(e.into());
        let internal = |e: crate::pack::PackError| Error::Internal(e.to_string());
        let open = || RunRows::open(&self.account(), run, bytes, &self.keys.event).map_err(failed);
        let mut rows = open()?;
        let mut any = false;
        while let Some(row) = rows.next_row().map_err(failed)? {
            any |= dead.has_row(&row);
        }
        if !any {
            return Ok(None);
        }
        let mut entropy = self.entropy();
        let mut writer = RunWriter::new(self.timed_label(run.level, run.last_day), &self.keys.event);
        let mut rows = open()?;
        let mut made = Vec::new();
        while let Some(row) = rows.next_row().map_err(failed)? {
            if !dead.has_row(&row) {
                made.extend(writer.push(&row, &mut entropy).map_err(internal)?);
            }
        }
        made.extend(writer.finish(&mut entropy).map_err(internal)?);
        reach_to(&mut made, run.arrival.1);
        Ok(Some(made))
    }
}

fn may_hold(run: &RunEntry, chat: &ChatId, time: i64) -> bool {
    let near = run.time.0 <= time.saturating_add(APART_MS) && time.saturating_sub(APART_MS) <= run.time.1;
    near && run.filter.may_hold(chat)
}
