//! What a person searches for: words that must all occur, phrases in quotes, and words that must not.

use super::words::{Unit, tokens, units};

/// A query as it was understood.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Term {
    units: Vec<Unit>,
    /// The last unit may go on: `boar*`, or a single character of a script without spaces.
    prefix: bool,
    unwanted: bool,
}

/// A query may hold this many terms; more are left out.
const TERMS_MAX: usize = 64;

impl Query {
    /// Reads a query. Anything is one: what has no letters or digits simply says nothing.
    pub fn parse(text: &str) -> Self {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() && terms.len() < TERMS_MAX {
            let (unwanted, body) = match rest.strip_prefix('-') {
                Some(body) => (true, body),
                None => (false, rest),
            };
            let (phrase, after) = match body.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => body.split_at(body.find(char::is_whitespace).unwrap_or(body.len())),
            };
            let starred = phrase.ends_with('*');
            let units = units(phrase);
            if let Some(last) = units.last() {
                let alone = last.run && !last.joined;
                terms.push(Term { prefix: starred || alone, unwanted, units });
            }
            rest = after.trim_start();
        }
        Self { terms }
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.terms.iter().all(|t| t.unwanted)
    }

    /// The wanted part in the index's own language; none if nothing is wanted.
    pub(super) fn wanted(&self) -> Option<String> {
        Self::all(self.terms.iter().filter(|t| !t.unwanted), " AND ")
    }

    /// The unwanted part.
    pub(super) fn unwanted(&self) -> Option<String> {
        Self::all(self.terms.iter().filter(|t| t.unwanted), " OR ")
    }

    fn all<'t>(terms: impl Iterator<Item = &'t Term>, between: &str) -> Option<String> {
        let parts: Vec<String> = terms.map(Term::matching).collect();
        (!parts.is_empty()).then(|| parts.join(between))
    }

    /// Finds where the wanted terms stand in a text: spans in Unicode scalars, ascending, none inside another.
    pub fn find(&self, text: &str) -> Vec<(usize, usize)> {
        let text = units(text);
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for term in self.terms.iter().filter(|t| !t.unwanted) {
            for window in text.windows(term.units.len()) {
                if term.is_at(window)
                    && let (Some(first), Some(last)) = (window.first(), window.last())
                {
                    spans.push((first.start, last.end));
                }
            }
        }
        spans.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.0 < last.1 => last.1 = last.1.max(span.1),
                _ => merged.push(span),
            }
        }
        merged
    }
}

impl Term {
    /// A phrase of the index. Tokens hold letters, digits and marks only, so quoting them is enough.
    fn matching(&self) -> String {
        let phrase = tokens(&self.units, self.prefix).join(" ");
        format!("\"{phrase}\"{}", if self.prefix { " *" } else { "" })
    }

    fn is_at(&self, window: &[Unit]) -> bool {
        let last = self.units.len() - 1;
        self.units.iter().zip(window).enumerate().all(|(i, (wanted, here))| {
            let same = if self.prefix && i == last && !wanted.run {
                here.text.starts_with(&wanted.text)
            } else {
                here.text == wanted.text
            };
            same && wanted.run == here.run && (i == 0 || wanted.joined == here.joined)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_phrases_and_unwanted_words_are_told_apart() {
        let query = Query::parse("Boarding -train \"Gate 7\" pass* -\"no show\" 東京 写 …");
        assert_eq!(
            query.wanted().as_deref(),
            Some("\"boarding\" AND \"gate 7\" AND \"pass\" * AND \"東京\" AND \"写\" *")
        );
        assert_eq!(query.unwanted().as_deref(), Some("\"train\" OR \"no show\""));
        assert!(Query::parse("-only \"…").is_empty());
    }

    #[test]
    fn finds_the_places_of_all_terms() {
        let query = Query::parse("\"boarding pass\" gaté 写真");
        assert_eq!(query.find("👍 Boarding, PASS for Gate; 旅行写真集"), [(2, 16), (21, 25), (29, 31)]);
        assert_eq!(Query::parse("boarding passes").find("boarding"), [(0, 8)]);
    }

    proptest! {
        #[test]
        fn no_query_breaks_the_index_language(text in "[-\"* a-z東京é*()]{0,40}") {
            let query = Query::parse(&text);
            for part in [query.wanted(), query.unwanted()].into_iter().flatten() {
                prop_assert_eq!(part.matches('"').count() % 2, 0);
            }
            query.find("abc 東京 é");
        }
    }
}
