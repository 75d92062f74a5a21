//! `chats`: what is here. Works offline. And the chat that a name or the beginning of an id means.

use client::archive::{Archive, ChatSummary};
use client::error::Error;
use serde_json::json;

use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result};
use crate::terminal::{clean, count, counted, rfc3339};

const PREFIX_MIN: usize = 4;

pub fn run(context: &Context) -> Result<Outcome> {
    let archive = context.archive()?;
    let mut chats = Vec::new();
    for chat in archive.chats()? {
        let unread = archive.unread(&chat.id)?;
        chats.push((chat, unread));
    }
    let mut text = String::new();
    for (chat, unread) in &chats {
        let last = chat.last.map(super::messages::day).unwrap_or_default();
        let name = clean(name(chat));
        text += &format!(
            "{}  {last:<10}  {name}  {} ({}){}\n",
            chat.id.short(),
            counted(chat.messages, "message"),
            chat.chat.source,
            unread.filter(|n| *n > 0).map(|n| format!("  {} unread", count(n))).unwrap_or_default()
        );
    }
    if chats.is_empty() {
        text += "No chats yet. Next: chatkeep import PATH-TO-EXPORT\n";
    }
    let list = chats.iter().map(|(c, unread)| {
        json!({
            "id": c.id.hex(),
            "name": name(c),
            "app": c.chat.source,
            "shape": c.shape,
            "messages": c.messages,
            "unread": unread,
            "first_at": c.first.and_then(rfc3339),
            "last_at": c.last.and_then(rfc3339),
        })
    });
    Ok(Outcome::new(json!({ "schema": "chatkeep.chats/1", "chats": list.collect::<Vec<_>>() }), text))
}

/// What a chat is called; its key where it has no name.
pub fn name(chat: &ChatSummary) -> &str {
    chat.title.as_deref().filter(|t| !t.is_empty()).unwrap_or(&chat.chat.conversation)
}

/// The chat that a name, a part of one, an id or the beginning of one means.
pub fn find(archive: &Archive, given: &str) -> Result<ChatSummary> {
    let all = archive.chats()?;
    let lower = given.to_lowercase();
    let fits: [&dyn Fn(&ChatSummary) -> bool; 4] = [
        &|c| name(c) == given,
        &|c| name(c).to_lowercase() == lower,
        &|c| lower.len() >= PREFIX_MIN && c.id.hex().starts_with(&lower),
        &|c| !lower.is_empty() && name(c).to_lowercase().contains(&lower),
    ];
    // A closer fit is meant, where there is one.
    let found = fits.iter().map(|fit| all.iter().filter(|c| fit(c)).collect::<Vec<_>>()).find(|list| !list.is_empty());
    match found.unwrap_or_default().as_slice() {
        [] => {
            Err(Problem::not_found(format!("no chat is called \"{}\", or has an id that starts with it", clean(given)))
                .hint("`chatkeep chats` lists them"))
        }
        [one] => Ok((*one).clone()),
        several => {
            let candidates = several.iter().map(|c| format!("{} ({})", clean(name(c)), c.id.short())).collect();
            Err(Error::Ambiguous { given: given.to_owned(), what: "chats", candidates }.into())
        }
    }
}
