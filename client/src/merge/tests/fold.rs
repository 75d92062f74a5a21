//! Messages of sources without ids, item by item of FORMATS §2a.

use proptest::prelude::*;

use super::super::*;
use super::device::{Device, id_of};
use crate::event::{Precision, Presence, Role, Row, tag};

const MINUTE: i64 = 60_000;

fn line(minute: i64, sender: &str, class: Class, text: &str) -> Line {
    let mut row = Row::new(Kind::MESSAGE, 0, "");
    row.set_sender(&Party::named(sender));
    row.fields.set_some(tag::BODY, Some(text));
    Line { unit: minute * MINUTE, seconds: None, sender: Some(sender.into()), class, normal: text.into(), row }
}

fn plain(minute: i64, text: &str) -> Line {
    line(minute, "Ana", Class::Plain, text)
}

fn edited(minute: i64, text: &str) -> Line {
    line(minute, "Ana", Class::Edited, text)
}

fn deleted(minute: i64) -> Line {
    line(minute, "Ana", Class::Deleted, "")
}

/// A first line long ago, so that no test's minute is an export's first.
fn since_long(lines: Vec<Line>) -> Vec<Line> {
    std::iter::once(plain(0, "the first line of all")).chain(lines).collect()
}

fn merge(exports: &[Vec<Line>]) -> Device {
    let mut device = Device::new("whatsapp");
    for lines in exports {
        device.import(lines, Precision::Minute);
    }
    device
}

/// Texts in order, each with its versions, and a cross where the app shows it as deleted.
fn shown(folded: &Folded) -> Vec<String> {
    let one = |m: &Message| {
        let mut text = m.text.clone().unwrap_or_else(|| "-".into());
        for version in &m.versions {
            text = format!("{text} < {}", version.text);
        }
        if m.deleted_in_source { format!("{text} x") } else { text }
    };
    folded.messages.iter().filter(|m| m.time > 0).map(one).collect()
}

#[test]
fn equal_lines_survive_as_often_as_one_export_shows_them() {
    let twice = since_long(vec![plain(5, "ok"), plain(5, "ok")]);
    let once = since_long(vec![plain(5, "ok"), plain(6, "later")]);
    assert_eq!(shown(&merge(&[twice.clone(), once.clone()]).fold()), ["ok", "ok", "later"]);
    assert_eq!(merge(&[twice.clone(), once.clone()]).fold(), merge(&[once, twice]).fold());
}

#[test]
fn an_edit_finds_its_original_and_keeps_it() {
    let before = since_long(vec![plain(5, "see you at noon"), plain(5, "bring bread"), plain(9, "end")]);
    let after = since_long(vec![plain(5, "see you at noon"), edited(5, "bring bread and milk"), plain(9, "end")]);
    let folded = merge(&[before.clone(), after.clone()]).fold();
    assert_eq!(shown(&folded), ["see you at noon", "bring bread and milk < bring bread", "end"]);
    assert!(folded.messages[2].edited);
    assert_eq!(folded, merge(&[after, before]).fold());
}

#[test]
fn what_stood_together_is_never_one_message() {
    let before = since_long(vec![plain(5, "bring bread")]);
    let after = since_long(vec![plain(5, "bring bread"), edited(5, "bring bread!")]);
    assert_eq!(shown(&merge(&[before, after]).fold()), ["bring bread", "bring bread!"]);
}

#[test]
fn a_deletion_takes_the_place_of_the_line_that_is_gone() {
    let before = since_long(vec![plain(5, "one"), plain(5, "two"), plain(5, "three")]);
    let after = since_long(vec![plain(5, "one"), deleted(5), plain(5, "three")]);
    assert_eq!(shown(&merge(&[after, before]).fold()), ["one", "two x", "three"]);
}

#[test]
fn two_deletions_one_after_another_find_both_lines() {
    let lines = |first: Line, second: Line| since_long(vec![first, second, plain(5, "three"), plain(9, "end")]);
    let exports =
        [lines(plain(5, "one"), plain(5, "two")), lines(plain(5, "one"), deleted(5)), lines(deleted(5), deleted(5))];
    assert_eq!(shown(&merge(&exports).fold()), ["one x", "two x", "three", "end"]);
    let [a, b, c] = exports;
    assert_eq!(shown(&merge(&[c, a, b]).fold()), ["one x", "two x", "three", "end"]);
}

