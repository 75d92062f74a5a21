//! What the archive needs from above: keyed ids, the rules of merging, and the sealing of media.
//!
//! The archive does no cryptography of its own, except that the database file is sealed under the raw key it is opened
//! with. All three traits must answer the same on every device of the account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::crypto::Term;
use crate::event::{Chat, Row};
use crate::ids::{ChatId, EventId, FileId};
use crate::merge::{Folded, Message};

/// Keyed ids of `docs/format.md` §2, made from the account's lifetime secret.
pub trait Ids: Send + Sync {
    fn chat(&self, chat: &Chat) -> ChatId;
    /// `class` is `Kind::id_class`.
    fn event(&self, chat: &Chat, class: u16, native: &str) -> EventId;
    /// From the content's BLAKE3 and its size.
    fn file(&self, hash: &[u8; 32], bytes: u64) -> FileId;
    /// Keyed digest of an encoded row, which decides between two rows of one key (§3.4).
    fn digest(&self, chat: &Chat, row: &[u8]) -> [u8; 32];
    /// What a row adds to the digest that devices compare (§3.7).
    fn term(&self, chat: &Chat, row: &[u8]) -> Term;
}

/// The rules of `merge`.
pub trait Rules: Send + Sync {
    /// Whether messages of this source carry an id of their own, so that each is folded by itself.
    fn has_ids(&self, source: &str) -> bool;
    /// Joins two rows of one key: the row that stays, and the other's content as a version row.
    fn join(&self, id: EventId, a: &Row, b: &Row, digest: &dyn Fn(&Row) -> [u8; 32]) -> (Row, Option<Row>);
    /// Folds all rows of one target in a source with ids.
    fn fold_target(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Option<Message>;
    /// What counts of the message that all rows of one target are; none where they are none.
    fn weigh_target(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Option<Weight> {
        Some(Weight::of(&self.fold_target(chat, rows)?))
    }
    /// Deletions in force among the acts of a chat, and the rows each names.
    fn graves(&self, acts: &[(EventId, Row)]) -> BTreeMap<EventId, BTreeSet<EventId>> {
        crate::merge::graves(acts)
    }
    /// Folds a whole chat of a source without ids.
    fn fold_chat(&self, chat: &Chat, rows: Vec<(EventId, Row)>) -> Folded;
}

/// What counts of a message before anybody reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weight {
    pub time: i64,
    pub text_bytes: u64,
    pub has_attachments: bool,
}

impl Weight {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            time: message.time,
            text_bytes: message.text.as_ref().map_or(0, |text| text.len() as u64),
            has_attachments: !message.attachments.is_empty(),
        }
    }
}

/// Seals media blocks under the home's archive key (`docs/format.md` §2.2, type 6).
///
/// A block is bound to `place` (which file of this home), its number and whether it is the last.
pub trait MediaSealer: Send + Sync {
    fn seal_block(&self, place: &[u8; 32], number: u32, last: bool, plain: &[u8]) -> Vec<u8>;
    /// None for every block that does not open here, whatever the reason.
    fn open_block(&self, place: &[u8; 32], number: u32, last: bool, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// The three together, shared by all connections of one archive.
#[derive(Clone)]
pub struct Parts {
    pub ids: Arc<dyn Ids>,
    pub rules: Arc<dyn Rules>,
    pub sealer: Arc<dyn MediaSealer>,
}
