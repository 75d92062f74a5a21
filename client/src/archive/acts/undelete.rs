//! Bringing deleted messages back.

use std::collections::{BTreeSet, HashMap};

use super::delete::Newest;
use super::{Acting, BATCH};
use crate::archive::error::Result;
use crate::archive::rows::{named, taken_away};
use crate::archive::{Archive, Deletion};
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::EventId;

/// What became of deletions that were to be undone.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Undeleted {
    /// Deletions that are in force no more.
    pub undone: u64,
    /// Those whose time was over: their messages are going, here or elsewhere.
    pub late: u64,
}

/// Deletions that the beginning of a message's id means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Matching {
    None,
    /// Of one message; several where devices deleted it apart.
    One(Vec<Deletion>),
    /// Of several messages, by these ids.
    Several(Vec<EventId>),
}

impl Archive {
    /// Finds the deletions of the message whose id begins so, among those that [`deletions`](Self::deletions) lists.
    pub fn deletions_matching(&self, all: &[Deletion], hex: &str) -> Result<Matching> {
        let hex = hex.to_ascii_lowercase();
        let mut found: Vec<(&Deletion, BTreeSet<EventId>)> = Vec::new();
        for deletion in all {
            let row = self.deletion_row(deletion)?;
            let ids = row.iter().flat_map(|row| taken_away(&self.parts, &deletion.chat, row)).collect();
            found.push((deletion, ids));
        }
        let meant: Vec<&(&Deletion, BTreeSet<EventId>)> =
            found.iter().filter(|(_, ids)| ids.iter().any(|id| id.hex().starts_with(&hex))).collect();
        let Some((_, ids)) = meant.first() else { return Ok(Matching::None) };
        if meant.iter().any(|(_, other)| other.is_disjoint(ids)) {
            return Ok(Matching::Several(meant.iter().map(|(deletion, _)| deletion.key.target).collect()));
        }
        let whole: BTreeSet<EventId> = meant.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let of_it = found.iter().filter(|(_, ids)| !ids.is_disjoint(&whole));
        Ok(Matching::One(of_it.map(|(deletion, _)| (*deletion).clone()).collect()))
    }

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
                let kind = if deletion.is_media() { Kind::MEDIA_UNDELETE } else { Kind::UNDELETE };
                let mut row = Row::about(kind, key.time, key.target, native);
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
