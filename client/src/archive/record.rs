//! A folded message as the `messages` table keeps it: some columns, and the rest in one field map.

use proto::wire::bytes::{Reader, Writer};

use super::error::Result;
use crate::event::{Chat, Fields, Kind, Role, Row, tag};
use crate::ids::EventId;
use crate::merge::{Message, Reaction, Version};

/// Flags of a stored message. Numbers are stored.
pub(super) mod flag {
    pub const LINK: i64 = 1;
    pub const MEDIA: i64 = 2;
    pub const FILE: i64 = 4;
    pub const EDITED: i64 = 8;
    pub const DELETED_IN_SOURCE: i64 = 16;
}

/// Fields of the rest beside those a row has; above every tag of a row.
mod own {
    pub const NATIVE: u16 = 50_000;
    pub const VIA_BOT: u16 = 50_001;
    pub const REACTIONS: u16 = 50_002;
    pub const VERSIONS: u16 = 50_003;
}

/// Reactions and versions of one message above this are not stored.
const LIST_MAX: usize = 100_000;
const TEXT_MAX: usize = 64 << 20;

/// What stands in columns of its own.
pub(super) struct Columns {
    pub id: EventId,
    pub time: i64,
    pub place: i64,
    pub kind: Kind,
    pub flags: i64,
    pub text: Option<String>,
}

pub(super) fn flags(message: &Message) -> i64 {
    let mut flags = 0;
    let text = message.text.as_deref().unwrap_or_default();
    let linked = message.ranges.iter().any(|r| r.style == "link" || r.style == "text_link");
    if linked || text.contains("://") || text.contains("www.") {
        flags |= flag::LINK;
    }
    for attachment in &message.attachments {
        flags |= match attachment.role {
            Role::Photo | Role::Video | Role::Voice | Role::Sticker | Role::Gif => flag::MEDIA,
            Role::File => flag::FILE,
            Role::Contact | Role::Location => 0,
        };
    }
    if message.edited {
        flags |= flag::EDITED;
    }
    if message.deleted_in_source {
        flags |= flag::DELETED_IN_SOURCE;
    }
    flags
}

/// Encodes all that has no column.
pub(super) fn encode_rest(message: &Message) -> Vec<u8> {
    // Every field by name: a new one must find its place here or above.
    let Message {
        id,
        row_ids,
        chat: _,
        kind: _,
        time: _,
        place: _,
        native,
        sender,
        sent_at,
        text: _,
        ranges,
        reply,
        forwarded_from,
        via_bot,
        attachments,
        reactions,
        versions,
        edited_at,
        edited: _,
        expires_at,
        deleted_in_source: _,
        action,
        extra,
    } = message;
    let mut row = Row::new(Kind::MESSAGE, 0, "");
    if let Some(sender) = sender {
        row.set_sender(sender);
    }
    if let Some(sent_at) = sent_at {
        row.set_sent_at(sent_at);
    }
    if let Some(reply) = reply {
        row.set_reply(reply);
    }
    row.set_ranges(ranges);
    row.set_attachments(attachments);
    let others: Vec<u8> = row_ids.iter().filter(|r| *r != id).flat_map(|r| r.0).collect();
    let fields = &mut row.fields;
    fields.set_some(tag::ROW_IDS, Some(others));
    fields.set_some(tag::FORWARDED_FROM, forwarded_from.as_deref());
    fields.set_some(tag::ACTION, action.as_deref());
    fields.set_some(tag::EXTRA, extra.as_deref());
    fields.set_some(own::NATIVE, Some(native.as_str()));
    fields.set_some(own::VIA_BOT, via_bot.as_deref());
    if let Some(at) = edited_at {
        fields.set_number(tag::EDITED_AT, *at);
    }
    if let Some(at) = expires_at {
        fields.set_number(tag::EXPIRES_AT, *at);
    }
    if !reactions.is_empty() {
        let mut w = Writer::new();
        for Reaction { by, by_id, emoji } in reactions.iter().take(LIST_MAX) {
            w.prefixed(by.as_bytes()).prefixed(emoji.as_bytes());
            optional(&mut w, by_id.as_deref());
        }
        fields.set(own::REACTIONS, w.finish());
    }
    if !versions.is_empty() {
        let mut w = Writer::new();
        for Version { at, text } in versions.iter().take(LIST_MAX) {
            w.u8(u8::from(at.is_some())).svarint(at.unwrap_or(0)).prefixed(text.as_bytes());
        }
        fields.set(own::VERSIONS, w.finish());
    }
    fields.to_bytes()
}

