//! The fold: rows of a chat to its messages, the same on every device and for every order of arrival.

mod acts;
mod clock;
mod rows;
mod shape;
mod similar;
mod slots;

use std::collections::{BTreeMap, BTreeSet};

pub use acts::{act, media_delete, own_delete};

use super::Message;
use super::alias::{Apart, Sighting, one_name_each, recognise};
use super::native::sender_field;
use super::view::Content;
use crate::event::{Chat, Row, Target};
use crate::ids::EventId;
use clock::{Clocks, Spot};
use rows::Sorted;
use slots::{Piece, Sight};

/// A chat as it stands.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Folded {
    /// By time, place and id.
    pub messages: Vec<Message>,
    /// Messages that their owner deleted here.
    pub deleted: usize,
    /// Rows of them that imports brought and the deletions refuse.
    pub refused: usize,
    /// Sets of strands that nothing links: above one, the label may cover several chats.
    pub groups: usize,
    /// Names taken for one person: name as written, name shown.
    pub aliases: BTreeMap<String, String>,
}

/// Whether messages of this source carry an id of their own.
pub fn has_ids(source: &str) -> bool {
    !matches!(source, "whatsapp" | "meta" | "irc")
}

/// Folds one message of a source with ids from all rows that are it or name it. None if it was deleted here, or if
/// only acts are known of it.
pub fn fold_target(chat: &Chat, rows: Vec<(EventId, Row)>) -> Option<Message> {
    let acts: Vec<(EventId, &Row)> =
        rows.iter().filter(|(_, r)| r.target != Target::Own).map(|(id, r)| (*id, r)).collect();
    let own: Vec<&(EventId, Row)> = rows.iter().filter(|(_, r)| r.target == Target::Own && r.kind.stands()).collect();
    let id = own.iter().map(|(id, _)| *id).min()?;
    if acts::graves(acts.iter()).iter().any(|g| g.ids.contains(&id)) {
        return None;
    }
    let mine: Vec<&Row> = own.iter().filter(|(i, _)| *i == id).map(|(_, r)| r).collect();
    shape::from_target(chat, id, &mine, &acts)
}

/// Own deletions in force among the acts of a chat, by their own ids, and the rows each names.
pub fn graves(acts: &[(EventId, Row)]) -> BTreeMap<EventId, BTreeSet<EventId>> {
    let acts: Vec<(EventId, &Row)> = acts.iter().map(|(id, row)| (*id, row)).collect();
    acts::graves_by_id(acts.iter()).into_iter().map(|(id, grave)| (id, grave.ids)).collect()
}

/// Folds a whole chat of a source without ids.
pub fn fold_chat(chat: &Chat, rows: Vec<(EventId, Row)>) -> Folded {
    let sorted = Sorted::new(&chat.source, &rows);
    let (spots, clocks) = clock::link(&chat.source, &sorted.entries);
    let names = names(&chat.source, &sorted, &spots);
    let mut fold = Fold { chat, sorted: &sorted, spots: &spots, clocks: &clocks, names: &names, graves: Vec::new() };
    fold.graves = acts::graves(sorted.acts.values().flatten());
    let mut folded = fold.messages();
    folded.groups = spots.iter().map(|s| s.group).max().map_or(0, |g| g + 1);
    let other = |(name, one): (&String, &String)| (name != one).then(|| (name.clone(), one.clone()));
    folded.aliases = names.iter().filter_map(other).collect();
    folded
}

