//! A bounded picture of an export or a strand, good enough to tell whether two of them are one chat, and how their
//! clocks differ (FORMATS §2a item 6).

use std::collections::BTreeMap;

use super::Class;
use super::view::Content;

/// Texts and triples of successive texts, with their times. Above the limit the smallest hashes are kept: both sides
/// then keep the same ones.
#[derive(Clone, Debug)]
pub struct Sketch {
    source: String,
    bodies: BTreeMap<u64, Seen>,
    triples: BTreeMap<u64, Seen>,
    /// The last two anchor texts and their units.
    before: Vec<(u64, i64)>,
    senders: BTreeMap<String, u32>,
    names: Vec<String>,
    span: Option<(i64, i64)>,
    lines: u64,
}

#[derive(Clone, Debug)]
struct Seen {
    /// Different units, the first ones met.
    units: Vec<i64>,
    /// Met at more units than are kept.
    often: bool,
    sender: u32,
    /// Closed and long enough to be an anchor.
    anchor: bool,
}

impl Seen {
    const UNITS_MAX: usize = 24;

    fn add(&mut self, unit: i64) {
        if self.units.contains(&unit) {
            return;
        }
        if self.units.len() < Self::UNITS_MAX {
            self.units.push(unit);
        } else {
            self.often = true;
        }
    }

    fn only_unit(&self) -> Option<i64> {
        match (&*self.units, self.often) {
            ([unit], false) => Some(*unit),
            _ => None,
        }
    }
}

/// Where one thing stands in two sketches: `shift` is the first's unit less the second's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Anchor {
    pub unit: i64,
    pub shift: i64,
}

impl Sketch {
    /// How many texts, and how many triples, are kept.
    pub const SAMPLE_MAX: usize = 65_536;
    const ANCHOR_CHARS_MIN: usize = 3;
    const NO_SENDER: u32 = u32::MAX;

    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            bodies: BTreeMap::new(),
            triples: BTreeMap::new(),
            before: Vec::new(),
            senders: BTreeMap::new(),
            names: Vec::new(),
            span: None,
            lines: 0,
        }
    }

    /// Takes the next line of an export, in file order.
    pub fn line(&mut self, line: &super::Line) {
        let content = Content { class: line.class, ident: super::native::Ident::of(&line.normal) };
        self.add(line.unit, line.sender.as_deref(), content, line.normal.chars().take(3).count());
    }

    /// Takes the next line of a strand, in order of unit and place. `chars` may stop counting at three.
    pub(crate) fn add(&mut self, unit: i64, sender: Option<&str>, content: Content, chars: usize) {
        self.lines += 1;
        self.span = Some(self.span.map_or((unit, unit), |(first, last)| (first.min(unit), last.max(unit))));
        if content.class == Class::Deleted {
            return;
        }
        let sender = sender.map_or(Self::NO_SENDER, |name| self.sender(name));
        let closed = !content.class.is_open(&self.source);
        let text = content.ident.short();
        let anchor = closed && chars >= Self::ANCHOR_CHARS_MIN;
        note(&mut self.bodies, text, unit, sender, anchor);
        if closed {
            if let [(a, unit_a), (b, unit_b)] = *self.before {
                let mut hasher = blake3::Hasher::new();
                for part in [a.cast_signed(), b.cast_signed(), text.cast_signed(), unit_b - unit_a, unit - unit_b] {
                    hasher.update(&part.to_le_bytes());
                }
                let mut front = [0; 8];
                hasher.finalize_xof().fill(&mut front);
                note(&mut self.triples, u64::from_le_bytes(front), unit_a, Self::NO_SENDER, true);
                self.before.remove(0);
            }
            self.before.push((text, unit));
        }
    }

    /// First and last unit.
    pub fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// All that stands at one time in both, ascending.
    pub(crate) fn anchors(&self, known: &Self) -> Vec<Anchor> {
        let mut anchors = Vec::new();
        for (ours, theirs) in [(&self.bodies, &known.bodies), (&self.triples, &known.triples)] {
            for (unit, seen) in once(ours) {
                if let Some(other) = theirs.get(seen.0).filter(|o| o.anchor).and_then(Seen::only_unit) {
                    anchors.push(Anchor { unit, shift: unit.saturating_sub(other) });
                }
            }
        }
        anchors.sort_unstable();
        anchors
    }

    /// Of each anchor text with an accepted shift: our unit, our sender, their sender.
    pub(crate) fn senders_of_anchors<'a>(&'a self, known: &'a Self, shifts: &[i64]) -> Vec<(i64, &'a str, &'a str)> {
        let mut pairs = Vec::new();
        for (unit, (hash, ours)) in once(&self.bodies) {
            let Some(theirs) = known.bodies.get(hash).filter(|o| o.anchor) else { continue };
            let shift = theirs.only_unit().map(|other| unit.saturating_sub(other));
            let names = (self.name(ours.sender), known.name(theirs.sender));
            if let (Some(_), (Some(our), Some(their))) = (shift.filter(|s| shifts.contains(s)), names) {
                pairs.push((unit, our, their));
            }
        }
        pairs.sort_unstable();
        pairs
    }

    /// How many of our kept lines lie in the common time span, and how many of them the other has too.
    pub(crate) fn equal_lines(&self, known: &Self, shift: i64) -> (u64, u64) {
        let (Some((a, b)), Some((c, d))) = (self.span, known.span) else { return (0, 0) };
        let (from, to) = (a.max(c.saturating_add(shift)), b.min(d.saturating_add(shift)));
        let (mut common, mut equal) = (0, 0);
        for (hash, seen) in &self.bodies {
            for unit in seen.units.iter().filter(|u| (from..=to).contains(*u)) {
                common += 1;
                let there = known.bodies.get(hash).is_some_and(|o| o.units.contains(&unit.saturating_sub(shift)));
                equal += u64::from(there);
            }
        }
        (common, equal)
    }

    fn sender(&mut self, name: &str) -> u32 {
        if let Some(at) = self.senders.get(name) {
            return *at;
        }
        let Some(at) = u32::try_from(self.names.len()).ok().filter(|n| *n < 65_536) else { return Self::NO_SENDER };
        self.senders.insert(name.to_owned(), at);
        self.names.push(name.to_owned());
        at
    }

    fn name(&self, at: u32) -> Option<&str> {
        self.names.get(at as usize).map(String::as_str)
    }
}

