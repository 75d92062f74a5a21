//! What was told of a chat already, and what came since.

use std::collections::{BTreeMap, BTreeSet};

use client::archive::{Anchor, Archive, Position, Shown};
use client::ids::{ChatId, EventId};
use client::merge::Reaction;

use super::super::messages;
use crate::problem::Result;

/// So many of the last messages are watched for what is done to them, and for those that came late with an earlier time.
const WINDOW: usize = 500;
const PAGE: usize = 500;
/// Deleted messages that are told as brought back when they return.
const GONE_MAX: usize = 10_000;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum What {
    #[default]
    New,
    /// It was deleted while this looked on, and is there again.
    Back,
    Edited,
    Reacted,
    Attachments,
    DeletedInApp,
    Deleted,
}

impl What {
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Back => "undeleted",
            Self::Edited => "edited",
            Self::Reacted => "reacted",
            Self::Attachments => "attachments",
            Self::DeletedInApp => "deleted_in_app",
            Self::Deleted => "deleted",
        }
    }
}

/// One thing that happened.
#[derive(Default)]
pub struct Happened {
    pub what: What,
    /// The message as it is now; none once it is deleted.
    pub shown: Option<Shown>,
    pub id: Option<EventId>,
    /// Of a deleted message: when it was, and whose.
    pub was: String,
    pub added: Vec<Reaction>,
    pub removed: Vec<Reaction>,
}

/// What is remembered of a message: enough to see a change, and no text.
struct Known {
    at: Position,
    /// When and whose, as it is shown.
    line: String,
    text: blake3::Hash,
    attachments: blake3::Hash,
    reactions: BTreeSet<Reaction>,
    deleted_in_app: bool,
}

impl Known {
    fn of(shown: &Shown) -> Self {
        let m = &shown.message;
        let mut attachments = blake3::Hasher::new();
        for attachment in &m.attachments {
            attachments.update(&attachment.encode());
        }
        Self {
            at: Position::of(m),
            line: format!("{}  {}", messages::moment(m), messages::sender(m)),
            text: blake3::hash(m.text.as_deref().unwrap_or_default().as_bytes()),
            attachments: attachments.finalize(),
            reactions: m.reactions.iter().cloned().collect(),
            deleted_in_app: m.deleted_in_source,
        }
    }

    /// What makes a message another than it was, each told by itself.
    fn changes(&self, now: &Self, shown: &Shown) -> Vec<Happened> {
        let mut list = Vec::new();
        let mut add = |what| list.push(Happened { what, shown: Some(shown.clone()), ..Happened::default() });
        if self.text != now.text {
            add(What::Edited);
        }
        if !self.deleted_in_app && now.deleted_in_app {
            add(What::DeletedInApp);
        }
        if self.attachments != now.attachments {
            add(What::Attachments);
        }
        if self.reactions != now.reactions {
            let added = now.reactions.difference(&self.reactions).cloned().collect();
            let removed = self.reactions.difference(&now.reactions).cloned().collect();
            let shown = Some(shown.clone());
            list.push(Happened { what: What::Reacted, shown, added, removed, ..Happened::default() });
        }
        list
    }
}

/// What was told already.
pub struct Seen {
    /// The last message so far.
    last: Option<Position>,
    /// The last [`WINDOW`] messages, and the first of them where there are more before it.
    window: BTreeMap<EventId, Known>,
    floor: Option<Position>,
    gone: BTreeSet<EventId>,
}

impl Seen {
    /// What is there now counts as told.
    pub fn new(archive: &Archive, chat: &ChatId) -> Result<Self> {
        let mut seen = Self { last: None, window: BTreeMap::new(), floor: None, gone: BTreeSet::new() };
        seen.look(&archive.page(chat, Anchor::End, WINDOW, 0)?);
        Ok(seen)
    }

    /// What came since: deletions, then the rest in the order of the chat.
    pub fn news(&mut self, archive: &Archive, chat: &ChatId) -> Result<Vec<Happened>> {
        let before = self.last;
        let page = archive.page(chat, Anchor::End, WINDOW, 0)?;
        let first = page.first().map(|shown| Position::of(&shown.message));
        let mut happened = self.deleted(archive, &page)?;
        // More than a window at once: what lies between.
        let mut at = before;
        while let (Some(from), Some(first)) = (at, first) {
            let between = archive.page(chat, Anchor::After(from), 0, PAGE)?;
            let count = happened.len();
            for shown in between.into_iter().take_while(|shown| Position::of(&shown.message) < first) {
                happened.push(Happened { shown: Some(shown), ..Happened::default() });
            }
            let last = happened.get(count..).and_then(<[Happened]>::last).and_then(|h| h.shown.as_ref());
            at = last.map(|shown| Position::of(&shown.message));
        }
        for shown in &page {
            let m = &shown.message;
            // A message that joined with rows of another import may be shown under another id.
            let known = m.row_ids.iter().chain([&m.id]).find_map(|id| self.window.get(id));
            if let Some(known) = known {
                happened.extend(known.changes(&Known::of(shown), shown));
            } else if m.row_ids.iter().any(|id| self.gone.remove(id)) {
                happened.push(Happened { what: What::Back, shown: Some(shown.clone()), ..Happened::default() });
            } else if self.floor.is_none_or(|floor| Position::of(m) > floor) {
                // Where one was deleted the window reaches further back: what stood before it is not new.
                happened.push(Happened { shown: Some(shown.clone()), ..Happened::default() });
            }
        }
        self.look(&page);
        Ok(happened)
    }

    /// Messages of the window that are there no more.
    fn deleted(&mut self, archive: &Archive, page: &[Shown]) -> Result<Vec<Happened>> {
        let here: BTreeSet<EventId> =
            page.iter().flat_map(|s| s.message.row_ids.iter().copied().chain([s.message.id])).collect();
        let mut list: Vec<(Position, Happened)> = Vec::new();
        for (id, known) in &self.window {
            if here.contains(id) || archive.message(id)?.is_some() {
                continue;
            }
            let (id, was) = (Some(*id), known.line.clone());
            list.push((known.at, Happened { what: What::Deleted, id, was, ..Happened::default() }));
        }
        list.sort_by_key(|(at, _)| *at);
        for (_, happened) in &list {
            if self.gone.len() < GONE_MAX {
                self.gone.extend(happened.id);
            }
        }
        Ok(list.into_iter().map(|(_, happened)| happened).collect())
    }

    fn look(&mut self, page: &[Shown]) {
        self.floor = page.first().filter(|_| page.len() >= WINDOW).map(|shown| Position::of(&shown.message));
        self.last = page.last().map(|shown| Position::of(&shown.message)).or(self.last);
        self.window = page.iter().map(|shown| (shown.message.id, Known::of(shown))).collect();
    }
}
