//! Which strand an export belongs to (FORMATS §2a items 6–9), and what only the person can say.

use std::collections::BTreeMap;

use super::import::Import;
use super::native::Native;
use super::sketch::{Anchor, Sketch};
use super::view::Content;
use crate::event::{Kind, Row, tag};

const MINUTE: i64 = 60_000;

/// The one strand of formats whose times carry no zone trouble: Meta has UTC, IRC one log's clock.
pub const ONE_STRAND: i64 = 0;

/// Where an export's rows go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Choice {
    /// A strand that is known: the same clock.
    Known(i64),
    /// A strand of its own; the fold links it where it overlaps.
    Own(i64),
    /// Only the person can say (E_INPUT_REQUIRED, `--chat`).
    Ask(Question),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question {
    /// Same label, same time, other lines: another chat?
    OtherChat,
    /// No common time span: the label alone proves nothing.
    NoCommonTime,
    /// The lines agree, but at a shift that no change of zone makes, or too few of them do.
    OddShift,
}

/// Chooses the strand for an export. `known` are the strands under its label; `confirmed` says that the person named
/// the chat, which answers every question.
pub fn choose_strand(source: &str, export: &Sketch, known: &[(i64, Sketch)], confirmed: bool) -> Choice {
    if matches!(source, "meta" | "irc") {
        return Choice::Known(ONE_STRAND);
    }
    let Some((first, _)) = export.span() else { return Choice::Own(0) };
    let mut own = first;
    while known.iter().any(|(strand, _)| *strand == own) {
        // A strand of that name runs by another clock; units are whole minutes, so the next number is free of others.
        own += 1;
    }
    let matches: Vec<_> = known.iter().map(|(strand, sketch)| (*strand, Match::of(export, sketch))).collect();
    let same = matches.iter().filter(|(_, m)| m.same_clock()).max_by_key(|(strand, m)| (m.weight(), -*strand));
    if let Some((strand, _)) = same {
        return Choice::Known(*strand);
    }
    if confirmed || known.is_empty() || matches.iter().any(|(_, m)| m.same_chat()) {
        return Choice::Own(own);
    }
    let questions = known.iter().zip(&matches).filter_map(|((_, sketch), (_, m))| question(export, sketch, m));
    questions.min_by_key(|q| *q as u8).map_or(Choice::Own(own), Choice::Ask)
}

/// Finds the known chats an export overlaps, whatever their label: what to offer when a label changed.
pub fn overlapping<'a, L>(export: &Sketch, chats: impl IntoIterator<Item = (L, &'a Sketch)>) -> Vec<L> {
    chats.into_iter().filter(|(_, known)| Match::of(export, known).same_chat()).map(|(label, _)| label).collect()
}

/// The open span between an export and what is known, if they do not touch: `(from, to)` in row time.
pub fn gap(export: &Sketch, known: &[(i64, Sketch)]) -> Option<(i64, i64)> {
    let (first, last) = export.span()?;
    let spans: Vec<_> = known.iter().filter_map(|(_, s)| s.span()).collect();
    if spans.iter().any(|(a, b)| *a <= last && first <= *b) {
        return None;
    }
    let before = spans.iter().map(|(_, b)| *b).filter(|b| *b < first).max().map(|b| (b, first));
    let after = spans.iter().map(|(a, _)| *a).filter(|a| *a > last).min().map(|a| (last, a));
    before.or(after)
}

/// Pictures the strands of a chat from its rows: what [`choose_strand`] and `aliases` compare an export with.
pub fn known_strands<'a>(source: &str, rows: impl IntoIterator<Item = &'a Row>) -> Vec<(i64, Sketch)> {
    type Lines<'a> = Vec<(i64, i64, Content, u32, usize, &'a Row)>;
    let mut strands: BTreeMap<i64, Lines<'a>> = BTreeMap::new();
    for row in rows.into_iter().filter(|r| r.kind.stands()) {
        let Some(native) = Native::parse(&row.native) else { continue };
        let content = Content { class: native.class, ident: native.ident };
        let chars = native.clear.map_or(3, |text| text.chars().take(3).count());
        let place = row.fields.number(tag::PLACE).unwrap_or(0);
        strands.entry(native.strand).or_default().push((native.unit, place, content, native.k, chars, row));
    }
    let picture = |mut lines: Lines<'a>| {
        lines.sort_by_key(|(unit, place, content, k, _, row)| (*unit, *place, *content, *k, row.native.as_str()));
        let mut sketch = Sketch::new(source);
        for (unit, _, content, _, chars, row) in lines {
            sketch.add(unit, row.sender().and_then(|p| p.name).as_deref(), content, chars);
        }
        sketch
    };
    strands.into_iter().map(|(strand, lines)| (strand, picture(lines))).collect()
}

