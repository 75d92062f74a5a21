//! Which rows of a bucket are one message (FORMATS §2a items 13–15).
//!
//! A slot is a message. Closed rows have one each; edited, deleted and omitted rows are brought to slots by aligning
//! every view with them in order. Equal rows are interchangeable: a slot holds a content, and only at the end are the
//! copies dealt out in order.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Class;
use super::super::view::Content;
use super::similar;

/// Above this many cells a view is not aligned; its rows then go by text alone.
const CELLS_MAX: usize = 400_000;
/// Beyond so many comparisons of texts in one bucket what is left over takes slots of its own.
const COMPARISONS_MAX: usize = 400_000;

/// Worth of a line on a slot, in hundredths.
const SAME: u32 = 400;
const OPEN: u32 = 100;
const DELETED: u32 = 25;
/// Likeness an edit needs where a cut may have taken its original away.
const LIKE_AT_CUT: u32 = 40;

/// One row of the bucket, or one dead row that only a tombstone names.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub content: Content,
    pub k: u32,
    pub place: i64,
    pub as_of: i64,
    pub open: bool,
    pub text: Option<&'a str>,
    pub media: bool,
    /// Tombstone that names it.
    pub grave: Option<usize>,
}

/// What stood together: contents in order, when the export was, and whether a cut may stand before it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Sight {
    pub as_of: i64,
    pub lines: Vec<Content>,
    pub at_cut: bool,
}

/// Deals the pieces of a bucket out to messages; each inner list is one message, in order.
pub(super) fn slots(pieces: &[Piece<'_>], sights: &[Sight]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|i| pieces.get(*i).map(|p| (p.place, p.content, p.k)));
    let mut bucket = Bucket::new(pieces, &order);
    let mut sights: Vec<Sight> = sights.iter().map(|s| bucket.known_lines(s)).collect();
    bucket.add_lone_sights(&mut sights);
    sights.retain(|s| s.lines.iter().any(|c| bucket.copies.get(c).is_some_and(|copies| copies.open)));
    sights.sort();
    sights.dedup();
    bucket.learn(&sights);
    for sight in &sights {
        bucket.take(sight);
    }
    bucket.deal()
}

#[derive(Default)]
struct Slot<'a> {
    closed: Option<Content>,
    open: Vec<Content>,
    texts: Vec<&'a str>,
    media: bool,
    /// Fixed pieces: the closed row, or rows a tombstone holds together.
    pieces: Vec<usize>,
    /// How many of `open` are fixed pieces already.
    fixed_open: usize,
}

impl Slot<'_> {
    fn holds(&self, content: Content) -> bool {
        self.closed == Some(content) || self.open.contains(&content)
    }

    fn contents(&self) -> impl Iterator<Item = Content> {
        self.closed.into_iter().chain(self.open.iter().copied())
    }
}

/// All rows of one content.
#[derive(Default)]
struct Copies<'a> {
    pieces: Vec<usize>,
    open: bool,
    text: Option<&'a str>,
    media: bool,
    place: i64,
    as_of: i64,
}

struct Bucket<'a> {
    slots: Vec<Slot<'a>>,
    copies: BTreeMap<Content, Copies<'a>>,
    /// Of an open content: contents that stood beside it, with all their copies.
    beside: BTreeMap<Content, BTreeSet<Content>>,
    /// Contents with all their copies in the view at hand: no other line of it is one of these messages.
    here: BTreeSet<Content>,
    comparisons: usize,
}

impl<'a> Bucket<'a> {
    /// Makes a slot for each closed row and each grave, by place.
    fn new(pieces: &[Piece<'a>], order: &[usize]) -> Self {
        let mut bucket = Self {
            slots: Vec::new(),
            copies: BTreeMap::new(),
            beside: BTreeMap::new(),
            here: BTreeSet::new(),
            comparisons: 0,
        };
        let mut graves: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, piece) in order.iter().filter_map(|i| Some((*i, pieces.get(*i)?))) {
            let copies = bucket.copies.entry(piece.content).or_default();
            copies.open = piece.open;
            copies.text = copies.text.or(piece.text);
            copies.media |= piece.media;
            copies.place = copies.place.max(piece.place);
            copies.as_of = if copies.pieces.is_empty() { piece.as_of } else { copies.as_of.min(piece.as_of) };
            copies.pieces.push(index);
            if piece.open && piece.grave.is_none() {
                continue;
            }
            let known = piece.grave.and_then(|g| graves.get(&g).copied());
            let at = known.unwrap_or(bucket.slots.len());
            if known.is_none() {
                bucket.slots.push(Slot::default());
            }
            if let Some(grave) = piece.grave {
                graves.insert(grave, at);
            }
            if let Some(slot) = bucket.slots.get_mut(at) {
                slot.texts.extend(piece.text);
                slot.media |= piece.media;
                slot.pieces.push(index);
                if piece.open {
                    slot.open.push(piece.content);
                    slot.fixed_open += 1;
                } else {
                    slot.closed = Some(piece.content);
                }
            }
        }
        for copies in bucket.copies.values_mut() {
            copies.pieces.sort_by_key(|i| pieces.get(*i).map(|p| p.k));
        }
        bucket
    }

