//! Names of one person in several exports (FORMATS §2a item 11). Never decided for IRC, where nicks are lent.

use std::collections::{BTreeMap, BTreeSet};

use super::import::Import;
use super::sketch::Sketch;
use super::strand::Match;

/// A text that stands at one time: when, and under which names exports show it.
pub(crate) struct Sighting<'a> {
    pub unit: i64,
    pub names: BTreeSet<&'a str>,
}

/// Recognises names of an export that are known under another: what an import writes instead of them.
pub fn aliases(source: &str, export: &Sketch, known: &[(i64, Sketch)], imports: &[Import]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if source == "irc" {
        return found;
    }
    let own = export.names().iter().cloned().collect();
    let apart = Apart { imports, own: Some(own) };
    for (_, strand) in known {
        let m = Match::of(export, strand);
        if !m.same_chat() {
            continue;
        }
        let shifts: Vec<i64> = m.shifts().collect();
        let pairs = export.senders_of_anchors(strand, &shifts);
        let sightings: Vec<_> =
            pairs.iter().map(|(unit, a, b)| Sighting { unit: *unit, names: BTreeSet::from([*a, *b]) }).collect();
        for (a, b) in recognise(&sightings, &apart) {
            // The name the export does not hold is the stored one.
            let (new, stored) = if export.names().iter().any(|n| n == a) { (a, b) } else { (b, a) };
            found.entry(new.to_owned()).or_insert_with(|| stored.to_owned());
        }
    }
    found
}

/// What tells that two names are two people.
pub(crate) struct Apart<'a> {
    pub imports: &'a [Import],
    /// Names of the export being imported.
    pub own: Option<BTreeSet<String>>,
}

impl Apart<'_> {
    fn holds_both(&self, a: &str, b: &str) -> bool {
        self.imports.iter().any(|i| i.holds(a) && i.holds(b))
            || self.own.as_ref().is_some_and(|names| names.contains(a) && names.contains(b))
    }
}

/// Finds the pairs of names that are one person.
pub(crate) fn recognise<'a>(sightings: &[Sighting<'a>], apart: &Apart<'_>) -> Vec<(&'a str, &'a str)> {
    const PAIRS_MIN: usize = 3;
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    for sighting in sightings {
        for name in &sighting.names {
            times.entry(name).or_default().push(sighting.unit);
        }
        if let [a, b] = *sighting.names.iter().copied().collect::<Vec<_>>() {
            pairs.entry((a, b)).or_default().push(sighting.unit);
        }
    }
    let mut found = Vec::new();
    for ((a, b), paired) in pairs {
        let (Some(first), Some(last)) = (paired.iter().min(), paired.iter().max()) else { continue };
        let most = |name: &str| {
            let between = times.get(name).map_or(0, |t| t.iter().filter(|u| (first..=last).contains(u)).count());
            paired.len() * 5 >= between * 4
        };
        if paired.len() >= PAIRS_MIN && (most(a) || most(b)) && !apart.holds_both(a, b) {
            found.push((a, b));
        }
    }
    found
}

/// One name for each person: of all names that are one, the one the earliest export holds.
pub(crate) fn one_name_each<'a>(pairs: &[(&'a str, &'a str)], imports: &[Import]) -> BTreeMap<&'a str, &'a str> {
    let mut people: Vec<BTreeSet<&str>> = Vec::new();
    for (a, b) in pairs {
        let mut together = BTreeSet::from([*a, *b]);
        let (joining, others): (Vec<_>, Vec<_>) = people.iter().cloned().partition(|p| p.contains(a) || p.contains(b));
        together.extend(joining.iter().flatten());
        let names: Vec<_> = together.iter().copied().collect();
        let met = |i: &Import| names.iter().filter(|n| i.holds(n)).count() > 1;
        if imports.iter().any(met) {
            continue;
        }
        people = others;
        people.push(together);
    }
    let mut names = BTreeMap::new();
    for person in people {
        let since = |name: &str| imports.iter().filter(|i| i.holds(name)).map(|i| i.as_of).min().unwrap_or(i64::MAX);
        let Some(one) = person.iter().copied().min_by_key(|name| (since(name), *name)) else { continue };
        names.extend(person.into_iter().map(|name| (name, one)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Precision;

    fn import(as_of: i64, names: &[&str]) -> Import {
        Import {
            first: 0,
            last: as_of,
            as_of,
            count: 1,
            precision: Precision::Minute,
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            names_cut: false,
        }
    }

    fn sightings<'a>(list: &[(i64, &[&'a str])]) -> Vec<Sighting<'a>> {
        list.iter().map(|(unit, names)| Sighting { unit: *unit, names: names.iter().copied().collect() }).collect()
    }

    #[test]
    fn three_shared_lines_are_one_person_unless_one_export_holds_both() {
        let seen = sightings(&[(1, &["Mum"]), (2, &["Mum", "Mama"]), (3, &["Mum", "Mama"]), (4, &["Mama", "Mum"])]);
        let apart = |imports| Apart { imports, own: None };
        assert_eq!(recognise(&seen, &apart(&[])), [("Mama", "Mum")]);
        assert_eq!(recognise(&seen[..3], &apart(&[])), []);
        assert_eq!(recognise(&seen, &apart(&[import(9, &["Mum", "Mama"])])), []);
    }

    #[test]
    fn an_echo_is_no_other_name() {
        let mut list: Vec<(i64, &[&str])> = vec![(0, &["Bot", "Ana"]), (50, &["Bot", "Ana"]), (99, &["Bot", "Ana"])];
        list.extend((1..20).map(|i| (i, &["Ana"] as &[&str])));
        list.extend((51..70).map(|i| (i, &["Bot"] as &[&str])));
        assert_eq!(recognise(&sightings(&list), &Apart { imports: &[], own: None }), []);
    }

    #[test]
    fn the_oldest_name_stands_for_all_and_strangers_are_never_joined_through_a_third() {
        let imports = [import(5, &["Mum"]), import(3, &["Mama"]), import(9, &["Mother", "Mum"])];
        let names = one_name_each(&[("Mama", "Mum"), ("Mama", "Mother")], &imports);
        assert_eq!(names, BTreeMap::from([("Mama", "Mama"), ("Mum", "Mama")]));
    }
}
