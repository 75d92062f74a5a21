//! The rules of `merge`, as the archive asks for them.

use super::parts::{Rules, Weight};
use crate::event::{Chat, Kind, Row, Target};
use crate::ids::EventId;
use crate::merge::{self, Joined, Message};

/// What every archive but those of tests goes by.
pub struct MergeRules;

impl Rules for MergeRules {
    fn has_ids(&self, source: &str) -> bool {
        merge::has_ids(source)
    }

    fn join(&self, id: EventId, a: &Row, b: &Row, digest: &dyn Fn(&Row) -> [u8; 32]) -> (Row, Option<Row>) {
        let Joined { row, version } = merge::join(id, a, b, digest);
        (row, version)
    }

    fn fold_target(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Option<Message> {
        merge::fold_target(chat, rows)
    }

    fn weigh_target(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Option<Weight> {
        // Most messages are one row, or one and reactions to it: then they weigh what the row does.
        let mut own = rows.iter().filter(|(_, row)| row.target == Target::Own);
        let (only, more) = (own.next(), own.next());
        let plain = |kind| matches!(kind, Kind::REACTION_ADD | Kind::REACTION_REMOVE | Kind::SOURCE_DELETE);
        let acts = rows.iter().filter(|(_, row)| row.target != Target::Own);
        match only {
            Some((_, row)) if more.is_none() && row.kind.stands() && acts.into_iter().all(|(_, a)| plain(a.kind)) => {
                Some(Weight {
                    time: row.time,
                    text_bytes: row.body().map_or(0, |text| text.len() as u64),
                    has_attachments: !row.attachments().is_empty(),
                })
            }
            _ => self.fold_target(chat, rows).map(|message| Weight::of(&message)),
        }
    }

    fn fold_chat(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Vec<Message> {
        merge::fold_chat(chat, rows).messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tag;
    use proptest::prelude::*;

    /// Rows of one target: any of its own, and whatever may be done to it.
    fn rows() -> impl Strategy<Value = Vec<(EventId, Row)>> {
        let kinds = prop::sample::select(vec![
            Kind::MESSAGE,
            Kind::SYSTEM,
            Kind::READ_MARK,
            Kind::EDIT,
            Kind::SOURCE_DELETE,
            Kind::REACTION_ADD,
            Kind::REACTION_REMOVE,
        ]);
        let one = (kinds, 0i64..3, "[ab]{0,3}", any::<bool>());
        prop::collection::vec(one, 0..4).prop_map(|list| {
            let id = EventId([1; 32]);
            let rows = list.into_iter().enumerate().map(|(n, (kind, at, text, latest))| {
                let (native, own) = (format!("{n}"), EventId([n as u8 + 2; 32]));
                let mut row = if kind.stands() { Row::new(kind, 5, native) } else { Row::about(kind, 5, id, native) };
                row.fields.set_some(tag::BODY, Some(text));
                if latest {
                    row.fields.set_number(tag::EDITED_AT, at);
                }
                (if kind.stands() { id } else { own }, row)
            });
            rows.collect()
        })
    }

    proptest! {
        #[test]
        fn what_a_target_weighs_is_what_its_fold_does(rows in rows()) {
            let chat = Chat { source: "telegram".into(), conversation: "1".into() };
            let folded = MergeRules.fold_target(&chat, rows.clone()).map(|message| Weight::of(&message));
            prop_assert_eq!(MergeRules.weigh_target(&chat, rows), folded);
        }
    }
}
