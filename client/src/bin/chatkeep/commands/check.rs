//! `check`: what the vault holds is verified, on demand up to a real restore.

use client::archive::{Archive, Note};
use client::error::Error;
use client::sync::{CheckLevel, Media, Problem as Damage, RestoreOptions};
use serde_json::{Value, json};

use crate::args::care::Check;
use crate::context::{Context, Writing};
use crate::output::Outcome;
use crate::problem::Result;
use crate::terminal::{counted, size};

/// Exit code of a check that found damage.
const DAMAGE: u8 = 4;

pub async fn run(context: &Context, args: &Check) -> Result<Outcome> {
    let mut writing = context.writing("check")?;
    let level = match args.read_data {
        Some(percent) => CheckLevel::Contents { percent },
        None => CheckLevel::Structure,
    };
    let work = context.work("check");
    let checked = writing.vault.check(&mut writing.archive, level, &work).await?;
    let mut problems: Vec<Value> = checked.problems.iter().map(told).collect();
    let mut text = String::new();
    for problem in &checked.problems {
        let repair = if problem.repairable { "`chatkeep backup` here repairs it" } else { "no copy on this device" };
        text += &format!(
            "{}: {} ({}), {} affected; {repair}\n",
            problem.kind,
            problem.object,
            problem.holds,
            counted(problem.messages_affected, "message")
        );
    }
    let mut name = match args.read_data {
        None => "structure",
        Some(_) => "contents",
    };
    if args.restore_test {
        name = "restore";
        let found = prove(context, &mut writing).await?;
        if found.is_empty() {
            let now = context.now_ms();
            writing.archive.commit(|c| c.set_note(Note::LastProof, Some(&now.to_le_bytes())))?;
        }
        for what in found {
            text += &format!("restore: {what}\n");
            problems.push(json!({
                "kind": "restore", "object": what, "snapshots": [], "messages_affected": 0, "repairable": false,
            }));
        }
    }
    context.progress.end();
    let ok = problems.is_empty();
    text += &format!(
        "{} {} read{}: {}\n",
        counted(checked.objects, "object"),
        size(checked.read_bytes),
        if args.restore_test { ", everything restored and compared" } else { "" },
        if ok {
            "all is as it was written".to_owned()
        } else {
            format!("{} found", counted(problems.len() as u64, "problem"))
        }
    );
    if ok && !args.restore_test {
        context.output.note("Next: chatkeep check --restore-test proves that everything comes back.");
    }
    let json = json!({
        "schema": "chatkeep.check/1",
        "level": name,
        "ok": ok,
        "objects": checked.objects,
        "read_bytes": checked.read_bytes,
        "problems": problems,
    });
    Ok(Outcome::new(json, text).exit(if ok { 0 } else { DAMAGE }))
}

fn told(problem: &Damage) -> Value {
    json!({
        "kind": problem.kind,
        "object": problem.object,
        "holds": problem.holds,
        "snapshots": problem.snapshots.iter().map(|s| s.hex()).collect::<Vec<_>>(),
        "messages_affected": problem.messages_affected,
        "repairable": problem.repairable,
    })
}

/// Restores everything into a place that goes away again, and answers how it differs from this device.
async fn prove(context: &Context, writing: &mut Writing) -> Result<Vec<String>> {
    let place = context.scratch("proof-")?;
    let mut scratch = writing.vault.scratch(&writing.archive, &place.path().join("archive"))?;
    let work = context.work("restore test");
    let restored = match writing.vault.restore(&mut scratch, &RestoreOptions { media: Media::All }, &work).await {
        Ok(restored) => restored,
        Err(Error::Damaged { details, .. }) => return Ok(details),
        Err(error) => return Err(error.into()),
    };
    let mut found: Vec<String> = restored
        .lost_runs
        .iter()
        .map(|(id, rows, why)| format!("a run of {rows} rows is lost: {} ({why})", id.hex()))
        .collect();
    let pages = restored.lost_pages.iter().map(|(id, why)| format!("a page is lost: {} ({why})", id.hex()));
    found.extend(pages);
    if !restored.is_whole() {
        let lost = restored.missing.iter().map(|m| {
            format!("an attachment is lost: {} ({})", m.attachment.as_deref().unwrap_or("without a name"), m.reason)
        });
        found.extend(lost);
    }
    if !same(&writing.archive, &scratch)? {
        // Another device may have written meanwhile: then this one has to know it too.
        writing.vault.restore(&mut writing.archive, &RestoreOptions { media: Media::Later }, &work).await?;
        writing.vault.restore(&mut scratch, &RestoreOptions { media: Media::Later }, &work).await?;
        if !same(&writing.archive, &scratch)? {
            found.push("what was restored differs from this device".to_owned());
        }
    }
    Ok(found)
}

/// Whether both hold the same of what the log has.
fn same(one: &Archive, other: &Archive) -> Result<bool> {
    Ok(one.digest()?.hash() == other.digest()?.hash())
}