    /// A sight without the lines whose rows are not here.
    fn known_lines(&self, sight: &Sight) -> Sight {
        let lines = sight.lines.iter().copied().filter(|c| self.copies.contains_key(c)).collect();
        Sight { lines, ..*sight }
    }

    /// Open rows that no view shows are views of themselves.
    fn add_lone_sights(&self, sights: &mut Vec<Sight>) {
        for (content, copies) in self.copies.iter().filter(|(_, c)| c.open) {
            let shown = sights.iter().map(|s| s.lines.iter().filter(|c| *c == content).count()).max().unwrap_or(0);
            for _ in shown..copies.pieces.len() {
                sights.push(Sight { as_of: copies.as_of, lines: vec![*content], at_cut: false });
            }
        }
    }

    /// Notes what cannot be one message: contents all of whose copies stand together in one view. Where a content has
    /// more copies than the view shows, another copy may still be the same message; the view itself knows better.
    fn learn(&mut self, sights: &[Sight]) {
        for sight in sights {
            let whole = self.whole(sight);
            for content in whole.iter().filter(|c| self.copies.get(c).is_some_and(|copies| copies.open)) {
                self.beside.entry(*content).or_default().extend(whole.iter().filter(|w| *w != content));
            }
        }
    }

    /// Contents of which a sight shows every copy.
    fn whole(&self, sight: &Sight) -> BTreeSet<Content> {
        let mut counts: BTreeMap<Content, usize> = BTreeMap::new();
        for content in &sight.lines {
            *counts.entry(*content).or_default() += 1;
        }
        let all = |(content, n): &(Content, usize)| self.copies.get(content).is_some_and(|c| *n >= c.pieces.len());
        counts.into_iter().filter(all).map(|(content, _)| content).collect()
    }

    fn take(&mut self, sight: &Sight) {
        self.here = self.whole(sight);
        let aligned = if sight.lines.len().saturating_mul(self.slots.len()) <= CELLS_MAX {
            self.align(sight)
        } else {
            vec![None; sight.lines.len()]
        };
        // Slots by stable number: new ones are set in between afterwards.
        let mut used: BTreeSet<usize> = aligned.iter().flatten().copied().collect();
        let mut shown: BTreeMap<Content, usize> = BTreeMap::new();
        for (content, slot) in sight.lines.iter().zip(&aligned) {
            *shown.entry(*content).or_default() += 1;
            if let Some(slot) = slot {
                self.put(*content, *slot);
            }
        }
        let mut new: Vec<(Option<usize>, Content)> = Vec::new();
        for (i, content) in sight.lines.iter().enumerate() {
            let Some(copies) = self.copies.get(content).filter(|c| c.open) else { continue };
            if aligned.get(i).is_none_or(Option::is_some) {
                continue;
            }
            let waiting = new.iter().filter(|(_, c)| c == content).count();
            let placed = self.held(*content) + waiting;
            let shown = shown.get(content).copied().unwrap_or(0);
            if placed >= shown.min(copies.pieces.len()) {
                continue;
            }
            if let Some(slot) = self.best_free(*content, &used, sight.at_cut) {
                used.insert(slot);
                self.put(*content, slot);
            } else {
                let before = aligned.get(..i).unwrap_or_default().iter().rev().flatten().next().copied();
                new.push((before, *content));
            }
        }
        self.insert(new, &aligned);
    }

    /// Sets new slots behind the slot of the line before them.
    fn insert(&mut self, new: Vec<(Option<usize>, Content)>, aligned: &[Option<usize>]) {
        let first = aligned.iter().flatten().next().copied();
        for (before, content) in new.into_iter().rev() {
            let at = before.map(|b| b + 1).or(first).unwrap_or(self.slots.len());
            let at = at.min(self.slots.len());
            self.slots.insert(at, Slot::default());
            self.put(content, at);
        }
    }

    fn held(&self, content: Content) -> usize {
        self.slots.iter().filter(|s| s.holds(content)).count()
    }

    /// Lets a slot hold an open content, as long as there are copies left.
    fn put(&mut self, content: Content, at: usize) {
        let Some(copies) = self.copies.get(&content).filter(|c| c.open) else { return };
        let (text, media, room) = (copies.text, copies.media, self.held(content) < copies.pieces.len());
        if let Some(slot) = self.slots.get_mut(at).filter(|s| room && !s.holds(content)) {
            slot.open.push(content);
            slot.texts.extend(text);
            slot.media |= media;
        }
    }

