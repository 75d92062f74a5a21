//! Deletions and the digest: the same for every order in which acts and rows come, and for every purge.

use proptest::prelude::*;

use super::support::*;
use crate::archive::{Archive, Commit, Ids as _, MergeRules, Parts};
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::EventId;

const HOUR: i64 = 3_600_000;

/// What comes with a record: a message, a reaction to it, a deletion of one or two messages, an undelete.
#[derive(Clone, Debug)]
enum Come {
    Message { n: u8, text: u8 },
    Reaction { n: u8 },
    Deletion { n: u8, also: u8, at: i64 },
    Undelete { n: u8, at: i64 },
}

fn come() -> impl Strategy<Value = Come> {
    prop_oneof![
        3 => (0u8..4, 0u8..2).prop_map(|(n, text)| Come::Message { n, text }),
        1 => (0u8..4).prop_map(|n| Come::Reaction { n }),
        2 => (0u8..4, 0u8..4, 0i64..4).prop_map(|(n, also, at)| Come::Deletion { n, also, at }),
        1 => (0u8..4, 0i64..4).prop_map(|(n, at)| Come::Undelete { n, at }),
    ]
}

fn message(chat: &Chat, n: u8) -> EventId {
    TestIds.event(chat, 0, &n.to_string())
}

/// In formats without ids rows of one message lie apart, so a deletion names ids of other times.
fn time(chat: &Chat, n: u8) -> i64 {
    START + if chat.source == "whatsapp" { i64::from(n) * HOUR } else { 0 }
}

fn row(chat: &Chat, come: &Come) -> Row {
    match come {
        Come::Message { n, text } => {
            let mut row = Row::new(Kind::MESSAGE, time(chat, *n), n.to_string());
            row.fields.set(tag::BODY, format!("text {text}"));
            row
        }
        Come::Reaction { n } => Row::about(Kind::REACTION_ADD, time(chat, *n), message(chat, *n), "r"),
        Come::Deletion { n, also, at } => {
            let native = format!("d {n} {also} {at}");
            let mut row = Row::about(Kind::OWN_DELETE, time(chat, *n), message(chat, *n), native);
            let mut ids = [message(chat, *n), message(chat, *also)];
            ids.sort();
            row.fields.set(tag::ROW_IDS, ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>());
            row.fields.set_number(tag::EDITED_AT, *at);
            row
        }
        Come::Undelete { n, at } => {
            let mut row = Row::about(Kind::UNDELETE, time(chat, *n), message(chat, *n), format!("u {n} {at}"));
            row.fields.set_number(tag::EDITED_AT, *at);
            row
        }
    }
}

fn apply(archive: &mut Archive, chat: &Chat, all: &[(u64, Come)], batch: usize) {
    for part in all.chunks(batch) {
        archive
            .commit(|c: &mut Commit<'_>| {
                part.iter().try_for_each(|(at, come)| c.apply_row(chat, &row(chat, come), *at).map(drop))
            })
            .unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn neither_order_nor_purge_changes_the_digest(
        drawn in prop::collection::vec(come(), 1..14),
        seed in any::<u64>(),
        batches in (1usize..4, 1usize..9),
        with_ids in any::<bool>(),
    ) {
        let chat = Chat { source: if with_ids { "telegram" } else { "whatsapp" }.into(), conversation: "1".into() };
        let all: Vec<(u64, Come)> = (0..).zip(drawn).collect();
        let mut other = all.clone();
        let place = |at: u64| blake3::hash(&[seed.to_le_bytes(), at.to_le_bytes()].concat());
        other.sort_by_key(|(at, _)| *place(*at).as_bytes());
        let (one_dir, two_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let parts = || Parts { rules: std::sync::Arc::new(MergeRules), ..parts() };
        let mut one = Archive::create(one_dir.path(), &KEY, parts()).unwrap();
        let mut two = Archive::create(two_dir.path(), &KEY, parts()).unwrap();
        apply(&mut one, &chat, &all, batches.0);
        apply(&mut two, &chat, &other, batches.1);
        let digest = one.digest().unwrap().hash();
        prop_assert_eq!(digest, two.digest().unwrap().hash());
        // The purge of one device, while the other knows nothing of it.
        let size = all.len() as u64;
        for deletion in one.deletions_open(size).unwrap() {
            one.commit(|c| c.purge(&deletion.chat, &deletion.row, size)).unwrap();
        }
        prop_assert_eq!(one.digest().unwrap().hash(), digest);
        prop_assert!(one.deletions_open(size).unwrap().is_empty());
        // Old runs bring none of it back.
        apply(&mut one, &chat, &all, 3);
        prop_assert_eq!(one.digest().unwrap().hash(), digest);
        prop_assert!(one.deletions_open(size).unwrap().is_empty());
    }
}
