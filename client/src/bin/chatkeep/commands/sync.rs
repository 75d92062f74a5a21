//! `sync`: pull, then push, once.

use serde_json::json;

use super::acts;
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Result, Warning};
use crate::terminal::{counted, size};

pub async fn run(context: &Context) -> Result<Outcome> {
    let mut writing = context.writing("sync")?;
    let work = context.work("sync");
    let done = match writing.vault.sync(&mut writing.archive, &work).await {
        Ok(done) => done,
        Err(error) => return Err(super::backup::told(&writing, error).await),
    };
    context.progress.end();
    context.index(&mut writing.archive, "sync")?;
    if done.attachments_waiting > 0 {
        let message = format!("{} wait to be uploaded", counted(done.attachments_waiting, "attachment"));
        context.output.warn(&Warning::new("W_ATTACHMENTS_WAITING", message).hint("run `chatkeep sync` again"));
    }
    if done.disagreed {
        disagreed(context);
    }
    let deleted = acts::deletions(context, &writing.vault, &writing.archive)?;
    acts::mass_warnings(&writing.vault, &deleted).iter().for_each(|warning| context.output.warn(warning));
    let text = format!(
        "Pulled  {}, {}\nPushed  {}, {}\n",
        counted(done.pulled_events, "event"),
        size(done.downloaded_bytes),
        counted(done.pushed_events, "event"),
        size(done.uploaded_bytes)
    );
    let more = json!({
        "pulled_events": done.pulled_events,
        "pushed_events": done.pushed_events,
        "downloaded_bytes": done.downloaded_bytes,
        "uploaded_bytes": done.uploaded_bytes,
        "attachments_waiting": done.attachments_waiting,
    });
    Ok(Outcome::new(changed("sync", done.pulled_events + done.pushed_events > 0, more), text))
}

/// Says that a head of another device holds other rows.
pub fn disagreed(context: &Context) {
    let message = "another device has stored other rows than this one; nothing was changed by it";
    context.output.warn(&Warning::new("W_DISAGREED", message).hint("`chatkeep check`"));
}
