//! One line to rows.

use super::SOURCE;
use super::line::{Word, has_ids};
use super::lines::Object;
use crate::event::{
    Attachment, Chat, Fields, Kind, Party, Precision, Presence, Range, Reply, Role, Row, Stamp, ZoneSource, tag,
};
use crate::sources::export::{Taken, Taker, checked_name};
use crate::sources::json::{Json, Map, canonical_map};
use crate::sources::time::{Parsed, parse_any};
use crate::sources::{ChatInfo, ImportError, Sink, natives};

/// What a line came to.
pub struct Read {
    pub chat: Chat,
    pub info: ChatInfo,
    pub row: Row,
    /// Rows about the message: reactions, earlier texts, a deletion.
    pub about: Vec<Row>,
    /// What of the line could not be taken as it stood.
    pub problems: Vec<String>,
    pub is_system: bool,
    pub edited: bool,
    pub deleted: bool,
    pub reactions: u64,
}

/// Converts a line; the inner error says why it is left out.
pub fn convert(
    object: Object,
    folder: &str,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
) -> Result<Result<Read, String>, ImportError> {
    let mut read = match head(object) {
        Ok(read) => read,
        Err(reason) => return Ok(Err(reason)),
    };
    let attachments = attachments(&mut read, folder, taker, sink)?;
    read.read.row.set_attachments(&attachments);
    let Reading { mut read, map, is_ours } = read;
    extra(&mut read.row, map, is_ours);
    Ok(Ok(read))
}

/// A line on its way: what is taken from the map is read, what stays in it is extra.
struct Reading {
    read: Read,
    map: Map,
    /// The line states its source and native key, as our exports do.
    is_ours: bool,
}

fn head(object: Object) -> Result<Reading, String> {
    let Object { mut map, raw, .. } = object;
    let id = required(&mut map, "id")?;
    let conversation = required(&mut map, "chat")?;
    let ts = required(&mut map, "ts")?;
    let time = parse_any(&ts).ok_or("\"ts\" is not a time")?;
    let is_ours = ["source", "native"].iter().all(|k| map.get(*k).and_then(Json::text).is_some());
    let (source, native) = match is_ours {
        true => (take_text(&mut map, "source").unwrap_or_default(), take_text(&mut map, "native").unwrap_or_default()),
        false => (take_text(&mut map, "source").unwrap_or_else(|| SOURCE.to_owned()), id),
    };
    let chat = Chat { source, conversation };
    // The vault's own rows are not for exports to write.
    if chat == Chat::vault() || chat.source == Chat::vault().source || chat.source.is_empty() {
        return Err("\"source\" is not one a message can have".into());
    }
    if chat.source.len() > Chat::SOURCE_BYTES_MAX
        || chat.conversation.len() > Chat::CONVERSATION_BYTES_MAX
        || native.len() > Row::NATIVE_BYTES_MAX
    {
        return Err("\"source\", \"chat\" or \"native\" is too long".into());
    }
    let kind = match take_text(&mut map, "kind") {
        Some(word) => Kind::from_word(&word).ok_or("\"kind\" is not one we know")?,
        None => default_kind(&map),
    };
    let mut row = Row::new(kind, time.ms, native);
    if let Some(stamp) = stamp(&mut map, &time, &ts, is_ours) {
        row.set_sent_at(&stamp);
    }
    if let Some(sender) = sender(&mut map) {
        row.set_sender(&sender);
    }
    row.fields.set_some(tag::RAW, raw);
    for (key, tag) in
        [("text", tag::BODY), ("forwarded", tag::FORWARDED_FROM), ("via_bot", tag::VIA_BOT), ("action", tag::ACTION)]
    {
        row.fields.set_some(tag, take_text(&mut map, key));
    }
    if let Some(place) = map.get("place").and_then(Json::integer) {
        row.fields.set_number(tag::PLACE, place);
        map.remove("place");
    }
    if !has_ids(&chat.source) {
        from_key(&mut row);
    }
    ranges(&mut map, &mut row);
    reply(&mut map, &mut row);
    let info = ChatInfo { title: take_text(&mut map, "chat_name").filter(|t| !t.is_empty()), shape: None };
    let is_system = matches!(kind, Kind::SYSTEM | Kind::PIN | Kind::CALL);
    let mut read = Read {
        chat,
        info,
        row,
        about: Vec::new(),
        problems: Vec::new(),
        is_system,
        edited: false,
        deleted: false,
        reactions: 0,
    };
    changes(&mut map, &mut read);
    Ok(Reading { read, map, is_ours })
}

