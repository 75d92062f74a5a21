//! Deleting messages: they are hidden at once here, and on every device that hears of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Acting, BATCH};
use crate::archive::chats;
use crate::archive::error::Result;
use crate::archive::rows::{act_at, named};
use crate::archive::{Anchor, Archive, Position, Shown};
use crate::event::{Chat, Kind, Row};
use crate::ids::{ChatId, EventId};
use crate::merge::{self, Message};

/// The newest deletion or undelete of each id of a chat.
pub(super) type Newest = BTreeMap<EventId, i64>;

/// What is deleted of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deleting {
    Messages,
    /// Its attachments alone.
    Media,
}

/// How much a deletion is about.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Weighed {
    pub messages: u64,
    /// Bytes of texts and attachments.
    pub bytes: u64,
}

impl Weighed {
    /// Adds what deleting takes away of a message, if it takes away anything.
    pub fn add(&mut self, message: &Message, what: Deleting) {
        let with_bytes = message.attachments.iter().filter(|a| a.hash.is_some() || what == Deleting::Messages);
        let files: Vec<u64> = with_bytes.filter_map(|a| a.size).collect();
        if what == Deleting::Media && files.is_empty() {
            return;
        }
        let texts = message.versions.iter().map(|v| &v.text).chain(&message.text);
        let texts = texts.filter(|_| what == Deleting::Messages).map(|text| text.len() as u64);
        let bytes = texts.chain(files).fold(0, u64::saturating_add);
        self.bytes = self.bytes.saturating_add(bytes);
        self.messages += 1;
    }
}

impl Archive {
    /// Deletes messages and answers how many. They are hidden at once; nothing of them goes before
    /// [`Deletion::until`](crate::archive::Deletion), and until then [`undelete`](Self::undelete) brings them back.
    pub fn delete(&mut self, messages: &[Message], acting: &mut Acting<'_>) -> Result<u64> {
        self.delete_of(messages, Deleting::Messages, acting)
    }

    /// As [`delete`](Self::delete), of messages or of their attachments alone.
    pub fn delete_of(&mut self, messages: &[Message], what: Deleting, acting: &mut Acting<'_>) -> Result<u64> {
        let mut newest: HashMap<Chat, Newest> = HashMap::new();
        let (mut known, mut done) = (BTreeSet::new(), 0);
        for batch in messages.chunks(BATCH) {
            let mut rows: Vec<(Chat, Row)> = Vec::with_capacity(batch.len());
            for message in batch.iter().filter(|message| known.insert(message.id)) {
                if !newest.contains_key(&message.chat) {
                    newest.insert(message.chat.clone(), self.newest(&message.chat)?);
                }
                let newest = newest.get(&message.chat);
                rows.extend(deletion(message, what, newest, acting).map(|row| (message.chat.clone(), row)));
            }
            done += rows.len() as u64;
            self.keep(&rows)?;
        }
        self.settle()?;
        Ok(done)
    }

    /// Deletes what a chat shows, all of it or what is older than a time. Answers how many messages; `told` hears so
    /// after each batch, and stops it with false: what was deleted by then stays so.
    ///
    /// Memory does not grow with the chat.
    pub fn delete_chat(
        &mut self,
        chat: &ChatId,
        before: Option<i64>,
        acting: &mut Acting<'_>,
        told: impl FnMut(u64) -> bool,
    ) -> Result<u64> {
        self.delete_chat_of(chat, before, Deleting::Messages, acting, told)
    }

    /// As [`delete_chat`](Self::delete_chat), of messages or of their attachments alone.
    pub fn delete_chat_of(
        &mut self,
        chat: &ChatId,
        before: Option<i64>,
        what: Deleting,
        acting: &mut Acting<'_>,
        mut told: impl FnMut(u64) -> bool,
    ) -> Result<u64> {
        let Some(entry) = chats::by_id(&self.db, chat)? else { return Ok(0) };
        let newest = self.newest(&entry.chat)?;
        let (mut anchor, mut done) = (Anchor::Time(i64::MIN), 0);
        while told(done) {
            let page = self.page(chat, anchor, 0, BATCH)?;
            let Some(last) = page.last() else { break };
            anchor = Anchor::After(Position::of(&last.message));
            let old: Vec<&Message> = older(&page, before);
            let ended = old.len() < page.len();
            let made = old.iter().filter_map(|message| deletion(message, what, Some(&newest), acting));
            let rows: Vec<(Chat, Row)> = made.map(|row| (entry.chat.clone(), row)).collect();
            done += rows.len() as u64;
            self.keep(&rows)?;
            if ended {
                break;
            }
        }
        self.settle()?;
        Ok(done)
    }

    /// Counts what [`delete_chat`](Self::delete_chat) would delete.
    pub fn weigh_chat(&self, chat: &ChatId, before: Option<i64>) -> Result<Weighed> {
        self.weigh_chat_of(chat, before, Deleting::Messages)
    }

    /// As [`weigh_chat`](Self::weigh_chat), of messages or of their attachments alone.
    pub fn weigh_chat_of(&self, chat: &ChatId, before: Option<i64>, what: Deleting) -> Result<Weighed> {
        let (mut anchor, mut sum) = (Anchor::Time(i64::MIN), Weighed::default());
        loop {
            let page = self.page(chat, anchor, 0, BATCH)?;
            let Some(last) = page.last() else { return Ok(sum) };
            anchor = Anchor::After(Position::of(&last.message));
            let old: Vec<&Message> = older(&page, before);
            old.iter().for_each(|message| sum.add(message, what));
            if old.len() < page.len() {
                return Ok(sum);
            }
        }
    }

    /// Keeps acts in one transaction.
    pub(super) fn keep(&mut self, rows: &[(Chat, Row)]) -> Result<()> {
        self.commit(|commit| {
            for (chat, row) in rows {
                commit.add_row(chat, row)?;
            }
            Ok(())
        })
    }

    /// When each id of a chat was last deleted, or brought back.
    pub(super) fn newest(&self, chat: &Chat) -> Result<Newest> {
        let Some(entry) = chats::by_id(&self.db, &self.parts.ids.chat(chat))? else { return Ok(Newest::new()) };
        let mut newest = self.undone(&entry, Kind::UNDELETE)?;
        for kind in [Kind::OWN_DELETE, Kind::MEDIA_DELETE, Kind::MEDIA_UNDELETE] {
            self.each_act(&entry, kind, |stored| {
                let row = stored.row()?;
                for id in named(&row) {
                    let last = newest.entry(id).or_insert(i64::MIN);
                    *last = (*last).max(act_at(&row));
                }
                Ok(())
            })?;
        }
        Ok(newest)
    }
}

/// Messages of a page, in its order, that are older than a time.
fn older(page: &[Shown], before: Option<i64>) -> Vec<&Message> {
    page.iter().map(|shown| &shown.message).filter(|m| before.is_none_or(|before| m.time < before)).collect()
}

/// The row that deletes a message, or its attachments; none where it has none whose content is known.
fn deletion(message: &Message, what: Deleting, newest: Option<&Newest>, acting: &mut Acting<'_>) -> Option<Row> {
    let seen = message.row_ids.iter().filter_map(|id| newest?.get(id).copied()).max();
    let (at, native) = (acting.after(seen), acting.native());
    match what {
        Deleting::Messages => Some(merge::own_delete(message, at, &native)),
        Deleting::Media => merge::media_delete(message, at, &native),
    }
}
