//! From the rows that are one message to the message (FORMATS §2a item 16).

use std::collections::BTreeSet;

use super::super::join::{contents, is_version, join_attachments};
use super::super::{Class, Message, Version};
use super::acts;
use super::rows::Entry;
use crate::event::{Attachment, Chat, Kind, Row, tag};
use crate::ids::EventId;

/// A text a message had.
struct Text<'a> {
    /// What wins: deletions aside, edits before the original, then the later.
    rank: (u8, i64, [u8; 32]),
    at: Option<i64>,
    row: &'a Row,
}

/// Builds a message without an id of its own from its rows, and from what was done to it.
///
/// `time` and `place` are the bucket's; `name` is the sender's one name.
pub(super) fn from_entries(
    chat: &Chat,
    entries: &[&Entry<'_>],
    acts: &[(EventId, &Row)],
    time: i64,
    name: Option<&str>,
) -> Option<Message> {
    let age = |e: &Entry<'_>| (e.open, if e.open { e.as_of } else { 0 }, e.strand, e.unit, e.k, e.content, e.id);
    let public = entries.iter().min_by_key(|e| age(e))?;
    let said = entries.iter().filter(|e| e.content.class != Class::Deleted);
    let mut texts: Vec<Text<'_>> = said
        .map(|e| {
            let edited = e.content.class == Class::Edited;
            let at = e.open.then_some(e.as_of).filter(|_| edited);
            // Rows of strands and places differ in what is not text: of one text the public row's own is taken.
            let rank = (u8::from(edited), e.as_of, *blake3::hash(e.row.body().unwrap_or("").as_bytes()).as_bytes());
            Text { rank, at, row: e.row }
        })
        .collect();
    let edited = texts.iter().any(|t| t.rank.0 == 1);
    add_own_edits(&mut texts, acts);
    let mut attachments: Vec<Attachment> = Vec::new();
    let mut in_order: Vec<_> = entries.iter().collect();
    in_order.sort_by_key(|e| age(e));
    for entry in in_order {
        attachments = join_attachments(attachments, entry.row.attachments());
    }
    let row_ids: BTreeSet<EventId> = entries.iter().map(|e| e.id).collect();
    let mut message = base(chat, public.id, row_ids.into_iter().collect(), public.row);
    message.time = time;
    message.place = entries.iter().map(|e| e.place).max().unwrap_or(0);
    message.attachments = attachments.iter().flat_map(contents).collect();
    acts::delete_media(&mut message.attachments, acts);
    set_texts(&mut message, texts);
    message.edited |= edited;
    // It is there as long as one of its rows is.
    let ends: Option<Vec<i64>> = entries.iter().map(|e| e.row.fields.number(tag::EXPIRES_AT)).collect();
    message.expires_at = ends.and_then(|ends| ends.into_iter().max());
    let deleted = entries.iter().any(|e| e.content.class == Class::Deleted);
    message.deleted_in_source |= deleted || acts.iter().any(|(_, r)| r.kind == Kind::SOURCE_DELETE);
    message.reactions = acts::reactions(acts.iter().map(|(_, r)| *r));
    if let (Some(name), Some(party)) = (name, message.sender.as_mut()) {
        party.name = Some(name.to_owned());
    }
    Some(message)
}

/// A message with all that its first row says by itself.
pub(super) fn base(chat: &Chat, id: EventId, row_ids: Vec<EventId>, row: &Row) -> Message {
    let text = |tag| row.fields.text(tag).map(str::to_owned);
    Message {
        id,
        row_ids,
        chat: chat.clone(),
        kind: row.kind,
        time: row.time,
        place: row.fields.number(tag::PLACE).unwrap_or(0),
        native: row.native.clone(),
        sender: row.sender(),
        sent_at: row.sent_at(),
        text: text(tag::BODY),
        ranges: row.ranges(),
        reply: row.reply(),
        forwarded_from: text(tag::FORWARDED_FROM),
        via_bot: text(tag::VIA_BOT),
        attachments: row.attachments(),
        reactions: Vec::new(),
        versions: Vec::new(),
        edited_at: None,
        edited: false,
        expires_at: row.fields.number(tag::EXPIRES_AT),
        deleted_in_source: false,
        action: text(tag::ACTION),
        extra: text(tag::EXTRA),
    }
}

/// Adds what the person wrote over a message here.
fn add_own_edits<'a>(texts: &mut Vec<Text<'a>>, acts: &[(EventId, &'a Row)]) {
    for (_, row) in acts.iter().filter(|(_, r)| r.kind == Kind::EDIT && !is_version(r)) {
        let at = acts::at(row);
        texts.push(Text { rank: (2, at, acts::content_hash(row)), at: Some(at), row });
    }
}

/// Shows the last text and keeps the others that differ, oldest first.
fn set_texts(message: &mut Message, mut texts: Vec<Text<'_>>) {
    texts.sort_by_key(|t| t.rank);
    let Some(last) = texts.pop() else {
        message.text = None;
        return;
    };
    let shown = last.row.body().unwrap_or("");
    let mut versions: Vec<Version> = Vec::new();
    for text in &texts {
        let body = text.row.body().unwrap_or("");
        if body != shown && !body.is_empty() && versions.iter().all(|v| v.text != body) {
            versions.push(Version { at: text.at, text: body.to_owned() });
        }
    }
    message.text = last.row.fields.text(tag::BODY).map(str::to_owned);
    message.ranges = last.row.ranges();
    message.edited = last.rank.0 == 2 || !versions.is_empty();
    message.edited_at = last.row.fields.number(tag::EDITED_AT);
    message.versions = versions;
}

/// Folds a message that has an id, from its own row or rows and from all that names it.
pub(super) fn from_target(chat: &Chat, id: EventId, own: &[&Row], acts: &[(EventId, &Row)]) -> Option<Message> {
    let first = own.iter().min_by_key(|r| (r.time, r.encode()))?;
    let edits = acts.iter().map(|(_, r)| *r).filter(|r| r.kind == Kind::EDIT);
    let texts: Vec<Text<'_>> = own
        .iter()
        .copied()
        .chain(edits)
        .map(|row| {
            let at = row.fields.number(tag::EDITED_AT).or(row.fields.number(tag::AS_OF));
            Text {
                rank: (0, at.unwrap_or(i64::MIN), acts::content_hash(row)),
                at: row.fields.number(tag::EDITED_AT),
                row,
            }
        })
        .collect();
    let mut message = base(chat, id, vec![id], first);
    message.attachments = attachments(&texts);
    acts::delete_media(&mut message.attachments, acts);
    set_texts(&mut message, texts);
    message.edited |= message.edited_at.is_some();
    message.deleted_in_source = acts.iter().any(|(_, r)| r.kind == Kind::SOURCE_DELETE);
    message.reactions = acts::reactions(acts.iter().map(|(_, r)| *r));
    Some(message)
}

/// Files of the latest content; what it only refers to, an earlier one may have the bytes of.
fn attachments(texts: &[Text<'_>]) -> Vec<Attachment> {
    let mut order: Vec<&Text<'_>> = texts.iter().collect();
    order.sort_by_key(|t| std::cmp::Reverse(t.rank));
    let mut lists = order.into_iter().map(|t| t.row.attachments()).filter(|l| !l.is_empty());
    let Some(mut shown) = lists.next() else { return Vec::new() };
    for list in lists {
        for (here, earlier) in shown.iter_mut().zip(list) {
            if here.hash.is_none() && earlier.hash.is_some() {
                *here = earlier;
            }
        }
    }
    shown.iter().flat_map(contents).collect()
}
