//! The end of deletions: what the owner deleted, and can undo no more, leaves the vault.
//!
//! Runs that hold a row of a deleted message are written again without it, and so are chunk runs and packs of
//! attachments that no other message names; bodies of records that held any of it are erased. The last head of a purge
//! says which deletions it was for: with it every device removes the rows. Broken off anywhere, it is begun again, finds
//! less to do, and ends alike.

mod bodies;
mod due;
mod media;
mod rows;

use std::collections::BTreeSet;

use proto::wire::head::DropReason;

use self::bodies::Bodies;
use super::flow::Flow;
use super::fold::{Plan, RACES_MAX};
use super::send::Sent;
use crate::archive::{Grave, LongLists};
use crate::error::{Error, Result};
use crate::event::Kind;
use crate::ids::{ChunkId, EventId, FileId, PackId};
use crate::pack::{BlockRow, ChunkRunEntry};

/// Bytes written anew for one head: they are held in memory until they are sent.
const MADE_BYTES_MAX: usize = 24 << 20;
/// Packs one head adds or drops; the service takes 400, and pages come on top.
const PACKS_MAX: usize = 300;

/// What a purge leaves out of everything it writes.
#[derive(Default)]
pub(super) struct Dead {
    /// Ids of rows, and of the messages that rows are about.
    pub rows: BTreeSet<EventId>,
    pub files: BTreeSet<FileId>,
    pub chunks: BTreeSet<ChunkId>,
    /// Packs this head drops: what lives in them has moved.
    pub packs: BTreeSet<PackId>,
}

impl Dead {
    pub fn has_row(&self, row: &BlockRow) -> bool {
        !matches!(row.key.kind, Kind::OWN_DELETE | Kind::UNDELETE)
            && (self.rows.contains(&row.key.own) || self.rows.contains(&row.key.target))
    }

    pub fn has_entry(&self, entry: &ChunkRunEntry) -> bool {
        match entry {
            ChunkRunEntry::Chunk(chunk) => self.chunks.contains(&chunk.id) || self.packs.contains(&chunk.pack),
            ChunkRunEntry::File(file) => self.files.contains(&file.id),
        }
    }
}

/// What one run of purging has seen to already.
#[derive(Default)]
struct Progress {
    /// Runs that hold nothing of it.
    clean: BTreeSet<PackId>,
    /// Packs that cannot be read: what they hold is given up with its key.
    unread: BTreeSet<PackId>,
    bodies: Bodies,
    front_written: bool,
    /// What long lists name, read before any of them goes.
    lists: Option<LongLists>,
}

