//! `backup`: what the archive has and the vault lacks goes up, and a snapshot names it.

use std::time::Instant;

use clap::ValueEnum as _;
use client::error::Error;
use client::import::{FilesOf, Report};
use client::sync::BackupOptions;
use serde_json::{Value, json};

use super::imports;
use crate::args::daily::Backup;
use crate::args::imports::{FormatChoice, How};
use crate::context::{Context, Writing};
use crate::output::Outcome;
use crate::problem::{Problem, Result, Warning};
use crate::terminal::{clean, counted, duration, rfc3339, size};

/// What the import before the upload brought.
#[derive(Default)]
pub struct Imported {
    pub sources: Vec<Value>,
    pub skipped: Vec<Value>,
    pub messages_new: u64,
    pub text: String,
}

pub async fn run(context: &Context, args: &Backup) -> Result<Outcome> {
    let begun = Instant::now();
    let mut writing = context.writing("backup")?;
    let limit = args.limit_upload.or_else(|| context.limit_upload());
    let imported = import_sources(context, args, &mut writing)?;
    if args.dry_run {
        return planned(&writing, &imported, begun);
    }
    let work = context.work("backup").upload_limit(limit);
    let options = BackupOptions { labels: args.labels.clone() };
    let done = match writing.vault.backup(&mut writing.archive, &options, &work).await {
        Ok(done) => done,
        Err(error) => return Err(told(&writing, error).await),
    };
    context.progress.end();
    let spent = begun.elapsed().as_secs_f64();
    let indexed = context.index(&mut writing.archive, "backup")?;
    if done.attachments_waiting > 0 {
        let waiting = counted(done.attachments_waiting, "attachment");
        let mut warning = Warning::new("W_ATTACHMENTS_WAITING", format!("{waiting} wait to be uploaded"));
        for (export, files) in writing.archive.waiting_outside()? {
            let (export, files) = (clean(&export.to_string_lossy()), counted(files, "attachment"));
            warning = warning.hint(format!(
                "{files} in {export}, which is not there or has changed: put it back, or back it up again"
            ));
        }
        context.output.warn(&warning.hint("run `chatkeep backup` again; `chatkeep status` says what waits"));
    }
    if done.disagreed {
        context.output.warn(
            &Warning::new(
                "W_DISAGREED",
                "another device has stored other rows than this one; nothing was changed by it",
            )
            .hint("`chatkeep check`, then `chatkeep doctor --share`"),
        );
    }
    let id = done.snapshot.map(|s| s.hex());
    let mut text = imported.text.clone();
    text += &format!("Uploaded  {}", size(done.uploaded_bytes));
    if done.deduplicated_bytes > 0 {
        text += &format!(" ({} was already in the vault)", size(done.deduplicated_bytes));
    }
    text += "\n";
    text += &match (&done.snapshot, done.created) {
        (Some(snapshot), true) => format!("Snapshot  {}  complete in {}\n", snapshot.short(), duration(spent)),
        (Some(snapshot), false) => format!("Snapshot  {}  nothing has changed since\n", snapshot.short()),
        (None, _) => "Nothing to back up yet.\n".to_owned(),
    };
    let json = json!({
        "schema": "chatkeep.backup/1",
        "sources": imported.sources,
        "snapshot": id,
        "created": done.created,
        "at": rfc3339(done.at_ms),
        "attachments_waiting": done.attachments_waiting,
        "chats": done.chats,
        "messages": done.messages,
        "messages_new": imported.messages_new,
        "attachments_new": done.attachments_new,
        "logical_bytes": done.logical_bytes,
        "uploaded_bytes": done.uploaded_bytes,
        "deduplicated_bytes": done.deduplicated_bytes,
        "skipped": imported.skipped,
        "duration_s": spent,
        "index_s": indexed,
        "dry_run": false,
    });
    Ok(Outcome::new(json, text))
}

/// An error with the account's own totals, where it is about them.
pub async fn told(writing: &Writing, error: Error) -> Box<Problem> {
    let Error::Quota { needed, free } = error else { return error.into() };
    let mut problem: Box<Problem> = Error::Quota { needed, free }.into();
    // The refusal speaks of one pack; a person asks about all that waits, and about the whole vault.
    let (Ok(usage), Ok(counts)) = (writing.vault.usage().await, writing.archive.counts()) else { return problem };
    let free = usage.quota_bytes.saturating_sub(usage.stored_bytes);
    let needed = needed.max(counts.waiting_bytes);
    if needed > free {
        let (all, quota) = (size(needed), size(usage.quota_bytes));
        problem.message = format!("this backup needs {all} but {} of {quota} is free", size(free));
    }
    problem.details(json!({
        "needed_bytes": needed, "free_bytes": free, "quota_bytes": usage.quota_bytes,
        "stored_bytes": usage.stored_bytes, "unsaved_messages": counts.unsaved_messages,
        "attachments_waiting": counts.waiting,
    }))
}

/// Reads what is new in the exports that were given or configured, into the archive.
fn import_sources(context: &Context, args: &Backup, writing: &mut Writing) -> Result<Imported> {
    let work = context.work("backup");
    let mut report = Report { dry_run: args.dry_run, ..Report::default() };
    if args.paths.is_empty() {
        for source in &context.settings.sources {
            let unknown = |_| {
                let message = format!("[backup] sources: unknown format \"{}\"", clean(&source.format));
                Problem::new("E_CONFIG", 2, message).hint("`chatkeep formats` lists them, and auto tells by content")
            };
            let format = FormatChoice::from_str(&source.format, false).map_err(unknown)?;
            let mut options = imports::options(&How { format, ..args.how.clone() }, args.dry_run)?;
            options.files = FilesOf::LeftThere;
            if !source.path.exists() {
                report.leave_out(&source.path, "is not there");
                continue;
            }
            let paths = std::slice::from_ref(&source.path);
            report.add(imports::read(context, &mut writing.archive, paths, options, &work)?);
        }
    } else {
        let mut options = imports::options(&args.how, args.dry_run)?;
        options.files = FilesOf::LeftThere;
        report = imports::read(context, &mut writing.archive, &args.paths, options, &work)?;
    }
    context.progress.end();
    imports::warn(context, &report);
    Ok(Imported {
        sources: imports::sources(&report),
        skipped: imports::skipped(&report),
        messages_new: report.sources.iter().map(|s| s.messages_new).sum(),
        text: imports::text(&report),
    })
}

/// What a backup would send. Plans without the server.
fn planned(writing: &Writing, imported: &Imported, begun: Instant) -> Result<Outcome> {
    let counts = writing.archive.counts()?;
    let text = format!(
        "{}Would upload {} and {} ({}). Nothing changed.\n",
        imported.text,
        counted(counts.unsaved_messages, "message"),
        counted(counts.waiting, "attachment"),
        size(counts.waiting_bytes)
    );
    let json = json!({
        "schema": "chatkeep.backup/1",
        "sources": imported.sources,
        "snapshot": null,
        "created": false,
        "at": null,
        "attachments_waiting": counts.waiting,
        "chats": counts.chats,
        "messages": counts.messages,
        "messages_new": imported.messages_new,
        "attachments_new": 0,
        "logical_bytes": writing.archive.media_bytes()? + writing.archive.text_bytes()?,
        "uploaded_bytes": 0,
        "deduplicated_bytes": 0,
        "skipped": imported.skipped,
        "duration_s": begun.elapsed().as_secs_f64(),
        "dry_run": true,
    });
    Ok(Outcome::new(json, text))
}