/// Restores what the merge of formats without ids keeps beside the key (`strand/unit/sender/class/k/body`).
fn from_key(row: &mut Row) {
    let mut parts = row.native.split('/');
    let strand = parts.next().and_then(|s| s.parse().ok());
    let class = parts.nth(2).filter(|c| matches!(*c, "P" | "E" | "D" | "O")).map(str::to_owned);
    if let Some((strand, class)) = strand.zip(class) {
        row.fields.set_number(tag::STRAND, strand).set(tag::CLASS, class);
    }
}

fn required(map: &mut Map, key: &str) -> Result<String, String> {
    let text = map.get(key).and_then(Json::text_or_number).filter(|t| !t.is_empty());
    let text = text.ok_or_else(|| format!("has no {key:?}"))?.to_owned();
    map.remove(key);
    Ok(text)
}

/// Takes a text; another kind of value stays where it is.
fn take_text(map: &mut Map, key: &str) -> Option<String> {
    match map.remove(key)? {
        Json::Text(text) => Some(text),
        Json::Null => None,
        other => {
            map.insert(key.to_owned(), other);
            None
        }
    }
}

fn take_bool(map: &mut Map, key: &str) -> Option<bool> {
    let value = map.get(key)?.bool()?;
    map.remove(key);
    Some(value)
}

/// A line with `sender: null` is a system line, unless it says otherwise.
fn default_kind(map: &Map) -> Kind {
    if map.get("sender").is_none_or(|s| *s == Json::Null) { Kind::SYSTEM } else { Kind::MESSAGE }
}

/// Our own lines say how their time is meant; one without that has none. Others mean what they write.
fn stamp(map: &mut Map, time: &Parsed, ts: &str, is_ours: bool) -> Option<Stamp> {
    let local_text = take_text(map, "local_time");
    let precision = take_text(map, "precision").and_then(|w| Precision::from_word(&w));
    let zone = take_text(map, "tz_source").and_then(|w| ZoneSource::from_word(&w));
    let offset_min = map.get("offset_min").and_then(Json::integer);
    let utc_ms = map.get("utc").and_then(Json::text).and_then(parse_any).map(|p| p.ms);
    for (key, taken) in [("offset_min", offset_min.is_some()), ("utc", utc_ms.is_some())] {
        if taken {
            map.remove(key);
        }
    }
    let Some(precision) = precision else {
        return (!is_ours).then(|| time.stamp(ts));
    };
    let default = if time.is_utc { ZoneSource::Explicit } else { ZoneSource::Unknown };
    Some(Stamp {
        utc_ms: utc_ms.or(time.is_utc.then_some(time.ms)),
        local_text,
        offset_min,
        zone: zone.unwrap_or(default),
        precision,
        rest: Fields::default(),
    })
}

/// The person: `sender` is an id where `sender_name` says something else, and a name where it does not.
fn sender(map: &mut Map) -> Option<Party> {
    let nobody = map.get("sender").is_none_or(|s| *s == Json::Null);
    let acts = nobody && map.get("actor").is_some_and(|a| a.text().is_some());
    let (id_key, name_key) = if acts { ("actor", "actor_name") } else { ("sender", "sender_name") };
    let id = map.get(id_key).and_then(Json::text_or_number).filter(|t| !t.is_empty()).map(str::to_owned);
    if id.is_some() || map.get(id_key) == Some(&Json::Null) {
        map.remove(id_key);
    }
    if map.get("sender") == Some(&Json::Null) {
        map.remove("sender");
    }
    let id = id?;
    let name = take_text(map, name_key).filter(|n| !n.is_empty());
    let own_id = take_text(map, "sender_id");
    let is_self = take_bool(map, "sender_self").unwrap_or(false);
    let mut party = Party { is_self, ..Party::default() };
    match name {
        Some(name) if name == id => (party.native_id, party.name) = (own_id, Some(name)),
        Some(name) => (party.native_id, party.name) = (Some(id), Some(name)),
        None if own_id.is_some() => party.native_id = own_id,
        None => party.name = Some(id),
    }
    Some(party)
}

