//! Who writes: where a line's sender ends and its body begins (FORMATS §3.1).

use std::collections::HashMap;

use super::marks::{LRM, folded, is_mark, is_space};
use super::phrases;

/// A longer text before a colon is no name.
pub(super) const NAME_BYTES_MAX: usize = 512;

/// Names beyond this many are no longer learnt; splitting then falls back on the first colon.
const NAMES_MAX: usize = 65_536;

/// A name that holds `: ` itself is believed only when this many lines, and all of that sender, show it: a person who
/// merely likes to begin with "Note: " must not become another person.
const LONG_NAME_LINES_MIN: u64 = 6;

/// Every line is compared with each of these, so there cannot be many.
const LONG_NAMES_MAX: usize = 64;

/// A name with an odd number of quotation marks is believed when it wrote this many lines.
const QUOTED_NAME_LINES_MIN: u64 = 10;

/// Names that a file's lines seem to begin with.
#[derive(Default)]
pub(super) struct Names {
    seen: HashMap<String, Seen>,
    /// Names that hold `: `.
    long: Vec<String>,
}

#[derive(Default)]
struct Seen {
    lines: u64,
    /// What stands between the first and the second colon, as long as it is always the same.
    next: Option<String>,
}

impl Names {
    /// Learns from what follows a header.
    pub fn add(&mut self, rest: &str) {
        let Some((name, body)) = at_colon(rest) else { return };
        if name.len() > NAME_BYTES_MAX {
            return;
        }
        let next = body.split_once(": ").map(|(next, _)| next).filter(|n| !n.is_empty() && n.len() <= 60);
        if let Some(seen) = self.seen.get_mut(name) {
            seen.lines = seen.lines.saturating_add(1);
            if seen.next.as_deref() != next {
                seen.next = None;
            }
        } else if self.seen.len() < NAMES_MAX {
            self.seen.insert(name.to_owned(), Seen { lines: 1, next: next.map(str::to_owned) });
        }
    }

    /// Ends learning.
    pub fn settle(&mut self) {
        let long = |(name, seen): (&String, &Seen)| {
            let next = seen.next.as_deref()?;
            let new = seen.lines >= LONG_NAME_LINES_MIN && !self.seen.contains_key(next);
            new.then(|| format!("{name}: {next}"))
        };
        self.long = self.seen.iter().filter_map(long).collect();
        self.long.sort();
        self.long.truncate(LONG_NAMES_MAX);
    }

    fn lines(&self, name: &str) -> u64 {
        self.seen.get(name).map_or(0, |s| s.lines)
    }

    /// Splits what follows a header into name and body; absent for a line that nobody wrote.
    pub fn split<'a>(&self, rest: &'a str) -> Option<(&'a str, &'a str)> {
        for name in &self.long {
            if let Some(body) = rest.strip_prefix(name.as_str()).and_then(|r| r.strip_prefix(':')) {
                let name = rest.get(..name.len())?;
                return Some((name, body.strip_prefix(' ').unwrap_or(body)));
            }
        }
        let clean = at_colon(rest).filter(|(name, _)| name.len() <= NAME_BYTES_MAX);
        if clean.is_some_and(|(name, _)| self.lines(name) > 1 && !self.quoted(name)) {
            return clean;
        }
        if let Some(tight) = self.tight(rest) {
            return Some(tight);
        }
        clean.filter(|(name, _)| !self.quoted(name))
    }

    /// Splits at a colon without a space, if a known name stands before it.
    fn tight<'a>(&self, rest: &'a str) -> Option<(&'a str, &'a str)> {
        let near = rest.char_indices().take_while(|(at, _)| *at <= NAME_BYTES_MAX);
        near.filter(|(_, c)| *c == ':').find_map(|(at, _)| {
            let name = rest.get(..at)?;
            let body = rest.get(at + 1..)?;
            (self.lines(name) > 0 && !body.starts_with(is_space)).then_some((name, body))
        })
    }

    /// Whether the colon behind this text lies inside quotation marks: `Ana changed the subject to "Trip: May"`.
    fn quoted(&self, name: &str) -> bool {
        let plain = name.matches('"').count() % 2 == 1;
        let open = |a: char, b: &[char]| name.matches(a).count() > name.matches(b).count();
        (plain || open('„', &['“', '”']) || (!name.contains('„') && open('“', &['”'])) || open('«', &['»']))
            && self.lines(name) < QUOTED_NAME_LINES_MIN
    }
}

