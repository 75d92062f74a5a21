//! Checking what the vault holds: the log's proof, the head, every page and run, and on demand every chunk.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use proto::wire::bytes::{Malformed, Reader, Writer};
use proto::wire::ladder::Class;

use super::apply::entry;
use super::catalogue::read_catalogue;
use super::flow::{Flow, broken};
use super::head::OpenHead;
use super::packs::{Packs as _, Part, ServicePacks};
use crate::archive::{Archive, Chunk, Note};
use crate::error::{Error, Result};
use crate::event::is_gone;
use crate::ids::{EventId, PackId};
use crate::pack::{Family, RunEntry, open_packed_chunk, open_page, open_run, read_chunk_block};
use crate::strata::{RunRows, Sorted as _};
use crate::vault::{Phase, Progress, Vault, Work};

/// How much to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckLevel {
    /// Log, head, catalogue and all text.
    Structure,
    /// Attachments too: so many percent of their packs, newly chosen each time.
    Contents { percent: u8 },
}

/// Something that is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// `missing`, `truncated` or `damaged`.
    pub kind: &'static str,
    /// The pack's id in hex.
    pub object: String,
    /// What it holds: `page`, `front page`, `run`, `chunk run` or `attachments`.
    pub holds: &'static str,
    pub messages_affected: u64,
    /// The snapshots whose history holds what was in it, newest first.
    pub snapshots: Vec<EventId>,
    /// Whether this device has what was in it, so that a backup from here makes it whole.
    pub repairable: bool,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Checked {
    pub ok: bool,
    pub objects: u64,
    pub read_bytes: u64,
    pub problems: Vec<Problem>,
}

/// What one object turned out to be.
pub(super) type Verdict = std::result::Result<(), &'static str>;

/// An object of the vault and what it should be.
enum Object {
    Front(crate::pack::PackRef),
    Run(RunEntry),
    Chunks(PackId, Vec<Chunk>),
}

impl Object {
    fn id(&self) -> PackId {
        match self {
            Self::Front(page) => page.id,
            Self::Run(run) => run.pack.id,
            Self::Chunks(id, _) => *id,
        }
    }
}

const AHEAD: usize = 4;

impl Vault {
    /// Reads what the vault holds and verifies it. Problems are noted, so that the next backup from here repairs what
    /// this device can.
    pub async fn check(&mut self, archive: &mut Archive, level: CheckLevel, work: &Work) -> Result<Checked> {
        let mut flow = Flow::begin(self, archive, work)?;
        if flow.is_new()? {
            flow.read_through_head().await?;
        } else {
            flow.pull_lenient().await?;
        }
        flow.check(level).await
    }
}