fn ranges(map: &mut Map, row: &mut Row) {
    let Some(list) = map.get("ranges").and_then(Json::list) else { return };
    let number = |m: &Map, key: &str| m.get(key).and_then(Json::integer).and_then(|n| u32::try_from(n).ok());
    let read = |item: &Json| {
        let m = item.map()?;
        let value = match m.get("value") {
            None | Some(Json::Null) => None,
            Some(value) => Some(value.text()?.to_owned()),
        };
        let style = m.get("style")?.text()?.to_owned();
        Some(Range { start: number(m, "start")?, len: number(m, "len")?, style, value })
    };
    // All or none: a part that does not read keeps the whole in extra.
    let ranges: Option<Vec<Range>> = list.iter().map(read).collect();
    if let Some(ranges) = ranges.filter(|r| r.len() <= Range::COUNT_MAX) {
        row.set_ranges(&ranges);
        map.remove("ranges");
    }
}

fn reply(map: &mut Map, row: &mut Row) {
    let shown = map.get("reply_to").and_then(Json::text_or_number).filter(|t| !t.is_empty()).map(str::to_owned);
    if shown.is_some() {
        map.remove("reply_to");
    }
    let reply = Reply {
        native: take_text(map, "reply_native").or(shown),
        conversation: take_text(map, "reply_chat"),
        quoted_text: take_text(map, "reply_text"),
        rest: Fields::default(),
    };
    if reply != Reply::default() {
        row.set_reply(&reply);
    }
}

/// Edits, deletion, reactions and earlier texts.
fn changes(map: &mut Map, read: &mut Read) {
    let time_of = |value: Option<&Json>| value.and_then(Json::text).and_then(parse_any).map(|p| p.ms);
    let edited_at = time_of(map.get("edited_at"));
    if let Some(ms) = edited_at {
        read.row.fields.set_number(tag::EDITED_AT, ms);
        map.remove("edited_at");
    } else if map.get("edited_at") == Some(&Json::Null) {
        map.remove("edited_at");
    }
    if let Some(ms) = time_of(map.get("expires_at")) {
        read.row.fields.set_number(tag::EXPIRES_AT, ms);
        map.remove("expires_at");
    }
    read.edited = take_bool(map, "edited").unwrap_or(edited_at.is_some());
    read.deleted = take_bool(map, "deleted").unwrap_or(false);
    let (time, native) = (read.row.time, read.row.native.clone());
    if read.deleted {
        read.about.push(Row::new(Kind::SOURCE_DELETE, time, native.clone()));
    }
    let rows = all_of(map, "versions", |version| {
        let text = version.get("text")?.text()?;
        let mut row = Row::new(Kind::EDIT, time, natives::version(&native, text));
        row.fields.set(tag::BODY, text);
        if let Some(at) = time_of(version.get("at")) {
            row.fields.set_number(tag::EDITED_AT, at);
        }
        Some(row)
    });
    if edited_at.is_none() && !rows.is_empty() && has_ids(&read.chat.source) {
        // The line's own text is the latest, though nothing says since when: later than all it replaced.
        let latest = rows.iter().filter_map(|r| r.fields.number(tag::EDITED_AT)).fold(time, i64::max);
        read.row.fields.set_number(tag::AS_OF, latest.saturating_add(1));
    }
    read.about.extend(rows);
    let rows = all_of(map, "reactions", |reaction| {
        let emoji = reaction.get("emoji")?.text().filter(|e| !e.is_empty())?;
        let by = reaction.get("by")?.text().filter(|b| !b.is_empty())?;
        let by_id = reaction.get("by_id").and_then(Json::text).filter(|b| !b.is_empty());
        // A person without a name goes by the id alone.
        let name = (by_id != Some(by)).then(|| by.to_owned());
        let by = Party { name, native_id: by_id.map(str::to_owned), ..Party::default() };
        let mut row = Row::new(Kind::REACTION_ADD, time, natives::reaction(&native, &by, emoji));
        row.set_sender(&by);
        row.fields.set(tag::EMOJI, emoji);
        Some(row)
    });
    read.reactions = rows.len() as u64;
    read.about.extend(rows);
    if let Some(at) = read.row.fields.number(tag::EXPIRES_AT) {
        // What is said of a message goes with it.
        for row in &mut read.about {
            row.fields.set_number(tag::EXPIRES_AT, at);
        }
    }
}

/// Reads a list of objects. Items that do not read stay in the map.
fn all_of(map: &mut Map, key: &str, read: impl Fn(&Map) -> Option<Row>) -> Vec<Row> {
    let Some(Json::List(list)) = map.get(key) else { return Vec::new() };
    let (mut rows, mut left) = (Vec::new(), Vec::new());
    for item in list {
        match item.map().and_then(&read) {
            Some(row) => rows.push(row),
            None => left.push(item.clone()),
        }
    }
    put_back(map, key, left);
    rows
}

