//! What becomes of an accepted entry: rows, runs to fetch, places of chunks, a newer roster or head.

use std::collections::BTreeSet;

use proto::wire::bytes::{Reader, Writer};
use proto::wire::events::{EventsClear, Permit};
use proto::wire::header::{Record, RecordKind};
use zeroize::Zeroizing;

use super::flow::Flow;
use super::head::{HeadNote, OpenHead};
use super::permit::permit_holds;
use super::timers::are_of;
use crate::archive::{Chunk, Commit, FileChunks, Grave, Note};
use crate::chunk::ChunkList;
use crate::crypto::ChunkKey;
use crate::error::{Error, Result};
use crate::ids::{DeviceId, PackId};
use crate::log::{Accepted, EventsContent, Ticket};
use crate::pack::{BlockRow, ChunkEntry, ChunkRunEntry, RunEntry, read_block};
use crate::vault::{left, set_left};

/// An entry, opened and ready to be committed.
pub(super) enum Prepared {
    /// A sign of life, or an entry whose body has gone below a head.
    Nothing,
    Events(Box<Events>),
    Roster {
        note: Vec<u8>,
        /// Devices that left by themselves and that it does not list as gone yet.
        left: BTreeSet<DeviceId>,
    },
    /// A device's own leaving.
    Left(BTreeSet<DeviceId>),
    Head {
        note: Vec<u8>,
        covered: u64,
        own: Option<u64>,
        /// Deletions it has purged.
        purged: Vec<Grave>,
        dropped: Vec<PackId>,
    },
}

/// A record of events.
pub(super) struct Events {
    index: u64,
    /// The counter under which this device sent it.
    own: Option<u64>,
    device: DeviceId,
    server_time: u64,
    last_day: u32,
    /// The signature of a permit that holds.
    permit: Option<[u8; 64]>,
    rows: Vec<BlockRow>,
    runs: Vec<RunEntry>,
    chunks: Vec<ChunkRunEntry>,
    packs: Vec<PackId>,
    ticket: Option<Ticket>,
    /// Kept until a head covers it; what this version cannot read is kept as [`UNREADABLE`].
    content: Zeroizing<Vec<u8>>,
}

/// Stands for a content that this device cannot open or read: it then does not fold.
pub(super) const UNREADABLE: &[u8] = &[0xff];

