//! `undelete`: brings deleted messages back.

use std::collections::BTreeSet;

use chrono::{DateTime, Local, NaiveTime};
use client::archive::{Deletion, Matching};
use client::error::Error;
use client::sync::{distrust, server_clock};
use serde_json::json;

use super::acts;
use crate::args::acts::{Since, Undelete};
use crate::context::{Context, Writing};
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result, Warning};
use crate::terminal::{clean, counted};

const PREFIX_MIN: usize = 4;

pub async fn run(context: &Context, args: &Undelete) -> Result<Outcome> {
    let mut writing = context.writing("undelete")?;
    let wanted = wanted(context, &writing, args)?;
    let mut ids: Vec<String> = wanted.iter().map(|d| d.key.target.hex()).collect();
    ids.sort();
    ids.dedup();
    let many = counted(ids.len() as u64, "message");
    let now = server_clock(&writing.archive, context.now_ms())?;
    let more = |late: u64, sent: bool| json!({ "messages": ids.len() as u64 - late, "late": late, "ids": ids, "sent": sent, "dry_run": args.dry_run });
    if args.dry_run {
        let late = wanted.iter().filter(|d| d.until <= now).count() as u64;
        let text = format!("Would bring {many} back. Nothing changed.\n");
        return Ok(Outcome::new(changed("undelete", false, more(late, false)), text));
    }
    let mut entropy = context.env.entropy.clone();
    let mut acting = acts::acting(context, &writing.archive, &mut entropy)?;
    let done = writing.archive.undelete(&wanted, now, &mut acting)?;
    if done.undone == 0 && done.late > 0 {
        return Err(Problem::refused("their deletion cannot be undone any more: they are going, here or elsewhere")
            .hint("an export that still has them can be kept as files, but not imported"));
    }
    // Whoever deleted so much may have dropped it from the vault as well.
    let me = writing.vault.session.device.id();
    let held = wanted.iter().filter(|d| d.is_held()).filter_map(|d| d.device).filter(|device| *device != me);
    let held: BTreeSet<_> = held.collect();
    if !held.is_empty() {
        distrust(&mut writing.archive, held)?;
    }
    if done.late > 0 {
        let message = format!("{} were deleted too long ago to come back", counted(done.late, "message"));
        context.output.warn(&Warning::new("W_TOO_LATE", message));
    }
    let sent = if done.undone > 0 { acts::send(context, &mut writing).await? } else { false };
    let text = match done.undone {
        0 => "Nothing was deleted then.\n".to_owned(),
        _ => format!("Brought {} back.\n", counted(ids.len() as u64 - done.late, "message")),
    };
    Ok(Outcome::new(changed("undelete", done.undone > 0, more(done.late, sent)), text))
}

fn wanted(context: &Context, writing: &Writing, args: &Undelete) -> Result<Vec<Deletion>> {
    let all = acts::deletions(context, &writing.vault, &writing.archive)?;
    if let Some(since) = args.since {
        let since = match since {
            Since::At(at) => at,
            Since::Today => midnight(context.now_ms()),
        };
        return Ok(all.into_iter().filter(|d| d.at >= since).collect());
    }
    let mut wanted: Vec<Deletion> = Vec::new();
    for given in &args.messages {
        let hex = given.len() >= PREFIX_MIN && given.len() <= 64 && given.bytes().all(|b| b.is_ascii_hexdigit());
        let found = if hex { writing.archive.deletions_matching(&all, given)? } else { Matching::None };
        match found {
            Matching::One(found) => {
                wanted.extend(found.into_iter().filter(|d| !wanted.contains(d)).collect::<Vec<_>>())
            }
            Matching::None => {
                let message = format!("no deleted message has an id that starts with \"{}\"", clean(given));
                return Err(Problem::not_found(message).hint(
                    "`chatkeep undelete --since today --dry-run --json` lists them; what has gone is not among them",
                ));
            }
            Matching::Several(ids) => {
                let candidates = ids.iter().map(client::ids::EventId::hex).collect();
                return Err(Error::Ambiguous { given: given.clone(), what: "messages", candidates }.into());
            }
        }
    }
    Ok(wanted)
}

/// The last midnight in this machine's zone.
fn midnight(now_ms: i64) -> i64 {
    let Some(now) = DateTime::from_timestamp_millis(now_ms) else { return now_ms };
    let day = now.with_timezone(&Local).date_naive().and_time(NaiveTime::MIN);
    day.and_local_timezone(Local).earliest().map_or(now_ms, |t| t.timestamp_millis())
}
