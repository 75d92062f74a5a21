//! Restoring: the newest text first, then media; every item verified, none of them needed for the others.

use super::flow::Flow;
use super::media_down::fetch_media;
use super::packs::ServicePacks;
use super::snapshot::snapshots;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::ids::{EventId, PackId};
use crate::vault::{Vault, Work};

/// Which attachments to fetch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Media {
    #[default]
    All,
    /// None now; `restore` again fetches them.
    Later,
}

#[derive(Clone, Default, Debug)]
pub struct RestoreOptions {
    pub media: Media,
}

/// An attachment that could not be restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    pub message: Option<EventId>,
    pub attachment: Option<String>,
    pub reason: String,
}

/// What a restore did.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The newest snapshot.
    pub snapshot: Option<EventId>,
    /// Messages in the archive, and attachments whose bytes are here.
    pub messages: u64,
    pub attachments: u64,
    /// Attachments fetched by this call.
    pub attachments_new: u64,
    pub downloaded_bytes: u64,
    pub missing: Vec<Missing>,
    /// Runs that are missing or do not verify, with the rows they held and why.
    pub lost_runs: Vec<(PackId, u64, String)>,
}

impl Restored {
    /// Whether everything the vault names is here and verified.
    pub fn is_whole(&self) -> bool {
        self.lost_runs.is_empty() && self.missing.iter().all(|m| m.reason == super::media_down::WAITS)
    }
}

impl Vault {
    /// Brings everything the vault has into the archive. Called again, it goes on where it stopped.
    pub async fn restore(&mut self, archive: &mut Archive, options: &RestoreOptions, work: &Work) -> Result<Restored> {
        let (_, down) = work.carried();
        let mut flow = Flow::begin(self, archive, work)?;
        if flow.is_new()? {
            flow.read_through_head().await?;
        } else {
            flow.pull_lenient().await?;
        }
        let taken = flow.take_in_runs(true).await?;
        flow.archive.settle()?;
        if flow.archive.runs()?.is_empty() {
            flow.archive.commit(|c| c.clear_restored())?;
        }
        let mut out = Restored {
            snapshot: None,
            messages: 0,
            attachments: 0,
            attachments_new: 0,
            downloaded_bytes: 0,
            missing: Vec::new(),
            lost_runs: taken.lost.into_iter().map(|(id, rows, why)| (id, rows, why.to_owned())).collect(),
        };
        if options.media == Media::All {
            let chunk_key = flow.vault.ring.lifetime().chunk_id_key();
            let account = flow.account();
            let source = ServicePacks { session: &flow.vault.session, work };
            let fetched = fetch_media(&source, &account, &chunk_key, flow.archive, work).await?;
            // Long texts came as files.
            flow.archive.settle()?;
            out.attachments_new = fetched.files;
            out.missing = fetched.missing;
        }
        let counts = archive.counts()?;
        out.snapshot = snapshots(archive)?.first().map(|s| s.id);
        out.messages = counts.messages;
        out.attachments = counts.attachments - counts.attachments_absent;
        out.downloaded_bytes = work.carried().1 - down;
        Ok(out)
    }
}

/// Completes what a restore has left to be fetched of the text, before this device writes anything of its own.
pub(super) async fn finish_restore(vault: &mut Vault, archive: &mut Archive, work: &Work) -> Result<()> {
    let mut flow = Flow::begin(vault, archive, work)?;
    if flow.is_new()? {
        flow.read_through_head().await?;
    }
    if flow.archive.runs()?.is_empty() {
        return Ok(());
    }
    let taken = flow.take_in_runs(true).await?;
    flow.archive.settle()?;
    if taken.lost.is_empty() {
        return Ok(flow.archive.commit(|c| c.clear_restored())?);
    }
    let details = taken.lost.iter().map(|(id, _, why)| format!("{}: a run, {why}", id.hex())).collect();
    Err(Error::Damaged { objects: taken.lost.len() as u64, details })
}