fn optional(w: &mut Writer, text: Option<&str>) {
    w.u8(u8::from(text.is_some())).prefixed(text.unwrap_or_default().as_bytes());
}

/// Puts a message together again.
pub(super) fn decode(chat: &Chat, columns: Columns, rest: &[u8]) -> Result<Message> {
    let Columns { id, time, place, kind, flags, text } = columns;
    let row = Row { fields: Fields::from_bytes(rest)?, ..Row::new(kind, time, "") };
    let owned = |tag| row.fields.text(tag).map(str::to_owned);
    let more = row.fields.get(tag::ROW_IDS).unwrap_or_default().chunks_exact(EventId::LEN);
    let mut row_ids = vec![id];
    row_ids.extend(more.filter_map(EventId::from_slice));
    row_ids.sort_unstable();
    Ok(Message {
        id,
        row_ids,
        chat: chat.clone(),
        kind,
        time,
        place,
        native: owned(own::NATIVE).unwrap_or_default(),
        sender: row.sender(),
        sent_at: row.sent_at(),
        text,
        ranges: row.ranges(),
        reply: row.reply(),
        forwarded_from: owned(tag::FORWARDED_FROM),
        via_bot: owned(own::VIA_BOT),
        attachments: row.attachments(),
        reactions: reactions(row.fields.get(own::REACTIONS).unwrap_or_default())?,
        versions: versions(row.fields.get(own::VERSIONS).unwrap_or_default())?,
        edited_at: row.fields.number(tag::EDITED_AT),
        edited: flags & flag::EDITED != 0,
        expires_at: row.fields.number(tag::EXPIRES_AT),
        deleted_in_source: flags & flag::DELETED_IN_SOURCE != 0,
        action: owned(tag::ACTION),
        extra: owned(tag::EXTRA),
    })
}

fn reactions(bytes: &[u8]) -> Result<Vec<Reaction>> {
    let mut r = Reader::new(bytes);
    let mut list = Vec::new();
    while !r.is_empty() {
        let (by, emoji) = (r.text(TEXT_MAX)?.to_owned(), r.text(TEXT_MAX)?.to_owned());
        let has_id = r.u8()? == 1;
        let by_id = Some(r.text(TEXT_MAX)?.to_owned()).filter(|_| has_id);
        list.push(Reaction { by, by_id, emoji });
    }
    Ok(list)
}

fn versions(bytes: &[u8]) -> Result<Vec<Version>> {
    let mut r = Reader::new(bytes);
    let mut list = Vec::new();
    while !r.is_empty() {
        let (has_time, at) = (r.u8()? == 1, r.svarint()?);
        list.push(Version { at: has_time.then_some(at), text: r.text(TEXT_MAX)?.to_owned() });
    }
    Ok(list)
}

/// The first eight bytes of an id as a number in the same order: what ids are looked up by.
pub(super) fn prefix(id: &EventId) -> i64 {
    let head: [u8; 8] = std::array::from_fn(|i| id.0[i]);
    // Flipping the top bit turns unsigned order into signed order.
    (u64::from_be_bytes(head) ^ (1 << 63)).cast_signed()
}

/// Tells two stored messages apart without comparing them field by field.
pub(super) fn mark(message: &Message, flags: i64, rest: &[u8]) -> i64 {
    let mut hasher = blake3::Hasher::new();
    for number in [message.time, message.place, i64::from(message.kind.0), flags] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(&[u8::from(message.text.is_some())]);
    hasher.update(message.text.as_deref().unwrap_or_default().as_bytes());
    hasher.update(&[0xff]);
    hasher.update(rest);
    let hash = hasher.finalize();
    let head: [u8; 8] = std::array::from_fn(|i| hash.as_bytes()[i]);
    i64::from_le_bytes(head)
}
