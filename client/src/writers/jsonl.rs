//! JSON Lines, complete: what `sources::jsonl` reads back to the same messages.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::media::Media;
use super::order::{Ordered, in_order};
use super::{Contents, Item, Totals, WriteError};
use crate::event::{Attachment, Kind, Party, Presence, Range, Reply, Stamp};
use crate::sources::json::{quote, whole};
use crate::sources::jsonl::{LINE_BYTES_MAX, Word, id_of};
use crate::sources::time::format_iso;

pub fn write(
    messages: impl IntoIterator<Item = Item>,
    contents: Option<&dyn Contents>,
    out: &Path,
) -> Result<Totals, WriteError> {
    let mut file = BufWriter::new(File::create_new(out.join("messages.jsonl"))?);
    let mut media = Media::new(contents, out);
    let mut totals = Totals::default();
    in_order(messages, |ordered| {
        totals.chats += u64::from(ordered.opens_chat);
        totals.messages += 1;
        let mut line = line(&ordered, &mut media, &mut totals)?;
        line.push('\n');
        totals.bytes += line.len() as u64;
        Ok(file.write_all(line.as_bytes())?)
    })?;
    file.flush()?;
    Ok(totals)
}

fn line(ordered: &Ordered, media: &mut Media<'_>, totals: &mut Totals) -> Result<String, WriteError> {
    let Ordered { id, message: m, title, opens_chat: _ } = ordered;
    let mut line = Object::new();
    let utc = m.sent_at.as_ref().and_then(|s| s.utc_ms);
    line.text("id", id).text("chat", &m.chat.conversation);
    let is_system = matches!(m.kind, Kind::SYSTEM | Kind::PIN);
    sender(&mut line, m.sender.as_ref(), is_system);
    line.text("ts", &format_iso(m.time, utc.is_some()));
    line.some("chat_name", title.as_deref());
    person(&mut line, m.sender.as_ref(), is_system);
    line.some("text", m.text.as_deref().filter(|t| !t.is_empty()));
    if let Some(reply) = &m.reply {
        answer(&mut line, reply, &m.chat.source);
    }
    line.some("edited_at", m.edited_at.map(|ms| format_iso(ms, true)).as_deref());
    line.flag("edited", m.edited, m.edited != m.edited_at.is_some()).flag("deleted", true, m.deleted_in_source);
    line.some("expires_at", m.expires_at.map(|ms| format_iso(ms, true)).as_deref());
    let mut reactions: Vec<_> = m.reactions.iter().collect();
    reactions.sort();
    line.list(
        "reactions",
        reactions.into_iter().map(|r| {
            let mut one = Object::new();
            one.text("by", &r.by).some("by_id", r.by_id.as_deref()).text("emoji", &r.emoji);
            one.finish()
        }),
    );
    let mut attachments = Vec::new();
    for attachment in &m.attachments {
        let written = media.write(id, attachment, totals)?;
        attachments.push(attached(attachment, written.as_ref()));
    }
    line.list("attachments", attachments);
    line.text("source", &m.chat.source).text("native", &m.native);
    line.text("kind", m.kind.word().unwrap_or("message"));
    line.some("action", m.action.as_deref());
    if let Some(stamp) = &m.sent_at {
        time(&mut line, stamp, m.time);
    }
    line.list(
        "versions",
        m.versions.iter().map(|v| {
            let mut one = Object::new();
            let at = v.at.map(|ms| format_iso(ms, true));
            one.nullable("at", at.as_deref()).text("text", &v.text);
            one.finish()
        }),
    );
    line.list("ranges", m.ranges.iter().map(range));
    line.some("forwarded", m.forwarded_from.as_deref()).some("via_bot", m.via_bot.as_deref());
    if m.place != 0 {
        line.raw("place", &m.place.to_string());
    }
    if let Some(extra) = m.extra.as_deref() {
        match whole(extra.as_bytes(), LINE_BYTES_MAX * 4) {
            Ok(Some(value)) => line.raw("extra", &value.canonical()),
            // Not the JSON it should be: kept as text.
            _ => line.text("extra", extra),
        };
    }
    Ok(line.finish())
}