/// Splits at the first colon that a space, a mark or the line's end follows.
fn at_colon(rest: &str) -> Option<(&str, &str)> {
    let found = rest.match_indices(':').find_map(|(at, _)| {
        let (name, body) = (rest.get(..at)?, rest.get(at + 1..)?);
        let open = body.is_empty() || body.starts_with(is_space) || body.starts_with(LRM);
        open.then_some((name, body.strip_prefix(is_space).unwrap_or(body)))
    });
    found.filter(|(name, _)| !clean(name).is_empty())
}

/// Takes the name out of a line that WhatsApp wrote about the chat itself (encryption, creation).
pub(super) fn noticed(rest: &str) -> Option<String> {
    let (name, body) = at_colon(rest)?;
    let text = folded(body);
    let other = phrases::is_omission(&text) || phrases::is_deleted(&text) || phrases::is_call(&text);
    let notice = body.starts_with(LRM) && !body.contains('<') && !other && name.len() <= NAME_BYTES_MAX;
    notice.then(|| clean(name))
}

/// The name as it enters ids: without direction marks and outer spaces, which one phone adds and another does not.
pub(super) fn clean(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !is_mark(*c)).map(|c| if is_space(c) { ' ' } else { c }).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(lines: &[&str]) -> Names {
        let mut names = Names::default();
        for line in lines {
            names.add(line);
        }
        names.settle();
        names
    }

    #[test]
    fn plain_names() {
        let n = names(&[]);
        assert_eq!(n.split("Ana: hi: there"), Some(("Ana", "hi: there")));
        assert_eq!(n.split("Ana - work 🤓: hi"), Some(("Ana - work 🤓", "hi")));
        assert_eq!(n.split("Ana:"), Some(("Ana", "")));
        assert_eq!(n.split("Ana:\u{200e}x"), Some(("Ana", "\u{200e}x")));
        assert_eq!(n.split("12:30 club: hi"), Some(("12:30 club", "hi")));
        assert_eq!(n.split("You were added"), None);
        assert_eq!(n.split(": nobody"), None);
        assert_eq!(n.split(&format!("{}: x", "y".repeat(NAME_BYTES_MAX + 1))), None);
    }

    #[test]
    fn a_known_name_needs_no_space() {
        let n = names(&["John Doe: one", "John Doe: two", "John Doe:."]);
        assert_eq!(n.split("John Doe:."), Some(("John Doe", ".")));
        assert_eq!(n.split("John Doe:. and: more"), Some(("John Doe", ". and: more")));
    }

    #[test]
    fn a_colon_inside_quotation_marks_ends_no_name() {
        let n = names(&["Ana: one", "Ana: two"]);
        assert_eq!(n.split("Ana changed the subject to \"Trip: May\""), None);
        assert_eq!(n.split("Ana hat den Betreff zu „Reise: Mai“ geändert"), None);
        assert_eq!(n.split("Ana a changé le sujet en « Voyage : mai »"), None);
        assert_eq!(n.split("Ana: she said \"no: never\""), Some(("Ana", "she said \"no: never\"")));
    }

    #[test]
    fn names_that_hold_a_colon() {
        let lines: Vec<String> = (0..6).map(|n| format!("Dr: Who: text {n}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(names(&lines).split("Dr: Who: hi"), Some(("Dr: Who", "hi")));
        assert_eq!(names(&lines[..5]).split("Dr: Who: hi"), Some(("Dr", "Who: hi")), "too few to believe");
        let mut answered = lines.clone();
        answered.push("Who: I am a person");
        assert_eq!(names(&answered).split("Dr: Who: hi"), Some(("Dr", "Who: hi")), "speaks to somebody");
    }

    #[test]
    fn names_lose_marks() {
        assert_eq!(clean("\u{202a}+12\u{a0}345\u{202c} "), "+12 345");
    }
}
