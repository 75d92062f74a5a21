//! Plain text to read: one file per chat.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::media::Media;
use super::order::{Ordered, in_order};
use super::{Contents, Item, Totals, WriteError};
use crate::event::{Kind, Party, Presence};
use crate::merge::Message;
use crate::sources::jsonl::{Word, id_of};
use crate::sources::time::format_iso;

/// The longest file name made of a chat's title.
const NAME_BYTES_MAX: usize = 120;

pub fn write(
    messages: impl IntoIterator<Item = Item>,
    contents: Option<&dyn Contents>,
    out: &Path,
) -> Result<Totals, WriteError> {
    let mut media = Media::new(contents, out);
    let mut totals = Totals::default();
    let mut names = HashSet::new();
    let mut file: Option<BufWriter<File>> = None;
    in_order(messages, |ordered| {
        if ordered.opens_chat {
            close(file.take())?;
            totals.chats += 1;
            let title = ordered.title.as_deref().unwrap_or(&ordered.message.chat.conversation);
            let name = file_name(title, &mut names);
            let mut opened = BufWriter::new(File::create_new(out.join(name))?);
            let head = format!("{}\n\n", clean_line(title));
            totals.bytes += head.len() as u64;
            opened.write_all(head.as_bytes())?;
            file = Some(opened);
        }
        totals.messages += 1;
        let text = entry(&ordered, &mut media, &mut totals)?;
        totals.bytes += text.len() as u64;
        if let Some(file) = &mut file {
            file.write_all(text.as_bytes())?;
        }
        Ok(())
    })?;
    close(file)?;
    Ok(totals)
}

fn close(file: Option<BufWriter<File>>) -> Result<(), WriteError> {
    match file {
        Some(mut file) => Ok(file.flush()?),
        None => Ok(()),
    }
}

/// One message: a first line with time and sender, further lines indented.
fn entry(ordered: &Ordered, media: &mut Media<'_>, totals: &mut Totals) -> Result<String, WriteError> {
    let m = &ordered.message;
    let mut lines: Vec<String> = Vec::new();
    if let Some(from) = &m.forwarded_from {
        lines.push(format!("[forwarded from {}]", clean_line(from)));
    }
    if let Some(native) = m.reply.as_ref().and_then(|r| r.native.as_deref()) {
        lines.push(format!("[in reply to {}]", clean_line(&id_of(&m.chat.source, native))));
    }
    lines.extend(m.text.iter().flat_map(|t| t.lines().map(clean_line).collect::<Vec<_>>()));
    for attachment in &m.attachments {
        let written = media.write(&ordered.id, attachment, totals)?;
        let name = attachment.name.as_deref().or(attachment.source_ref.as_deref()).unwrap_or("unnamed");
        let kind = attachment.role.word().unwrap_or("file");
        let place = match written {
            Some((path, _)) => format!(", {path}"),
            None if attachment.presence == Presence::Present => String::new(),
            None => format!(", {}", attachment.presence.word().unwrap_or("missing")),
        };
        lines.push(format!("[{kind}: {}{place}]", clean_line(name)));
    }
    lines.extend(marks(m));
    let who = match (m.sender.as_ref().and_then(name_of), m.kind) {
        (Some(name), Kind::MESSAGE | Kind::POLL) => format!("{}: ", clean_line(name)),
        (Some(name), _) => format!("* {} ", clean_line(name)),
        (None, Kind::MESSAGE | Kind::POLL) => String::new(),
        (None, _) => "* ".to_owned(),
    };
    Ok(format!("{}  {who}{}\n", time(m), lines.join("\n    ")))
}

fn marks(m: &Message) -> Vec<String> {
    let mut marks = Vec::new();
    if let Some(action) = &m.action {
        marks.push(format!("[{}]", clean_line(action)));
    }
    if m.deleted_in_source {
        marks.push("[deleted in the app]".to_owned());
    }
    if m.edited {
        marks.push("[edited]".to_owned());
    }
    if !m.reactions.is_empty() {
        let mut reactions: Vec<_> = m.reactions.iter().collect();
        reactions.sort();
        let each = reactions.iter().map(|r| clean_line(&format!("{} {}", r.emoji, r.by)));
        marks.push(format!("[reactions: {}]", each.collect::<Vec<_>>().join(", ")));
    }
    marks
}

fn name_of(party: &Party) -> Option<&str> {
    party.name.as_deref().or(party.native_id.as_deref())
}

/// The moment, to the second; `Z` marks UTC, all others are local times as the source wrote them.
fn time(m: &Message) -> String {
    let is_utc = m.sent_at.as_ref().is_some_and(|s| s.utc_ms.is_some());
    let iso = format_iso(m.time, false);
    let to_second = iso.split('.').next().unwrap_or(&iso).replace('T', " ");
    if is_utc { format!("{to_second}Z") } else { to_second }
}

/// One line without characters that a terminal or editor would act on.
fn clean_line(text: &str) -> String {
    let steers = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    text.chars()
        .filter_map(|c| match c {
            '\t' | '\n' => Some(' '),
            c if c.is_control() || steers(c) => None,
            c => Some(c),
        })
        .collect()
}

/// A file name no system stumbles over, different for each chat also where case is not told apart.
fn file_name(title: &str, taken: &mut HashSet<String>) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '(' | ')') { c } else { '_' };
    let mut stem: String = clean_line(title).chars().map(plain).collect();
    while stem.len() > NAME_BYTES_MAX {
        stem.pop();
    }
    let stem = stem.trim();
    let stem = if stem.is_empty() { "chat" } else { stem };
    // A prefix keeps names apart from those some systems reserve, such as CON.
    let mut name = format!("chat {stem}.txt");
    let mut number = 1;
    while !taken.insert(name.to_lowercase()) {
        number += 1;
        name = format!("chat {stem} ({number}).txt");
    }
    name
}