/// The required field: an id where there is one, else the name; null for system lines, whose person is the `actor`.
fn sender(line: &mut Object, party: Option<&Party>, is_system: bool) {
    line.nullable("sender", party.filter(|_| !is_system).and_then(shown));
}

fn shown(party: &Party) -> Option<&str> {
    party.native_id.as_deref().or(party.name.as_deref())
}

/// What else is known of the person. The id stands again where `sender` alone could be read as a name.
fn person(line: &mut Object, party: Option<&Party>, is_system: bool) {
    let Some(party) = party else { return };
    let name = party.name.as_deref();
    if is_system {
        line.some("actor", shown(party)).some("actor_name", name);
    } else {
        line.some("sender_name", name);
    }
    let unclear = name.is_none() || name == party.native_id.as_deref();
    line.some("sender_id", party.native_id.as_deref().filter(|_| unclear));
    line.flag("sender_self", true, party.is_self);
}

fn answer(line: &mut Object, reply: &Reply, source: &str) {
    if let Some(native) = &reply.native {
        let id = id_of(source, native);
        line.text("reply_to", &id).some("reply_native", Some(native.as_str()).filter(|n| *n != id));
    }
    line.some("reply_chat", reply.conversation.as_deref()).some("reply_text", reply.quoted_text.as_deref());
}

fn time(line: &mut Object, stamp: &Stamp, time: i64) {
    line.some("local_time", stamp.local_text.as_deref());
    line.some("precision", stamp.precision.word()).some("tz_source", stamp.zone.word());
    if let Some(offset) = stamp.offset_min {
        line.raw("offset_min", &offset.to_string());
    }
    line.some("utc", stamp.utc_ms.filter(|utc| *utc != time).map(|utc| format_iso(utc, true)).as_deref());
}

fn range(range: &Range) -> String {
    let mut one = Object::new();
    one.raw("start", &range.start.to_string()).raw("len", &range.len.to_string());
    one.text("style", &range.style).some("value", range.value.as_deref());
    one.finish()
}

fn attached(it: &Attachment, written: Option<&(String, u64)>) -> String {
    let mut one = Object::new();
    one.some("name", it.name.as_deref()).some("mime", it.mime.as_deref());
    if let Some(size) = written.map(|(_, size)| *size).or(it.size) {
        one.raw("size", &size.to_string());
    }
    one.some("path", written.map(|(path, _)| path.as_str()));
    one.some("blake3", it.hash.map(|h| blake3::Hash::from_bytes(h).to_hex().to_string()).as_deref());
    one.some("role", it.role.word());
    // What is present elsewhere but not written here is missing from this export.
    let left_out = it.presence == Presence::Present && it.hash.is_some() && written.is_none();
    one.some("state", if left_out { Presence::Missing } else { it.presence }.word());
    one.some("source_ref", it.source_ref.as_deref());
    one.finish()
}

/// A JSON object in the order it is written.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".into())
    }

    fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write!(self.0, "\"{key}\":{json}").expect("a String takes every write");
        self
    }

    fn text(&mut self, key: &str, text: &str) -> &mut Self {
        let mut quoted = String::with_capacity(text.len() + 2);
        quote(text, &mut quoted);
        self.raw(key, &quoted)
    }

    fn some(&mut self, key: &str, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            self.text(key, text);
        }
        self
    }

    fn nullable(&mut self, key: &str, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(key, text),
            None => self.raw(key, "null"),
        }
    }

    fn flag(&mut self, key: &str, value: bool, shown: bool) -> &mut Self {
        if shown {
            self.raw(key, if value { "true" } else { "false" });
        }
        self
    }

    fn list(&mut self, key: &str, items: impl IntoIterator<Item = String>) -> &mut Self {
        let items: Vec<String> = items.into_iter().collect();
        if !items.is_empty() {
            self.raw(key, &format!("[{}]", items.join(",")));
        }
        self
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
