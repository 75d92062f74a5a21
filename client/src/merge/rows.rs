//! From the lines of one export to rows (FORMATS §2a items 1–5).
//!
//! A row says nothing of the file it came from: neither its place in the file nor when it was imported. So the same
//! file again yields the same rows, and a longer export of the chat yields the same rows and some more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::Line;
use super::import::Import;
use super::native::{Ident, import_key, message_key, sender_field, view_key};
use super::view::{Content, View};
use crate::event::{Kind, Precision, Row, tag};

/// What must be known of an export before its first line becomes a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// The strand its rows go to: the unit of its first line, unless `merge::choose_strand` says otherwise.
    pub strand: i64,
    /// Time of its last message, ms.
    pub as_of: i64,
    pub precision: Precision,
    /// Names to be written as another, stored one (`merge::aliases`).
    pub aliases: BTreeMap<String, String>,
}

/// Turns lines in file order into rows, in memory bounded by about 24 bytes a line.
pub struct Assembler {
    source: String,
    export: Export,
    /// Keys met, by hash; a key met again moves its count to `again`, so that the large set stays narrow.
    seen: HashSet<u128>,
    again: HashMap<u128, u32>,
    names: BTreeSet<String>,
    names_cut: bool,
    first: Option<i64>,
    last: i64,
    count: u64,
    recent: Recent,
}

impl Assembler {
    const NAMES_MAX: usize = 4096;

    pub fn new(source: &str, export: Export) -> Self {
        Self {
            source: source.to_owned(),
            export,
            seen: HashSet::new(),
            again: HashMap::new(),
            names: BTreeSet::new(),
            names_cut: false,
            first: None,
            last: i64::MIN,
            count: 0,
            recent: Recent::default(),
        }
    }

    /// Takes the next line of the file and emits its row, and the views of buckets that lie far behind.
    pub fn line<E>(&mut self, line: Line, emit: &mut dyn FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        let first = *self.first.get_or_insert(line.unit);
        self.last = self.last.max(line.unit);
        self.count += 1;
        let Line { unit, seconds, sender, class, normal, mut row } = line;
        let sender = self.stored_name(sender, &mut row);
        let field = sender_field(sender.as_deref());
        let content = Content { class, ident: Ident::of(&normal) };
        let open = class.is_open(&self.source);
        let k = self.number(unit, &field, content);
        let place = self.recent.place(unit);

        row.time = unit;
        row.native = message_key(self.export.strand, unit, &field, class, k, &normal);
        row.fields.set_number(tag::PLACE, i64::from(place)).set_number(tag::STRAND, self.export.strand);
        row.fields.set(tag::CLASS, [class.letter() as u8]);
        if let Some(seconds) = seconds {
            row.fields.set_number(tag::SECONDS, i64::from(seconds));
        }
        if open {
            row.fields.set_number(tag::AS_OF, self.export.as_of);
        }
        emit(row)?;
        self.recent.push(unit, &field, content, k, open);
        while let Some((unit, buckets)) = self.recent.pop_old() {
            self.views(unit, first, buckets, emit)?;
        }
        Ok(())
    }

    /// Emits the views still held back and the import row. An export without lines has neither.
    pub fn finish<E>(mut self, emit: &mut dyn FnMut(Row) -> Result<(), E>) -> Result<(), E> {
        let Some(first) = self.first else { return Ok(()) };
        while let Some((unit, buckets)) = self.recent.pop() {
            self.views(unit, first, buckets, emit)?;
        }
        let import = Import {
            first,
            last: self.last,
            as_of: self.export.as_of,
            count: self.count,
            precision: self.export.precision,
            names: self.names,
            names_cut: self.names_cut,
        };
        let content = import.encode();
        let mut row = Row::new(Kind::IMPORT, first, import_key(self.export.strand, &content));
        row.fields.set_number(tag::STRAND, self.export.strand).set(tag::IMPORT, content);
        emit(row)
    }

    /// Notes the name as written and gives the name to store, which then also stands in the row.
    fn stored_name(&mut self, sender: Option<String>, row: &mut Row) -> Option<String> {
        let name = sender?;
        let stored = self.export.aliases.get(&name).cloned();
        if !self.names.contains(&name) {
            if self.names.len() < Self::NAMES_MAX {
                self.names.insert(name.clone());
            } else {
                self.names_cut = true;
            }
        }
        let Some(stored) = stored else { return Some(name) };
        let mut party = row.sender().unwrap_or_default();
        party.name = Some(stored.clone());
        row.set_sender(&party);
        Some(stored)
    }