fn put_back(map: &mut Map, key: &str, left: Vec<Json>) {
    if left.is_empty() {
        map.remove(key);
    } else {
        map.insert(key.to_owned(), Json::List(left));
    }
}

fn attachments(
    reading: &mut Reading,
    folder: &str,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
) -> Result<Vec<Attachment>, ImportError> {
    let Some(Json::List(list)) = reading.map.get("attachments").cloned() else { return Ok(Vec::new()) };
    let (mut out, mut left) = (Vec::new(), Vec::new());
    for item in list {
        match item {
            Json::Map(map) if out.len() < Attachment::COUNT_MAX => {
                let (attachment, rest) = attachment(map, reading, folder, taker, sink)?;
                out.push(attachment);
                if !rest.is_empty() {
                    left.push(Json::Map(rest));
                }
            }
            other => left.push(other),
        }
    }
    put_back(&mut reading.map, "attachments", left);
    Ok(out)
}

fn attachment(
    mut map: Map,
    reading: &mut Reading,
    folder: &str,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
) -> Result<(Attachment, Map), ImportError> {
    let (name, mime) = (take_text(&mut map, "name"), take_text(&mut map, "mime"));
    let path = take_text(&mut map, "path");
    let state = take_text(&mut map, "state").and_then(|w| Presence::from_word(&w));
    let role =
        take_text(&mut map, "role").and_then(|w| Role::from_word(&w)).unwrap_or_else(|| role_of(mime.as_deref()));
    let mut it = Attachment::new(role, state.unwrap_or(Presence::Omitted));
    (it.name, it.mime) = (name, mime);
    it.size = map.get("size").and_then(Json::integer).and_then(|n| u64::try_from(n).ok());
    if it.size.is_some() {
        map.remove("size");
    }
    let stated = map.get("blake3").and_then(Json::text).and_then(hash);
    if stated.is_some() {
        map.remove("blake3");
    }
    it.hash = stated;
    it.source_ref = take_text(&mut map, "source_ref").or_else(|| path.clone().filter(|_| !reading.is_ours));
    let Some(path) = path else {
        // Stated as present, but its bytes are not here: a reference to what another import may bring.
        if it.presence == Presence::Present && it.hash.is_some() {
            it.presence = Presence::Missing;
        }
        return Ok((it, map));
    };
    it.presence = Presence::Missing;
    let taken = match checked_name(&path) {
        Ok(checked) => {
            if it.name.is_none() && !reading.is_ours {
                it.name = checked.rsplit('/').next().map(str::to_owned);
            }
            taker.take(&format!("{folder}{checked}"), sink)?
        }
        Err(reason) => {
            reading.read.problems.push(format!("attachment {path:?}: {reason}"));
            Taken::Unreadable
        }
    };
    match taken {
        Taken::Took(file) if stated.is_none_or(|s| s == file.hash) => {
            it.presence = Presence::Present;
            (it.hash, it.size) = (Some(file.hash), Some(file.bytes));
        }
        Taken::Took(_) => reading.read.problems.push(format!("attachment {path:?} is not what its blake3 says")),
        Taken::NotThere => reading.read.problems.push(format!("attachment {path:?} is not in the export")),
        Taken::Unreadable => {}
    }
    Ok((it, map))
}

fn hash(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || hex.chars().any(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
        return None;
    }
    Some(*blake3::Hash::from_hex(hex).ok()?.as_bytes())
}

fn role_of(mime: Option<&str>) -> Role {
    match mime.and_then(|m| m.split_once('/')) {
        Some(("image", "gif")) => Role::Gif,
        Some(("image", _)) => Role::Photo,
        Some(("video", _)) => Role::Video,
        _ => Role::File,
    }
}

/// Keeps what no field took. Our own lines bring their extra along under that name.
fn extra(row: &mut Row, mut map: Map, is_ours: bool) {
    if is_ours {
        match map.remove("extra") {
            Some(Json::Map(extra)) => {
                for (key, value) in extra {
                    map.entry(key).or_insert(value);
                }
            }
            Some(Json::Null) | None => {}
            Some(other) if map.is_empty() => {
                row.fields.set(tag::EXTRA, other.canonical());
            }
            Some(other) => {
                map.insert("extra".into(), other);
            }
        }
    }
    if !map.is_empty() {
        row.fields.set(tag::EXTRA, canonical_map(&map));
    }
}
