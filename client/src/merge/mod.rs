//! From rows to messages: pure functions, the same on every device (DESIGN §6, FORMATS §2a).

mod alias;
mod fold;
mod import;
mod join;
mod line;
mod native;
mod rows;
mod sketch;
mod strand;
mod view;

pub use alias::aliases;
pub use fold::{Folded, act, fold_chat, fold_target, graves, has_ids, media_delete, own_delete};
pub use import::Import;
pub use join::{Joined, VERSION_MARK, is_version, join};
pub use line::{Class, Line};
pub use rows::{Assembler, Export};
pub use sketch::Sketch;
pub use strand::{Choice, ONE_STRAND, Question, choose_strand, gap, known_imports, known_strands, overlapping};

use crate::event::{Attachment, Chat, Kind, Party, Range, Reply, Stamp};
use crate::ids::EventId;

/// A message as it stands now: the fold of all rows that are one message.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Public id: stays the same as rows join.
    pub id: EventId,
    /// Every row id that finds this message, `id` among them.
    pub row_ids: Vec<EventId>,
    pub chat: Chat,
    pub kind: Kind,
    /// Row time in ms (see `event::Row::time`).
    pub time: i64,
    /// Order among messages of one time.
    pub place: i64,
    pub native: String,
    pub sender: Option<Party>,
    pub sent_at: Option<Stamp>,
    /// The text to show: the latest one, also of a message deleted in its app.
    pub text: Option<String>,
    pub ranges: Vec<Range>,
    pub reply: Option<Reply>,
    pub forwarded_from: Option<String>,
    pub via_bot: Option<String>,
    pub attachments: Vec<Attachment>,
    pub reactions: Vec<Reaction>,
    /// Earlier texts, oldest first.
    pub versions: Vec<Version>,
    /// Time of the latest edit, ms, where known.
    pub edited_at: Option<i64>,
    pub edited: bool,
    /// When its timer ends, ms, where it has one.
    pub expires_at: Option<i64>,
    /// An export shows the message as deleted in its app; our text stays.
    pub deleted_in_source: bool,
    /// What system lines, calls and pins are about.
    pub action: Option<String>,
    /// Source fields without a place: canonical JSON.
    pub extra: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// When this text was superseded or written, ms, where known.
    pub at: Option<i64>,
    pub text: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Reaction {
    /// Name of the person, or the source's id where there is no name.
    pub by: String,
    /// The source's id of the person, where it has one.
    pub by_id: Option<String>,
    pub emoji: String,
}

#[cfg(test)]
mod tests;
