//! Messages of sources with ids.

use proptest::prelude::*;

use super::super::*;
use super::device::id_of;
use crate::event::{Row, tag};

fn chat() -> Chat {
    Chat { source: "telegram".into(), conversation: "personal_chat:7".into() }
}

fn message(text: &str) -> Row {
    let mut row = Row::new(Kind::MESSAGE, 1000, "17");
    row.fields.set(tag::BODY, text);
    row
}

fn id() -> EventId {
    id_of(&chat(), &message(""))
}

fn act(kind: Kind, native: &str, at: i64) -> Row {
    let mut row = Row::about(kind, 1000, id(), native);
    row.fields.set_number(tag::EDITED_AT, at);
    row
}

fn edit(native: &str, at: i64, text: &str) -> Row {
    let mut row = act(Kind::EDIT, native, at);
    row.fields.set(tag::BODY, text);
    row
}

fn react(kind: Kind, at: i64, name: &str, emoji: &str) -> Row {
    let mut row = act(kind, &format!("{name}{emoji}{at}{}", kind.0), at);
    row.fields.set(tag::EMOJI, emoji);
    row.set_sender(&Party::named(name));
    row
}

fn fold(rows: &[Row]) -> Option<Message> {
    fold_target(&chat(), rows.iter().map(|r| (id_of(&chat(), r), r.clone())).collect())
}

fn texts(message: &Message) -> (Option<&str>, Vec<&str>) {
    (message.text.as_deref(), message.versions.iter().map(|v| v.text.as_str()).collect())
}

#[test]
fn the_last_edit_shows_and_the_others_are_versions_oldest_first() {
    let rows = [edit("b", 30, "third"), message("first"), edit("a", 20, "second"), edit("c", 40, "third")];
    let folded = fold(&rows).unwrap();
    assert_eq!(texts(&folded), (Some("third"), vec!["first", "second"]));
    assert!(folded.edited && folded.edited_at == Some(40));
    assert!(!fold(&rows[1..2]).unwrap().edited);
}

#[test]
fn a_text_deleted_in_the_app_stays() {
    let folded = fold(&[message("kept"), act(Kind::SOURCE_DELETE, "d", 9)]).unwrap();
    assert_eq!((texts(&folded).0, folded.deleted_in_source), (Some("kept"), true));
}

#[test]
fn reactions_stand_as_each_person_last_left_them() {
    use Kind as K;
    let rows = [
        message("x"),
        react(K::REACTION_ADD, 1, "Ana", "A"),
        react(K::REACTION_REMOVE, 2, "Ana", "A"),
        react(K::REACTION_ADD, 3, "Ben", "A"),
        react(K::REACTION_REMOVE, 2, "Ben", "A"),
        react(K::REACTION_ADD, 1, "Ana", "B"),
    ];
    let reactions = fold(&rows).unwrap().reactions;
    let expected =
        [("Ana", "B"), ("Ben", "A")].map(|(by, emoji)| Reaction { by: by.into(), by_id: None, emoji: emoji.into() });
    assert_eq!(reactions, expected);
}

#[test]
fn an_own_deletion_wins_unless_it_is_undone() {
    let whole = fold(&[message("secret"), edit("a", 5, "more secret")]).unwrap();
    let grave = own_delete(&whole, 100, "grave");
    assert!(!grave.encode().windows(6).any(|w| w == b"secret"));
    let dead = [message("secret"), grave.clone(), edit("late", 200, "later")];
    assert_eq!(fold(&dead), None);
    let by_grave = Row::about(Kind::UNDELETE, 1000, id_of(&chat(), &grave), "u");
    let by_message = act(Kind::UNDELETE, "u2", 101);
    for undelete in [by_grave, by_message] {
        let mut rows = dead.to_vec();
        rows.push(undelete);
        assert_eq!(texts(&fold(&rows).unwrap()).0, Some("later"));
    }
    let mut rows = dead.to_vec();
    rows.push(act(Kind::UNDELETE, "early", 99));
    assert_eq!(fold(&rows), None);
}

#[test]
fn acts_alone_are_no_message() {
    assert_eq!(fold(&[edit("a", 5, "text")]), None);
}

proptest! {
    #[test]
    fn order_decides_nothing(order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle()) {
        let rows = [
            message("one"), edit("a", 5, "two"), edit("b", 5, "three"), edit("c", 1, "four"),
            react(Kind::REACTION_ADD, 1, "Ana", "A"), react(Kind::REACTION_REMOVE, 1, "Ana", "A"),
            act(Kind::SOURCE_DELETE, "s", 3), react(Kind::REACTION_ADD, 4, "Ana", "C"),
        ];
        let shuffled: Vec<Row> = order.iter().map(|i| rows[*i].clone()).collect();
        prop_assert_eq!(fold(&shuffled), fold(&rows));
    }
}
