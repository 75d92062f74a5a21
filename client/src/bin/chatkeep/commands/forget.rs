//! `forget` and `unforget`: which snapshots lists show.

use chrono::Local;
use client::ids::EventId;
use client::sync::{Kept, Snapshot, hidden, set_hidden};
use serde_json::json;

use super::{device, snapshots};
use crate::args::care::{Forget, Unforget};
use crate::context::{Context, Writing};
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};
use crate::terminal::{counted, moment};

pub async fn run(context: &Context, args: &Forget) -> Result<Outcome> {
    let by_rule = args.keep.any();
    if args.snapshots.is_empty() && !by_rule {
        return Err(Problem::usage("which snapshots? give ids, or a --keep-… rule")
            .hint("chatkeep forget --keep-daily 7 --keep-monthly 12 --dry-run"));
    }
    if !args.snapshots.is_empty() && by_rule {
        return Err(Problem::usage("give ids or --keep-… rules, not both"));
    }
    let mut writing = context.writing("forget")?;
    let gone = hidden(&writing.archive)?;
    let all = snapshots::complete(&writing.archive)?;
    let shown: Vec<Snapshot> = all.iter().filter(|s| !gone.contains(&s.id)).cloned().collect();
    let (kept, hide) = if by_rule {
        let only = args
            .device
            .as_deref()
            .map(|given| device::find(&writing.vault.devices_named(&writing.archive)?, given))
            .transpose()?;
        let is_meant = |s: &Snapshot| {
            only.as_ref().is_none_or(|d| s.device == Some(d.id))
                && args.label.as_ref().is_none_or(|l| s.labels.contains(l))
        };
        plan(args, &shown, is_meant, context.now_ms())
    } else {
        let mut hide = Vec::new();
        for given in &args.snapshots {
            let id = snapshots::find(&all, given)?.id;
            if !hide.contains(&id) {
                hide.push(id);
            }
        }
        let kept = shown.iter().filter(|s| !hide.contains(&s.id)).map(|s| (s.id, vec!["not named"])).collect();
        (kept, hide)
    };
    let account = writing.vault.session.identity.name.as_str().to_owned();
    let none_left = !shown.is_empty() && kept.is_empty() && !hide.is_empty();
    if none_left && !args.dry_run && args.really.as_deref() != Some(account.as_str()) {
        let message = format!("this would remove every snapshot ({} of {})", hide.len(), shown.len());
        return Err(Problem::refused(message).hint(format!("add a --keep-… rule, or --really {account}")));
    }
    let json = json!({
        "schema": "chatkeep.forget/1",
        "keep": kept.iter().map(|(id, reasons)| json!({ "id": id.hex(), "reasons": reasons })).collect::<Vec<_>>(),
        "hide": hide.iter().map(|id| id.hex()).collect::<Vec<_>>(),
        "dry_run": args.dry_run,
    });
    let back = "(chatkeep unforget ID shows them again)";
    if args.dry_run {
        let text = format!(
            "Would keep {}, would hide {} {back}. Nothing changed.\n",
            kept.len(),
            counted(hide.len() as u64, "snapshot")
        );
        return Ok(Outcome::new(json, text));
    }
    if !hide.is_empty() {
        let lines: String = all
            .iter()
            .filter(|s| hide.contains(&s.id))
            .map(|s| format!("  {}  {}\n", s.id.short(), moment(s.at_ms)))
            .collect();
        context.output.note(&format!("To be hidden:\n{}", lines.trim_end()));
        device::confirmed(context, &format!("Hide {}?", counted(hide.len() as u64, "snapshot")))?;
    }
    set(context, &mut writing, &hide, true).await?;
    let text = format!("Kept {}, hid {} {back}.\n", kept.len(), counted(hide.len() as u64, "snapshot"));
    Ok(Outcome::new(json, text))
}

pub async fn show_again(context: &Context, args: &Unforget) -> Result<Outcome> {
    let mut writing = context.writing("unforget")?;
    let gone = hidden(&writing.archive)?;
    let all = snapshots::complete(&writing.archive)?;
    let mut show = Vec::new();
    for given in &args.snapshots {
        let id = snapshots::find(&all, given)?.id;
        if gone.contains(&id) && !show.contains(&id) {
            show.push(id);
        }
    }
    let shown = show.iter().map(|id| id.hex()).collect::<Vec<_>>();
    let more = json!({ "shown": shown, "dry_run": args.dry_run });
    let many = counted(show.len() as u64, "snapshot");
    if args.dry_run {
        return Ok(Outcome::new(
            changed("unforget", false, more),
            format!("Would show {many} again. Nothing changed.\n"),
        ));
    }
    let did = set(context, &mut writing, &show, false).await?;
    Ok(Outcome::new(changed("unforget", did > 0, more), format!("{many} shown again.\n")))
}

/// Writes the settings here and sends them.
async fn set(context: &Context, writing: &mut Writing, ids: &[EventId], hide: bool) -> Result<u64> {
    let did = set_hidden(&mut writing.archive, &context.env, ids, hide)?;
    if did > 0 {
        send(context, writing).await?;
    }
    Ok(did)
}

/// Sends settings at once if the server can be reached; else the next sync does.
pub async fn send(context: &Context, writing: &mut Writing) -> Result<()> {
    let work = client::vault::Work::quiet().max_wait(std::time::Duration::ZERO);
    match writing.vault.sync(&mut writing.archive, &work).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_retryable() => {
            context.output.note("Not sent yet; the next sync or backup sends it.");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// What the rules keep and what they hide; snapshots they do not speak about stay. Newest first.
fn plan(args: &Forget, shown: &[Snapshot], is_meant: impl Fn(&Snapshot) -> bool, now_ms: i64) -> (Kept, Vec<EventId>) {
    let meant: Vec<&Snapshot> = shown.iter().filter(|s| is_meant(s)).collect();
    let mut kept = args.keep.rules().kept(&meant, now_ms, &Local);
    for other in shown.iter().filter(|s| !is_meant(s)) {
        kept.entry(other.id).or_default().push("not asked about");
    }
    let hide = meant.iter().map(|s| s.id).filter(|id| !kept.contains_key(id)).collect();
    (kept, hide)
}
