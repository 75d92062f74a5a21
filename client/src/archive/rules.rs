//! The rules of `merge`, as the archive asks for them.

use super::parts::Rules;
use crate::event::{Chat, Row};
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

    fn fold_chat(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Vec<Message> {
        merge::fold_chat(chat, rows).messages
    }
}
