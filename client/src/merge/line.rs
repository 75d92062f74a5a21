//! One message of one export of a format without ids, as its parser hands it over (FORMATS §2a).

use crate::event::Row;

/// Whether a line's text can have changed unmarked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// Plain: closed.
    Plain,
    /// Carries an edited mark.
    Edited,
    /// Shown as deleted; its body is empty.
    Deleted,
    /// Media that may stand for another name or text (omitted; every iOS media line).
    Omitted,
}

impl Class {
    /// The letter that stands in native keys and in the row's `CLASS` field.
    pub fn letter(self) -> char {
        match self {
            Self::Plain => 'P',
            Self::Edited => 'E',
            Self::Deleted => 'D',
            Self::Omitted => 'O',
        }
    }

    /// Reads a class from its letter.
    pub fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'P' => Some(Self::Plain),
            b'E' => Some(Self::Edited),
            b'D' => Some(Self::Deleted),
            b'O' => Some(Self::Omitted),
            _ => None,
        }
    }

    /// Whether a row of this class may stand for another text, in this source.
    ///
    /// Meta shows edits without any mark, so all its lines are open; IRC has neither edits nor deletions.
    pub fn is_open(self, source: &str) -> bool {
        match source {
            "meta" => true,
            "irc" => false,
            _ => self != Self::Plain,
        }
    }
}

/// A line before it becomes a row: what enters its key, and the row's values.
#[derive(Clone, Debug)]
pub struct Line {
    /// The time unit as ms (WhatsApp, IRC: the minute's start, local time read as UTC; Meta: the millisecond).
    pub unit: i64,
    /// Seconds inside the unit where the export shows them.
    pub seconds: Option<u8>,
    /// Sender as written; absent for system lines.
    pub sender: Option<String>,
    pub class: Class,
    /// The normalised body: what of the text is identity.
    pub normal: String,
    /// Kind and values (body as it stood, sender, stamp, attachments). Its `time`, `native` and the fields of §2a are
    /// filled in by `merge`.
    pub row: Row,
}