impl Flow<'_> {
    /// Opens an accepted entry. A newer roster is taken over at once, since it holds the keys of what follows.
    pub fn prepare(&mut self, accepted: &Accepted, body: &[u8]) -> Result<Prepared> {
        let record = &accepted.leaf.record;
        let sender = self.sender(record)?;
        if sender == Sender::Copy && !self.may_have_sent(record) {
            return self.cloned();
        }
        let own = sender.own();
        match record.header.kind {
            RecordKind::Roster => {
                let Some(clear) = &accepted.roster else { return Ok(Prepared::Nothing) };
                if clear.roster.version <= self.vault.ring.roster().version {
                    return Ok(Prepared::Nothing);
                }
                self.vault.ring =
                    self.vault.next_ring(record, body, accepted.index, clear, accepted.leaf.server_time)?;
                let mut left = left(self.archive)?;
                left.retain(|device| clear.roster.active(device).is_some());
                Ok(Prepared::Roster { note: self.vault.ring.encode(), left })
            }
            RecordKind::Head => {
                let Some(clear) = &accepted.head else { return Ok(Prepared::Nothing) };
                let note = HeadNote { index: accepted.index, record: record.clone(), body: body.to_vec() };
                let covered = clear.covered_size;
                let purged = self.purged_by(record, body, covered, accepted.leaf.server_time)?;
                let dropped = clear.drops.iter().map(|drop| drop.pack).collect();
                Ok(Prepared::Head { note: note.encode(), covered, own, purged, dropped })
            }
            RecordKind::Events if record.header.is_last() => {
                let mut left = left(self.archive)?;
                left.insert(record.header.device);
                Ok(Prepared::Left(left))
            }
            RecordKind::Events => {
                let Some((clear, _)) = &accepted.body else { return Ok(own_bare(own, accepted.index)) };
                let clear = EventsClear::decode(clear).map_err(|_| Error::Fork)?;
                let opened = self.vault.ring.open_body(record, body).ok();
                let read = opened.and_then(|open| self.read(&open.content, record.header.last_day));
                let mut events = read.unwrap_or_else(Events::unreadable);
                if sender == Sender::Copy && events.ticket.is_none_or(|ticket| Some(ticket) != self.tickets.before) {
                    return self.cloned();
                }
                events.index = accepted.index;
                events.own = own;
                events.device = record.header.device;
                events.server_time = accepted.leaf.server_time;
                events.last_day = record.header.last_day;
                let roster = self.vault.ring.roster();
                let holds = |permit: &Permit| permit_holds(permit, roster, &record.header, accepted.leaf.server_time);
                events.permit = clear.permit.filter(holds).map(|p| p.signature);
                events.packs = clear.packs;
                Ok(Prepared::Events(Box::new(events)))
            }
        }
    }

    /// Deletions that a head says it has purged, as the log below its covered size has them. Those whose time has not come
    /// by what this device has seen stay: a thief would have everybody remove at once what he deleted.
    fn purged_by(&self, record: &Record, body: &[u8], covered: u64, server_time: u64) -> Result<Vec<Grave>> {
        let purged =
            OpenHead::open(self.keyring(), record, body).map_or_else(|_| Vec::new(), |open| open.content.purged);
        if purged.is_empty() {
            return Ok(Vec::new());
        }
        let mut open = self.archive.deletions_open(covered)?;
        open.retain(|d| purged.iter().any(|(first, count)| d.arrival >= *first && d.arrival - first < *count));
        let now = i64::try_from(server_time).unwrap_or(i64::MAX);
        let all = self.archive.all_deletions(now, &self.vault.session.device.id())?;
        // Of one whose record was never seen here nobody can say here when it was done.
        let waits = all.iter().filter(|d| d.until > now && d.device.is_some());
        let waits: BTreeSet<_> = waits.map(|d| d.key.id).collect();
        open.retain(|d| !waits.contains(&d.id));
        Ok(open)
    }

    fn read(&self, content: &[u8], day: u32) -> Option<Events> {
        let mut read = EventsContent::decode(content).ok()?;
        let block = read.block.as_ref();
        let mut rows = block.map_or(Some(Vec::new()), |block| read_block(block, &self.keys.event).ok())?;
        let mut content = Zeroizing::new(content.to_vec());
        if !are_of(&rows, day) {
            tracing::warn!("a record with rows of another last day than its own: they are left out");
            rows = Vec::new();
            read.block = None;
            content = read.encode();
        }
        let (runs, chunks, ticket) = (read.runs, read.chunks, read.ticket);
        Some(Events { rows, runs, chunks, ticket, content, ..Events::unreadable() })
    }

    /// Whether a record that is not kept here may all the same be this device's: the next one, of events, sent before it
    /// was kept by a process that then ended. Its ticket tells, where its body is still there.
    fn may_have_sent(&self, record: &Record) -> bool {
        let events = record.header.kind == RecordKind::Events && !record.header.is_last();
        events && self.tickets.before.is_some()
    }

    /// From here on it neither reads nor writes as this device, whatever runs next.
    fn cloned<T>(&mut self) -> Result<T> {
        self.archive.commit(|c| c.set_note(Note::Cloned, Some(&[1])))?;
        Err(Error::DeviceCloned)
    }

    fn sender(&self, record: &Record) -> Result<Sender> {
        if record.header.kind == RecordKind::Roster || record.header.device != self.vault.session.device.id() {
            return Ok(Sender::Other);
        }
        let sent = self.archive.outbox()?.into_iter().find(|own| own.record == record.encode());
        let elsewhere = || -> Result<u64> {
            let note = self.archive.note(Note::SentElsewhere)?;
            Ok(note.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes))
        };
        match sent {
            Some(own) => Ok(Sender::Here(own.counter)),
            None if record.header.counter <= elsewhere()? => Ok(Sender::Other),
            None => Ok(Sender::Copy),
        }
    }
}

/// Who sent a record of this or another device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Other,
    /// This device, under that counter.
    Here(u64),
    /// It is signed by this device and not kept here: a copy of the device sent it, unless its ticket says otherwise.
    Copy,
}

impl Sender {
    fn own(self) -> Option<u64> {
        match self {
            Self::Here(counter) => Some(counter),
            Self::Other | Self::Copy => None,
        }
    }
}

fn own_bare(own: Option<u64>, index: u64) -> Prepared {
    match own {
        None => Prepared::Nothing,
        Some(_) => {
            Prepared::Events(Box::new(Events { index, own, content: Zeroizing::default(), ..Events::unreadable() }))
        }
    }
}

impl Events {
    fn unreadable() -> Self {
        let content = Zeroizing::new(UNREADABLE.to_vec());
        Self {
            index: 0,
            own: None,
            device: DeviceId([0; 32]),
            server_time: 0,
            last_day: 0,
            permit: None,
            rows: Vec::new(),
            runs: Vec::new(),
            chunks: Vec::new(),
            packs: Vec::new(),
            ticket: None,
            content,
        }
    }

