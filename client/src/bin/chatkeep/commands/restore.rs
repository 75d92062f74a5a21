//! `restore`: everything the vault has comes here, newest text first.

use std::time::Instant;

use client::error::Error;
use client::sync::{Media, RestoreOptions, Restored};
use serde_json::{Value, json};

use super::{snapshots, view};
use crate::args::daily::{MediaChoice, Restore};
use crate::context::{Context, Writing};
use crate::output::Outcome;
use crate::problem::{Problem, Result, Warning};
use crate::terminal::{clean, count, counted, moment, size};

/// Missing attachments that are named one by one on a terminal.
const NAMED_MAX: usize = 20;

pub async fn run(context: &Context, args: &Restore) -> Result<Outcome> {
    let begun = Instant::now();
    if let Some(bucket) = &args.from_bucket {
        return super::from_bucket::run(context, args, bucket).await;
    }
    if args.snapshot != "latest"
        && let Some(older) = older(context, args, begun)?
    {
        return Ok(older);
    }
    let mut writing = context.writing("restore")?;
    if args.dry_run {
        return planned(context, &writing, begun).await;
    }
    let media = chosen(args);
    if media == Media::All {
        has_room(context, &writing).await?;
    }
    let work = context.work("restore");
    let done = writing.vault.restore(&mut writing.archive, &RestoreOptions { media }, &work).await?;
    context.progress.end();
    let counts = writing.archive.counts()?;
    let waiting = done.missing.len();
    let whole = done.is_whole();
    let mut json = told(&done, &context.home().archive_dir().display().to_string(), begun, whole);
    json["index_s"] = context.index(&mut writing.archive, "restore")?.into();
    if !whole {
        return Err(damaged(&done, json));
    }
    if waiting > 0 {
        let message = format!("{} wait on the device that has them", counted(waiting as u64, "attachment"));
        context
            .output
            .warn(&Warning::new("W_ATTACHMENTS_WAITING", message).hint("run `chatkeep backup` on that device"));
    }
    let mut text = format!("Text   {}  ready to read now\n", counted(done.messages, "message"));
    text += &match media {
        Media::All => format!(
            "Media  {} of {}  {}, verified\n",
            count(done.attachments),
            counted(counts.attachments, "attachment"),
            size(writing.archive.media_bytes()?)
        ),
        Media::Later => format!(
            "Media  {} of {} here; `chatkeep restore` fetches the others\n",
            count(done.attachments),
            counted(counts.attachments, "attachment")
        ),
    };
    Ok(Outcome::new(json, text))
}

/// Refuses a restore that the disk has no room for, before anything is fetched. What is here already needs none.
async fn has_room(context: &Context, writing: &Writing) -> Result<()> {
    let home = context.home();
    let free = fs4::available_space(home.dir()).map_err(|e| Problem::io(home.dir(), &e))?;
    let stored = writing.vault.usage().await?.stored_bytes;
    let needed = stored.saturating_sub(writing.archive.media_bytes()? + writing.archive.text_bytes()?);
    if needed <= free {
        return Ok(());
    }
    Err(Error::DiskFull { what: "restore", needed, free, path: home.dir().display().to_string() }.into())
}

/// Opens an older snapshot as a view. None where the one named is the newest.
fn older(context: &Context, args: &Restore, begun: Instant) -> Result<Option<Outcome>> {
    let archive = context.archive()?;
    let all = snapshots::complete(&archive)?;
    let snapshot = snapshots::find(&all, &args.snapshot)?;
    if all.first().is_some_and(|newest| newest.id == snapshot.id) {
        return Ok(None);
    }
    let view = view::at(context, &archive, snapshot)?.archive;
    let (counts, short) = (view.counts()?, snapshot.id.short());
    let mut text =
        format!("As of {} (snapshot {short}), for reading; what is here now stays as it is.\n", moment(snapshot.at_ms));
    for chat in view.chats()? {
        text += &format!(
            "{}  {}  {}\n",
            chat.id.short(),
            clean(super::chats::name(&chat)),
            counted(chat.messages, "message")
        );
    }
    text += &format!("Next: chatkeep export --snapshot {short} --as jsonl --out DIR\n");
    let json = json!({
        "schema": "chatkeep.restore/1",
        "snapshot": snapshot.id.hex(),
        "target": null,
        "chats": counts.chats,
        "messages": counts.messages,
        "attachments": counts.attachments - counts.attachments_absent,
        "downloaded_bytes": 0,
        "missing": [],
        "verified": true,
        "duration_s": begun.elapsed().as_secs_f64(),
        "dry_run": args.dry_run,
    });
    Ok(Some(Outcome::new(json, text)))
}