/// Notes a text or triple; the largest hash leaves when the sample is full, and then never comes back.
fn note(sample: &mut BTreeMap<u64, Seen>, hash: u64, unit: i64, sender: u32, anchor: bool) {
    if let Some(seen) = sample.get_mut(&hash) {
        seen.anchor &= anchor;
        return seen.add(unit);
    }
    let full = sample.len() >= Sketch::SAMPLE_MAX;
    if full && sample.last_key_value().is_some_and(|(last, _)| hash > *last) {
        return;
    }
    sample.insert(hash, Seen { units: vec![unit], often: false, sender, anchor });
    if full {
        sample.pop_last();
    }
}

fn once(sample: &BTreeMap<u64, Seen>) -> impl Iterator<Item = (i64, (&u64, &Seen))> {
    sample.iter().filter(|(_, s)| s.anchor).filter_map(|(hash, seen)| Some((seen.only_unit()?, (hash, seen))))
}

#[cfg(test)]
mod tests {
    use super::super::native::Ident;
    use super::*;

    fn sketch(lines: &[(i64, &str)]) -> Sketch {
        let mut sketch = Sketch::new("whatsapp");
        for (unit, text) in lines {
            let content = Content { class: Class::Plain, ident: Ident::of(text) };
            sketch.add(*unit, Some("Ana"), content, text.chars().count());
        }
        sketch
    }

    #[test]
    fn only_what_stands_once_in_both_is_an_anchor() {
        let ours = sketch(&[(10, "hello"), (20, "ok"), (30, "twice"), (40, "twice"), (50, "bye")]);
        let theirs = sketch(&[(13, "hello"), (23, "ok"), (33, "twice"), (60, "bye"), (70, "bye")]);
        let anchors = ours.anchors(&theirs);
        assert!(anchors.contains(&Anchor { unit: 10, shift: -3 }));
        // The triple hello, ok, twice has the same gaps in both; no other text votes.
        assert_eq!(anchors.len(), 2);
    }

    #[test]
    fn two_samples_of_one_chat_keep_the_same_texts() {
        let many: Vec<String> = (0..Sketch::SAMPLE_MAX * 2).map(|i| format!("line {i}")).collect();
        let all: Vec<_> = many.iter().enumerate().map(|(i, t)| (i as i64, &**t)).collect();
        let (a, b) = (sketch(&all), sketch(&all[1000..]));
        assert!(a.bodies.len() == Sketch::SAMPLE_MAX && b.bodies.len() == Sketch::SAMPLE_MAX);
        let shared = a.bodies.keys().filter(|k| b.bodies.contains_key(k)).count();
        assert!(shared > Sketch::SAMPLE_MAX * 98 / 100);
    }
}
