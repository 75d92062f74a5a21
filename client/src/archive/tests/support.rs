//! Keys, rules and rows for the archive's tests.

use std::path::Path;
use std::sync::Arc;

use crate::archive::{Archive, Ids, MediaSealer, Parts, Rules};
use crate::crypto::fixed::Fixed;
use crate::crypto::{Lifetime, Term};
use crate::event::{Attachment, Chat, Kind, Party, Precision, Presence, Role, Row, Stamp, Target, tag};
use crate::ids::{ChatId, EventId, FileId};
use crate::merge::{Folded, Message, Reaction, Version};
use crate::sources::{ChatInfo, Sink};

pub const KEY: [u8; 32] = [7; 32];
/// 2024-01-01.
pub const START: i64 = 1_704_067_200_000;

fn keyed(key: u8, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&[key; 32]);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

pub struct TestIds;

impl Ids for TestIds {
    fn chat(&self, chat: &Chat) -> ChatId {
        ChatId(keyed(1, &[chat.source.as_bytes(), chat.conversation.as_bytes()]))
    }

    fn event(&self, chat: &Chat, class: u16, native: &str) -> EventId {
        let class = class.to_le_bytes();
        EventId(keyed(2, &[chat.source.as_bytes(), chat.conversation.as_bytes(), &class, native.as_bytes()]))
    }

    fn file(&self, hash: &[u8; 32], bytes: u64) -> FileId {
        FileId(keyed(3, &[hash, &bytes.to_le_bytes()]))
    }

    fn digest(&self, chat: &Chat, row: &[u8]) -> [u8; 32] {
        keyed(4, &[chat.source.as_bytes(), chat.conversation.as_bytes(), row])
    }

    fn term(&self, chat: &Chat, row: &[u8]) -> Term {
        let lifetime = Lifetime::generate(&mut Fixed::new("terms"));
        lifetime.digest_key().term(&chat.source, &chat.conversation, row)
    }
}

/// Plain rules: the smaller digest stays, the latest edit shows, a deletion hides unless undone later. Sources called
/// `whatsapp` have no ids: equal texts of one minute are one message.
pub struct PlainRules;

impl Rules for PlainRules {
    fn has_ids(&self, source: &str) -> bool {
        source != "whatsapp"
    }

    fn join(&self, id: EventId, a: &Row, b: &Row, digest: &dyn Fn(&Row) -> [u8; 32]) -> (Row, Option<Row>) {
        if a == b {
            return (a.clone(), None);
        }
        let (a_core, b_core) = (core(a), core(b));
        let as_of = [a, b].into_iter().filter_map(|r| r.fields.number(tag::AS_OF)).min();
        let with = |mut row: Row| {
            if let Some(as_of) = as_of {
                row.fields.set_number(tag::AS_OF, as_of);
            }
            row
        };
        if a_core == b_core {
            return (with(a_core), None);
        }
        let (stays, goes) = if digest(&a_core) < digest(&b_core) { (a_core, b_core) } else { (b_core, a_core) };
        let native = format!("{}\u{1f}{}", goes.native, blake3::hash(&goes.encode()).to_hex());
        let version = Row {
            kind: Kind::EDIT,
            target: Target::Event(if let Target::Event(t) = goes.target { t } else { id }),
            native,
            ..goes
        };
        (with(stays), Some(version))
    }