/// Which attachments come now.
pub fn chosen(args: &Restore) -> Media {
    match args.media {
        MediaChoice::All => Media::All,
        MediaChoice::None | MediaChoice::Later => Media::Later,
    }
}

fn told(done: &Restored, target: &str, begun: Instant, verified: bool) -> Value {
    let missing = done
        .missing
        .iter()
        .map(|m| json!({ "message": m.message.map(|id| id.hex()), "attachment": m.attachment, "reason": m.reason }));
    let runs = done.lost_runs.iter().map(|(id, rows, why)| json!({ "object": id.hex(), "rows": rows, "reason": why }));
    let pages = done.lost_pages.iter().map(|(id, why)| json!({ "object": id.hex(), "rows": null, "reason": why }));
    let lost = runs.chain(pages);
    json!({
        "schema": "chatkeep.restore/1",
        "snapshot": done.snapshot.map(|s| s.hex()),
        "target": target,
        "messages": done.messages,
        "attachments": done.attachments,
        "downloaded_bytes": done.downloaded_bytes,
        "missing": missing.collect::<Vec<_>>(),
        "lost": lost.collect::<Vec<_>>(),
        "verified": verified,
        "duration_s": begun.elapsed().as_secs_f64(),
        "dry_run": false,
    })
}

/// What could be restored is here; the error says what could not.
fn damaged(done: &Restored, report: Value) -> Box<Problem> {
    let rows: u64 = done.lost_runs.iter().map(|(_, rows, _)| rows).sum();
    let objects = (done.lost_runs.len() + done.lost_pages.len() + done.missing.len()) as u64;
    let mut details: Vec<String> =
        done.lost_runs.iter().map(|(id, rows, why)| format!("{}: a run of {rows} rows, {why}", id.hex())).collect();
    details.extend(done.lost_pages.iter().map(|(id, why)| format!("{}: a page of the catalogue, {why}", id.hex())));
    details.extend(
        done.missing
            .iter()
            .take(NAMED_MAX)
            .map(|m| format!("{}: {}", m.attachment.as_deref().unwrap_or("an attachment"), m.reason)),
    );
    let cause = details.join("; ");
    let mut problem: Box<Problem> = Error::Damaged { objects, details }.into();
    problem.message = format!(
        "{} fail verification ({rows} rows lost); everything else is restored; your passphrase is correct",
        counted(objects, "object")
    );
    problem.cause(cause).details(report)
}

async fn planned(context: &Context, writing: &Writing, begun: Instant) -> Result<Outcome> {
    let usage = writing.vault.usage().await?;
    let counts = writing.archive.counts()?;
    let text = format!(
        "Would restore what of {} is not here yet; {} of {} are here. Nothing changed.\n",
        size(usage.stored_bytes),
        count(counts.attachments - counts.attachments_absent),
        counted(counts.attachments, "attachment")
    );
    let json = json!({
        "schema": "chatkeep.restore/1",
        "snapshot": null,
        "target": context.home().archive_dir().display().to_string(),
        "messages": counts.messages,
        "attachments": counts.attachments - counts.attachments_absent,
        "downloaded_bytes": 0,
        "missing": [],
        "verified": false,
        "duration_s": begun.elapsed().as_secs_f64(),
        "dry_run": true,
    });
    Ok(Outcome::new(json, text))
}
