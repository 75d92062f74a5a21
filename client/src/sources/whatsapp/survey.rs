//! First pass over a chat file: which pattern its headers have, which field is the day, who writes.

use std::io;

use super::header::{self, Frame, Head, Pattern, YearPlace};
use super::lines::{Lines, PhysicalLine};
use super::marks::LRM;
use super::names::{self, Names};
use super::order::{self, Weighing};
use crate::sources::{Answers, DateOrder, Files, ImportError};

/// More ways to write a header than any one file has; further ones are not counted.
const PATTERNS_MAX: usize = 64;

/// A pattern beside the first line's is believed when at least one header in this many has it: then somebody joined
/// two exports. Below, it is text that a person pasted.
const JOINED_SHARE: u64 = 4;

/// And this many at least: one pasted line is a large share of a short chat.
const JOINED_LINES_MIN: u64 = 2;

/// How a file is to be read.
pub(super) struct Grammar {
    /// Accepted patterns with their order of fields; the file's own first.
    accepted: Vec<(Pattern, DateOrder)>,
    pub names: Names,
    /// WhatsApp's own text is marked by U+200E.
    pub marks: bool,
    pub frame: Frame,
    pub seconds: bool,
    pub order: DateOrder,
    /// What iPhones call the chat in the notice that begins a whole export: the group's or the other person's name.
    pub title: Option<String>,
    /// Unit of the first line.
    pub first_unit: i64,
    /// Latest time of any line, with seconds where known.
    pub latest: i64,
}

impl Grammar {
    /// Reads a header, unless the line only looks like one; also its minute.
    pub fn head<'a>(&self, line: &'a str) -> Option<(Head<'a>, i64)> {
        let head = header::parse(line)?;
        let (_, order) = self.accepted.iter().find(|(pattern, _)| *pattern == head.pattern)?;
        let unit = order::minute(&head, *order)?;
        Some((head, unit))
    }
}

/// What the lines of one pattern have shown.
struct Seen {
    pattern: Pattern,
    lines: u64,
    weighing: Weighing,
    names: Names,
    marks: bool,
    title: Option<String>,
}

/// Reads the whole file once.
pub(super) fn survey(files: &dyn Files, chat_file: &str, answers: &Answers) -> Result<Grammar, ImportError> {
    let seen = read(Lines::new(files.open(chat_file)?))?;
    let own = own_pattern(&seen).ok_or_else(|| {
        ImportError::Unreadable(format!("no line of {chat_file} starts like a message of a WhatsApp export"))
    })?;
    let order = own.weighing.decide(own.pattern.year, own.pattern.separator, answers.date_order);
    let order = order.ok_or_else(|| ImportError::Undecided {
        question: format!("the dates in {chat_file} can be read day first or month first"),
        flag: "--date-order",
    })?;
    let mut accepted = vec![(own.pattern, order)];
    accepted.extend(others(&seen, own.pattern, answers));
    let evidence = |(pattern, order): &(Pattern, DateOrder)| {
        seen.iter().find(|s| s.pattern == *pattern).map(|s| *s.weighing.of(*order))
    };
    let evidence: Vec<_> = accepted.iter().filter_map(evidence).collect();
    let first = evidence.iter().filter_map(|e| e.first).min();
    let latest = evidence.iter().filter_map(|e| e.latest).max();
    let (Some((_, first_unit)), Some(latest)) = (first, latest) else {
        return Err(ImportError::Unreadable(format!("no line of {chat_file} has a date that exists")));
    };
    let pattern = own.pattern;
    let accepts = |s: &Seen| accepted.iter().any(|(p, _)| *p == s.pattern);
    let title = own.title.clone();
    let marks = seen.iter().filter(|s| accepts(s)).any(|s| s.marks);
    let seconds = accepted.iter().any(|(p, _)| p.seconds);
    let own = seen.into_iter().find(|s| s.pattern == pattern);
    let mut names = own.map(|s| s.names).unwrap_or_default();
    names.settle();
    Ok(Grammar { accepted, names, marks, frame: pattern.frame, seconds, order, title, first_unit, latest })
}

fn read(mut lines: Lines<impl io::Read>) -> io::Result<Vec<Seen>> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut line = PhysicalLine::default();
    while lines.next(&mut line)? {
        let text = String::from_utf8_lossy(&line.bytes);
        let Some(head) = header::parse(&text) else { continue };
        let at = match seen.iter_mut().position(|s| s.pattern == head.pattern) {
            Some(at) => at,
            None if seen.len() == PATTERNS_MAX => continue,
            None => {
                let (weighing, names) = (Weighing::default(), Names::default());
                seen.push(Seen {
                    pattern: head.pattern,
                    lines: 0,
                    weighing,
                    names,
                    marks: false,
                    title: names::noticed(head.rest),
                });
                seen.len() - 1
            }
        };
        if let Some(seen) = seen.get_mut(at) {
            seen.lines = seen.lines.saturating_add(1);
            seen.marks |= head.marked || head.rest.contains(": \u{200e}") || head.rest.starts_with(LRM);
            seen.weighing.add(&head, line.number);
            seen.names.add(head.rest);
        }
    }
    Ok(seen)
}

/// The file's own pattern is that of its first header, unless next to nothing else has it.
fn own_pattern(seen: &[Seen]) -> Option<&Seen> {
    const SHARE: u64 = 20;
    let first = seen.first()?;
    let all: u64 = seen.iter().map(|s| s.lines).sum();
    if first.lines.saturating_mul(SHARE) >= all {
        return Some(first);
    }
    seen.iter().max_by_key(|s| s.lines)
}

/// Other patterns to accept: those of a joined file, and any bracketed one in a file that writes the year first, as
/// such files are known to mix styles.
fn others(seen: &[Seen], own: Pattern, answers: &Answers) -> Vec<(Pattern, DateOrder)> {
    let all: u64 = seen.iter().map(|s| s.lines).sum();
    let mixes = own.frame == Frame::Bracket && own.year == YearPlace::First;
    let alike = |p: Pattern| p.seconds == own.seconds && p.year != YearPlace::Short;
    let others = seen.iter().filter(|s| s.pattern != own && s.pattern.frame == own.frame);
    let joined = |s: &Seen| s.lines >= JOINED_LINES_MIN && s.lines.saturating_mul(JOINED_SHARE) >= all;
    let accepted = others.filter(|s| joined(s) || (mixes && alike(s.pattern)));
    accepted
        .map(|s| {
            let order = s.weighing.decide(s.pattern.year, s.pattern.separator, answers.date_order);
            (s.pattern, order.unwrap_or(DateOrder::Dmy))
        })
        .collect()
}