impl Flow<'_> {
    /// Purges every deletion whose time has come; answers how many.
    pub async fn purge(&mut self) -> Result<u64> {
        let mut purged = 0;
        let mut progress = Progress::default();
        let mut races = 0;
        loop {
            self.work.check()?;
            // In this order: chats are settled only where there is something to do.
            let (media_due, expired) = (self.media_due()?, self.archive.has_timed_files()?);
            if media_due || expired || !self.due()?.is_empty() {
                self.archive.settle()?;
            }
            let media = if media_due { self.media_that_goes()? } else { BTreeSet::new() };
            let nothing = media.is_empty() && !expired && self.due()?.is_empty();
            if nothing || !self.can_fold()? {
                self.archive.forget_unnamed()?;
                return Ok(purged);
            }
            let due = self.due()?;
            if due.is_empty() && media.is_empty() && !self.holds_expired_files()? {
                // Another device has seen to it.
                self.archive.commit(|c| c.settle_expired_files())?;
                continue;
            }
            let count = due.len() as u64;
            let generation = self.follower.state().head.as_ref().map_or(0, |head| head.generation);
            let round = match self.purge_once(&due, &media, &mut progress).await {
                Err(Error::Damaged { .. }) if self.head_has_moved(generation).await? => Round::Lost(Vec::new()),
                round => round?,
            };
            match round {
                Round::Ended => {
                    purged += count;
                    progress = Progress::default();
                }
                Round::More => {}
                Round::Lost(packs) => {
                    self.forget_packs(&packs)?;
                    races += 1;
                    if races >= RACES_MAX {
                        return Ok(purged);
                    }
                }
            }
        }
    }

    /// Makes the next head of a purge, or ends one that has nothing more to write.
    async fn purge_once(&mut self, due: &[Grave], media: &BTreeSet<FileId>, progress: &mut Progress) -> Result<Round> {
        let known = self.catalogue().await?;
        let old_pages: Vec<PackId> = known.catalogue.pages.iter().map(|page| page.pack.id).collect();
        let old_front = known.front.as_ref().map(|front| front.pack.id);
        let mut dead = self.dead(due, media, progress).await?;
        let mut plan = Plan::on(known);
        self.add_tail(&mut plan, &dead)?;
        let mut whole = self.purge_rows(&mut plan, due, &dead, progress).await?;
        if whole {
            whole = self.purge_media(&mut plan, &mut dead, progress).await?;
        }
        // What went by its timer has erased its bodies with it.
        if whole && !due.is_empty() {
            let dropped: BTreeSet<PackId> = plan.drops.keys().copied().collect();
            let size = self.follower.size();
            whole = self.bodies_with(&mut progress.bodies, &dead, &dropped, size, &mut plan.erase).await?;
        }
        let nothing = plan.drops.is_empty() && plan.erase.is_empty();
        if whole && nothing {
            self.purge_here(due)?;
            self.archive.forget_media(media, &dead.chunks)?;
            return Ok(Round::Ended);
        }
        if whole {
            plan.purged = due::stretches(due);
        }
        if !progress.front_written {
            plan.known.front = None;
        }
        self.seal_pages(&mut plan)?;
        self.replace_front(&mut plan, 0)?;
        let kept: Vec<PackId> = plan.known.catalogue.pages.iter().map(|page| page.pack.id).collect();
        for old in old_pages.into_iter().filter(|old| !kept.contains(old)) {
            plan.drops.insert(old, DropReason::Replaced);
        }
        if let Some(old) = old_front.filter(|old| plan.known.front.as_ref().is_none_or(|f| f.pack.id != *old)) {
            plan.drops.insert(old, DropReason::Purged);
        }
        let erased = plan.erase.clone();
        match self.send_head(plan).await? {
            Sent::Taken => {
                progress.front_written = true;
                progress.bodies.erased(&erased);
                if whole {
                    self.archive.commit(|c| {
                        c.settle_expired_files()?;
                        // Also of packs that could not be read, and stay.
                        dead.chunks.iter().try_for_each(|chunk| c.drop_chunk(chunk))
                    })?;
                }
                self.learn_moved().await?;
                if whole {
                    self.archive.forget_media(media, &dead.chunks)?;
                }
                Ok(if whole { Round::Ended } else { Round::More })
            }
            Sent::Moved => Ok(Round::Lost(Vec::new())),
            Sent::Gone(packs) => Ok(Round::Lost(packs)),
        }
    }

    /// What these deletions name, and the attachments that go with it.
    async fn dead(&mut self, due: &[Grave], media: &BTreeSet<FileId>, progress: &mut Progress) -> Result<Dead> {
        let rows = due.iter().flat_map(|d| d.names.iter().copied()).collect();
        let mut files = self.archive.files_of_dead(due)?;
        files.extend(media.iter().copied());
        files.extend(self.archive.expired_files()?);
        let mut dead = Dead { rows, files, ..Dead::default() };
        if !dead.files.is_empty() {
            let lists = match progress.lists.take() {
                Some(lists) => lists,
                None => self.long_lists(&dead.files).await?,
            };
            dead.chunks = self.archive.chunks_of_files_alone(&dead.files, &lists)?;
            progress.lists = Some(lists);
        }
        Ok(dead)
    }

    /// Whether packs are known to hold attachments that went with their messages by timers.
    fn holds_expired_files(&self) -> Result<bool> {
        for file in self.archive.expired_files()? {
            if !self.archive.packs_of_file(&file)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes rows that lie in no run any more, because another device purged them.
    fn purge_here(&mut self, due: &[Grave]) -> Result<()> {
        let size = self.follower.size();
        self.archive.commit(|c| {
            for deletion in due {
                c.purge(&deletion.chat, &deletion.row, size)?;
            }
            c.settle_expired_files()
        })?;
        self.archive.forget_unnamed()?;
        Ok(())
    }
}

enum Round {
    /// Everything is purged, here as well.
    Ended,
    More,
    /// Another head came first, or these packs were gone.
    Lost(Vec<PackId>),
}

fn damaged(what: &str, pack: &PackId) -> Error {
    Error::Damaged { objects: 1, details: vec![format!("{}: {what}", pack.hex())] }
}