#[test]
fn media_left_out_of_one_export_is_the_file_of_the_other() {
    let photo = |class, presence, normal: &str| {
        let mut line = line(5, "Ana", class, "");
        let mut attachment = Attachment::new(Role::Photo, presence);
        attachment.hash = (presence == Presence::Present).then_some([8; 32]);
        line.normal = normal.into();
        line.row.set_attachments(&[attachment]);
        line
    };
    let with = since_long(vec![plain(5, "look"), photo(Class::Plain, Presence::Present, "IMG-1.jpg")]);
    let without = since_long(vec![plain(5, "look"), photo(Class::Omitted, Presence::Omitted, "\u{fffc}")]);
    let folded = merge(&[without, with]).fold();
    assert_eq!(folded.messages.len(), 3);
    assert_eq!(folded.messages[2].attachments.iter().map(|a| a.hash).collect::<Vec<_>>(), [Some([8; 32])]);
}

#[test]
fn at_a_cut_an_edit_needs_likeness_and_a_deletion_takes_nothing() {
    let before = since_long(vec![plain(5, "one"), plain(5, "bring bread"), plain(7, "seven"), plain(8, "eight")]);
    let cut = |first: Line| vec![first, plain(7, "seven"), plain(8, "eight"), plain(9, "nine")];
    let kept = ["seven", "eight", "nine"];
    let folded = |first| shown(&merge(&[before.clone(), cut(first)]).fold());
    assert_eq!(folded(edited(5, "bring bread!"))[..2], ["one", "bring bread! < bring bread"]);
    let mut unlike = folded(edited(5, "xyz"));
    unlike[..3].sort();
    assert_eq!(unlike[..3], ["bring bread", "one", "xyz"]);
    assert_eq!(folded(deleted(5)).len(), 6);
    assert_eq!(folded(deleted(5))[3..], kept);
}

#[test]
fn another_clock_and_another_name_are_the_same_chat() {
    let text = |i: i64| format!("a line of its own, number {i}");
    let make = |from: i64, to: i64, shift: i64, name: &str| -> Vec<Line> {
        (from..to).map(|i| line(100 + i * 7 + shift, name, Class::Plain, &text(i))).collect()
    };
    for shift in [0, 60, -345] {
        let (old, new) = (make(0, 30, 0, "Mum"), make(10, 45, shift, "Mama"));
        let folded = merge(&[old.clone(), new.clone()]).fold();
        assert_eq!(folded.messages.len(), 45, "shift {shift}");
        let names: Vec<_> = folded.messages.iter().filter_map(|m| m.sender.as_ref()?.name.as_deref()).collect();
        assert!(names.iter().all(|n| *n == names[0]));
        let (mut here, mut there) = (merge(&[old]), merge(&[new]));
        here.sync(&there);
        there.sync(&here);
        assert_eq!(here.fold().messages.len(), 45, "apart, shift {shift}");
        assert_eq!(here.fold(), there.fold());
        assert_eq!(here.fold().groups, 1);
    }
}

#[test]
fn a_foreign_chat_under_the_label_stays_apart() {
    let make =
        |word: &str| -> Vec<Line> { (0..30).map(|i| plain(100 + i * 7, &format!("{word} number {i}"))).collect() };
    let (mut here, there) = (merge(&[make("ours")]), merge(&[[vec![plain(3, "x")], make("theirs")].concat()]));
    here.sync(&there);
    let folded = here.fold();
    assert_eq!((folded.groups, folded.messages.len()), (2, 61));
}

#[test]
fn an_own_deletion_is_not_revived_by_any_later_import() {
    let lines = since_long(vec![plain(5, "one"), plain(5, "secret words"), plain(5, "three"), plain(9, "end")]);
    let mut device = merge(std::slice::from_ref(&lines));
    let folded = device.fold();
    let message = folded.messages.iter().find(|m| m.text.as_deref() == Some("secret words")).unwrap();
    let grave = own_delete(message, 77, "grave");
    for id in &message.row_ids {
        device.rows.remove(id);
    }
    device.add(grave.clone());
    assert_eq!(shown(&device.fold()), ["one", "three", "end"]);
    assert_eq!((device.fold().deleted, device.fold().refused), (1, 0));
    // The same file again, and a later one that shows an edit, or a deletion, in its place.
    device.import(&lines, Precision::Minute);
    for late in [edited(5, "secret words!"), deleted(5)] {
        let after = since_long(vec![plain(5, "one"), late, plain(5, "three"), plain(9, "end"), plain(10, "after")]);
        device.import(&after, Precision::Minute);
    }
    let folded = device.fold();
    assert_eq!(shown(&folded), ["one", "three", "end", "after"]);
    assert_eq!(folded.refused, 2);
    // By another clock, too.
    let shifted: Vec<Line> = lines.into_iter().map(|l| Line { unit: l.unit + 60 * MINUTE, ..l }).collect();
    device.import(&shifted, Precision::Minute);
    let undelete = Row::about(Kind::UNDELETE, 5 * MINUTE, id_of(&device.chat, &grave), "undelete");
    device.add(undelete);
    assert!(shown(&device.fold()).iter().any(|t| t.starts_with("secret words")));
}