    /// Counts equal lines over the whole file: a clock set back makes a unit appear twice.
    fn number(&mut self, unit: i64, sender: &str, content: Content) -> u32 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&unit.to_le_bytes()).update(&[content.class.letter() as u8]).update(&content.ident.0);
        hasher.update(sender.as_bytes());
        let mut front = [0; 16];
        hasher.finalize_xof().fill(&mut front);
        let key = u128::from_le_bytes(front);
        if self.seen.insert(key) {
            return 0;
        }
        let k = self.again.entry(key).or_insert(0);
        *k = k.saturating_add(1);
        *k
    }

    fn views<E>(
        &self,
        unit: i64,
        first: i64,
        buckets: Buckets,
        emit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        for (sender, bucket) in buckets {
            let first_unit = unit == first;
            if !bucket.open || bucket.cut || !(first_unit || bucket.lines >= 2) {
                continue;
            }
            let content = View { first_unit, ..bucket.view }.encode();
            let native = view_key(self.export.strand, unit, &sender, &content);
            let mut row = Row::new(Kind::VIEW, unit, native);
            row.fields.set_number(tag::AS_OF, self.export.as_of).set(tag::VIEW, content);
            row.fields.set_number(tag::STRAND, self.export.strand);
            emit(row)?;
        }
        Ok(())
    }
}

type Buckets = BTreeMap<String, Bucket>;

#[derive(Default)]
struct Bucket {
    view: View,
    lines: u32,
    open: bool,
    /// Longer than a view may be.
    cut: bool,
}

#[derive(Default)]
struct Unit {
    lines: u32,
    buckets: Buckets,
}

/// The units met last. Whole files are not held: a unit that comes back after so much else gets a view of its own.
#[derive(Default)]
struct Recent {
    order: VecDeque<i64>,
    units: HashMap<i64, Unit>,
    lines: usize,
}

impl Recent {
    /// More than two days of a minute each, so that an hour lived twice lies in one window.
    const UNITS_MAX: usize = 4096;
    const LINES_MAX: usize = 65_536;

    /// The place of the unit's next line, all senders counted.
    fn place(&self, unit: i64) -> u32 {
        self.units.get(&unit).map_or(0, |u| u.lines)
    }

    fn push(&mut self, unit: i64, sender: &str, content: Content, k: u32, open: bool) {
        let order = &mut self.order;
        let entry = self.units.entry(unit).or_insert_with(|| {
            order.push_back(unit);
            Unit::default()
        });
        entry.lines = entry.lines.saturating_add(1);
        self.lines += 1;
        if !entry.buckets.contains_key(sender) {
            entry.buckets.insert(sender.to_owned(), Bucket::default());
        }
        let Some(bucket) = entry.buckets.get_mut(sender) else { return };
        bucket.lines = bucket.lines.saturating_add(1);
        bucket.open |= open;
        if bucket.view.runs.len() >= View::RUNS_MAX || bucket.lines > View::LINES_MAX {
            bucket.cut = true;
            bucket.view.runs.clear();
        }
        if !bucket.cut {
            bucket.view.push(content, k);
        }
    }

    /// Takes the oldest unit out if the window is over its limits; never the one that is being filled.
    fn pop_old(&mut self) -> Option<(i64, Buckets)> {
        let full = self.order.len() > Self::UNITS_MAX || self.lines > Self::LINES_MAX;
        if full && self.order.len() > 1 { self.pop() } else { None }
    }

    fn pop(&mut self) -> Option<(i64, Buckets)> {
        let unit = self.order.pop_front()?;
        let Unit { lines, buckets } = self.units.remove(&unit)?;
        self.lines -= lines as usize;
        Some((unit, buckets))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::super::view::Run;
    use super::*;
    use crate::event::{Party, ROW_BYTES_MAX};

    const MINUTE: i64 = 60_000;

    fn line(minute: i64, sender: &str, class: Class, normal: &str) -> Line {
        let mut row = Row::new(Kind::MESSAGE, 0, "");
        row.set_sender(&Party::named(sender));
        row.fields.set(tag::BODY, normal);
        Line { unit: minute * MINUTE, seconds: None, sender: Some(sender.into()), class, normal: normal.into(), row }
    }

    fn export() -> Export {
        Export { strand: MINUTE, as_of: 99 * MINUTE, precision: Precision::Minute, aliases: BTreeMap::new() }
    }

    fn assemble(source: &str, export: Export, lines: &[Line]) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut emit = |row: Row| -> Result<(), ()> {
            rows.push(row);
            Ok(())
        };
        let mut assembler = Assembler::new(source, export);
        for line in lines {
            assembler.line(line.clone(), &mut emit).unwrap();
        }
        assembler.finish(&mut emit).unwrap();
        rows
    }

    fn of_kind(rows: &[Row], kind: Kind) -> Vec<&Row> {
        rows.iter().filter(|r| r.kind == kind).collect()
    }

    #[test]
    fn equal_lines_are_numbered_over_the_whole_file() {
        use Class::Plain;
        let lines = [
            line(1, "Ana", Plain, "ok"),
            line(1, "Ben", Plain, "ok"),
            line(1, "Ana", Plain, "ok"),
            line(2, "Ana", Plain, "ok"),
            line(1, "Ana", Plain, "ok"),
        ];
        let rows = assemble("whatsapp", export(), &lines);
        let keys: Vec<_> = of_kind(&rows, Kind::MESSAGE).iter().map(|r| r.native.clone()).collect();
        assert_eq!(
            keys,
            [
                "60000/60000/=Ana/P/0/=ok",
                "60000/60000/=Ben/P/0/=ok",
                "60000/60000/=Ana/P/1/=ok",
                "60000/120000/=Ana/P/0/=ok",
                "60000/60000/=Ana/P/2/=ok"
            ]
        );
        let places: Vec<_> = of_kind(&rows, Kind::MESSAGE).iter().map(|r| r.fields.number(tag::PLACE)).collect();
        assert_eq!(places, [0, 1, 2, 0, 3].map(Some));
        assert!(of_kind(&rows, Kind::VIEW).is_empty());
    }

