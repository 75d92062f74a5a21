//! `restore --from-bucket`: everything back from a copy of the bucket and a recovery key, without any service.

use std::path::Path;
use std::time::Instant;

use client::error::Error;
use client::sync::{FromBucket, RestoreOptions};
use client::vault::{Kept, Vault};
use serde_json::{Value, json};

use super::restore::chosen;
use crate::args::daily::Restore;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result, Warning};
use crate::secrets;
use crate::terminal::{counted, moment, rfc3339, size};

pub async fn run(context: &Context, args: &Restore, bucket: &Path) -> Result<Outcome> {
    let begun = Instant::now();
    if args.dry_run {
        return Err(Problem::usage("--dry-run cannot tell what a bucket holds: it is read only by restoring it"));
    }
    let (home, keys) = (context.home(), context.keys());
    if Vault::identity(&*keys)?.is_some() {
        // The error that names the account.
        Vault::check_free(&home, &*keys)?;
    }
    let key = secrets::recovery_key(&context.output, &args.recovery_key)?;
    let _lock = context.lock("restore")?;
    let options = RestoreOptions { media: chosen(args) };
    let work = context.work("restore");
    let restored = Kept::restore(&home, &*keys, context.env.clone(), bucket, &key, &options, &work).await;
    let (kept, done) = restored?;
    context.progress.end();
    if done.head_at_ms.is_none() {
        return Err(headless(bucket, &kept, &done.account));
    }
    let report = told(&done, &home.archive_dir().display().to_string(), begun);
    if !done.is_whole() {
        return Err(damaged(&done, report));
    }
    if !done.missing.is_empty() {
        let message = format!("{} wait on the device that has them", counted(done.missing.len() as u64, "attachment"));
        context
            .output
            .warn(&Warning::new("W_ATTACHMENTS_WAITING", message).hint("run `chatkeep backup` on that device"));
    }
    let at = done.head_at_ms.map_or_else(|| "?".to_owned(), |at| moment(i64::try_from(at).unwrap_or(i64::MAX)));
    let text = format!(
        "Text   {}, as of {at}, ready to read now\nMedia  {}, verified; {} read\n\
         No device is set up: this archive is for reading. Next: chatkeep log\n",
        counted(done.messages, "message"),
        counted(done.attachments, "attachment"),
        size(done.read_bytes)
    );
    Ok(Outcome::new(report, text))
}

/// Without a head nothing says what was in the vault. An account that never backed up has no packs either; one whose
/// head was taken away has.
fn headless(bucket: &Path, kept: &Kept, account: &str) -> Box<Problem> {
    let folder = bucket.join(kept.account().address());
    let packs = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let packs = packs.filter(|entry| is_pack(&entry.file_name().to_string_lossy())).count() as u64;
    if packs == 0 {
        return Problem::not_found(format!("this bucket holds no backup of {account} yet"))
            .hint("`chatkeep backup` makes one; the service copies what points to it here soon after");
    }
    let details = vec![format!("{}/head: missing", kept.account().address())];
    let mut problem: Box<Problem> = Error::Damaged { objects: 1, details }.into();
    problem.message = format!(
        "the newest head of {account} is missing, and nothing else says what its {} hold",
        counted(packs, "pack")
    );
    problem.hints = vec![
        "get a newer or complete copy of the bucket, and run it again".to_owned(),
        format!("if the service still runs: `chatkeep login {account}@SERVER --recovery`, then `chatkeep restore`"),
    ];
    problem
}

/// Packs are named by 16 random bytes in hex.
fn is_pack(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn told(done: &FromBucket, target: &str, begun: Instant) -> Value {
    let missing = done
        .missing
        .iter()
        .map(|m| json!({ "message": m.message.map(|id| id.hex()), "attachment": m.attachment, "reason": m.reason }));
    let lost =
        done.lost.iter().map(|l| json!({ "object": l.object, "holds": l.holds, "reason": l.reason, "rows": l.rows }));
    json!({
        "schema": "chatkeep.restore/1",
        "account": done.account,
        "snapshot": done.snapshot.map(|s| s.hex()),
        "as_of": done.head_at_ms.and_then(|at| rfc3339(i64::try_from(at).ok()?)),
        "target": target,
        "messages": done.messages,
        "attachments": done.attachments,
        "downloaded_bytes": done.read_bytes,
        "missing": missing.collect::<Vec<_>>(),
        "lost": lost.collect::<Vec<_>>(),
        "verified": done.is_whole(),
        "duration_s": begun.elapsed().as_secs_f64(),
        "dry_run": false,
    })
}

/// What could be read is here; the error says what could not.
fn damaged(done: &FromBucket, report: Value) -> Box<Problem> {
    let mut details: Vec<String> =
        done.lost.iter().map(|l| format!("{}: {} {} ({} rows)", l.object, l.reason, l.holds, l.rows)).collect();
    details.extend(
        done.missing.iter().map(|m| format!("{}: {}", m.attachment.as_deref().unwrap_or("an attachment"), m.reason)),
    );
    if done.differs {
        details.push("the rows are not those the head states".to_owned());
    }
    let (objects, cause) = (details.len() as u64, details.join("; "));
    let mut problem: Box<Problem> = Error::Damaged { objects, details }.into();
    problem.message = format!("{} of the bucket cannot be restored; everything else is", counted(objects, "part"));
    problem.hints =
        vec!["get a newer or complete copy of the bucket, and run it again: it goes on where it stopped".to_owned()];
    problem.cause(cause).details(report)
}
