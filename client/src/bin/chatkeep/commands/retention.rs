//! `retention`: the account's own rule for which snapshots lists show.

use client::sync::{Keep, retention, retention_hides, set_retention};
use serde_json::{Value, json};

use super::forget;
use crate::args::care::{Retention, SetRetention};
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};
use crate::terminal::{counted, duration};

pub async fn run(context: &Context, command: &Retention) -> Result<Outcome> {
    match command {
        Retention::Show => {
            let (_, archive) = context.reading()?;
            let keep = retention(&archive)?;
            let json = json!({ "schema": "chatkeep.retention/1", "keep": keep.as_ref().map(told) });
            Ok(Outcome::new(json, format!("{}\n", said(keep.as_ref()))))
        }
        Retention::Set(args) => set(context, args).await,
    }
}

async fn set(context: &Context, args: &SetRetention) -> Result<Outcome> {
    let keep = args.keep.rules();
    if args.none == args.keep.any() {
        return Err(Problem::usage("which snapshots stay? give --keep-… rules, or --none alone")
            .hint("chatkeep retention set --keep-daily 30 --keep-monthly 12"));
    }
    if !args.none && keep.is_none() {
        return Err(Problem::refused("this would hide every snapshot").hint("--keep-last 1 keeps the newest"));
    }
    let keep = (!args.none).then_some(keep);
    let mut writing = context.writing("retention set")?;
    let hides = match &keep {
        Some(keep) => retention_hides(&writing.archive, keep, context.now_ms())?.len() as u64,
        None => 0,
    };
    let more = json!({ "keep": keep.as_ref().map(told), "hides": hides, "dry_run": args.dry_run });
    let many = counted(hides, "snapshot");
    if args.dry_run {
        let text = format!("Would set: {} It would hide {many} now. Nothing changed.\n", said(keep.as_ref()));
        return Ok(Outcome::new(changed("retention-set", false, more), text));
    }
    let did = set_retention(&mut writing.archive, &context.env, keep.as_ref())?;
    if did {
        // The sync applies it at once.
        forget::send(context, &mut writing).await?;
    }
    let text = match &keep {
        Some(_) => format!("{} That hides {many} now (chatkeep unforget ID shows one again).\n", said(keep.as_ref())),
        None => format!("{}\n", said(None)),
    };
    Ok(Outcome::new(changed("retention-set", did, more), text))
}

fn told(keep: &Keep) -> Value {
    json!({
        "last": keep.last,
        "daily": keep.daily,
        "weekly": keep.weekly,
        "monthly": keep.monthly,
        "yearly": keep.yearly,
        "within_s": keep.within_s,
    })
}

fn said(keep: Option<&Keep>) -> String {
    let Some(keep) = keep else { return "All snapshots are shown.".to_owned() };
    let counts = [
        (keep.last, "the newest"),
        (keep.daily, "of days"),
        (keep.weekly, "of weeks"),
        (keep.monthly, "of months"),
        (keep.yearly, "of years"),
    ];
    let mut parts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if keep.within_s > 0 {
        parts.push(format!("all of the last {}", duration(keep.within_s as f64)));
    }
    format!("Snapshots that stay: {}.", parts.join(", "))
}