impl Flow<'_> {
    async fn check(&mut self, level: CheckLevel) -> Result<Checked> {
        let mut out = Checked { ok: true, objects: 0, read_bytes: 0, problems: Vec::new() };
        let Some(head) = self.head()? else { return Ok(out) };
        let mut objects = self.check_pages(head, &mut out).await?;
        objects.extend(self.adopted_runs()?.into_iter().map(Object::Run));
        if let CheckLevel::Contents { percent } = level {
            objects.extend(self.chunk_packs(percent)?);
        }
        self.check_objects(objects, &mut out).await?;
        out.ok = out.problems.is_empty();
        let damage: Vec<PackId> = out.problems.iter().filter_map(|p| PackId::from_hex(&p.object)).collect();
        let complete = level == CheckLevel::Contents { percent: 100 };
        self.note_damage(&damage, complete)?;
        Ok(out)
    }

    /// Reads the catalogue's pages; answers the runs they list, those of the kept catalogue where a page is damaged.
    async fn check_pages(&mut self, head: OpenHead, out: &mut Checked) -> Result<Vec<Object>> {
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let has_front = head.has_front_page();
        let mut damaged = false;
        for page in head.content.pages.iter().skip(usize::from(has_front)) {
            out.objects += 1;
            let verdict = match source.get(page.id, page.class).await {
                Ok(bytes) => {
                    out.read_bytes += bytes.len() as u64;
                    open_page(&self.account(), page, &bytes).map(|_| ()).map_err(|_| "damaged")
                }
                Err(no) => Err(no.reason()?),
            };
            if let Err(kind) = verdict {
                damaged = true;
                let known = self.kept_catalogue()?.is_some_and(|k| k.generation == head.clear.generation);
                let (object, holds) = (page.id.hex(), "page");
                // Which runs it listed nobody can tell any more: they may be of any time.
                let snapshots = self.snapshots_since(0)?;
                out.problems.push(Problem { kind, object, holds, messages_affected: 0, snapshots, repairable: known });
            }
        }
        let known = if damaged {
            self.kept_catalogue()?.filter(|known| known.generation == head.clear.generation)
        } else {
            Some(read_catalogue(&source, &self.account(), head).await?)
        };
        let Some(known) = known else { return Ok(Vec::new()) };
        let front = known.front.map(|front| Object::Front(front.pack));
        // What went by its timer is not missing.
        let gone = self.server_gone();
        let runs = known.catalogue.runs.into_values().filter(|run| !is_gone(run.last_day, gone));
        Ok(front.into_iter().chain(runs.map(Object::Run)).collect())
    }

    /// Runs that records of the tail pin and no head lists yet.
    pub fn adopted_runs(&self) -> Result<Vec<RunEntry>> {
        let mut runs = Vec::new();
        self.archive.each_tail(|index, content| {
            if let Ok(content) = crate::log::EventsContent::decode(content) {
                runs.extend(
                    content.runs.iter().filter_map(|run| RunEntry::decode(&super::apply::adopted(run, index)).ok()),
                );
            }
            Ok(())
        })?;
        Ok(runs)
    }

    /// Packs of attachments, as the archive's entries know them.
    fn chunk_packs(&self, percent: u8) -> Result<Vec<Object>> {
        let mut packs: BTreeMap<PackId, Vec<Chunk>> = BTreeMap::new();
        self.archive.each_chunk(|chunk| {
            packs.entry(chunk.pack).or_default().push(chunk);
            Ok(true)
        })?;
        let gone = self.server_gone();
        for pack in packs.keys().copied().collect::<Vec<_>>() {
            if is_gone(self.archive.pack_day(&pack)?, gone) {
                packs.remove(&pack);
            }
        }
        let mut entropy = self.entropy();
        let mut chosen = |_: &PackId| {
            let [byte] = crate::crypto::draw(&mut entropy);
            percent >= 100 || u32::from(byte) * 100 < u32::from(percent) * 256
        };
        Ok(packs.into_iter().filter(|(id, _)| chosen(id)).map(|(id, chunks)| Object::Chunks(id, chunks)).collect())
    }

    async fn check_objects(&mut self, objects: Vec<Object>, out: &mut Checked) -> Result<()> {
        let source = ServicePacks { session: &self.vault.session, work: &self.work };
        let total = objects.len() as u64;
        let mut coming = futures::stream::iter(objects)
            .map(|object| {
                let source = &source;
                async move { (source.read(object.id(), Part::Whole).await, object) }
            })
            .buffered(AHEAD);
        let mut done = 0;
        while let Some((got, object)) = coming.next().await {
            self.work.check()?;
            out.objects += 1;
            done += 1;
            let verdict = match got {
                Ok(bytes) => {
                    out.read_bytes += bytes.len() as u64;
                    self.verify(&object, &bytes)?
                }
                Err(no) => Err(no.reason()?),
            };
            if let Err(kind) = verdict {
                out.problems.push(self.problem(kind, &object)?);
            }
            let phase = Phase::Verify;
            self.work.tell(Progress {
                phase,
                done_bytes: out.read_bytes,
                total_bytes: 0,
                done_items: done,
                total_items: total,
            });
        }
        Ok(())
    }

    fn verify(&self, object: &Object, bytes: &[u8]) -> Result<Verdict> {
        Ok(match object {
            Object::Front(page) => {
                whole(bytes, page.class.bytes(), || open_run(&self.account(), page, bytes).map(|_| ()).map_err(|_| ()))
            }
            Object::Run(run) => whole(bytes, run.pack.class.bytes(), || match run.family {
                Family::Messages => {
                    let mut rows = RunRows::open(&self.account(), run, bytes, &self.keys.event).map_err(|_| ())?;
                    while rows.next_row().map_err(|_| ())?.is_some() {}
                    Ok(())
                }
                Family::Chunks => {
                    let open = open_run(&self.account(), &run.pack, bytes).map_err(|_| ())?;
                    open.blocks.iter().try_for_each(|block| read_chunk_block(block).map(|_| ()).map_err(|_| ()))
                }
            }),
            Object::Chunks(_, chunks) => {
                for chunk in chunks {
                    let entry = entry(chunk)?;
                    let start = entry.offset as usize;
                    let Some(sealed) = bytes.get(start..start.saturating_add(entry.sealed_len as usize)) else {
                        return Ok(Err("truncated"));
                    };
                    if open_packed_chunk(&self.account(), &self.keys.chunk, &entry, sealed).is_err() {
                        return Ok(Err("damaged"));
                    }
                }
                self.verify_padding(chunks, bytes)?
            }
        })
    }

    /// A chunk pack is padded by its first chunk's key: a flipped byte behind the last chunk shows as well.
    fn verify_padding(&self, chunks: &[Chunk], bytes: &[u8]) -> Result<Verdict> {
        let mut by_place: Vec<&Chunk> = chunks.iter().collect();
        by_place.sort_by_key(|chunk| chunk.at);
        let end = by_place.last().map_or(0, |c| c.at as usize + c.sealed_bytes as usize);
        // Padding cut off at another class still begins as it should: the length tells.
        if Class::fitting(end, Class::PACK).is_none_or(|class| bytes.len() < class.bytes()) {
            return Ok(Err("truncated"));
        }
        // Where the pack's other chunks have newer places, what lies between is not this device's to judge.
        let contiguous = by_place
            .iter()
            .try_fold(0u64, |at, chunk| (u64::from(chunk.at) == at).then(|| at + u64::from(chunk.sealed_bytes)));
        let (Some(first), Some(_)) = (by_place.first(), contiguous) else { return Ok(Ok(())) };
        let first = entry(first)?;
        let rest = bytes.get(end..).unwrap_or_default();
        let holds = bytes.len().is_power_of_two() && ends_in(rest, &first.key.padding(&first.pack, rest.len()));
        Ok(if holds { Ok(()) } else { Err("damaged") })
    }

    fn problem(&self, kind: &'static str, object: &Object) -> Result<Problem> {
        let all_rows_here = self.archive.runs()?.is_empty();
        // The index from which on the log relies on it.
        let (holds, messages_affected, since, repairable) = match object {
            // Its rows stand in the runs too; it is the newest state that it shows.
            Object::Front(_) => ("front page", 0, None, true),
            Object::Run(run) if run.family == Family::Messages => ("run", run.rows, Some(arrived(run)), all_rows_here),
            Object::Run(run) => ("chunk run", 0, Some(arrived(run)), all_rows_here),
            Object::Chunks(_, chunks) => {
                let (mut affected, mut first, mut here) = (0, u64::MAX, true);
                for file in self.archive.files_of_chunks(&chunks.iter().map(|c| c.id).collect::<Vec<_>>())? {
                    affected += self.archive.messages_of_file(&file)?.len() as u64;
                    // Where nobody can tell, it may be any.
                    first = first.min(self.archive.arrival_of_file(&file)?.unwrap_or(0));
                    here &= self.archive.file(&file)?.is_some();
                }
                ("attachments", affected, Some(first), here)
            }
        };
        let snapshots = match since {
            Some(since) => self.snapshots_since(since)?,
            None => super::snapshot::snapshots(self.archive)?.first().map(|s| s.id).into_iter().collect(),
        };
        Ok(Problem { kind, object: object.id().hex(), holds, messages_affected, snapshots, repairable })
    }

    /// Snapshots of a log that had the record with this index, newest first.
    fn snapshots_since(&self, index: u64) -> Result<Vec<EventId>> {
        let all = super::snapshot::snapshots(self.archive)?;
        Ok(all.into_iter().filter(|s| s.index.is_some_and(|size| index < size)).map(|s| s.id).collect())
    }

    /// Notes which packs are damaged. A complete check replaces what earlier ones found, others add to it.
    fn note_damage(&mut self, damage: &[PackId], complete: bool) -> Result<()> {
        let mut all = if complete { Vec::new() } else { self.damage()? };
        all.extend(damage.iter().filter(|id| !all.contains(id)).copied().collect::<Vec<_>>());
        let mut w = Writer::new();
        w.uvarint(all.len() as u64);
        for id in &all {
            w.raw(&id.0);
        }
        let note = w.finish();
        self.archive.commit(|c| c.set_note(Note::Damage, Some(&note).filter(|_| !all.is_empty()).map(|n| &n[..])))?;
        Ok(())
    }

    /// Packs that a check found damaged and no backup has made whole.
    pub fn damage(&self) -> Result<Vec<PackId>> {
        const PACKS_MAX: usize = 1 << 20;
        let Some(note) = self.archive.note(Note::Damage)? else { return Ok(Vec::new()) };
        let read = || {
            let mut r = Reader::new(&note);
            let count = r.count(PACKS_MAX)?;
            let list = (0..count).map(|_| Ok(PackId(r.array()?))).collect::<Result<Vec<_>, Malformed>>()?;
            r.finish()?;
            Ok(list)
        };
        read().map_err(|_: Malformed| broken("its note of damage cannot be read"))
    }

    /// Pulls as for a restore: a run that is damaged does not keep the rest from being read.
    pub async fn pull_lenient(&mut self) -> Result<()> {
        match self.pull().await {
            Ok(_) => Ok(()),
            // Damaged runs wait on; whoever called counts them.
            Err(Error::Damaged { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Index of the first record whose rows a run holds; its entry counts from 1.
fn arrived(run: &RunEntry) -> u64 {
    run.arrival.0.saturating_sub(1)
}

fn whole(bytes: &[u8], length: usize, verify: impl FnOnce() -> std::result::Result<(), ()>) -> Verdict {
    match bytes.len() {
        n if n < length => Err("truncated"),
        n if n > length => Err("damaged"),
        _ => verify().map_err(|()| "damaged"),
    }
}

/// Bytes of padding by which it is known.
const MARK: usize = 32;

/// Whether what lies behind the chunks this device knows of a pack is padding, or chunks with newer places and then
/// padding: when two devices bring the same photo at once, each pack holds it and one of them is its place.
fn ends_in(rest: &[u8], padding: &[u8]) -> bool {
    if rest == padding {
        return true;
    }
    let alike = |from: usize, to: usize| from < to && rest.get(from..to) == padding.get(from..to);
    if alike(MARK, 2 * MARK) || alike(rest.len().saturating_sub(MARK), rest.len()) {
        return false;
    }
    let Some(mark) = padding.get(..MARK) else { return true };
    let begins = rest.windows(MARK).position(|window| window == mark);
    begins.is_none_or(|at| rest.get(at..) == padding.get(..rest.len() - at))
}

#[cfg(test)]
mod tests {
    use super::ends_in;

    #[test]
    fn padding_is_told_from_chunks_and_from_damage() {
        let padding: Vec<u8> =
            (0..4_096u32).flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..1].to_vec()).collect();
        assert!(ends_in(&padding, &padding));
        let behind_a_chunk = [&[7; 900][..], &padding[..3_196]].concat();
        assert!(ends_in(&behind_a_chunk, &padding));
        assert!(ends_in(&[7; 4_096], &padding), "a chunk up to the end");
        assert!(ends_in(&[], &[]));
        for at in 0..padding.len() {
            let mut spoilt = padding.clone();
            spoilt[at] ^= 1;
            assert!(!ends_in(&spoilt, &padding), "{at}");
        }
        for at in 932..4_096 {
            let mut spoilt = behind_a_chunk.clone();
            spoilt[at] ^= 1;
            assert!(!ends_in(&spoilt, &padding), "{at}");
        }
    }
}
