//! The row key: the order of rows inside blocks and runs (`docs/format.md` §3.1).

use super::{Chat, Kind, Row, Target};
use crate::crypto::EventKey;
use crate::ids::{ChatId, EventId};

/// Where a row sorts. Edits, reactions and deletions carry their target's time and id, so they stand beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey {
    pub chat: ChatId,
    pub time: i64,
    pub target: EventId,
    pub kind: Kind,
    pub own: EventId,
}

impl RowKey {
    pub fn of(key: &EventKey, chat: &Chat, row: &Row) -> Self {
        let own = key.event(&chat.source, &chat.conversation, row.kind.id_class(), &row.native);
        let target = match row.target {
            Target::Own => own,
            Target::Event(id) => id,
        };
        let chat = key.chat(&chat.source, &chat.conversation);
        Self { chat, time: row.time, target, kind: row.kind, own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Lifetime;
    use crate::crypto::fixed::Fixed;

    #[test]
    fn what_is_about_a_message_sorts_beside_it() {
        let key = Lifetime::generate(&mut Fixed::new("row key")).event_key();
        let chat = Chat { source: "telegram".into(), conversation: "private:7".into() };
        let of = |row: &Row| RowKey::of(&key, &chat, row);
        let first = Row::new(Kind::MESSAGE, -5, "1");
        let second = Row::new(Kind::MESSAGE, -4, "2");
        let edit = Row::about(Kind::EDIT, -5, of(&first).own, "1\u{1f}x");
        assert_eq!(of(&edit).target, of(&first).own);
        assert!(of(&first) < of(&edit) && of(&edit) < of(&second), "times are ordered as signed numbers");
        assert_ne!(of(&edit).own, of(&first).own);
    }

    #[test]
    fn standing_kinds_share_one_id_and_not_one_key() {
        let key = Lifetime::generate(&mut Fixed::new("row key")).event_key();
        let chat = Chat::vault();
        let message = RowKey::of(&key, &chat, &Row::new(Kind::MESSAGE, 0, "1"));
        let call = RowKey::of(&key, &chat, &Row::new(Kind::CALL, 0, "1"));
        assert_eq!(message.own, call.own);
        assert_ne!(message, call);
    }
}
