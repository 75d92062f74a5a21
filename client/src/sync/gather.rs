//! Gathering: of eight small packs of attachments one is made, and a pack that is mostly dead weight is written anew.
//!
//! A photo that was sent alone lies in a pack that is padded to 64 KiB. What lives in such packs is sealed again under
//! new keys, since equal bytes in two packs would tell the service where chunks begin and end; and the head that names
//! their new places drops the old packs. Those stay for two days, for whoever reads by the head before, and a record that
//! relies on one meanwhile keeps it: then its chunks lie in both.

use std::collections::{BTreeMap, BTreeSet};

use proto::wire::head::DropReason;
use proto::wire::ladder::Class;

use super::flow::Flow;
use super::fold::{Plan, RACES_MAX};
use super::packs::{Packs as _, Part, ServicePacks};
use super::purge::Dead;
use super::send::Sent;
use crate::archive::MediaPack;
use crate::error::{Error, Result};
use crate::ids::{ChunkId, PackId};
use crate::pack::{ChunkEntry, ChunkPacker, ChunkRunEntry, Family};
use crate::strata::FAN;

/// Packs up to here are gathered.
const SMALL: Class = Class::RUN_MAX;
/// Bytes of packs that one head drops: their chunks are held in memory until they are sent.
const AT_ONCE_BYTES: u64 = 16 << 20;
/// Groups that one head gathers: it drops at most so many packs for each.
const GROUPS_MAX: usize = 16;

/// What the chunk runs say of packs that are to go.
#[derive(Default)]
struct Listed {
    /// Runs that list any of them, and the highest of their levels.
    runs: Vec<PackId>,
    level: u8,
    /// The first arrival among those runs.
    first: Option<u64>,
    /// What else these runs list.
    rest: BTreeMap<([u8; 32], u8), ChunkRunEntry>,
    /// Chunks that lie in the packs, and nowhere newer.
    living: BTreeMap<ChunkId, ChunkEntry>,
    /// The packs that are listed at all.
    packs: BTreeSet<PackId>,
}

