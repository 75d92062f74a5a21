//! `show`: messages of one chat. Works offline.

use std::io::IsTerminal as _;

use client::archive::{Anchor, Archive, Position, Shown};
use client::error::Error;
use client::ids::ChatId;
use serde_json::json;

use super::{chats, messages};
use crate::args::reading::Show;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result};
use crate::terminal::clean;

const DAY_MS: i64 = 24 * 3_600_000;
const PREFIX_MIN: usize = 4;
/// Candidates that are listed.
const CANDIDATES_MAX: usize = 20;

pub fn run(context: &Context, args: &Show) -> Result<Outcome> {
    let archive = context.archive()?;
    let chat = chats::find(&archive, &args.chat)?;
    let limit = args.limit.max(1);
    let (anchor, before) = match (&args.around, args.date) {
        (Some(given), _) => {
            let found = message(&archive, given)?;
            if found.chat != chat.id {
                let other = format!("message {} is not in \"{}\"", found.message.id.short(), clean(chats::name(&chat)));
                return Err(
                    Problem::not_found(other).hint(format!("it is in \"{}\"", clean(messages::chat_name(&found))))
                );
            }
            (Anchor::Before(Position::of(&found.message)), limit / 2)
        }
        (None, Some(time)) => (Anchor::Time(time), 0),
        (None, None) => (Anchor::End, limit),
    };
    let page = archive.page(&chat.id, anchor, before, limit - before)?;
    if context.output.json {
        for shown in &page {
            context.output.print(&format!("{}\n", messages::to_json(shown, &[])));
        }
        let complete = archive.index_complete()?;
        let (total, returned) = (chat.messages, page.len());
        let last =
            json!({ "schema": "chatkeep.search/1", "total": total, "returned": returned, "index_complete": complete });
        context.output.print(&format!("{last}\n"));
    } else {
        for shown in &page {
            context.output.print(&line(shown));
        }
        if !args.no_mark && std::io::stdout().is_terminal() {
            mark_read(context, &archive, &chat.id, &page);
        }
    }
    Ok(Outcome::printed())
}

/// Notes that somebody has read these. What hinders it is no reason to show less: the next time notes it again.
fn mark_read(context: &Context, archive: &Archive, chat: &ChatId, page: &[Shown]) {
    let Some(time) = page.iter().map(|shown| shown.message.time).max() else { return };
    // A message of a wrong clock must not make all that is yet to come read. Times may be local ones.
    let time = time.min(context.now_ms().saturating_add(DAY_MS));
    let known = archive.read_to(chat).ok().flatten();
    if known.is_some_and(|known| known >= time) {
        return;
    }
    if let Ok(mut writing) = context.writing_soon("show")
        && let Err(error) = writing.archive.mark_read(chat, time)
    {
        tracing::warn!(%error, "a read mark was not kept");
    }
}

pub fn line(shown: &Shown) -> String {
    let m = &shown.message;
    format!("{}  {}  {}   {}\n", messages::moment(m), messages::sender(m), messages::text(m), m.id.short())
}

/// The message that an id or the beginning of one means.
pub fn message(archive: &Archive, given: &str) -> Result<Shown> {
    let none = || Problem::not_found(format!("no message has an id that starts with \"{}\"", clean(given)));
    let hex = given.len() >= PREFIX_MIN && given.len() <= 64 && given.bytes().all(|b| b.is_ascii_hexdigit());
    let mut found = if hex { archive.messages_by_prefix(given, CANDIDATES_MAX)? } else { Vec::new() };
    match found.len() {
        0 => Err(none().hint("`chatkeep search` and `chatkeep show` tell ids")),
        1 => Ok(found.remove(0)),
        _ => {
            let candidates = found.iter().map(|s| s.message.id.hex()).collect();
            Err(Error::Ambiguous { given: given.to_owned(), what: "messages", candidates }.into())
        }
    }
}
