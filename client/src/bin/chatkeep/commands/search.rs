//! `search`: messages by their words, newest first. Works offline.

use std::collections::BTreeSet;

use client::archive::{Filters, Has, Query};
use serde_json::json;

use super::{chats, messages};
use crate::args::reading::{HasChoice, Search};
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result};
use crate::terminal::{clean, counted};

pub fn run(context: &Context, args: &Search) -> Result<Outcome> {
    let query = Query::parse(&args.query.join(" "));
    let filtered = args.chat.is_some() || args.from.is_some() || args.has.is_some();
    if query.is_empty() && !filtered && args.since.is_none() && args.until.is_none() {
        return Err(Problem::usage("nothing to search for: give words, or a filter such as --has media"));
    }
    let archive = context.archive()?;
    let chat = args.chat.as_deref().map(|given| chats::find(&archive, given)).transpose()?;
    let filters = Filters {
        chat: chat.map(|c| c.id),
        from: args.from.clone(),
        since: args.since,
        until: args.until,
        has: args.has.map(|has| match has {
            HasChoice::Link => Has::Link,
            HasChoice::Media => Has::Media,
            HasChoice::File => Has::File,
        }),
    };
    let found = archive.search(&query, &filters, args.limit)?;
    if context.output.json {
        for hit in &found.hits {
            context.output.print(&format!("{}\n", messages::to_json(&hit.shown, &hit.matches)));
        }
        let (total, returned, complete) = (found.total, found.hits.len(), found.index_complete);
        let last =
            json!({ "schema": "chatkeep.search/1", "total": total, "returned": returned, "index_complete": complete });
        context.output.print(&format!("{last}\n"));
        return Ok(Outcome::printed());
    }
    for hit in &found.hits {
        let m = &hit.shown.message;
        let (at, who, chat) = (messages::moment(m), messages::sender(m), clean(messages::chat_name(&hit.shown)));
        let text = messages::around(m, &hit.matches);
        context.output.print(&format!("{at}  {chat} › {who}   {text}   {}\n", m.id.short()));
    }
    let in_chats = found.hits.iter().map(|h| h.shown.chat).collect::<BTreeSet<_>>().len() as u64;
    let more = if found.total > found.hits.len() as u64 {
        format!("; {} shown, -n shows more", found.hits.len())
    } else {
        String::new()
    };
    context.output.print(&match found.total {
        0 => "No message matches.\n".to_owned(),
        total => format!("{} in {}{more}\n", counted(total, "message"), counted(in_chats, "chat")),
    });
    if !found.index_complete {
        context.output.note("The index is still being filled: `chatkeep backup` or `chatkeep sync` completes it.");
    }
    Ok(Outcome::printed())
}
