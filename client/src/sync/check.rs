//! Checking what the vault holds: the log's proof, the head, every page and run, and on demand every chunk.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use proto::wire::bytes::{Malformed, Reader, Writer};

use super::catalogue::read_catalogue;
use super::flow::{Flow, broken};
use super::head::OpenHead;
use super::packs::{NoPack, Packs as _, Part, ServicePacks};
use super::verify::{Object, Verdict, Verifier};
use crate::archive::{Archive, Chunk, Note};
use crate::env::Hands;
use crate::error::{Error, Result};
use crate::event::is_gone;
use crate::ids::{EventId, PackId};
use crate::pack::{Family, RunEntry, open_page};
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

const AHEAD: usize = 4;
/// Objects that are opened side by side.
const OPENED_AT_ONCE: usize = 4;

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
        let verifier = Arc::new(Verifier {
            account: self.account(),
            event: self.keys.event.clone(),
            chunk: self.vault.ring.lifetime().chunk_id_key(),
        });
        let hands = self.vault.session.env.hands;
        // Read in order, opened by several hands beside that.
        let mut coming = futures::stream::iter(objects)
            .map(|object| {
                let source = &source;
                async move { (source.read(object.id(), Part::Whole).await, object) }
            })
            .buffered(AHEAD)
            .map(|(got, object)| opened(hands, verifier.clone(), object, got))
            .buffered(OPENED_AT_ONCE);
        let mut done = 0;
        while let Some(checked) = coming.next().await {
            self.work.check()?;
            let (object, read, verdict) = checked?;
            out.objects += 1;
            out.read_bytes += read;
            done += 1;
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

/// Opens an object that was read, elsewhere; answers what it is with its length.
async fn opened(
    hands: Hands,
    verifier: Arc<Verifier>,
    object: Object,
    got: std::result::Result<Vec<u8>, NoPack>,
) -> Result<(Object, u64, Verdict)> {
    let bytes = match got {
        Ok(bytes) => bytes,
        Err(no) => return Ok((object, 0, Err(no.reason()?))),
    };
    let read = bytes.len() as u64;
    let (verdict, object) = hands.begin(move || (verifier.verify(&object, &bytes), object)).await?;
    Ok((object, read, verdict?))
}
