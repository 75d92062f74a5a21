//! Takes the rows of a chat without ids apart: messages, views, imports, acts about them.

use std::collections::BTreeMap;

use super::super::import::Import;
use super::super::native::{Native, parse_view_key};
use super::super::view::{Content, View};
use crate::event::{Kind, Row, Target, tag};
use crate::ids::EventId;

/// A message row with what its key says.
pub(super) struct Entry<'a> {
    pub id: EventId,
    pub row: &'a Row,
    pub strand: i64,
    pub unit: i64,
    /// The sender's field of the key.
    pub sender: &'a str,
    pub content: Content,
    pub k: u32,
    pub open: bool,
    pub place: i64,
    pub as_of: i64,
    /// Characters of the normalised body, counted up to three.
    pub chars: usize,
}

/// A view row with what its key says.
pub(super) struct Seen<'a> {
    pub strand: i64,
    pub unit: i64,
    pub sender: &'a str,
    pub as_of: i64,
    pub view: View,
}

/// The rows of one chat, sorted out.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    /// By strand, unit, sender, content and number.
    pub entries: Vec<Entry<'a>>,
    pub views: Vec<Seen<'a>>,
    pub imports: Vec<Import>,
    /// What was done to messages, by the id it names.
    pub acts: BTreeMap<EventId, Vec<(EventId, &'a Row)>>,
    /// Rows that stand in the chat but have another key than ours: messages by themselves.
    pub strange: Vec<(EventId, &'a Row)>,
}

impl<'a> Sorted<'a> {
    pub fn new(source: &str, rows: &'a [(EventId, Row)]) -> Self {
        let mut order: Vec<&(EventId, Row)> = rows.iter().collect();
        order.sort_by(|(a, x), (b, y)| (a, x.kind).cmp(&(b, y.kind)).then_with(|| x.encode().cmp(&y.encode())));
        order.dedup_by_key(|(id, row)| (*id, row.kind));
        let mut sorted = Self::default();
        for (id, row) in order {
            sorted.add(source, *id, row);
        }
        sorted.entries.sort_by(|a, b| a.key().cmp(&b.key()));
        sorted
    }

    fn add(&mut self, source: &str, id: EventId, row: &'a Row) {
        if let Target::Event(target) = row.target {
            self.acts.entry(target).or_default().push((id, row));
        } else if row.kind.stands() {
            match Entry::new(source, id, row) {
                Some(entry) => self.entries.push(entry),
                None => self.strange.push((id, row)),
            }
        } else if row.kind == Kind::VIEW {
            self.views.extend(Seen::new(row));
        } else if row.kind == Kind::IMPORT {
            self.imports.extend(row.fields.get(tag::IMPORT).and_then(|b| Import::decode(b).ok()));
        }
    }

    /// Finds the entry a view's line speaks of.
    pub fn find(&self, key: EntryKey<'_>) -> Option<usize> {
        self.entries.binary_search_by(|e| e.key().cmp(&key)).ok()
    }
}

/// Strand, unit, sender, content, number.
pub(super) type EntryKey<'a> = (i64, i64, &'a str, Content, u32);

impl<'a> Entry<'a> {
    fn new(source: &str, id: EventId, row: &'a Row) -> Option<Self> {
        let native = Native::parse(&row.native)?;
        let open = native.class.is_open(source);
        Some(Self {
            id,
            row,
            strand: native.strand,
            unit: native.unit,
            sender: native.sender,
            content: Content { class: native.class, ident: native.ident },
            k: native.k,
            open,
            place: row.fields.number(tag::PLACE).unwrap_or(0),
            as_of: row.fields.number(tag::AS_OF).unwrap_or(i64::MIN),
            chars: native.clear.map_or(3, |text| text.chars().take(3).count()),
        })
    }

    pub fn key(&self) -> EntryKey<'a> {
        (self.strand, self.unit, self.sender, self.content, self.k)
    }
}

impl<'a> Seen<'a> {
    fn new(row: &'a Row) -> Option<Self> {
        let (strand, unit, sender) = parse_view_key(&row.native)?;
        let view = View::decode(row.fields.get(tag::VIEW)?).ok()?;
        Some(Self { strand, unit, sender, as_of: row.fields.number(tag::AS_OF).unwrap_or(i64::MIN), view })
    }
}
