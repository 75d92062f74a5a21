//! Messages as `show` and `search` tell them.

use chrono::{DateTime, Local};
use client::archive::Shown;
use client::event::{Attachment, Kind, Presence, Role, Stamp};
use client::merge::Message;
use client::sources::jsonl::Word as _;
use serde_json::{Value, json};

use crate::terminal::{clean, rfc3339};

/// One message for programs. What a text holds is carried as it is, escaped by JSON alone.
pub fn to_json(shown: &Shown, matches: &[(usize, usize)]) -> Value {
    let m = &shown.message;
    let sender = m.sender.as_ref().map(|s| json!({ "id": s.native_id, "name": s.name }));
    let attachments = m.attachments.iter().zip(&shown.present).map(|(a, present)| {
        json!({ "name": a.name, "mime": a.mime, "bytes": a.size, "present": present, "state": a.presence.word() })
    });
    json!({
        "schema": "chatkeep.message/1",
        "id": m.id.hex(),
        "chat": { "id": shown.chat.hex(), "name": chat_name(shown) },
        "sender": sender,
        "at": rfc3339(m.sent_at.as_ref().and_then(|s| s.utc_ms).unwrap_or(m.time)),
        "local_time": m.sent_at.as_ref().and_then(|s| s.local_text.clone()),
        "tz_source": m.sent_at.as_ref().and_then(|s| s.zone.word()),
        "kind": m.kind.word().unwrap_or("message"),
        "text": m.text,
        "edited": m.edited,
        "deleted": m.deleted_in_source,
        "attachments": attachments.collect::<Vec<_>>(),
        "reactions": m.reactions.iter().map(|r| json!({ "by": r.by, "emoji": r.emoji })).collect::<Vec<_>>(),
        "match": matches.iter().map(|(from, to)| json!([from, to])).collect::<Vec<_>>(),
    })
}

pub fn chat_name(shown: &Shown) -> &str {
    shown.chat_title.as_deref().filter(|t| !t.is_empty()).unwrap_or(&shown.message.chat.conversation)
}

/// When a message was sent: in this machine's zone where its source knows the instant, else as the source wrote it.
pub fn moment(message: &Message) -> String {
    let known = message.sent_at.as_ref().and_then(|s: &Stamp| s.utc_ms);
    let format = "%Y-%m-%d %H:%M";
    match known {
        Some(ms) => DateTime::from_timestamp_millis(ms).map(|t| t.with_timezone(&Local).format(format).to_string()),
        None => DateTime::from_timestamp_millis(message.time).map(|t| t.format(format).to_string()),
    }
    .unwrap_or_else(|| "?".to_owned())
}

/// The day of a row's time.
pub fn day(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(|| "?".to_owned(), |t| t.format("%Y-%m-%d").to_string())
}

/// Who wrote it; nobody for system lines.
pub fn sender(message: &Message) -> String {
    let party = message.sender.as_ref();
    let name = party.and_then(|p| p.name.as_deref().or(p.native_id.as_deref()));
    clean(name.unwrap_or(if message.kind == Kind::SYSTEM { "·" } else { "?" }))
}

/// The text with what is attached, on one line, made harmless.
pub fn text(message: &Message) -> String {
    let mut parts = Vec::new();
    parts.extend(message.text.as_deref().filter(|t| !t.is_empty()).map(clean));
    parts.extend(message.attachments.iter().map(attached));
    parts.extend((message.text.is_none() && parts.is_empty()).then(|| message.action.as_deref().map(clean)).flatten());
    if message.deleted_in_source {
        parts.push("(deleted in the app)".to_owned());
    } else if message.edited {
        parts.push("(edited)".to_owned());
    }
    parts.join(" ")
}

fn attached(attachment: &Attachment) -> String {
    let what = match attachment.role {
        Role::Photo => "photo",
        Role::Video => "video",
        Role::Voice => "voice",
        Role::Sticker => "sticker",
        Role::Contact => "contact",
        Role::Location => "place",
        Role::Gif => "gif",
        Role::File => "file",
    };
    let deleted = if attachment.presence == Presence::Deleted { ", deleted" } else { "" };
    match attachment.name.as_deref() {
        Some(name) => format!("[{what} {}{deleted}]", clean(name)),
        None => format!("[{what}{deleted}]"),
    }
}

/// The part of a text around the first match, made harmless.
pub fn around(message: &Message, matches: &[(usize, usize)]) -> String {
    const BEFORE: usize = 30;
    const WHOLE: usize = 100;
    let text = message.text.as_deref().unwrap_or_default();
    let length = text.chars().count();
    let Some((first, _)) = matches.first().filter(|_| length > WHOLE) else {
        return if length <= WHOLE { self::text(message) } else { format!("{}…", cut(text, 0, WHOLE)) };
    };
    let from = first.saturating_sub(BEFORE);
    let lead = if from > 0 { "…" } else { "" };
    let tail = if from + WHOLE < length { "…" } else { "" };
    format!("{lead}{}{tail}", cut(text, from, WHOLE))
}

fn cut(text: &str, from: usize, length: usize) -> String {
    clean(&text.chars().skip(from).take(length).collect::<String>())
}
