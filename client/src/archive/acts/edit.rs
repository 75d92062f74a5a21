//! Another text for a message.

use super::{Act, Acting};
use crate::archive::Archive;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::rows::act_at;
use crate::event::{Kind, tag};
use crate::ids::EventId;
use crate::merge;

impl Archive {
    /// Gives a message another text; the one it had stays as a version. Answers the edit's id, or nothing where the
    /// message has this text already.
    pub fn edit(&mut self, message: &EventId, text: &str, acting: &mut Acting<'_>) -> Result<Option<EventId>> {
        self.edit_row(message, text, acting)?.map(|act| self.act(&act)).transpose()
    }

    /// Makes the row of an edit.
    pub fn edit_row(&self, message: &EventId, text: &str, acting: &mut Acting<'_>) -> Result<Option<Act>> {
        let message = self.acted_on(message)?.message;
        if message.kind != Kind::MESSAGE {
            return Err(ArchiveError::Refused("only messages can be edited, not lines of the app itself"));
        }
        if message.text.as_deref().unwrap_or_default() == text {
            return Ok(None);
        }
        let rows = self.rows_about(&message)?;
        let seen = rows.iter().filter(|r| r.kind.stands() || r.kind == Kind::EDIT).map(act_at).max();
        let mut row = merge::act(&message, Kind::EDIT, &acting.native());
        row.fields.set(tag::BODY, text).set_number(tag::EDITED_AT, acting.after(seen));
        Ok(Some(Act { chat: message.chat, row }))
    }
}