/// The import rows of a chat, read.
pub fn known_imports<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Import> {
    let rows = rows.into_iter().filter(|r| r.kind == Kind::IMPORT);
    rows.filter_map(|r| Import::decode(r.fields.get(tag::IMPORT)?).ok()).collect()
}

/// How an export, or a strand, matches another.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    pub anchors: Vec<Anchor>,
    /// Votes of each accepted shift.
    pub accepted: BTreeMap<i64, u64>,
    /// A shift at which at least half of the common lines are equal, where anchors are few.
    pub by_lines: Option<i64>,
}

impl Match {
    const SHIFT_STEP: i64 = 15 * MINUTE;
    const SHIFT_MAX: i64 = 27 * 60 * MINUTE;

    pub fn of(export: &Sketch, known: &Sketch) -> Self {
        let anchors = export.anchors(known);
        let mut votes: BTreeMap<i64, u64> = BTreeMap::new();
        for anchor in &anchors {
            *votes.entry(anchor.shift).or_default() += 1;
        }
        votes.retain(|shift, _| shift % Self::SHIFT_STEP == 0 && shift.abs() <= Self::SHIFT_MAX);
        let all = anchors.len() as u64;
        let strong = |n: u64| n >= 3 && n * 50 >= all;
        let beside = |shift: i64| {
            [30, 60, 120]
                .iter()
                .flat_map(|m| [shift - m * MINUTE, shift + m * MINUTE])
                .any(|other| votes.get(&other).is_some_and(|n| *n >= 10 && strong(*n)))
        };
        let accepted: BTreeMap<i64, u64> =
            votes.iter().filter(|(s, n)| strong(**n) || (**n >= 2 && beside(**s))).map(|(s, n)| (*s, *n)).collect();
        let by_lines = if accepted.is_empty() { Self::by_lines(export, known, &votes, all) } else { None };
        Self { anchors, accepted, by_lines }
    }

    fn by_lines(export: &Sketch, known: &Sketch, votes: &BTreeMap<i64, u64>, all: u64) -> Option<i64> {
        if all >= 10 {
            return None;
        }
        let mut shifts: Vec<_> = votes.iter().map(|(s, n)| (std::cmp::Reverse(*n), *s)).collect();
        shifts.sort_unstable();
        std::iter::once(0).chain(shifts.into_iter().map(|(_, s)| s).filter(|s| *s != 0).take(8)).find(|shift| {
            let (common, equal) = export.equal_lines(known, *shift);
            equal * 2 >= common && equal >= if *shift == 0 { 1 } else { 5 }
        })
    }

    pub fn weight(&self) -> u64 {
        self.accepted.values().sum()
    }

    /// Item 8.
    pub fn same_chat(&self) -> bool {
        let votes = self.weight();
        let least = if self.accepted.keys().all(|s| *s == 0) { 3 } else { 5 };
        self.by_lines.is_some() || (votes >= least && votes * 2 >= self.anchors.len() as u64)
    }

    /// Item 9: the shift is exactly zero everywhere.
    pub fn same_clock(&self) -> bool {
        self.same_chat() && self.shifts().all(|s| s == 0)
    }

    pub fn shifts(&self) -> impl Iterator<Item = i64> {
        self.accepted.keys().copied().chain(self.by_lines)
    }
}

