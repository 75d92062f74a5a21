//! Deleting messages: they are hidden at once here, and on every device that hears of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Acting, BATCH};
use crate::archive::chats;
use crate::archive::error::Result;
use crate::archive::rows::{act_at, named};
use crate::archive::{Anchor, Archive, Position};
use crate::event::{Chat, Kind, Row};
use crate::ids::{ChatId, EventId};
use crate::merge::{self, Message};

/// The newest deletion or undelete of each id of a chat.
pub(super) type Newest = BTreeMap<EventId, i64>;

/// How much a deletion is about.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Weighed {
    pub messages: u64,
    /// Bytes of texts and attachments.
    pub bytes: u64,
}

impl Weighed {
    pub fn add(&mut self, message: &Message) {
        let texts = message.versions.iter().map(|v| &v.text).chain(&message.text);
        let files = message.attachments.iter().filter_map(|a| a.size);
        let bytes = texts.map(|text| text.len() as u64).sum::<u64>().saturating_add(files.fold(0, u64::saturating_add));
        self.bytes = self.bytes.saturating_add(bytes);
        self.messages += 1;
    }
}

impl Archive {
    /// Deletes messages and answers how many. They are hidden at once; nothing of them goes before
    /// [`Deletion::until`](crate::archive::Deletion), and until then [`undelete`](Self::undelete) brings them back.
    pub fn delete(&mut self, messages: &[Message], acting: &mut Acting<'_>) -> Result<u64> {
        let mut newest: HashMap<Chat, Newest> = HashMap::new();
        let (mut known, mut done) = (BTreeSet::new(), 0);
        for batch in messages.chunks(BATCH) {
            let mut rows: Vec<(Chat, Row)> = Vec::with_capacity(batch.len());
            for message in batch.iter().filter(|message| known.insert(message.id)) {
                if !newest.contains_key(&message.chat) {
                    newest.insert(message.chat.clone(), self.newest(&message.chat)?);
                }
                let newest = newest.get(&message.chat);
                rows.push((message.chat.clone(), tombstone(message, newest, acting)));
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
        mut told: impl FnMut(u64) -> bool,
    ) -> Result<u64> {
        let Some(entry) = chats::by_id(&self.db, chat)? else { return Ok(0) };
        let newest = self.newest(&entry.chat)?;
        let (mut anchor, mut done) = (Anchor::Time(i64::MIN), 0);
        while told(done) {
            let page = self.page(chat, anchor, 0, BATCH)?;
            let Some(last) = page.last() else { break };
            anchor = Anchor::After(Position::of(&last.message));
            let old = page.iter().map(|shown| &shown.message).filter(|m| before.is_none_or(|before| m.time < before));
            let rows: Vec<(Chat, Row)> =
                old.map(|message| (entry.chat.clone(), tombstone(message, Some(&newest), acting))).collect();
            let ended = rows.len() < page.len();
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
        let (mut anchor, mut sum) = (Anchor::Time(i64::MIN), Weighed::default());
        loop {
            let page = self.page(chat, anchor, 0, BATCH)?;
            let Some(last) = page.last() else { return Ok(sum) };
            anchor = Anchor::After(Position::of(&last.message));
            let old = page.iter().map(|shown| &shown.message).filter(|m| before.is_none_or(|before| m.time < before));
            let known = sum.messages;
            old.for_each(|message| sum.add(message));
            if sum.messages - known < page.len() as u64 {
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
        let mut newest = self.undone(&entry)?;
        self.each_act(&entry, Kind::OWN_DELETE, |stored| {
            let row = stored.row()?;
            for id in named(&row) {
                let last = newest.entry(id).or_insert(i64::MIN);
                *last = (*last).max(act_at(&row));
            }
            Ok(())
        })?;
        Ok(newest)
    }
}

fn tombstone(message: &Message, newest: Option<&Newest>, acting: &mut Acting<'_>) -> Row {
    let seen = message.row_ids.iter().filter_map(|id| newest?.get(id).copied()).max();
    merge::own_delete(message, acting.after(seen), &acting.native())
}
