//! What people did to messages: edits, reactions, deletions. The same for formats with and without ids.

use std::collections::{BTreeMap, BTreeSet};

use super::super::native::{Native, sender_field};
use super::super::view::{Content, View};
use super::super::{Message, Reaction};
use crate::event::{Attachment, Kind, Presence, Row, Target, tag};
use crate::ids::EventId;

/// When something was done: the time of the act itself, else the time it is shown at, else the export's time.
pub(super) fn at(row: &Row) -> i64 {
    let stamp = || row.sent_at().and_then(|s| s.utc_ms);
    row.fields.number(tag::EDITED_AT).or_else(stamp).or(row.fields.number(tag::AS_OF)).unwrap_or(i64::MIN)
}

/// Orders contents written at one time: what is hashed is everything that can differ.
pub(super) fn content_hash(row: &Row) -> [u8; 32] {
    let mut fields = row.fields.clone();
    for tag in [tag::AS_OF, tag::PLACE, tag::SECONDS, tag::ATTACHMENTS] {
        fields.remove(tag);
    }
    *blake3::hash(&fields.to_bytes()).as_bytes()
}

/// Reactions as they stand: each person and emoji by its latest act.
pub(super) fn reactions<'a>(acts: impl Iterator<Item = &'a Row>) -> Vec<Reaction> {
    let mut latest: BTreeMap<(String, String), ((i64, bool), String, Option<String>)> = BTreeMap::new();
    for row in acts.filter(|r| matches!(r.kind, Kind::REACTION_ADD | Kind::REACTION_REMOVE)) {
        let party = row.sender().unwrap_or_default();
        let Some(emoji) = row.fields.text(tag::EMOJI) else { continue };
        let person = party.native_id.clone().or_else(|| party.name.clone()).unwrap_or_default();
        let shown = party.name.or_else(|| party.native_id.clone()).unwrap_or_default();
        let act = ((at(row), row.kind == Kind::REACTION_REMOVE), shown, party.native_id);
        let entry = latest.entry((person, emoji.to_owned())).or_insert_with(|| act.clone());
        if *entry < act {
            *entry = act;
        }
    }
    let standing = latest.into_iter().filter(|(_, ((_, removed), ..))| !removed);
    let mut list: Vec<_> = standing.map(|((_, emoji), (_, by, by_id))| Reaction { by, by_id, emoji }).collect();
    list.sort();
    list.dedup();
    list
}

/// Kinds of a deletion and of its undoing.
type Kinds = (Kind, Kind);
const MESSAGES: Kinds = (Kind::OWN_DELETE, Kind::UNDELETE);
const MEDIA: Kinds = (Kind::MEDIA_DELETE, Kind::MEDIA_UNDELETE);

/// Rows of its message that a media_delete names: it must fit a row.
const ROW_IDS_MAX: usize = 100;

/// An own deletion in force.
pub(super) struct Grave {
    /// Every row it names.
    pub ids: BTreeSet<EventId>,
    /// In formats without ids: strand, unit, sender's field, place, and what stood there.
    pub spot: Option<(i64, i64, String, i64, View)>,
}

/// Deletions in force, by the deletion's own id. An undelete that names the deletion, or the message after it, ends it.
pub(super) fn graves<'a>(acts: impl Iterator<Item = &'a (EventId, &'a Row)> + Clone) -> Vec<Grave> {
    graves_by_id(acts).into_values().collect()
}

/// As [`graves`], with the ids of the deletions.
pub(super) fn graves_by_id<'a>(acts: impl Iterator<Item = &'a (EventId, &'a Row)> + Clone) -> BTreeMap<EventId, Grave> {
    let grave = |row: &Row| Grave { ids: named(row), spot: spot(row) };
    in_force(acts, MESSAGES).into_iter().map(|(id, row)| (id, grave(row))).collect()
}

/// Deletions of a kind that no undelete of theirs ends.
fn in_force<'a>(
    acts: impl Iterator<Item = &'a (EventId, &'a Row)> + Clone,
    (deletes, undoes): Kinds,
) -> BTreeMap<EventId, &'a Row> {
    let mut undone: BTreeMap<EventId, i64> = BTreeMap::new();
    for (_, row) in acts.clone().filter(|(_, r)| r.kind == undoes) {
        for target in named(row) {
            let last = undone.entry(target).or_insert(i64::MIN);
            *last = (*last).max(at(row));
        }
    }
    let mut standing = BTreeMap::new();
    for (id, row) in acts.filter(|(_, r)| r.kind == deletes) {
        let later = |target: &EventId| undone.get(target).is_some_and(|t| *t >= at(row));
        if !undone.contains_key(id) && !named(row).iter().any(later) {
            standing.insert(*id, *row);
        }
    }
    standing
}