fn question(export: &Sketch, known: &Sketch, m: &Match) -> Option<Question> {
    let (Some((a, b)), Some((c, d))) = (export.span(), known.span()) else { return None };
    let mut votes: BTreeMap<i64, u64> = BTreeMap::new();
    for anchor in &m.anchors {
        *votes.entry(anchor.shift).or_default() += 1;
    }
    let all = m.anchors.len() as u64;
    if votes.values().any(|n| *n >= 3 && n * 2 >= all) {
        return Some(Question::OddShift);
    }
    if b < c || d < a {
        return Some(Question::NoCommonTime);
    }
    let (common, equal) = export.equal_lines(known, 0);
    (common >= 5 && equal * 10 <= common).then_some(Question::OtherChat)
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::super::native::Ident;
    use super::super::view::Content;
    use super::*;

    /// Fifty lines, five minutes apart, from `first` on; `shift` minutes later by the writer's clock.
    fn sketch(lines: std::ops::Range<i64>, shift: impl Fn(i64) -> i64) -> Sketch {
        worded(lines, shift, "line")
    }

    fn worded(lines: std::ops::Range<i64>, shift: impl Fn(i64) -> i64, word: &str) -> Sketch {
        let mut sketch = Sketch::new("whatsapp");
        for i in lines {
            let content = Content { class: Class::Plain, ident: Ident::of(&format!("{word} {i}")) };
            sketch.add((i * 5 + shift(i)) * MINUTE, Some("Ana"), content, 9);
        }
        sketch
    }

    fn choose(export: &Sketch, known: Sketch) -> Choice {
        let strand = known.span().unwrap().0;
        choose_strand("whatsapp", export, &[(strand, known)], false)
    }

    #[test]
    fn a_cut_export_of_the_same_clock_joins_the_strand() {
        assert_eq!(choose(&sketch(20..80, |_| 0), sketch(0..50, |_| 0)), Choice::Known(0));
    }

    #[test]
    fn another_clock_is_a_strand_of_its_own() {
        assert_eq!(choose(&sketch(20..80, |_| 60), sketch(0..50, |_| 0)), Choice::Own(160 * MINUTE));
    }

    #[test]
    fn the_same_clock_in_winter_only_is_another_strand_even_with_the_same_first_minute() {
        let summer = |i| if i < 25 { 0 } else { 60 };
        assert_eq!(choose(&sketch(0..50, summer), sketch(0..50, |_| 0)), Choice::Own(1));
    }

    #[test]
    fn a_file_that_had_to_take_the_next_number_finds_its_strand_again() {
        let shifted = sketch(0..50, |i| if i < 25 { 0 } else { 60 });
        let known = [(0, sketch(0..50, |_| 0)), (1, shifted.clone())];
        assert_eq!(choose_strand("whatsapp", &shifted, &known, false), Choice::Known(1));
    }

    #[test]
    fn what_only_the_person_knows_is_asked() {
        let known = || sketch(0..50, |_| 0);
        assert_eq!(choose(&worded(0..50, |_| 0, "foreign"), known()), Choice::Ask(Question::OtherChat));
        assert_eq!(choose(&sketch(100..150, |_| 0), known()), Choice::Ask(Question::NoCommonTime));
        assert_eq!(choose(&sketch(0..50, |_| 7), known()), Choice::Ask(Question::OddShift));
        let all = [(0, known())];
        assert_eq!(choose_strand("whatsapp", &sketch(0..50, |_| 7), &all, true), Choice::Own(7 * MINUTE));
        assert_eq!(gap(&sketch(100..150, |_| 0), &all), Some((245 * MINUTE, 500 * MINUTE)));
        assert_eq!(gap(&sketch(40..60, |_| 0), &all), None);
    }

    #[test]
    fn a_changed_label_finds_its_chat() {
        let (family, work) = (sketch(0..50, |_| 0), worded(0..50, |_| 0, "work"));
        let export = sketch(30..90, |_| -120);
        assert_eq!(overlapping(&export, [("Family", &family), ("Work", &work)]), ["Family"]);
    }

    #[test]
    fn the_shift_may_change_with_the_season_twice() {
        let zones = |i| {
            if i < 20 {
                60
            } else if i < 35 {
                120
            } else {
                0
            }
        };
        let m = Match::of(&sketch(0..60, zones), &sketch(0..60, |_| 0));
        assert!(m.same_chat());
        assert_eq!(m.shifts().collect::<Vec<_>>(), [0, 60 * MINUTE, 120 * MINUTE]);
    }
}