    /// Whether who wrote it, and when, counts: it may bring own deletions, or consents to some.
    fn has_author(&self) -> bool {
        let deletes = |row: &BlockRow| row.key.kind.deletes();
        self.permit.is_some() || !self.runs.is_empty() || self.rows.iter().any(deletes)
    }

    fn apply(&self, c: &mut Commit<'_>) -> crate::archive::Result<u64> {
        match self.own {
            Some(counter) => {
                c.accepted(counter, self.index)?;
                for pack in &self.packs {
                    c.drop_pack(pack)?;
                }
                for run in c.sent_bulk(&self.packs)? {
                    c.drop_bulk(run)?;
                }
            }
            None => {
                for row in &self.rows {
                    c.apply_row(&row.chat, &row.row, self.index)?;
                }
                for run in &self.runs {
                    c.set_run(&run.pack.id, &adopted(run, self.index))?;
                }
            }
        }
        if self.has_author() {
            let at = i64::try_from(self.server_time).unwrap_or(i64::MAX);
            c.note_author(self.index, &self.device, at, self.permit.as_ref())?;
        }
        set_entries(c, &self.chunks, self.last_day)?;
        if !self.content.is_empty() {
            c.set_tail(self.index, &self.content, self.last_day)?;
        }
        Ok(self.rows.len() as u64)
    }
}

impl Prepared {
    /// Commits it; answers how many rows of others it brought.
    pub fn apply(&self, c: &mut Commit<'_>) -> crate::archive::Result<u64> {
        match self {
            Self::Nothing => Ok(0),
            Self::Events(events) => events.apply(c).map(|rows| if events.own.is_some() { 0 } else { rows }),
            Self::Roster { note, left } => {
                c.set_note(Note::Roster, Some(note))?;
                set_left(c, left).map(|()| 0)
            }
            Self::Left(left) => set_left(c, left).map(|()| 0),
            Self::Head { note, covered, own, purged, dropped } => {
                if let Some(counter) = own {
                    c.accepted(*counter, 0)?;
                }
                c.set_note(Note::Head, Some(note))?;
                c.drop_tail(*covered)?;
                for deletion in purged {
                    c.purge(&deletion.chat, &deletion.row, *covered)?;
                }
                if c.drop_chunks_of(dropped)? {
                    c.set_note(Note::Moved, Some(&[]))?;
                }
                Ok(0)
            }
        }
    }
}

/// The entry of an adopted run: its rows arrived with the record that pinned it.
pub(super) fn adopted(run: &RunEntry, index: u64) -> Zeroizing<Vec<u8>> {
    let mut copy = RunEntry::decode(&run.encode()).expect("an entry that was read encodes to one that can be read");
    copy.arrival = (index + 1, index + 1);
    copy.encode()
}

/// Notes places of chunks, and files that are whole in the vault by them, all until a last day.
pub(super) fn set_entries(c: &mut Commit<'_>, entries: &[ChunkRunEntry], day: u32) -> crate::archive::Result<()> {
    for entry in entries {
        match entry {
            ChunkRunEntry::Chunk(chunk) => c.set_timed_chunk(&stored(chunk), day)?,
            ChunkRunEntry::File(file) => c.set_timed_file(&file_chunks(file), day)?,
        }
    }
    Ok(())
}

fn file_chunks(file: &crate::pack::FileEntry) -> FileChunks {
    FileChunks { file: file.id, bytes: file.bytes, depth: file.list.depth, chunks: file.list.ids.clone() }
}

/// A chunk's entry as the archive keeps it.
pub(super) fn stored(entry: &ChunkEntry) -> Chunk {
    let mut w = Writer::new();
    entry.key.write(&mut w);
    let bytes = Zeroizing::new(w.finish());
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&bytes);
    Chunk {
        id: entry.id,
        pack: entry.pack,
        at: entry.offset,
        sealed_bytes: entry.sealed_len,
        key,
        coding: entry.coding as u8,
    }
}

/// The entry of a chunk the archive keeps.
pub(super) fn entry(chunk: &Chunk) -> Result<ChunkEntry> {
    let damaged = |_| super::flow::broken("a chunk's entry cannot be read");
    Ok(ChunkEntry {
        id: chunk.id,
        pack: chunk.pack,
        offset: chunk.at,
        sealed_len: chunk.sealed_bytes,
        key: ChunkKey::read(&mut Reader::new(&chunk.key[..])).map_err(damaged)?,
        coding: crate::chunk::Coding::new(chunk.coding).map_err(damaged)?,
    })
}

/// The entry of a file the archive keeps.
pub(super) fn file_entry(file: FileChunks) -> ChunkRunEntry {
    let list = ChunkList { depth: file.depth, ids: file.chunks };
    ChunkRunEntry::File(crate::pack::FileEntry { id: file.file, bytes: file.bytes, list })
}