    #[test]
    fn views_tell_what_stood_beside_an_open_line() {
        use Class::{Deleted, Edited, Plain};
        let lines = [
            line(1, "Ana", Edited, "alone in the first minute"),
            line(2, "Ana", Edited, "alone later"),
            line(3, "Ben", Plain, "a"),
            line(3, "Ana", Plain, "another bucket"),
            line(3, "Ben", Plain, "a"),
            line(3, "Ben", Deleted, ""),
        ];
        let rows = assemble("whatsapp", export(), &lines);
        let views = of_kind(&rows, Kind::VIEW);
        let decoded: Vec<_> =
            views.iter().map(|r| (r.time / MINUTE, View::decode(r.fields.get(tag::VIEW).unwrap()).unwrap())).collect();
        let run = |class, text: &str, count| Run { content: Content { class, ident: Ident::of(text) }, k: 0, count };
        assert_eq!(
            decoded,
            [
                (1, View { first_unit: true, runs: vec![run(Edited, "alone in the first minute", 1)] }),
                (3, View { first_unit: false, runs: vec![run(Plain, "a", 2), run(Deleted, "", 1)] })
            ]
        );
        assert!(views.iter().all(|r| r.fields.number(tag::AS_OF) == Some(99 * MINUTE)));
    }

    #[test]
    fn only_open_rows_say_when_they_were_seen() {
        let lines = [line(1, "Ana", Class::Plain, "a"), line(1, "Ana", Class::Omitted, "")];
        let as_of = |source| -> Vec<_> {
            let rows = assemble(source, export(), &lines);
            of_kind(&rows, Kind::MESSAGE).iter().map(|r| r.fields.number(tag::AS_OF).is_some()).collect()
        };
        assert_eq!(as_of("whatsapp"), [false, true]);
        assert_eq!(as_of("meta"), [true, true]);
        assert_eq!(as_of("irc"), [false, false]);
    }

    #[test]
    fn an_alias_is_written_and_the_written_name_is_kept_in_the_import_row() {
        let aliases = BTreeMap::from([("Mama".to_owned(), "Mum".to_owned())]);
        let rows = assemble("whatsapp", Export { aliases, ..export() }, &[line(1, "Mama", Class::Plain, "a")]);
        assert_eq!(rows[0].native, "60000/60000/=Mum/P/0/=a");
        assert_eq!(rows[0].sender(), Some(Party::named("Mum")));
        let import = Import::decode(rows[1].fields.get(tag::IMPORT).unwrap()).unwrap();
        assert_eq!(import.names, BTreeSet::from(["Mama".to_owned()]));
        assert_eq!((import.first, import.last, import.count), (MINUTE, MINUTE, 1));
    }

    #[test]
    fn a_longer_export_yields_the_same_rows_and_more() {
        let lines: Vec<_> =
            (0..40).map(|i| line(1 + i / 7, ["Ana", "Ben"][i as usize % 2], Class::Plain, "ok")).collect();
        let keys = |n: usize| -> BTreeSet<String> {
            let rows = assemble("whatsapp", export(), &lines[..n]);
            of_kind(&rows, Kind::MESSAGE).iter().map(|r| r.native.clone()).collect()
        };
        assert_eq!(keys(40).len(), 40);
        assert!(keys(25).is_subset(&keys(40)));
        assert_eq!(assemble("whatsapp", export(), &lines), assemble("whatsapp", export(), &lines));
    }

    #[test]
    fn a_unit_that_comes_back_after_the_window_keeps_counting() {
        let mut lines = vec![line(1, "Ana", Class::Deleted, ""), line(1, "Ana", Class::Plain, "a")];
        lines.extend((10..10 + Recent::UNITS_MAX as i64 + 5).map(|m| line(m, "Ana", Class::Plain, "x")));
        lines.push(line(1, "Ana", Class::Deleted, ""));
        let rows = assemble("whatsapp", export(), &lines);
        let keys: BTreeSet<_> = rows.iter().map(|r| &r.native).collect();
        assert_eq!(keys.len(), rows.len());
        assert_eq!(of_kind(&rows, Kind::VIEW).len(), 2);
    }

    #[test]
    fn a_crowded_minute_fits_and_has_no_view() {
        let lines: Vec<_> = (0..3000)
            .map(|i| line(1, "Ana", if i == 7 { Class::Edited } else { Class::Plain }, &i.to_string()))
            .collect();
        let rows = assemble("whatsapp", export(), &lines);
        assert!(of_kind(&rows, Kind::VIEW).is_empty());
        assert!(rows.iter().all(|r| r.encode().len() < ROW_BYTES_MAX));
        assert_eq!(rows.len(), 3001);
    }
}