/// The one name of each name that has another.
fn names(source: &str, sorted: &Sorted<'_>, spots: &[Spot]) -> BTreeMap<String, String> {
    if source == "irc" || sorted.imports.len() < 2 {
        return BTreeMap::new();
    }
    let written: BTreeMap<String, String> = sorted
        .entries
        .iter()
        .map(|e| (e.sender, e.row))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .filter_map(|(field, row)| Some((field.to_owned(), row.sender()?.name?)))
        .filter(|(field, name)| sender_field(Some(name)) == *field)
        .collect();
    let mut texts: Vec<(usize, Content, i64, &str, u32)> = sorted
        .entries
        .iter()
        .zip(spots)
        .filter(|(e, _)| !e.open && e.chars >= 3)
        .filter_map(|(e, spot)| Some((spot.group, e.content, spot.unit, written.get(e.sender)?.as_str(), spot.k)))
        .collect();
    texts.sort_unstable();
    let sightings: Vec<Sighting<'_>> = texts
        .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .filter(|same| same.iter().all(|t| t.4 == 0 && Some(t.2) == same.first().map(|f| f.2)))
        .filter_map(|same| Some(Sighting { unit: same.first()?.2, names: same.iter().map(|t| t.3).collect() }))
        .collect();
    let pairs = recognise(&sightings, &Apart { imports: &sorted.imports, own: None });
    let one = one_name_each(&pairs, &sorted.imports);
    one.into_iter().map(|(name, one)| (name.to_owned(), one.to_owned())).collect()
}

struct Fold<'a> {
    chat: &'a Chat,
    sorted: &'a Sorted<'a>,
    spots: &'a [Spot],
    clocks: &'a Clocks,
    names: &'a BTreeMap<String, String>,
    graves: Vec<acts::Grave>,
}

/// Group, unit by its clock, sender's one field.
type Place = (usize, i64, String);

/// Equal rows of several strands: entries by index.
type Same = Vec<usize>;

/// A grave by number, its place, and what it holds.
type Buried = (usize, i64, Vec<(Content, u32)>);

#[derive(Default)]
struct Bucket {
    rows: BTreeMap<(Content, u32), Same>,
    sights: Vec<Sight>,
    /// Graves that lie here.
    graves: Vec<Buried>,
}

