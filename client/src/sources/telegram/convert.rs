//! One message as the export has it, to rows.

use super::super::export::Taker;
use super::super::json::{Json, Map, canonical_map};
use super::super::natives::{self, Derived};
use super::super::time::{from_seconds, parse_iso};
use super::super::{ImportError, Sink};
use super::{media, text};
use crate::event::{Attachment, Kind, Party, Precision, Reply, Row, Stamp, tag};

/// A converted message.
pub struct Converted {
    pub row: Row,
    /// Reactions of people the export names; each is about the message.
    pub reactions: Vec<Row>,
    pub is_service: bool,
    pub is_reply: bool,
    pub is_edited: bool,
    pub attachments: Vec<Attachment>,
}

/// Converts a message. Whatever has no field of its own stays in `extra`.
pub fn convert(
    mut message: Map,
    folder: &str,
    derived: &mut Derived,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
) -> Result<Converted, ImportError> {
    let native = native(&message, derived);
    message.remove("id");
    let (time, stamp) = sent_at(&mut message);
    let is_service = message.get("type").and_then(Json::text) == Some("service");
    if matches!(message.get("type").and_then(Json::text), Some("service" | "message")) {
        message.remove("type");
    }
    let mut row = Row::new(Kind::MESSAGE, time, native);
    row.kind = kind(is_service, &message);
    if let Some(stamp) = stamp {
        row.set_sent_at(&stamp);
    }
    let (id, name) = if is_service { ("actor_id", "actor") } else { ("from_id", "from") };
    if let Some(sender) = party(&mut message, id, name) {
        row.set_sender(&sender);
    }
    body(&mut message, &mut row);
    let edited = time_of(&mut message, "edited_unixtime", "edited").map(|(ms, _)| ms);
    if let Some(ms) = edited {
        row.fields.set_number(tag::EDITED_AT, ms);
    }
    let is_reply = reply(&mut message, &mut row);
    for (name, tag) in [("forwarded_from", tag::FORWARDED_FROM), ("via_bot", tag::VIA_BOT), ("action", tag::ACTION)] {
        // An empty text would not be kept in the field, so it stays with the rest.
        if let Some(text) = message.get(name).and_then(Json::text).filter(|t| !t.is_empty()) {
            row.fields.set(tag, text);
            message.remove(name);
        }
    }
    let attachments = media::attachments(&mut message, folder, taker, sink)?;
    row.set_attachments(&attachments);
    let reactions = reactions(&message, &row);
    if !message.is_empty() {
        row.fields.set(tag::EXTRA, canonical_map(&message));
    }
    Ok(Converted { row, reactions, is_service, is_reply, is_edited: edited.is_some(), attachments })
}

fn native(message: &Map, derived: &mut Derived) -> String {
    let own = message.get("id").and_then(Json::text_or_number);
    if let Some(own) = own.filter(|id| !id.is_empty() && id.len() <= Row::NATIVE_BYTES_MAX) {
        return own.to_owned();
    }
    // What an edit, a reaction or another choice of media would change stays out of the key.
    const STABLE: [&str; 9] =
        ["type", "date", "date_unixtime", "from", "from_id", "actor", "actor_id", "action", "text"];
    let stable: Map = STABLE.iter().filter_map(|k| Some(((*k).to_owned(), message.get(*k)?.clone()))).collect();
    derived.next(&canonical_map(&stable))
}

fn kind(is_service: bool, message: &Map) -> Kind {
    let action = message.get("action").and_then(Json::text);
    match action.filter(|_| is_service) {
        Some("phone_call" | "group_call" | "conference_call") => Kind::CALL,
        Some("pin_message") => Kind::PIN,
        _ if is_service => Kind::SYSTEM,
        _ if message.contains_key("poll") => Kind::POLL,
        _ => Kind::MESSAGE,
    }
}

/// Takes the time of sending. The local text beside a known instant is dropped: it only says where the export was made,
/// and would make two exports of one message differ.
fn sent_at(message: &mut Map) -> (i64, Option<Stamp>) {
    match time_of(message, "date_unixtime", "date") {
        Some((ms, stamp)) => (ms, Some(stamp)),
        None => (0, None),
    }
}