/// Shows attachments whose contents the owner deleted as deleted: their names stay.
pub(super) fn delete_media(attachments: &mut [Attachment], acts: &[(EventId, &Row)]) {
    let dead: BTreeSet<[u8; 32]> =
        in_force(acts.iter(), MEDIA).into_values().flat_map(|row| row.contents()).map(|(hash, _)| hash).collect();
    for attachment in attachments.iter_mut().filter(|a| a.hash.is_some_and(|hash| dead.contains(&hash))) {
        attachment.hash = None;
        attachment.presence = Presence::Deleted;
    }
}

/// The ids an act names: its target and the rows that are the same message.
pub(super) fn named(row: &Row) -> BTreeSet<EventId> {
    let more = row.fields.get(tag::ROW_IDS).unwrap_or_default().chunks_exact(EventId::LEN);
    let mut ids: BTreeSet<EventId> = more.filter_map(EventId::from_slice).collect();
    if let Target::Event(target) = row.target {
        ids.insert(target);
    }
    ids
}

fn spot(row: &Row) -> Option<(i64, i64, String, i64, View)> {
    let strand = row.fields.number(tag::STRAND)?;
    let view = View::decode(row.fields.get(tag::VIEW)?).ok()?;
    let party = row.sender();
    let sender = sender_field(party.as_ref().and_then(|p| p.name.as_deref()));
    Some((strand, row.time, sender, row.fields.number(tag::PLACE).unwrap_or(0), view))
}

/// Begins the row of an act about a message: it stands beside the message's own row. `native` must be new, and the same
/// for nobody else.
pub fn act(message: &Message, kind: Kind, native: &str) -> Row {
    let unit = Native::parse(&message.native).filter(|_| !super::has_ids(&message.chat.source)).map(|key| key.unit);
    Row::about(kind, unit.unwrap_or(message.time), message.id, native)
}

/// Makes the tombstone of a message: names all its rows and, in formats without ids, keeps its bucket and place, so
/// that what is imported again cannot revive it. It holds no text, only the hash the row ids hold already.
///
/// `at` is the time of the act, ms UTC; `native` as for [`act`].
pub fn own_delete(message: &Message, at: i64, native: &str) -> Row {
    let key = Native::parse(&message.native).filter(|_| !super::has_ids(&message.chat.source));
    let mut row = act(message, Kind::OWN_DELETE, native);
    let ids: BTreeSet<EventId> = message.row_ids.iter().copied().chain([message.id]).collect();
    row.fields.set(tag::ROW_IDS, ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>());
    row.fields.set_number(tag::EDITED_AT, at);
    if let Some(key) = key {
        let mut view = View::default();
        view.push(Content { class: key.class, ident: key.ident }, key.k);
        row.fields.set_number(tag::STRAND, key.strand).set_number(tag::PLACE, message.place);
        row.fields.set(tag::VIEW, view.encode());
        if let Some(party) = &message.sender {
            row.set_sender(party);
        }
    }
    row
}

/// Makes the row that deletes the attachments of a message and leaves the message: it names their contents. None where
/// there is nothing to delete. `at` and `native` as for [`own_delete`].
pub fn media_delete(message: &Message, at: i64, native: &str) -> Option<Row> {
    let contents: BTreeSet<([u8; 32], u64)> =
        message.attachments.iter().filter_map(|a| Some((a.hash?, a.size?))).take(Row::CONTENTS_MAX).collect();
    if contents.is_empty() {
        return None;
    }
    let mut row = act(message, Kind::MEDIA_DELETE, native);
    if !super::has_ids(&message.chat.source) {
        let ids: BTreeSet<EventId> = message.row_ids.iter().copied().take(ROW_IDS_MAX).chain([message.id]).collect();
        row.fields.set(tag::ROW_IDS, ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>());
    }
    row.set_contents(&contents);
    row.fields.set_number(tag::EDITED_AT, at);
    Some(row)
}
