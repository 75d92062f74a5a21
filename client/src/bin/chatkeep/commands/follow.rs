//! `show --follow`: what happens in one chat as it comes in, whoever brings it: a running `sync --watch`, an import, an
//! act of another device.

mod seen;

use std::time::Duration;

use client::archive::Anchor;
use serde_json::{Value, json};

use self::seen::{Happened, Seen, What};
use super::{chats, messages, show};
use crate::args::reading::Show;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::Result;
use crate::terminal::clean;

/// How often the archive is asked whether anything was written. Asking reads one number.
const LOOK: Duration = Duration::from_millis(50);

pub async fn run(context: &Context, args: &Show) -> Result<Outcome> {
    let archive = context.archive()?;
    let chat = chats::find(&archive, &args.chat)?.id;
    let mut seen = Seen::new(&archive, &chat)?;
    for shown in archive.page(&chat, Anchor::End, args.limit, 0)? {
        tell(context, &Happened { what: What::New, shown: Some(shown), ..Happened::default() });
    }
    loop {
        let version = archive.version()?;
        for happened in seen.news(&archive, &chat)? {
            tell(context, &happened);
        }
        while archive.version()? == version {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn tell(context: &Context, happened: &Happened) {
    let line = if context.output.json { format!("{}\n", to_json(happened)) } else { line(happened) };
    context.output.print(&line);
}

/// For programs: the message as it is now, and what happened to it. A deleted one has no more than its id.
fn to_json(happened: &Happened) -> Value {
    let event = happened.what.word();
    let Some(shown) = &happened.shown else {
        return json!({ "schema": "chatkeep.deleted/1", "event": event, "id": happened.id.map(|id| id.hex()) });
    };
    let mut value = messages::to_json(shown, &[]);
    if let Value::Object(map) = &mut value {
        map.insert("event".to_owned(), event.into());
        if happened.what == What::Reacted {
            let list = |of: &[client::merge::Reaction]| -> Value {
                of.iter().map(|r| json!({ "by": r.by, "emoji": r.emoji })).collect()
            };
            map.insert("added".to_owned(), list(&happened.added));
            map.insert("removed".to_owned(), list(&happened.removed));
        }
    }
    value
}

fn line(happened: &Happened) -> String {
    let Some(shown) = &happened.shown else {
        let id = happened.id.map(|id| id.short()).unwrap_or_default();
        return format!("Deleted: {}   {id}\n", happened.was);
    };
    match happened.what {
        What::New | What::Deleted => show::line(shown),
        What::Back => format!("Brought back: {}", show::line(shown)),
        What::Edited => format!("Edited: {}", show::line(shown)),
        What::DeletedInApp => format!("Deleted in the app: {}", show::line(shown)),
        What::Attachments => format!("Attachments: {}", show::line(shown)),
        What::Reacted => {
            let told = |r: &client::merge::Reaction, how| format!("{how}{} {}", clean(&r.by), clean(&r.emoji));
            let added = happened.added.iter().map(|r| told(r, ""));
            let removed = happened.removed.iter().map(|r| told(r, "no more "));
            let all: Vec<String> = added.chain(removed).collect();
            format!("Reaction: {}: {}", all.join(", "), show::line(shown))
        }
    }
}
