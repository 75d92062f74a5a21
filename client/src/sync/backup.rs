//! Backing up, and the plain exchange without a snapshot.

use super::flow::Flow;
use super::restore::finish_restore;
use super::retention::apply_retention;
use super::snapshot::snapshots;
use crate::archive::{Archive, Note};
use crate::error::Result;
use crate::ids::EventId;
use crate::vault::{Phase, Progress, Vault, Work};

/// How to back up.
#[derive(Clone, Default, Debug)]
pub struct BackupOptions {
    /// Names the snapshot carries.
    pub labels: Vec<String>,
}

/// What a backup did.
#[derive(Clone, Debug)]
pub struct Backup {
    /// The newest snapshot of this state: made now, or by an earlier backup where nothing has changed since.
    pub snapshot: Option<EventId>,
    pub created: bool,
    pub at_ms: i64,
    pub chats: u64,
    pub messages: u64,
    /// Attachments that this backup brought to the vault.
    pub attachments_new: u64,
    /// Attachments that no pack holds yet.
    pub attachments_waiting: u64,
    /// Bytes of all messages and attachments as they are read.
    pub logical_bytes: u64,
    /// Bytes of packs and records that were sent.
    pub uploaded_bytes: u64,
    /// Bytes of attachments that were new here and lay in the vault already.
    pub deduplicated_bytes: u64,
    /// A head of another device holds other rows than this device: nothing was changed because of it.
    pub disagreed: bool,
}

/// What an exchange did.
#[derive(Clone, Default, Debug)]
pub struct Synced {
    pub pulled_events: u64,
    pub pushed_events: u64,
    pub uploaded_bytes: u64,
    pub downloaded_bytes: u64,
    pub attachments_waiting: u64,
    pub disagreed: bool,
}

/// How far an exchange goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Rows,
    Everything,
}

impl Vault {
    /// Pulls, then pushes what waits. Makes no snapshot, and folds only when the log's tail is long.
    pub async fn sync(&mut self, archive: &mut Archive, work: &Work) -> Result<Synced> {
        self.sync_up_to(Reach::Everything, archive, work).await
    }

    /// Pulls and pushes rows, and leaves what takes longer to later: attachments, purges and folds.
    pub(super) async fn catch_up(&mut self, archive: &mut Archive, work: &Work) -> Result<Synced> {
        self.sync_up_to(Reach::Rows, archive, work).await
    }

    async fn sync_up_to(&mut self, reach: Reach, archive: &mut Archive, work: &Work) -> Result<Synced> {
        let (up, down) = work.carried();
        finish_restore(self, archive, work).await?;
        let mut flow = Flow::begin(self, archive, work)?;
        flow.exchange_rows().await?;
        if reach == Reach::Everything {
            flow.push_media().await?;
        }
        flow.hide_by_rule().await?;
        if reach == Reach::Everything {
            flow.purge().await?;
            flow.fold(false).await?;
            flow.gather().await?;
        }
        flow.keep_token()?;
        let (pulled_events, pushed_events) = (flow.pulled_events, flow.pushed_events);
        let disagreed = !flow.disagreed.is_empty();
        archive.settle()?;
        let (up_now, down_now) = work.carried();
        Ok(Synced {
            pulled_events,
            pushed_events,
            uploaded_bytes: up_now - up,
            downloaded_bytes: down_now - down,
            attachments_waiting: archive.counts()?.waiting,
            disagreed,
        })
    }

    /// Pulls, pushes, makes a snapshot if anything has changed since the last one, and folds.
    pub async fn backup(&mut self, archive: &mut Archive, options: &BackupOptions, work: &Work) -> Result<Backup> {
        let (up, _) = work.carried();
        finish_restore(self, archive, work).await?;
        let mut flow = Flow::begin(self, archive, work)?;
        let (attachments_new, deduplicated_bytes) = flow.exchange().await?;
        flow.repair().await?;
        flow.purge().await?;
        let state = flow.state_mark()?;
        let newest = snapshots(flow.archive)?.into_iter().next();
        let (snapshot, created) = match newest {
            Some(newest) if newest.state == state && newest.index.is_some() => (Some(newest), false),
            _ if flow.archive.counts()?.messages == 0 => (None, false),
            _ => {
                let sent = flow.work.carried().0 - up;
                let snapshot = flow.add_snapshot(&options.labels, state, sent)?;
                flow.push_rows().await?;
                (Some(snapshot), true)
            }
        };
        flow.hide_by_rule().await?;
        let phase = Phase::Commit;
        work.tell(Progress { phase, done_bytes: 0, total_bytes: 0, done_items: 0, total_items: 0 });
        flow.fold(true).await?;
        flow.gather().await?;
        flow.keep_token()?;
        let disagreed = !flow.disagreed.is_empty();
        let at_ms = snapshot.as_ref().map_or_else(|| flow.vault.session.env.now_ms(), |s| s.at_ms);
        let now = flow.vault.session.env.now_ms();
        flow.archive.commit(|c| c.set_note(Note::LastBackup, Some(&now.to_le_bytes())))?;
        flow.archive.settle()?;
        let counts = archive.counts()?;
        Ok(Backup {
            snapshot: snapshot.map(|s| s.id),
            created,
            at_ms,
            chats: counts.chats,
            messages: counts.messages,
            attachments_new,
            attachments_waiting: counts.waiting,
            logical_bytes: archive.media_bytes()? + archive.text_bytes()?,
            uploaded_bytes: work.carried().0 - up,
            deduplicated_bytes,
            disagreed,
        })
    }
}

impl Flow<'_> {
    /// Hides the snapshots that the account's rule hides by now.
    pub(super) async fn hide_by_rule(&mut self) -> Result<()> {
        let env = self.vault.session.env.clone();
        if apply_retention(self.archive, &env)? > 0 {
            self.push_rows().await?;
        }
        Ok(())
    }

    /// Pulls, then sends rows that wait.
    async fn exchange_rows(&mut self) -> Result<()> {
        self.pull().await?;
        self.send_left_over().await?;
        self.push_rows().await?;
        self.bring_back().await
    }

    /// As [`exchange_rows`](Self::exchange_rows), and media after them. Answers how many attachments the vault got, and
    /// how many of their bytes it had.
    async fn exchange(&mut self) -> Result<(u64, u64)> {
        self.exchange_rows().await?;
        self.push_media().await
    }
}
