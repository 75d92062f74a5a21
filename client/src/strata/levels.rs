//! When runs are merged: eight small ones of a level make the next (`docs/design.md` §7).

use std::collections::BTreeMap;

use proto::wire::ladder::Class;

use crate::ids::PackId;
use crate::pack::{Family, RunEntry};

/// Runs of one level that merge into one of the next.
pub const FAN: usize = 8;
/// No level is higher: 8^15 runs are more than any account has.
const LEVEL_MAX: u8 = 15;

/// Finds the oldest eight runs of the lowest level that has so many, and their level. Runs of full size stay.
pub fn next_merge(runs: &BTreeMap<PackId, RunEntry>) -> Option<(Family, u8, Vec<PackId>)> {
    let mut levels: BTreeMap<(u8, u8), Vec<&RunEntry>> = BTreeMap::new();
    let small = |run: &&RunEntry| run.pack.class < Class::RUN_MAX && run.level < LEVEL_MAX && run.last_day == 0;
    for run in runs.values().filter(small) {
        levels.entry((run.level, run.family as u8)).or_default().push(run);
    }
    let ((level, _), mut full) = levels.into_iter().find(|(_, runs)| runs.len() >= FAN)?;
    full.sort_by_key(|run| (run.arrival, run.pack.id));
    let family = full.first()?.family;
    Some((family, level, full.iter().take(FAN).map(|run| run.pack.id).collect()))
}
