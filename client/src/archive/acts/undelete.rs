//! Bringing deleted messages back.

use std::collections::HashMap;

use super::delete::Newest;
use super::{Acting, BATCH};
use crate::archive::error::Result;
use crate::archive::rows::named;
use crate::archive::{Archive, Deletion};
use crate::event::{Chat, Kind, Row, tag};

/// What became of deletions that were to be undone.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Undeleted {
    /// Deletions that are in force no more.
    pub undone: u64,
    /// Those whose time was over: their messages are going, here or elsewhere.
    pub late: u64,
}

impl Archive {
    /// Ends deletions, as [`deletions`](Self::deletions) lists them; their messages are shown again. `server_now` is the
    /// server's clock: after [`Deletion::until`] any device may have begun to remove what it can.
    pub fn undelete(&mut self, deletions: &[Deletion], server_now: i64, acting: &mut Acting<'_>) -> Result<Undeleted> {
        let mut newest: HashMap<Chat, Newest> = HashMap::new();
        let mut out = Undeleted::default();
        for batch in deletions.chunks(BATCH) {
            let mut rows: Vec<(Chat, Row)> = Vec::with_capacity(batch.len());
            for deletion in batch {
                if deletion.until <= server_now {
                    out.late += 1;
                    continue;
                }
                let Some(deleted) = self.deletion_row(deletion)? else { continue };
                let chat = deletion.chat.as_ref();
                if !newest.contains_key(chat) {
                    newest.insert(chat.clone(), self.newest(chat)?);
                }
                let of_chat = newest.get(chat);
                let seen = named(&deleted).iter().filter_map(|id| of_chat?.get(id).copied()).max();
                let (key, native) = (&deletion.key, acting.native());
                let mut row = Row::about(Kind::UNDELETE, key.time, key.target, native);
                row.fields.set(tag::ROW_IDS, key.id.0).set_number(tag::EDITED_AT, acting.after(seen));
                rows.push((chat.clone(), row));
            }
            out.undone += rows.len() as u64;
            self.keep(&rows)?;
        }
        self.settle()?;
        Ok(out)
    }
}
