//! Documents that list what the code has: nothing is missing from them, and nothing in them is gone.

use std::collections::BTreeSet;

use crate::sources::{File, files, is_test, production};

fn text<'f>(files: &'f [File], path: &str) -> &'f str {
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).text
}

/// Words that stand in backquotes.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// What stands between two marks, again and again.
fn between<'t>(text: &'t str, before: &str, after: &str) -> BTreeSet<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(found, _)| found).collect()
}

fn is_metric(word: &str) -> bool {
    let rest = word.strip_prefix("chatkeepd_").or_else(|| word.strip_prefix("process_"));
    rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

#[test]
fn operators_find_every_configuration_key() {
    let files = files();
    let layers = text(&files, "service/src/config/layers.rs");
    let keys = between(layers, "    (\"", "\", Kind::");
    assert!(keys.len() > 25, "{keys:?}");
    let operations = text(&files, "docs/operations.md");
    let rows = operations.lines().filter(|line| line.starts_with("| `"));
    let named: BTreeSet<&str> = rows.flat_map(|row| quoted(row.split(" | ").next().unwrap_or_default())).collect();
    let missing: Vec<_> = keys.difference(&named).collect();
    assert!(missing.is_empty(), "not in docs/operations.md: {missing:?}");
    let sections: BTreeSet<&str> = keys.iter().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    let section = |word: &&&str| word.split_once('.').is_some_and(|(section, _)| sections.contains(section));
    let files_of_secrets = ["token.keys"];
    let gone: Vec<_> =
        named.iter().filter(section).filter(|w| !keys.contains(*w) && !files_of_secrets.contains(*w)).collect();
    assert!(gone.is_empty(), "no longer keys: {gone:?}");
}

#[test]
fn operators_find_every_metric_and_no_other() {
    let files = files();
    let service = files.iter().filter(|f| f.path.starts_with("service/src/") && !is_test(&f.path));
    let code: String = service.map(|file| production(&file.text)).collect();
    let kept: BTreeSet<&str> = between(&code, "!(\"", "\"").into_iter().filter(|word| is_metric(word)).collect();
    assert!(kept.len() > 20, "{kept:?}");
    let named = quoted(text(&files, "docs/operations.md"));
    let named: BTreeSet<&str> = named.into_iter().filter(|word| is_metric(word)).collect();
    assert_eq!(kept, named);
}

#[test]
fn the_threat_model_has_a_line_for_every_table() {
    let files = files();
    let tables = between(text(&files, "service/src/meta/sqlite/schema.rs"), "CREATE TABLE ", " (");
    assert!(tables.len() > 10, "{tables:?}");
    let model = text(&files, "docs/threat-model.md");
    let rows = model.lines().filter(|line| line.starts_with("| `"));
    let named: BTreeSet<&str> = rows.flat_map(|row| quoted(row.split(" | ").next().unwrap_or_default())).collect();
    let missing: Vec<_> = tables.difference(&named).collect();
    assert!(missing.is_empty(), "not in docs/threat-model.md: {missing:?}");
}

#[test]
fn decisions_are_numbered_without_gaps_and_fit_a_page() {
    let files = files();
    let notes: Vec<_> = files.iter().filter(|file| file.path.starts_with("docs/decisions/")).collect();
    for (number, note) in (1..).zip(&notes) {
        let name = note.path.rsplit('/').next().unwrap_or_default();
        assert!(name.starts_with(&format!("{number:04}-")), "{name} should be number {number:04}");
        assert!(note.text.lines().count() <= 50, "{name} is longer than a page");
    }
    assert!(!notes.is_empty());
}