/// Takes a time from its pair of fields: seconds where there are, else the text.
fn time_of(message: &mut Map, unix: &str, text: &str) -> Option<(i64, Stamp)> {
    if let Some(ms) = message.get(unix).and_then(Json::integer).and_then(from_seconds) {
        message.remove(unix);
        message.remove(text);
        return Some((ms, Stamp::utc(ms, Precision::Second)));
    }
    let written = message.get(text)?.text()?;
    let parsed = parse_iso(written)?;
    let stamp = parsed.stamp(written);
    message.remove(text);
    Some((parsed.ms, stamp))
}

fn party(message: &mut Map, id: &str, name: &str) -> Option<Party> {
    let text = |key: &str| message.get(key).and_then(Json::text_or_number).filter(|t| !t.is_empty()).map(str::to_owned);
    let party = Party { native_id: text(id), name: text(name), ..Party::default() };
    for (key, value) in [(id, &party.native_id), (name, &party.name)] {
        // A null is a deleted account and says no more than the absence does.
        if value.is_some() || message.get(key) == Some(&Json::Null) {
            message.remove(key);
        }
    }
    (party.native_id.is_some() || party.name.is_some()).then_some(party)
}

fn body(message: &mut Map, row: &mut Row) {
    let plain = message.get("text").and_then(text::styled);
    let entities = message.get("text_entities").and_then(text::styled);
    let (mut shown, agree) = match (plain, entities) {
        (Some(plain), Some(entities)) if plain.text == entities.text => (entities, true),
        (Some(plain), None) => (plain, !message.contains_key("text_entities")),
        (None, Some(entities)) => (entities, !message.contains_key("text")),
        (Some(plain), Some(_)) => (plain, false),
        (None, None) => return,
    };
    if shown.cut || !agree {
        // One of the two says something the row does not: both stay.
    } else {
        message.remove("text");
        message.remove("text_entities");
    }
    if shown.text.is_empty() && row.kind == Kind::POLL {
        shown.text = message.get("poll").map(poll_text).unwrap_or_default();
    }
    row.fields.set_some(tag::BODY, Some(shown.text));
    row.set_ranges(&shown.ranges);
}

/// Question and answers, without the votes: those change from export to export.
fn poll_text(poll: &Json) -> String {
    let text = |value: Option<&Json>| value.and_then(text::styled).map(|s| s.text).unwrap_or_default();
    let Some(poll) = poll.map() else { return String::new() };
    let mut out = text(poll.get("question"));
    for answer in poll.get("answers").and_then(Json::list).unwrap_or_default() {
        out.push_str("\n- ");
        out.push_str(&text(answer.map().and_then(|a| a.get("text"))));
    }
    out
}

/// Takes what the message answers; a pin's message counts as a target, not as a reply.
fn reply(message: &mut Map, row: &mut Row) -> bool {
    let key = if row.kind == Kind::PIN { "message_id" } else { "reply_to_message_id" };
    let Some(native) = message.get(key).and_then(Json::text_or_number).filter(|t| !t.is_empty()) else { return false };
    let mut reply = Reply { native: Some(native.to_owned()), ..Reply::default() };
    message.remove(key);
    if let Some(peer) = message.get("reply_to_peer_id").and_then(Json::text_or_number).filter(|t| !t.is_empty()) {
        reply.conversation = Some(peer.to_owned());
        message.remove("reply_to_peer_id");
    }
    row.set_reply(&reply);
    row.kind != Kind::PIN
}

/// Rows for the people an export names. Counts, dates and people left out stay in the message's extra.
fn reactions(message: &Map, row: &Row) -> Vec<Row> {
    let mut rows = Vec::new();
    for reaction in message.get("reactions").and_then(Json::list).unwrap_or_default().iter().filter_map(Json::map) {
        let text = |key: &str| reaction.get(key).and_then(Json::text).filter(|t| !t.is_empty());
        let Some(emoji) = text("emoji").or(text("document_id")).or(text("type")) else { continue };
        for person in reaction.get("recent").and_then(Json::list).unwrap_or_default().iter().filter_map(Json::map) {
            let Some(by) = party(&mut person.clone(), "from_id", "from") else { continue };
            let mut one = Row::new(Kind::REACTION_ADD, row.time, natives::reaction(&row.native, &by, emoji));
            one.set_sender(&by);
            one.fields.set(tag::EMOJI, emoji);
            rows.push(one);
        }
    }
    rows
}
