//! Which snapshots lists go on showing as time goes by: a rule of the account that every device applies alike.
//!
//! Snapshots hold no bytes, so hiding one frees nothing, and any can be shown again. What somebody has shown again by
//! hand stays shown.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use super::hidden::{hidden, set_hidden, shown_again};
use super::setting::{in_force, set};
use super::snapshot::{Snapshot, snapshots};
use crate::archive::Archive;
use crate::env::Env;
use crate::error::Result;
use crate::ids::EventId;

const NAME: &str = "retention";

/// What is kept in lists. A snapshot stays if any of these keeps it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Keep {
    /// The newest so many.
    pub last: usize,
    /// The newest of each of the last so many days that have one; likewise the others.
    pub daily: usize,
    pub weekly: usize,
    pub monthly: usize,
    pub yearly: usize,
    /// All that are younger than so many seconds.
    pub within_s: u64,
}

/// Snapshots that stay, and why.
pub type Kept = BTreeMap<EventId, Vec<&'static str>>;

/// Names the day, week, month or year of a moment.
type Period<Z> = fn(DateTime<Z>) -> (i32, u32);

impl Keep {
    /// Whether it keeps nothing at all.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What it keeps of these snapshots, newest first. Days begin as they do in `zone`.
    pub fn kept<Z: TimeZone>(&self, newest_first: &[&Snapshot], now_ms: i64, zone: &Z) -> Kept {
        let mut kept = Kept::new();
        let mut keep = |snapshot: &Snapshot, why| kept.entry(snapshot.id).or_default().push(why);
        newest_first.iter().take(self.last).for_each(|snapshot| keep(snapshot, "last"));
        let within_ms = i64::try_from(self.within_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let since = now_ms.saturating_sub(within_ms);
        newest_first.iter().filter(|s| within_ms > 0 && s.at_ms >= since).for_each(|s| keep(s, "within"));
        let periods: [(usize, &'static str, Period<Z>); 4] = [
            (self.daily, "daily", |t| (t.year(), t.ordinal())),
            (self.weekly, "weekly", |t| (t.iso_week().year(), t.iso_week().week())),
            (self.monthly, "monthly", |t| (t.year(), t.month())),
            (self.yearly, "yearly", |t| (t.year(), 0)),
        ];
        for (count, why, period) in periods {
            let mut seen = BTreeSet::new();
            for snapshot in newest_first {
                let Some(at) = DateTime::from_timestamp_millis(snapshot.at_ms) else { continue };
                if seen.len() < count && seen.insert(period(at.with_timezone(zone))) {
                    keep(snapshot, why);
                }
            }
        }
        kept
    }
}

/// The account's rule; none where none is set, or one that only newer clients understand.
pub fn retention(archive: &Archive) -> Result<Option<Keep>> {
    let all = in_force(archive, NAME)?;
    let keep = all.get("").and_then(|setting| serde_json::from_str::<Keep>(&setting.value).ok());
    Ok(keep.filter(|keep| !keep.is_none()))
}

/// Sets the account's rule, or takes it away. Answers whether that changed anything.
pub fn set_retention(archive: &mut Archive, env: &Env, keep: Option<&Keep>) -> Result<bool> {
    if retention(archive)?.as_ref() == keep {
        return Ok(false);
    }
    let value = keep.map_or_else(|| "{}".to_owned(), |keep| serde_json::to_string(keep).unwrap_or_default());
    let since = in_force(archive, NAME)?.get("").map(|setting| setting.since);
    set(archive, env, &[(NAME.to_owned(), value, since)])?;
    Ok(true)
}

/// What the rule hides now: complete snapshots it does not keep, the newest never. Days are those of UTC, so that all
/// devices hide the same.
pub fn retention_hides(archive: &Archive, keep: &Keep, now_ms: i64) -> Result<Vec<EventId>> {
    let gone: BTreeSet<EventId> = hidden(archive)?.into_iter().chain(shown_again(archive)?).collect();
    let all: Vec<Snapshot> = snapshots(archive)?.into_iter().filter(|s| s.index.is_some()).collect();
    let meant: Vec<&Snapshot> = all.iter().filter(|s| !gone.contains(&s.id)).collect();
    let kept = keep.kept(&meant, now_ms, &Utc);
    Ok(meant.iter().skip(1).map(|s| s.id).filter(|id| !kept.contains_key(id)).collect())
}

/// Hides what the account's rule hides. Answers how many snapshots that are.
pub(super) fn apply_retention(archive: &mut Archive, env: &Env) -> Result<u64> {
    let Some(keep) = retention(archive)? else { return Ok(0) };
    let hides = retention_hides(archive, &keep, env.now_ms())?;
    if hides.is_empty() { Ok(0) } else { set_hidden(archive, env, &hides, true) }
}