    fn best_free(&mut self, content: Content, used: &BTreeSet<usize>, at_cut: bool) -> Option<usize> {
        if self.comparisons > COMPARISONS_MAX {
            return None;
        }
        self.comparisons += self.slots.len();
        let free = (0..self.slots.len()).filter(|i| !used.contains(i));
        let worth = |i: usize| self.slots.get(i).and_then(|slot| self.worth(content, slot, at_cut));
        free.filter_map(|i| Some((worth(i)?, std::cmp::Reverse(i)))).max().map(|(_, i)| i.0)
    }

    /// What a line is worth on a slot, or that it cannot be there.
    fn worth(&self, content: Content, slot: &Slot<'_>, at_cut: bool) -> Option<u32> {
        if slot.holds(content) {
            return Some(SAME);
        }
        let copies = self.copies.get(&content).filter(|c| c.open)?;
        let apart = self.beside.get(&content);
        let forbidden = slot.contents().any(|c| {
            self.here.contains(&c)
                || apart.is_some_and(|a| a.contains(&c))
                || self.beside.get(&c).is_some_and(|b| b.contains(&content))
        });
        if forbidden {
            return None;
        }
        let like = |text: &str| slot.texts.iter().map(|t| similar::percent(text, t)).max().unwrap_or(0);
        match content.class {
            Class::Deleted => (!at_cut).then_some(OPEN + DELETED),
            Class::Omitted => {
                let caption = copies.text.unwrap_or("").trim();
                let equal =
                    slot.texts.iter().any(|t| t.trim() == caption) || (caption.is_empty() && slot.texts.is_empty());
                (slot.media && equal).then_some(OPEN + 100)
            }
            Class::Edited | Class::Plain => {
                let like = copies.text.map_or(0, like);
                (!at_cut || like >= LIKE_AT_CUT).then_some(OPEN + like)
            }
        }
    }

    /// Aligns a sight's lines with the slots, both in order, for the best total.
    fn align(&self, sight: &Sight) -> Vec<Option<usize>> {
        let (rows, columns) = (sight.lines.len(), self.slots.len());
        let width = columns + 1;
        let mut worth: BTreeMap<Content, Vec<Option<u32>>> = BTreeMap::new();
        for content in &sight.lines {
            worth
                .entry(*content)
                .or_insert_with(|| self.slots.iter().map(|s| self.worth(*content, s, sight.at_cut)).collect());
        }
        // best[i][j]: the best total of the first i lines and j slots.
        let mut best = vec![0u32; (rows + 1) * width];
        for (i, content) in sight.lines.iter().enumerate() {
            let line = worth.get(content).map_or(&[] as &[_], Vec::as_slice);
            for (j, worth) in line.iter().enumerate() {
                let at = (i + 1) * width + j + 1;
                let matched = worth.map_or(0, |w| best[at - width - 1] + w);
                best[at] = best[at - 1].max(best[at - width]).max(matched);
            }
        }
        let mut aligned = vec![None; rows];
        let (mut i, mut j) = (rows, columns);
        while i > 0 && j > 0 {
            let at = i * width + j;
            if best[at] == best[at - width] {
                i -= 1;
            } else if best[at] == best[at - 1] {
                j -= 1;
            } else {
                (i, j) = (i - 1, j - 1);
                aligned[i] = Some(j);
            }
        }
        aligned
    }

    /// Gives each slot its rows: the k-th copy of a content to the k-th slot that holds it.
    fn deal(self) -> Vec<Vec<usize>> {
        let mut fixed: BTreeSet<usize> = self.slots.iter().flat_map(|s| s.pieces.iter().copied()).collect();
        let mut left: BTreeMap<Content, std::collections::VecDeque<usize>> = BTreeMap::new();
        for (content, copies) in self.copies.iter().filter(|(_, c)| c.open) {
            left.insert(*content, copies.pieces.iter().copied().filter(|p| !fixed.contains(p)).collect());
        }
        let mut messages = Vec::new();
        for slot in self.slots {
            let mut message = slot.pieces;
            for content in slot.open.iter().skip(slot.fixed_open) {
                message.extend(left.get_mut(content).and_then(std::collections::VecDeque::pop_front));
            }
            messages.push(message);
        }
        messages.retain(|m| !m.is_empty());
        fixed.extend(messages.iter().flatten().copied());
        // Nothing is lost, whatever a view said.
        messages.extend(left.into_values().flatten().filter(|p| !fixed.contains(p)).map(|p| vec![p]));
        messages
    }
}
