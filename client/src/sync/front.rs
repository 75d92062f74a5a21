//! The front page: the newest messages of the newest chats, in one small pack.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::flow::Flow;
use crate::archive::Anchor;
use crate::error::{Error, Result};
use crate::event::{Kind, RowKey, last_day};
use crate::ids::ChatId;
use crate::pack::{BlockRow, SealedPack, seal_front_page};

/// What P3 promises: so many chats with so many messages each.
const CHATS: usize = 20;
const MESSAGES: usize = 50;
/// A row longer than this is left to its run.
const ROW_BYTES_MAX: usize = 4 << 10;

impl Flow<'_> {
    /// Chats that a front page made now would show.
    pub fn front_chats(&self) -> Result<Vec<ChatId>> {
        Ok(self.archive.chats()?.into_iter().take(CHATS).map(|chat| chat.id).collect())
    }

    /// Seals a front page: as many of the newest messages as fit. None where there is no message at all.
    pub fn seal_front(&self) -> Result<Option<SealedPack>> {
        let chats = self.front_chats()?;
        let mut messages = MESSAGES;
        while messages > 0 {
            let rows = self.front_rows(&chats, messages)?;
            if rows.is_empty() {
                return Ok(None);
            }
            let sealed = seal_front_page(&self.account(), &rows, &self.keys.event, &mut self.entropy());
            if let Some(page) = sealed.map_err(|e| Error::Internal(e.to_string()))? {
                return Ok(Some(page));
            }
            messages = messages * 2 / 3;
        }
        Ok(None)
    }

    /// Rows of the chats' last messages, as the log holds them, in key order.
    fn front_rows(&self, chats: &[ChatId], messages: usize) -> Result<Vec<BlockRow>> {
        let mut rows: BTreeMap<RowKey, BlockRow> = BTreeMap::new();
        for chat in chats {
            let page = self.archive.page(chat, Anchor::End, messages, 0)?;
            let Some(first) = page.first().map(|shown| shown.message.time) else { continue };
            self.archive.rows_since(chat, first, |stored| {
                // Import rows state a chat's title; the views of exports without ids are left to the runs.
                let small = stored.value.len() <= ROW_BYTES_MAX && stored.key.kind != Kind::VIEW;
                // What its owner deleted is not shown, and not written where the purge would have to come for it.
                let deleted = self.archive.is_deleted(&stored.key)?;
                if let Some(arrival) = stored.arrival.filter(|_| small && !deleted) {
                    let row = stored.row()?;
                    // A page of many chats would go with the first of its timers, and nobody be there to write another.
                    if last_day(&row) != 0 {
                        return Ok(true);
                    }
                    let chat = Arc::new(stored.chat.clone());
                    let row = BlockRow::new(&self.keys.event, chat, arrival + 1, row);
                    rows.insert(row.key, row);
                }
                Ok(true)
            })?;
        }
        Ok(rows.into_values().collect())
    }
}