#[test]
fn a_deletion_refuses_the_line_by_another_clock() {
    let lines: Vec<Line> = (0..20).map(|i| plain(5 + i, &format!("a line of its own, number {i}"))).collect();
    let mut device = merge(std::slice::from_ref(&lines));
    let message = device.fold().messages.remove(7);
    message.row_ids.iter().for_each(|id| {
        device.rows.remove(id);
    });
    device.add(own_delete(&message, 77, "grave"));
    let shifted: Vec<Line> = lines.into_iter().map(|l| Line { unit: l.unit + 60 * MINUTE, ..l }).collect();
    device.import(&shifted, Precision::Minute);
    let folded = device.fold();
    assert_eq!((folded.messages.len(), folded.refused), (19, 1));
}

#[test]
fn a_messenger_text_that_changed_is_one_message_with_a_version() {
    let mut device = Device::new("meta");
    let at = |text: &str, later: i64| vec![plain(5, text), plain(9, "end"), plain(9 + later, "last")];
    device.import(&at("first text", 1), Precision::Milli);
    device.import(&at("second text", 2), Precision::Milli);
    let folded = device.fold();
    assert_eq!(shown(&folded), ["second text < first text", "end", "last", "last"]);
}

#[test]
fn reactions_and_own_edits_find_the_message_by_any_of_its_rows() {
    let before = since_long(vec![plain(5, "bring bread"), plain(9, "end")]);
    let after = since_long(vec![edited(5, "bring bread and milk"), plain(9, "end")]);
    let mut device = merge(&[before, after]);
    let message = device.fold().messages.remove(1);
    assert_eq!(message.row_ids.len(), 2);
    for (i, id) in message.row_ids.iter().enumerate() {
        let mut row = Row::about(Kind::REACTION_ADD, message.time, *id, format!("r{i}"));
        row.fields.set(tag::EMOJI, ["A", "B"][i]);
        row.set_sender(&Party::named("Ben"));
        device.add(row);
    }
    let mut own = Row::about(Kind::EDIT, message.time, message.row_ids[1], "mine");
    own.fields.set(tag::BODY, "bring nothing").set_number(tag::EDITED_AT, 9);
    device.add(own);
    let folded = device.fold();
    assert_eq!(folded.messages[1].reactions.len(), 2);
    assert_eq!(shown(&folded)[0], "bring nothing < bring bread < bring bread and milk");
}

fn any_line() -> impl Strategy<Value = Line> {
    (1i64..5, 0..2usize, 0..6usize, prop_oneof!["ok", "no", "[ab]{3,5}"]).prop_map(|(minute, who, class, text)| {
        let class = [Class::Plain, Class::Plain, Class::Plain, Class::Edited, Class::Deleted, Class::Omitted][class];
        line(minute, ["Ana", "Ben"][who], class, if class == Class::Deleted { "" } else { &text })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_lines_fold_alike_in_any_order_and_every_row_is_somewhere(
        exports in prop::collection::vec(prop::collection::vec(any_line(), 1..12), 1..4), seed in any::<u64>(),
    ) {
        let device = merge(&exports);
        let mut rows: Vec<(EventId, Row)> = device.rows.iter().map(|(id, r)| (*id, r.clone())).collect();
        let folded = fold_chat(&device.chat, rows.clone());
        rows.sort_by_key(|(id, _)| *blake3::hash(&[&id.0[..], &seed.to_le_bytes()].concat()).as_bytes());
        prop_assert_eq!(&fold_chat(&device.chat, rows.clone()), &folded);
        let mut found: Vec<EventId> = folded.messages.iter().flat_map(|m| m.row_ids.clone()).collect();
        found.sort();
        let mut expected: Vec<EventId> = rows.iter().filter(|(_, r)| r.kind.stands()).map(|(id, _)| *id).collect();
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn rows_we_did_not_write_fold_without_panic(
        natives in prop::collection::vec("(-?[0-9]{1,3}/){2}(~|=a|#x)/[PEDOV]/[0-9]{1,10}/[=#][a-f0-9]{0,64}", 1..8),
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 8),
        kinds in prop::collection::vec(prop_oneof![Just(1u16), Just(32), Just(33), Just(18)], 8),
    ) {
        let chat = Chat { source: "whatsapp".into(), conversation: "x".into() };
        let rows = natives.into_iter().zip(values).zip(kinds).map(|((native, value), kind)| {
            let mut row = Row::new(Kind(kind), i64::MAX, native);
            for tag in [tag::PLACE, tag::AS_OF, tag::VIEW, tag::IMPORT, tag::STRAND, tag::ROW_IDS] {
                row.fields.set(tag, value.clone());
            }
            (id_of(&chat, &row), row)
        });
        let _ = fold_chat(&chat, rows.collect());
    }
}
