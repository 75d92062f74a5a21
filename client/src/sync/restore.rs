//! Restoring: the newest text first, then media; every item verified, none of them needed for the others.

use super::catalogue::{pages_lost, read_catalogue_left};
use super::flow::Flow;
use super::media_down::{NO_PLACE, WAITS, fetch_media};
use super::packs::ServicePacks;
use super::snapshot::snapshots;
use super::take_in::TakenIn;
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
    /// Pages of the catalogue that are missing or do not verify, and why: what they list nobody can tell from here.
    pub lost_pages: Vec<(PackId, String)>,
}

impl Restored {
    /// Whether everything the vault names is here and verified.
    pub fn is_whole(&self) -> bool {
        self.lost_runs.is_empty() && self.lost_pages.is_empty() && self.missing.iter().all(|m| m.reason == WAITS)
    }
}

impl Vault {
    /// Brings everything the vault has into the archive. Called again, it goes on where it stopped.
    pub async fn restore(&mut self, archive: &mut Archive, options: &RestoreOptions, work: &Work) -> Result<Restored> {
        let (_, down) = work.carried();
        let mut flow = Flow::begin(self, archive, work)?;
        let mut pages = Vec::new();
        if flow.is_new()? {
            pages = flow.read_through_head().await?;
        } else {
            flow.pull_lenient().await?;
        }
        let taken = flow.take_in_all().await?;
        flow.archive.settle()?;
        // A page that comes back lists runs that are here already: they are not fetched again.
        if pages.is_empty() && flow.archive.runs()?.is_empty() {
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
            lost_pages: pages.into_iter().map(|(id, why)| (id, why.to_owned())).collect(),
        };
        if options.media == Media::All {
            let chunk_key = flow.vault.ring.lifetime().chunk_id_key();
            let account = flow.account();
            let source = ServicePacks { session: &flow.vault.session, work };
            let hands = flow.vault.session.env.hands;
            let fetched = fetch_media(&source, &account, chunk_key, hands, flow.archive, work).await?;
            // Long texts came as files.
            flow.archive.settle()?;
            out.attachments_new = fetched.files;
            out.missing = fetched.missing;
            if !out.lost_pages.is_empty() {
                // Whether the vault ever had such a file nobody can tell any more.
                for one in out.missing.iter_mut().filter(|m| m.reason == WAITS) {
                    one.reason = NO_PLACE.to_owned();
                }
            }
        }
        let counts = archive.counts()?;
        out.snapshot = snapshots(archive)?.first().map(|s| s.id);
        out.messages = counts.messages;
        out.attachments = counts.attachments - counts.attachments_absent;
        out.downloaded_bytes = work.carried().1 - down;
        Ok(out)
    }
}

impl Flow<'_> {
    /// Takes in every run that waits; for those that are lost, what the newest head names instead of them.
    async fn take_in_all(&mut self) -> Result<TakenIn> {
        let taken = self.take_in_runs(true).await?;
        if taken.lost.is_empty() || self.is_new()? || !self.list_replaced(&taken.lost).await? {
            return Ok(taken);
        }
        let again = self.take_in_runs(true).await?;
        Ok(TakenIn { rows: taken.rows + again.rows, lost: again.lost })
    }

    /// Forgets lost runs that neither the newest head nor the tail names any more, and lists those of the head that
    /// are not here; false where every lost run is named still.
    async fn list_replaced(&mut self, lost: &[(PackId, u64, &'static str)]) -> Result<bool> {
        let Some(head) = self.head()? else { return Ok(false) };
        let (account, adopted) = (self.account(), self.adopted_runs()?);
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let (known, pages) = read_catalogue_left(&source, &account, head).await?;
        let runs = &known.catalogue.runs;
        let named = |id: &PackId| runs.contains_key(id) || adopted.iter().any(|run| run.pack.id == *id);
        let replaced: Vec<PackId> = lost.iter().map(|(id, _, _)| *id).filter(|id| !named(id)).collect();
        if !pages.is_empty() || replaced.is_empty() {
            return Ok(false);
        }
        let mut wanted = Vec::new();
        for run in runs.values() {
            if !self.archive.is_restored(&run.pack.id)? {
                wanted.push((run.pack.id, run.encode()));
            }
        }
        self.archive.commit(|c| {
            for id in &replaced {
                c.drop_run(id)?;
            }
            wanted.iter().try_for_each(|(id, entry)| c.set_run(id, entry))
        })?;
        Ok(true)
    }
}

/// Completes what a restore has left to be fetched of the text, before this device writes anything of its own.
pub(super) async fn finish_restore(vault: &mut Vault, archive: &mut Archive, work: &Work) -> Result<()> {
    let mut flow = Flow::begin(vault, archive, work)?;
    if flow.is_new()? {
        let pages = flow.read_through_head().await?;
        if !pages.is_empty() {
            return Err(pages_lost(&pages));
        }
    }
    if flow.archive.runs()?.is_empty() {
        return Ok(());
    }
    let mut taken = flow.take_in_all().await?;
    if !taken.lost.is_empty() {
        // Another device may have made it whole since.
        flow.pull_lenient().await?;
        taken = flow.take_in_all().await?;
    }
    flow.archive.settle()?;
    if taken.lost.is_empty() {
        return Ok(flow.archive.commit(|c| c.clear_restored())?);
    }
    let details = taken.lost.iter().map(|(id, _, why)| format!("{}: a run, {why}", id.hex())).collect();
    Err(Error::Damaged { objects: taken.lost.len() as u64, details })
}
