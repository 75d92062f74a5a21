//! Brings the strands of a chat to one clock (FORMATS §2a item 10).

use std::collections::{BTreeMap, HashSet};

use super::super::sketch::{Anchor, Sketch};
use super::super::strand::Match;
use super::super::view::Content;
use super::rows::Entry;

const MINUTE: i64 = 60_000;

/// Where an entry stands by its group's clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Spot {
    pub group: usize,
    pub unit: i64,
    pub k: u32,
}

/// The clocks of all strands: what a unit of a strand is in its group.
pub(super) struct Clocks {
    by_strand: BTreeMap<i64, (usize, Clock)>,
}

impl Clocks {
    /// A unit's group and unit there, by the clock alone; none for a strand without rows.
    pub fn unit(&self, strand: i64, unit: i64) -> Option<(usize, i64)> {
        let (group, clock) = self.by_strand.get(&strand)?;
        let shift = clock.candidates(unit).first().copied().unwrap_or(0);
        Some((*group, unit.saturating_sub(shift)))
    }
}

/// Comparisons of strands that are made at most; strands beyond stay by themselves.
const MATCHES_MAX: usize = 4096;

/// Links strands, smallest first, growing. Gives a spot for each entry, in the order of `entries`.
pub(super) fn link(source: &str, entries: &[Entry<'_>]) -> (Vec<Spot>, Clocks) {
    let mut strands: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (i, entry) in entries.iter().enumerate() {
        strands.entry(entry.strand).or_default().push(i);
    }
    let mut spots: Vec<Spot> = entries.iter().map(|e| Spot { group: 0, unit: e.unit, k: e.k }).collect();
    let mut clocks = Clocks { by_strand: BTreeMap::new() };
    if strands.len() < 2 {
        clocks.by_strand.extend(strands.into_keys().map(|strand| (strand, (0, Clock::default()))));
        return (spots, clocks);
    }
    let sketches: BTreeMap<i64, Sketch> = strands.iter().map(|(s, list)| (*s, sketch(source, entries, list))).collect();
    let mut waiting: Vec<i64> = strands.keys().copied().collect();
    let mut matches = 0;
    let mut group = 0;
    while !waiting.is_empty() {
        let base = waiting.remove(0);
        let mut members = strands.get(&base).cloned().unwrap_or_default();
        for i in &members {
            spots[*i].group = group;
        }
        clocks.by_strand.insert(base, (group, Clock::default()));
        let mut known = sketches.get(&base).cloned().unwrap_or_else(|| Sketch::new(source));
        while let Some((at, m)) = waiting.iter().enumerate().find_map(|(at, strand)| {
            matches += 1;
            let m = Match::of(sketches.get(strand)?, &known);
            (matches <= MATCHES_MAX && m.same_chat()).then_some((at, m))
        }) {
            let strand = waiting.remove(at);
            let list = strands.get(&strand).cloned().unwrap_or_default();
            let clock = Clock::new(&m);
            set(&clock, group, entries, &members, &list, &mut spots);
            clocks.by_strand.insert(strand, (group, clock));
            members.extend(list);
            known = sketch_of_group(source, entries, &members, &spots);
        }
        group += 1;
    }
    (spots, clocks)
}

/// Sets a strand's entries by its clock, where two shifts are possible by the one that finds a partner.
fn set(clock: &Clock, group: usize, entries: &[Entry<'_>], members: &[usize], list: &[usize], spots: &mut [Spot]) {
    let known: HashSet<(i64, Content)> = members.iter().map(|i| (spots[*i].unit, entries[*i].content)).collect();
    let mut taken: BTreeMap<(i64, &str, Content), (i64, u32, u32)> = BTreeMap::new();
    let mut sorted = list.to_vec();
    sorted.sort_by_key(|i| (entries[*i].unit, entries[*i].k));
    for i in sorted {
        let entry = &entries[i];
        let candidates = clock.candidates(entry.unit);
        let partner = |shift: &&i64| known.contains(&(entry.unit.saturating_sub(**shift), entry.content));
        let shift = candidates.iter().find(partner).or(candidates.first()).copied().unwrap_or(0);
        let unit = entry.unit.saturating_sub(shift);
        // Two units of this clock that are one by the other: their equal lines go on counting.
        let (from, base, next) = taken.entry((unit, entry.sender, entry.content)).or_insert((entry.unit, 0, 0));
        if *from != entry.unit {
            (*from, *base) = (entry.unit, *next);
        }
        let k = base.saturating_add(entry.k);
        *next = (*next).max(k.saturating_add(1));
        spots[i] = Spot { group, unit, k };
    }
}

fn sketch(source: &str, entries: &[Entry<'_>], list: &[usize]) -> Sketch {
    let mut sorted = list.to_vec();
    sorted.sort_by_key(|i| (entries[*i].unit, entries[*i].place, entries[*i].content, entries[*i].k));
    let mut sketch = Sketch::new(source);
    for i in sorted {
        sketch.add(entries[i].unit, None, entries[i].content, entries[i].chars);
    }
    sketch
}

/// One picture of all that is linked so far; a line that several strands hold counts once, whoever wrote it.
fn sketch_of_group(source: &str, entries: &[Entry<'_>], members: &[usize], spots: &[Spot]) -> Sketch {
    let key = |i: &usize| (spots[*i].unit, entries[*i].content, spots[*i].k);
    let mut sorted = members.to_vec();
    sorted.sort_by_key(|i| (key(i), std::cmp::Reverse(entries[*i].place)));
    sorted.dedup_by_key(|i| key(i));
    sorted.sort_by_key(|i| (spots[*i].unit, entries[*i].place, entries[*i].content, spots[*i].k));
    let mut sketch = Sketch::new(source);
    for i in sorted {
        sketch.add(spots[i].unit, None, entries[i].content, entries[i].chars);
    }
    sketch
}

/// How far a strand's clock is ahead of its group's, by season. Empty: not at all.
#[derive(Default)]
struct Clock {
    /// Anchors of accepted shifts, by unit.
    anchors: Vec<Anchor>,
    /// The same without those that differ from both neighbours.
    smooth: Vec<Anchor>,
    always: i64,
}

impl Clock {
    /// Around an hour lived twice more than one shift is looked at.
    const NEAR: i64 = 90 * MINUTE;

    fn new(m: &Match) -> Self {
        let anchors: Vec<Anchor> = m.anchors.iter().filter(|a| m.accepted.contains_key(&a.shift)).copied().collect();
        let agrees = |i: usize| {
            let beside = [i.wrapping_sub(1), i + 1].map(|at| anchors.get(at).map(|a| a.shift));
            let here = anchors.get(i).map(|a| a.shift);
            let far = [i.wrapping_sub(2), i + 2].map(|at| anchors.get(at).map(|a| a.shift));
            match beside {
                // At an end: the next two together outvote it.
                [None, Some(next)] => here == Some(next) || far[1] != Some(next),
                [Some(before), None] => here == Some(before) || far[0] != Some(before),
                _ => beside.contains(&here),
            }
        };
        let smooth = anchors.iter().enumerate().filter(|(i, _)| agrees(*i)).map(|(_, a)| *a).collect();
        Self { anchors, smooth, always: m.by_lines.unwrap_or(0) }
    }

    /// Shifts a unit may have, the likeliest first.
    fn candidates(&self, unit: i64) -> Vec<i64> {
        let at = self.smooth.partition_point(|a| a.unit < unit);
        let (before, after) = (at.checked_sub(1).and_then(|i| self.smooth.get(i)), self.smooth.get(at));
        let mut shifts = match (before, after) {
            (Some(a), Some(b)) if unit - a.unit <= b.unit - unit => vec![a.shift, b.shift],
            (Some(a), Some(b)) => vec![b.shift, a.shift],
            (Some(one), None) | (None, Some(one)) => vec![one.shift],
            (None, None) => vec![self.anchors.first().map_or(self.always, |a| a.shift)],
        };
        let at = self.anchors.partition_point(|a| a.unit < unit);
        let near = self.anchors.get(at.saturating_sub(3)..self.anchors.len().min(at + 3)).unwrap_or_default();
        shifts.extend(near.iter().filter(|a| (a.unit - unit).abs() <= Self::NEAR).map(|a| a.shift));
        let mut once = Vec::new();
        for shift in shifts {
            if !once.contains(&shift) {
                once.push(shift);
            }
        }
        once
    }
}
