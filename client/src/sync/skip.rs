//! A device that was away so long that the log it has not read is trimmed: it reads the newest head, and of the runs
//! those with something new. What it has not sent waits on.

use proto::wire::header::Leaf;
use proto::wire::tree::{Frontier, verify_inclusion};

use super::catalogue::{pages_lost, read_catalogue_left};
use super::contact::{Opened, hashes, odd};
use super::flow::{Flow, broken};
use super::packs::ServicePacks;
use super::through_head::authors;
use crate::archive::Note;
use crate::error::{Error, Result};
use crate::ids::PackId;
use crate::log::{Follower, NewestRoster};
use crate::pack::RunEntry;
use crate::strata::Catalogue;

impl Flow<'_> {
    /// Follows the log from where the newest head's covered history ends. Answers the served log, which continues the
    /// one known before. Broken off, it is done again: nothing is taken for read before its runs wait here.
    pub async fn skip_to_head(&mut self) -> Result<Frontier> {
        let opened = self.open_knowing(0, 0, false).await?;
        self.leap(&opened)?;
        let entry = opened.answer.head.as_ref().filter(|head| !head.leaf.is_empty());
        let (note, seen) = self.proven_head(entry.ok_or_else(|| odd("a trimmed log without a head"))?, &opened)?;
        let head = self.open_head(&note)?;
        let known = self.follower.state().frontier.clone();
        if head.clear.covered_size < known.size() {
            return Err(odd("a log that is trimmed and not covered"));
        }
        let authors = authors(&head);
        self.hold_own(authors.get(&self.vault.session.device.id()).map_or(0, |last| last.counter))?;
        let (size, root) = (head.clear.covered_size, head.clear.covered_root);
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let (catalogue, lost) = read_catalogue_left(&source, &self.account(), head).await?;
        if !lost.is_empty() {
            return Err(pages_lost(&lost));
        }
        let start = self.frontier_at(size, root).await?;
        self.list_newer(&catalogue.catalogue, known.size(), &catalogue.encode())?;
        let ring = &self.vault.ring;
        let newest = NewestRoster {
            roster: ring.roster().clone(),
            index: ring.index,
            digest: ring.record.digest(),
            keys: ring.known_keys.clone(),
        };
        let ring = ring.encode();
        let incarnation = self.follower.state().incarnation;
        self.follower = Follower::through_head(self.account(), incarnation, start, authors, Some(seen), newest);
        self.follower.told(self.server_ms.map_or(0, i64::unsigned_abs));
        self.archive.commit(|c| c.set_note(Note::Roster, Some(&ring)))?;
        self.read_tail(&opened, &known, Some(note), true).await?;
        // What of it the log has comes back with the runs, and is then not sent again.
        let outbox = self.archive.outbox()?;
        self.archive.commit(|c| outbox.iter().try_for_each(|own| c.take_back(own.counter)))?;
        Ok(opened.log)
    }

    /// Takes in every run that waits. One that is gone because a head has replaced it is let go of, and what that head
    /// names instead is taken in.
    pub async fn take_in_named(&mut self) -> Result<()> {
        let taken = self.take_in_runs(true).await?;
        if taken.lost.is_empty() {
            return Ok(());
        }
        let (known, adopted) = (self.catalogue().await?, self.adopted_runs()?);
        let runs = &known.catalogue.runs;
        let named = |id: &PackId| runs.contains_key(id) || adopted.iter().any(|run| run.pack.id == *id);
        let lost: Vec<PackId> = taken.lost.iter().map(|(id, ..)| *id).filter(|id| !named(id)).collect();
        let mut above = u64::MAX;
        for (id, entry) in self.archive.runs()? {
            let run = RunEntry::decode(&entry).map_err(|_| broken("a run's entry cannot be read"))?;
            if lost.contains(&id) {
                above = above.min(run.arrival.0.saturating_sub(1));
            }
        }
        let wanted: Vec<_> =
            runs.values().filter(|run| run.arrival.1 > above).map(|run| (run.pack.id, run.encode())).collect();
        self.archive.commit(|c| {
            for id in &lost {
                c.drop_run(id)?;
            }
            wanted.iter().try_for_each(|(id, entry)| c.set_run(id, entry))
        })?;
        self.take_in_runs(false).await.map(drop)
    }

    /// Whether another head than that of this generation is the newest now: what a plan on it missed has then gone for
    /// a reason, and the plan is made anew.
    pub async fn head_has_moved(&mut self, generation: u64) -> Result<bool> {
        self.pull_entries().await?;
        Ok(self.follower.state().head.as_ref().map_or(0, |head| head.generation) != generation)
    }

    /// Takes over the newest roster, which must stand in the served log.
    fn leap(&mut self, opened: &Opened) -> Result<()> {
        let rosters = &opened.answer.rosters;
        let newest = rosters.last().ok_or_else(|| odd("an answer without a roster"))?;
        let leaf = Leaf::decode(&newest.leaf).map_err(|_| odd("a roster that cannot be read"))?;
        let proof = hashes(&opened.answer.roster_proof)?;
        if !verify_inclusion(newest.index, &leaf.hash(), opened.log.size(), &opened.log.root(), &proof) {
            return Err(Error::Fork);
        }
        let ring = self.vault.ring.leap(rosters, &self.vault.session.device);
        self.vault.ring = ring.map_err(|_| Error::Fork)?;
        Ok(())
    }

    /// Records of this device that the log has and it did not make were made by a copy of it.
    fn hold_own(&self, counter: u64) -> Result<()> {
        let sent = self.archive.outbox()?.last().map_or(0, |own| own.counter);
        // One it may have sent without keeping it.
        let unkept = u64::from(self.tickets.before.is_some());
        if counter > sent.max(self.last_own().0 + unkept) { Err(Error::DeviceCloned) } else { Ok(()) }
    }

    /// Notes every run with something above a size, and with it what waited before.
    fn list_newer(&mut self, catalogue: &Catalogue, size: u64, kept: &[u8]) -> Result<()> {
        let stale = self.archive.runs()?;
        let mut above = size;
        for (_, entry) in &stale {
            let run = RunEntry::decode(entry).map_err(|_| broken("a run's entry cannot be read"))?;
            above = above.min(run.arrival.0.saturating_sub(1));
        }
        let newer = catalogue.runs.values().filter(|run| run.arrival.1 > above);
        let wanted: Vec<_> = newer.map(|run| (run.pack.id, run.encode())).collect();
        self.archive.commit(|c| {
            for (id, _) in &stale {
                c.drop_run(id)?;
            }
            for (id, entry) in &wanted {
                c.set_run(id, entry)?;
            }
            c.set_note(Note::Catalogue, Some(kept))
        })?;
        Ok(())
    }
}