    fn fold_target(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Option<Message> {
        let (id, own) = rows.iter().find(|(_, r)| r.target == Target::Own && r.kind.stands())?;
        let at = |r: &Row| r.fields.number(tag::EDITED_AT).unwrap_or(0);
        let last = |kind| rows.iter().filter(|(_, r)| r.kind == kind).map(|(_, r)| at(r)).max();
        if last(Kind::OWN_DELETE) > last(Kind::UNDELETE) {
            return None;
        }
        let mut texts: Vec<(i64, String)> = rows
            .iter()
            .filter(|(_, r)| r.kind == Kind::EDIT)
            .map(|(_, r)| (at(r), r.body().unwrap_or_default().to_owned()))
            .collect();
        texts.push((at(own), own.body().unwrap_or_default().to_owned()));
        texts.sort();
        let (edited_at, text) = texts.pop()?;
        let mut message = message(chat, *id, own);
        message.edited = !texts.is_empty();
        message.edited_at = Some(edited_at).filter(|at| *at > 0);
        message.text = Some(text);
        message.versions = texts.into_iter().map(|(at, text)| Version { at: Some(at), text }).collect();
        message.reactions = rows
            .iter()
            .filter(|(_, r)| r.kind == Kind::REACTION_ADD)
            .map(|(_, r)| Reaction {
                by: r.sender().and_then(|p| p.name).unwrap_or_default(),
                by_id: None,
                emoji: r.fields.text(tag::EMOJI).unwrap_or_default().to_owned(),
            })
            .collect();
        Some(message)
    }

    fn fold_chat(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Folded {
        let dead: Vec<EventId> =
            rows.iter().filter_map(|(_, r)| if let Target::Event(t) = r.target { Some(t) } else { None }).collect();
        let mut messages: Vec<Message> = Vec::new();
        for (id, row) in rows.iter().filter(|(id, r)| r.kind.stands() && !dead.contains(id)) {
            match messages.iter_mut().find(|m| m.time == row.time && m.text.as_deref() == row.body()) {
                Some(known) => known.row_ids.push(*id),
                None => messages.push(message(chat, *id, row)),
            }
        }
        Folded { messages, ..Folded::default() }
    }
}

fn core(row: &Row) -> Row {
    let mut core = row.clone();
    core.fields.remove(tag::AS_OF);
    core
}

fn message(chat: &Chat, id: EventId, row: &Row) -> Message {
    Message {
        id,
        row_ids: vec![id],
        chat: chat.clone(),
        kind: row.kind,
        time: row.time,
        place: row.fields.number(tag::PLACE).unwrap_or(0),
        native: row.native.clone(),
        sender: row.sender(),
        sent_at: row.sent_at(),
        text: row.body().map(str::to_owned),
        ranges: row.ranges(),
        reply: row.reply(),
        forwarded_from: row.fields.text(tag::FORWARDED_FROM).map(str::to_owned),
        via_bot: row.fields.text(tag::VIA_BOT).map(str::to_owned),
        attachments: row.attachments(),
        reactions: Vec::new(),
        versions: Vec::new(),
        edited_at: None,
        edited: false,
        deleted_in_source: false,
        expires_at: row.fields.number(tag::EXPIRES_AT),
        action: row.fields.text(tag::ACTION).map(str::to_owned),
        extra: row.fields.text(tag::EXTRA).map(str::to_owned),
    }
}

/// A stand-in cipher: a keyed stream and a keyed tag over everything a block is bound to.
pub struct TestSealer;

impl TestSealer {
    fn stream(place: &[u8; 32], number: u32, last: bool, bytes: usize) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new_keyed(&[9; 32]);
        hasher.update(place).update(&number.to_le_bytes()).update(&[u8::from(last)]);
        let mut stream = vec![0; bytes];
        hasher.finalize_xof().fill(&mut stream);
        stream
    }
}

impl MediaSealer for TestSealer {
    fn seal_block(&self, place: &[u8; 32], number: u32, last: bool, plain: &[u8]) -> Vec<u8> {
        let stream = Self::stream(place, number, last, plain.len());
        let mut sealed: Vec<u8> = plain.iter().zip(stream).map(|(a, b)| a ^ b).collect();
        let tag = keyed(5, &[place, &number.to_le_bytes(), &[u8::from(last)], &sealed]);
        sealed.extend_from_slice(&tag);
        sealed
    }

    fn open_block(&self, place: &[u8; 32], number: u32, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        let (body, tag) = sealed.split_last_chunk::<32>()?;
        if keyed(5, &[place, &number.to_le_bytes(), &[u8::from(last)], body]) != *tag {
            return None;
        }
        let stream = Self::stream(place, number, last, body.len());
        Some(body.iter().zip(stream).map(|(a, b)| a ^ b).collect())
    }
}

pub fn parts() -> Parts {
    Parts { ids: Arc::new(TestIds), rules: Arc::new(PlainRules), sealer: Arc::new(TestSealer) }
}

pub fn create(dir: &Path) -> Archive {
    Archive::create(&dir.join("archive"), &KEY, parts()).unwrap()
}

pub fn reopen(dir: &Path) -> Archive {
    Archive::open(&dir.join("archive"), &KEY, parts()).unwrap()
}

pub fn reader(dir: &Path) -> Archive {
    Archive::reader(&dir.join("archive"), &KEY, parts()).unwrap()
}

pub fn telegram(conversation: &str) -> Chat {
    Chat { source: "telegram".into(), conversation: conversation.into() }
}

pub fn whatsapp(conversation: &str) -> Chat {
    Chat { source: "whatsapp".into(), conversation: conversation.into() }
}

pub fn text(native: &str, at: i64, sender: &str, body: &str) -> Row {
    let mut row = Row::new(Kind::MESSAGE, at, native);
    row.set_sender(&Party::named(sender));
    row.set_sent_at(&Stamp::utc(at, Precision::Second));
    row.fields.set_some(tag::BODY, Some(body));
    row
}

pub fn present(name: &str, content: &[u8]) -> Attachment {
    let mut attachment = Attachment::new(Role::Photo, Presence::Present);
    attachment.name = Some(name.into());
    attachment.hash = Some(*blake3::hash(content).as_bytes());
    attachment.size = Some(content.len() as u64);
    attachment
}

pub fn id(chat: &Chat, native: &str) -> EventId {
    TestIds.event(chat, 0, native)
}

pub fn own_delete(chat: &Chat, native: &str, time: i64, at: i64) -> Row {
    let target = id(chat, native);
    let mut row = Row::about(Kind::OWN_DELETE, time, target, format!("delete {native} {at}"));
    row.fields.set_number(tag::EDITED_AT, at).set(tag::ROW_IDS, target.0);
    row
}

pub fn import(archive: &mut Archive, chat: &Chat, rows: &[Row]) -> crate::archive::ChatCount {
    let mut sink = archive.import().unwrap();
    sink.chat(chat, &ChatInfo::default()).unwrap();
    for row in rows {
        sink.row(chat, row.clone()).unwrap();
    }
    sink.finish().unwrap().chats.remove(0)
}

pub fn texts(shown: &[crate::archive::Shown]) -> Vec<String> {
    shown.iter().map(|s| s.message.text.clone().unwrap_or_default()).collect()
}

/// Everything a person could read, in one value.
pub fn state(archive: &Archive) -> Vec<(Message, Option<String>)> {
    archive.export(None, None, None).unwrap().collect::<Result<_, _>>().unwrap()
}
