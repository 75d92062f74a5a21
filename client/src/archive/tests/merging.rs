//! The archive with the rules it really goes by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::support::*;
use crate::archive::{Archive, ChatCount, MergeRules, Parts, Query};
use crate::event::{Kind, Party, Precision, Row, tag};
use crate::merge::{Assembler, Class, Export, Line, own_delete};
use crate::sources::Sink;

fn real(dir: &std::path::Path) -> Archive {
    Archive::create(dir, &KEY, Parts { rules: Arc::new(MergeRules), ..parts() }).unwrap()
}

fn line(i: i64) -> Line {
    let sender = if i % 3 == 0 { "Mum" } else { "Ben" };
    let body = if i % 5 == 0 { "ok".to_owned() } else { format!("line number {i}") };
    let mut row = Row::new(Kind::MESSAGE, 0, "");
    row.set_sender(&Party::named(sender));
    row.fields.set(tag::BODY, body.as_str());
    Line {
        unit: START + i / 4 * 60_000,
        seconds: None,
        sender: Some(sender.into()),
        class: Class::Plain,
        normal: body,
        row,
    }
}

/// Imports lines as one export, at a strand that is known.
fn import_lines(archive: &mut Archive, lines: std::ops::Range<i64>) -> ChatCount {
    let as_of = START + lines.end / 4 * 60_000;
    let export = Export { strand: START, as_of, precision: Precision::Minute, aliases: BTreeMap::new() };
    let mut assembler = Assembler::new("whatsapp", export);
    let mut sink = archive.import().unwrap();
    let chat = whatsapp("Family");
    for i in lines {
        assembler.line(line(i), &mut |row| sink.row(&chat, row)).unwrap();
    }
    assembler.finish(&mut |row| sink.row(&chat, row)).unwrap();
    sink.finish().unwrap().chats.remove(0)
}

#[test]
fn overlapping_exports_become_one_chat_on_every_device() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut archive = real(&one.path().join("archive"));
    assert_eq!(import_lines(&mut archive, 0..40).messages_new, 40);
    assert_eq!(import_lines(&mut archive, 20..60).messages_new, 20);
    let again = import_lines(&mut archive, 0..40);
    assert_eq!((again.rows_new, again.messages_new), (0, 0));
    assert_eq!(archive.search(&Query::parse("\"line number\""), &Default::default(), 5).unwrap().total, 48);
    // A message deleted here stays away, on this device and on one that learns everything in another order.
    let chat = whatsapp("Family");
    let gone = state(&archive).into_iter().find(|(m, _)| m.text.as_deref() == Some("line number 31")).unwrap().0;
    archive.commit(|c| c.add_row(&chat, &own_delete(&gone, START + 9_000_000, "d"))).unwrap();
    archive.settle().unwrap();
    let after = import_lines(&mut archive, 0..60);
    assert_eq!((after.refused, after.messages_new), (1, 0));
    assert_eq!(state(&archive).len(), 59);
    let mut rows = Vec::new();
    archive
        .each_row(None, false, |row| {
            rows.push(row);
            Ok(true)
        })
        .unwrap();
    let mut second = real(&other.path().join("archive"));
    for (i, row) in rows.iter().rev().enumerate() {
        second.commit(|c| c.apply_row(&row.chat, &row.row().unwrap(), i as u64)).unwrap();
    }
    second.settle().unwrap();
    assert_eq!(state(&second), state(&archive));
    assert_eq!(second.check().unwrap(), Vec::<String>::new());
}

#[test]
fn edits_of_a_source_with_ids_show_the_last_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = real(&dir.path().join("archive"));
    let chat = telegram("group:1");
    let version = |body: &str, at| {
        let mut row = text("1", START, "Ana", body);
        row.fields.set_number(tag::EDITED_AT, at);
        row
    };
    for (body, at) in [("third", 30), ("first", 10), ("second", 20)] {
        import(&mut archive, &chat, &[version(body, at)]);
    }
    let all = state(&archive);
    assert_eq!((all.len(), all[0].0.text.as_deref()), (1, Some("third")));
    let versions: Vec<&str> = all[0].0.versions.iter().map(|v| v.text.as_str()).collect();
    assert_eq!(versions, ["first", "second"]);
}