impl Flow<'_> {
    /// Gathers small packs as long as there are enough of them; answers how many heads that took.
    pub async fn gather(&mut self) -> Result<u64> {
        // Packs that cannot be read, or that no run lists: they stay.
        let mut left = BTreeSet::new();
        let (mut heads, mut races) = (0, 0);
        while races < RACES_MAX {
            self.work.check()?;
            let packs = self.archive.media_packs()?;
            let groups = groups(packs.into_iter().filter(|pack| !left.contains(&pack.pack)));
            if groups.is_empty() || !self.can_fold()? {
                break;
            }
            let generation = self.follower.state().head.as_ref().map_or(0, |head| head.generation);
            let before = left.len();
            match self.gather_once(&groups, &mut left).await {
                Ok(Some(Sent::Taken)) => {
                    self.learn_moved().await?;
                    heads += 1;
                }
                Ok(None) if left.len() > before => {}
                Ok(Some(Sent::Moved) | None) => races += 1,
                Ok(Some(Sent::Gone(packs))) => {
                    self.forget_packs(&packs)?;
                    races += 1;
                }
                Err(Error::Damaged { .. }) if self.head_has_moved(generation).await? => races += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(heads)
    }

    /// Makes a head that gathers these groups; none, and nothing done, where some of their packs must be left.
    async fn gather_once(&mut self, groups: &[Vec<PackId>], left: &mut BTreeSet<PackId>) -> Result<Option<Sent>> {
        let covered = self.follower.state().head.as_ref().map_or(0, |h| h.covered_size);
        let tail = self.archive.tail_bytes(covered)?;
        let known = self.catalogue().await?;
        let old_pages: Vec<PackId> = known.catalogue.pages.iter().map(|page| page.pack.id).collect();
        let old_front = known.front.as_ref().map(|front| front.pack.id);
        let mut plan = Plan::on(known);
        self.add_tail(&mut plan, &Dead::default())?;
        let wanted: BTreeSet<PackId> = groups.iter().flatten().copied().collect();
        let mut listed = self.listed(&plan, &wanted).await?;
        left.extend(wanted.difference(&listed.packs));
        let mut moved = Vec::new();
        for group in groups {
            self.work.check()?;
            let mut packer = ChunkPacker::new();
            let mut chosen = Vec::new();
            for pack in group {
                let here: Vec<ChunkId> = listed.living.values().filter(|c| c.pack == *pack).map(|c| c.id).collect();
                let entries: Vec<ChunkEntry> = here.iter().filter_map(|id| listed.living.remove(id)).collect();
                match self.resealed(pack, &entries).await? {
                    Some(chunks) => chosen.extend(chunks.into_iter().filter_map(|chunk| packer.push(chunk))),
                    None => drop(left.insert(*pack)),
                }
            }
            chosen.extend(packer.finish().map_err(internal)?);
            for chosen in chosen {
                let pack = chosen.seal(&self.account(), &self.keys.chunk, &mut self.entropy()).map_err(internal)?;
                plan.made.insert(pack.id, (pack.class, pack.bytes));
                moved.extend(pack.entries);
            }
        }
        if wanted.iter().any(|pack| left.contains(pack)) {
            return Ok(None);
        }
        for run in &listed.runs {
            plan.known.catalogue.runs.remove(run);
            if plan.made.remove(run).is_none() {
                plan.drops.insert(*run, DropReason::Merged);
            }
        }
        // Packs go as merged runs do: what each was padded with counts as kept, so that the brake has nothing to hold.
        plan.drops.extend(wanted.iter().map(|pack| (*pack, DropReason::Merged)));
        listed.rest.extend(moved.into_iter().map(ChunkRunEntry::Chunk).map(|entry| (entry.order(), entry)));
        self.write_chunk_runs(&mut plan, &listed.rest, listed.level, listed.first)?;
        self.seal_pages(&mut plan)?;
        self.replace_front(&mut plan, tail)?;
        let kept: Vec<PackId> = plan.known.catalogue.pages.iter().map(|page| page.pack.id).collect();
        let front = plan.known.front.as_ref().map(|front| front.pack.id);
        let old =
            old_pages.into_iter().filter(|old| !kept.contains(old)).chain(old_front.filter(|_| front != old_front));
        plan.drops.extend(old.map(|old| (old, DropReason::Replaced)));
        self.send_head(plan).await.map(Some)
    }

    /// Reads every chunk run for what lies in these packs. The runs are asked, not what this device remembers of them: a
    /// chunk that nobody moves is lost with its pack.
    async fn listed(&mut self, plan: &Plan, wanted: &BTreeSet<PackId>) -> Result<Listed> {
        let runs = plan.known.catalogue.runs.values().filter(|run| run.family == Family::Chunks);
        let mut runs: Vec<_> = runs.collect();
        // Of two entries of one id the later stays.
        runs.sort_unstable_by_key(|run| (run.arrival.1, run.arrival.0, run.pack.id));
        let mut listed = Listed::default();
        for run in runs {
            self.work.check()?;
            let entries = self.chunk_entries(run, plan).await?;
            let lies = |entry: &ChunkRunEntry| matches!(entry, ChunkRunEntry::Chunk(c) if wanted.contains(&c.pack));
            let touched = entries.iter().any(lies);
            if touched {
                listed.runs.push(run.pack.id);
                listed.level = listed.level.max(run.level);
                listed.first = Some(listed.first.map_or(run.arrival.0, |first| first.min(run.arrival.0)));
            }
            for entry in entries {
                match entry {
                    ChunkRunEntry::Chunk(chunk) if wanted.contains(&chunk.pack) => {
                        listed.packs.insert(chunk.pack);
                        listed.living.insert(chunk.id, chunk);
                        continue;
                    }
                    ChunkRunEntry::Chunk(ref chunk) => drop(listed.living.remove(&chunk.id)),
                    ChunkRunEntry::File(_) => {}
                }
                if touched {
                    listed.rest.insert(entry.order(), entry);
                }
            }
        }
        Ok(listed)
    }

    /// Chunks of a pack, opened, held to their ids and sealed under new keys; none where any cannot be read.
    pub(super) async fn resealed(
        &mut self,
        pack: &PackId,
        entries: &[ChunkEntry],
    ) -> Result<Option<Vec<crate::chunk::SealedChunk>>> {
        if entries.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let bytes = match source.read(*pack, Part::Whole).await {
            Ok(bytes) => bytes,
            Err(no) => {
                tracing::warn!(pack = pack.hex(), reason = no.reason()?, "a pack of attachments is not written anew");
                return Ok(None);
            }
        };
        let (account, ids, mut entropy) = (self.account(), &self.keys.chunk, self.entropy());
        let mut out = Vec::with_capacity(entries.len());
        for entry in entries {
            let start = entry.offset as usize;
            let sealed = start.checked_add(entry.sealed_len as usize).and_then(|end| bytes.get(start..end));
            let content = sealed.and_then(|sealed| crate::pack::open_packed_chunk(&account, ids, entry, sealed).ok());
            let Some(content) = content else {
                tracing::warn!(pack = pack.hex(), "a pack of attachments is damaged and not written anew");
                return Ok(None);
            };
            out.push(crate::chunk::seal_chunk(&account, entry.id, &content, &mut entropy));
        }
        Ok(Some(out))
    }
}

/// Chooses what to gather now: eights of small packs of one length, the smallest first, and packs of which more than a
/// third is dead. Each group becomes packs of an eighth of its length at least.
fn groups(packs: impl Iterator<Item = MediaPack>) -> Vec<Vec<PackId>> {
    let mut small: BTreeMap<Class, Vec<PackId>> = BTreeMap::new();
    let mut sparse = Vec::new();
    for pack in packs {
        let end = usize::try_from(pack.end).unwrap_or(usize::MAX);
        let Some(class) = Class::fitting(end, Class::PACK) else { continue };
        if class <= SMALL {
            small.entry(class).or_default().push(pack.pack);
        } else if pack.living < pack.end - pack.end / 3 {
            sparse.push((class, vec![pack.pack]));
        }
    }
    let eights = small.iter().flat_map(|(class, packs)| packs.chunks_exact(FAN).map(|eight| (*class, eight.to_vec())));
    let mut bytes = 0;
    let fits = |(class, group): &(Class, Vec<PackId>)| {
        bytes += (class.bytes() * group.len()) as u64;
        bytes <= AT_ONCE_BYTES
    };
    eights.chain(sparse).take(GROUPS_MAX).take_while(fits).map(|(_, group)| group).collect()
}

fn internal(error: crate::pack::PackError) -> Error {
    Error::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(n: u8, end: u64, living: u64) -> MediaPack {
        MediaPack { pack: PackId([n; 16]), end, living }
    }

    #[test]
    fn eights_of_one_length_are_gathered_and_what_is_mostly_dead() {
        let chosen = |packs: &[MediaPack]| groups(packs.iter().copied());
        let small: Vec<MediaPack> = (0..8).map(|n| pack(n, 3_000, 3_000)).collect();
        assert_eq!(chosen(&small), [small.iter().map(|p| p.pack).collect::<Vec<_>>()]);
        assert_eq!(chosen(&small[1..]), Vec::<Vec<PackId>>::new(), "seven wait for an eighth");
        let mixed: Vec<MediaPack> = (0..8).map(|n| pack(n, if n < 4 { 3_000 } else { 70_000 }, 3_000)).collect();
        assert_eq!(chosen(&mixed), Vec::<Vec<PackId>>::new(), "small ones are not written again with every large one");
        let large: Vec<MediaPack> = (0..8).map(|n| pack(n, 1 << 21, 1 << 21)).collect();
        assert_eq!(chosen(&large), Vec::<Vec<PackId>>::new());
        let (half, most) = (pack(1, 6 << 20, 3 << 20), pack(2, 6 << 20, 5 << 20));
        assert_eq!(chosen(&[half, most]), [vec![half.pack]]);
    }

    #[test]
    fn one_head_takes_what_memory_holds() {
        let many: Vec<MediaPack> = (0..=255).map(|n| pack(n, 1 << 20, 1 << 20)).collect();
        assert_eq!(groups(many.into_iter()).len(), 2);
        let many: Vec<MediaPack> = (0..=255).map(|n| pack(n, 9, 9)).collect();
        assert_eq!(groups(many.into_iter()).len(), GROUPS_MAX);
    }
}
