//! `react`: a reaction, or taking it back.

use serde_json::json;

use super::{acts, show};
use crate::args::acts::React;
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::Result;
use crate::terminal::clean;

pub async fn run(context: &Context, args: &React) -> Result<Outcome> {
    let mut writing = context.writing("react")?;
    let shown = show::message(&writing.archive, &args.message)?;
    let (id, by) = (shown.message.id, writing.vault.session.identity.name.as_str().to_owned());
    let mut entropy = context.env.entropy.clone();
    let mut acting = acts::acting(context, &writing.archive, &mut entropy)?;
    let did = match (args.remove, args.dry_run) {
        (false, false) => writing.archive.react(&id, &args.emoji, &by, &mut acting)?.is_some(),
        (true, false) => writing.archive.unreact(&id, &args.emoji, &mut acting)? > 0,
        (false, true) => writing.archive.react_row(&id, &args.emoji, &by, &mut acting)?.is_some(),
        (true, true) => !writing.archive.unreact_rows(&id, &args.emoji, &mut acting)?.is_empty(),
    };
    let (emoji, short) = (clean(&args.emoji), id.short());
    let more = |sent: bool| {
        json!({
            "message": id.hex(), "emoji": args.emoji, "removed": args.remove, "sent": sent, "dry_run": args.dry_run,
        })
    };
    if args.dry_run {
        let would = match (args.remove, did) {
            (false, true) => format!("Would react with {emoji} to {short}."),
            (true, true) => format!("Would take {emoji} back from {short}."),
            (_, false) => format!("Would change nothing of {short}."),
        };
        return Ok(Outcome::new(changed("react", false, more(false)), format!("{would} Nothing changed.\n")));
    }
    let sent = if did { acts::send(context, &mut writing).await? } else { false };
    let text = match (args.remove, did) {
        (false, true) => format!("Reacted with {emoji} to {short}.\n"),
        (false, false) => format!("{emoji} stands at {short} already.\n"),
        (true, true) => format!("Took {emoji} back from {short}.\n"),
        (true, false) => format!("There is no {emoji} of yours at {short}.\n"),
    };
    Ok(Outcome::new(changed("react", did, more(sent)), text))
}