impl Fold<'_> {
    fn messages(&self) -> Folded {
        let mut folded = Folded::default();
        let fields = self.fields();
        let buckets = self.buckets(&fields);
        let dead: BTreeMap<EventId, usize> =
            self.graves.iter().enumerate().flat_map(|(g, grave)| grave.ids.iter().map(move |id| (*id, g))).collect();
        for (place, bucket) in &buckets {
            self.bucket(place, bucket, &dead, &mut folded);
        }
        for (id, row) in &self.sorted.strange {
            if !dead.contains_key(id) {
                let acts = self.acts(&[*id]);
                folded.messages.extend(shape::from_target(self.chat, *id, &[row], &acts));
            }
        }
        folded.deleted = self.graves.len();
        folded.messages.sort_by_key(|m| (m.time, m.place, m.id));
        folded
    }

    /// Sender's field as written to the one field of that person.
    fn fields(&self) -> BTreeMap<String, String> {
        self.names.iter().map(|(name, one)| (sender_field(Some(name)), sender_field(Some(one)))).collect()
    }

    fn buckets(&self, fields: &BTreeMap<String, String>) -> BTreeMap<Place, Bucket> {
        let one = |field: &str| fields.get(field).cloned().unwrap_or_else(|| field.to_owned());
        let mut buckets: BTreeMap<Place, Bucket> = BTreeMap::new();
        let mut since: BTreeMap<usize, i64> = BTreeMap::new();
        for (i, (entry, spot)) in self.sorted.entries.iter().zip(self.spots).enumerate() {
            let first = since.entry(spot.group).or_insert(spot.unit);
            *first = (*first).min(spot.unit);
            let bucket = buckets.entry((spot.group, spot.unit, one(entry.sender))).or_default();
            bucket.rows.entry((entry.content, spot.k)).or_default().push(i);
        }
        for seen in &self.sorted.views {
            // The lines of one view may lie in two units by the group's clock: each bucket gets its part.
            let mut parts: BTreeMap<Place, Vec<Content>> = BTreeMap::new();
            for (content, k) in seen.view.lines() {
                if let Some(i) = self.sorted.find((seen.strand, seen.unit, seen.sender, content, k)) {
                    let Some(spot) = self.spots.get(i) else { continue };
                    parts.entry((spot.group, spot.unit, one(seen.sender))).or_default().push(content);
                }
            }
            for (place, lines) in parts {
                let at_cut = seen.view.first_unit && since.get(&place.0).is_some_and(|first| *first < place.1);
                if let Some(bucket) = buckets.get_mut(&place) {
                    bucket.sights.push(Sight { as_of: seen.as_of, lines, at_cut });
                }
            }
        }
        for (g, grave) in self.graves.iter().enumerate() {
            let Some((strand, unit, sender, place, view)) = &grave.spot else { continue };
            let (group, unit) = self.clocks.unit(*strand, *unit).unwrap_or((0, *unit));
            let bucket = buckets.entry((group, unit, one(sender))).or_default();
            bucket.graves.push((g, *place, view.lines().collect()));
        }
        buckets
    }

    fn bucket(&self, place: &Place, bucket: &Bucket, dead: &BTreeMap<EventId, usize>, folded: &mut Folded) {
        let entry = |i: &usize| self.sorted.entries.get(*i);
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        for ((content, k), same) in &bucket.rows {
            let entries = || same.iter().filter_map(entry);
            let named = entries().find_map(|e| dead.get(&e.id).copied());
            let lies = |(g, _, held): &Buried| held.contains(&(*content, *k)).then_some(*g);
            pieces.push(Piece {
                content: *content,
                k: *k,
                place: entries().map(|e| e.place).max().unwrap_or(0),
                as_of: entries().map(|e| e.as_of).min().unwrap_or(i64::MIN),
                open: entries().any(|e| e.open),
                text: entries().filter_map(|e| e.row.body()).min(),
                media: entries().any(|e| !e.row.attachments().is_empty()),
                grave: named.or_else(|| bucket.graves.iter().find_map(lies)),
            });
        }
        for (g, at, held) in &bucket.graves {
            for (content, k) in held.iter().filter(|key| !bucket.rows.contains_key(*key)) {
                let open = content.class.is_open(&self.chat.source);
                let (content, k, grave) = (*content, *k, Some(*g));
                pieces.push(Piece { content, k, place: *at, as_of: i64::MIN, open, text: None, media: false, grave });
            }
        }
        let simple = pieces.iter().all(|p| !p.open && p.grave.is_none());
        let messages: Vec<Vec<usize>> =
            if simple { (0..pieces.len()).map(|i| vec![i]).collect() } else { slots::slots(&pieces, &bucket.sights) };
        let rows: Vec<&Same> = bucket.rows.values().collect();
        for message in messages {
            let entries: Vec<_> =
                message.iter().filter_map(|i| rows.get(*i)).flat_map(|s| s.iter()).filter_map(entry).collect();
            let grave = message.iter().filter_map(|i| pieces.get(*i)?.grave).min();
            if let Some(grave) = grave.and_then(|g| self.graves.get(g)) {
                folded.refused += entries.iter().filter(|e| !grave.ids.contains(&e.id)).count();
                continue;
            }
            let ids: Vec<EventId> = entries.iter().map(|e| e.id).collect();
            let name = entries.iter().find_map(|e| self.names.get(e.row.sender()?.name.as_deref()?));
            let made = shape::from_entries(self.chat, &entries, &self.acts(&ids), place.1, name.map(String::as_str));
            folded.messages.extend(made);
        }
    }

    /// What was done to a message under any of its ids.
    fn acts(&self, ids: &[EventId]) -> Vec<(EventId, &Row)> {
        let ids: BTreeSet<&EventId> = ids.iter().collect();
        ids.into_iter().filter_map(|id| self.sorted.acts.get(id)).flatten().copied().collect()
    }
}
