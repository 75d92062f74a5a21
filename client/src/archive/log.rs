//! What this device knows of the log, its own records, packs and runs, and what else outlives a process.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, HashMap};

use rusqlite::types::ValueRef;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::chats;
use super::error::{ArchiveError, Result};
use super::rows::{self, RowKey};
use super::schema::{self, Access};
use super::statements::Statements as _;
use super::{Archive, Commit};
use crate::crypto::Digest;
use crate::event::Kind;
use crate::ids::{EventId, PackId};

/// Single values, written by whoever owns their form. Names are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// Incarnation, size and frontier of the log as verified.
    Log,
    /// The newest verified ROSTER, the slot and OPAQUE bytes it names, and the root rotations before it.
    Roster,
    Slots,
    Rotations,
    /// The newest verified head, and its catalogue as opened.
    Head,
    Catalogue,
    /// Next counter and last digest of this device's own records.
    Own,
    /// What a restore still has to fetch.
    Restore,
    /// The branch of the log kept as evidence.
    Fork,
    /// Packs that a check found damaged.
    Damage,
    /// A head has moved chunks: where they lie now is still to be read.
    Moved,
    LastBackup,
    LastProof,
    /// When the recovery key was last proved from here, ms.
    LastRecoveryCheck,
    /// Devices whose last record was seen in the log and that no roster lists as gone yet.
    Left,
    /// When devices wrote last and when they went.
    Seen,
    /// How far the server's clock was ahead of this device's, ms.
    Clock,
    /// Only in an archive that proves a restore beside this device's own one: how many of the device's records the log
    /// had when it was made. They were sent from there, so no copy of the device made them.
    SentElsewhere,
    /// The token the service gave last: it admits for an hour, so that not every command signs in.
    Token,
    /// What the next record carries that is sent before it is kept.
    Ticket,
    /// A copy of this device writes elsewhere: this one has seen a record that it signed and never made.
    Cloned,
    /// Devices whose heads are, or were, looked into for what they dropped.
    Distrusted,
    /// The last of the days whose rows with timers have gone from here.
    Gone,
    /// Whose archive it is, and what it is read with where no device is set up.
    Kept,
}

impl Note {
    fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Roster => "roster",
            Self::Slots => "slots",
            Self::Rotations => "rotations",
            Self::Head => "head",
            Self::Catalogue => "catalogue",
            Self::Own => "own",
            Self::Seen => "seen",
            Self::Cloned => "cloned",
            Self::Clock => "clock",
            Self::Restore => "restore",
            Self::Fork => "fork",
            Self::Damage => "damage",
            Self::Moved => "moved",
            Self::LastBackup => "last_backup",
            Self::LastProof => "last_proof",
            Self::LastRecoveryCheck => "last_recovery_check",
            Self::Left => "left",
            Self::Distrusted => "distrusted",
            Self::SentElsewhere => "sent_elsewhere",
            Self::Gone => "gone",
            Self::Kept => "kept",
            Self::Ticket => "ticket",
            Self::Token => "token",
        }
    }
}

/// An own record from the moment it is signed until the log has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnRecord {
    pub counter: u64,
    pub record: Vec<u8>,
    pub body: Vec<u8>,
}

/// How far a pack of this device has come. Numbers are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackState {
    /// Reserved, its bytes perhaps not whole at the service.
    Reserved = 1,
    /// Whole at the service, pinned by nothing yet.
    Staged = 2,
}

/// A pack this device has put to the service and that no record pins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StagedPack {
    pub pack: PackId,
    pub class: u8,
    pub state: PackState,
    /// When it was reserved, ms.
    pub at: i64,
}

/// Reads one note of a closed archive. Ids need the account's keys, and these lie in a note: so it must be read before
/// the archive can be opened whole.
pub fn peek(dir: &Path, key: &[u8; 32], note: Note) -> Result<Option<Vec<u8>>> {
    read(&schema::connect(&super::database(dir), key, Access::Read)?, note)
}

/// Writes one note of a closed archive. The caller holds the home's lock.
pub fn leave_note(dir: &Path, key: &[u8; 32], note: Note, value: &[u8]) -> Result<()> {
    set(&schema::connect(&super::database(dir), key, Access::Write)?, note, value)
}

fn set(db: &Connection, note: Note, value: &[u8]) -> Result<()> {
    // What stands there already is not written again: each page costs its sealing.
    let sql = "INSERT INTO notes VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2 WHERE value IS NOT ?2";
    db.run(sql, params![note.name(), value])?;
    Ok(())
}

fn read(db: &Connection, note: Note) -> Result<Option<Vec<u8>>> {
    let found = db.one("SELECT value FROM notes WHERE name = ?1", [note.name()], |r| r.get(0));
    Ok(found.optional()?)
}

impl Archive {
    pub fn note(&self, note: Note) -> Result<Option<Vec<u8>>> {
        read(&self.db, note)
    }

    pub fn setting(&self, name: &str) -> Result<Option<String>> {
        let found = self.db.one("SELECT value FROM settings WHERE name = ?1", [name], |r| r.get(0));
        Ok(found.optional()?)
    }

    pub fn settings(&self) -> Result<Vec<(String, String)>> {
        let mut statement = self.db.prepare_cached("SELECT name, value FROM settings ORDER BY name")?;
        let found = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Own records the log is not known to have, by counter.
    pub fn outbox(&self) -> Result<Vec<OwnRecord>> {
        let mut statement = self.db.prepare_cached("SELECT counter, record, body FROM outbox ORDER BY counter")?;
        let found = statement.query_map([], |r| {
            let counter: i64 = r.get(0)?;
            Ok(OwnRecord { counter: counter.cast_unsigned(), record: r.get(1)?, body: r.get(2)? })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether the log is known to have every record this device has signed.
    pub fn has_sent_all(&self) -> Result<bool> {
        Ok(self.db.one("SELECT NOT EXISTS (SELECT 1 FROM outbox)", [], |r| r.get(0))?)
    }

    pub fn staged_packs(&self) -> Result<Vec<StagedPack>> {
        let mut statement = self.db.prepare_cached("SELECT pack, class, state, at FROM packs ORDER BY at, pack")?;
        let mut found = statement.query([])?;
        let mut list = Vec::new();
        while let Some(r) = found.next()? {
            let state = match r.get::<_, i64>(2)? {
                1 => PackState::Reserved,
                2 => PackState::Staged,
                _ => return Err(ArchiveError::Damaged("an unknown pack state".into())),
            };
            list.push(StagedPack { pack: PackId(r.get(0)?), class: r.get(1)?, state, at: r.get(3)? });
        }
        Ok(list)
    }

    /// Run entries of the catalogue as known, by pack.
    pub fn runs(&self) -> Result<Vec<(PackId, Vec<u8>)>> {
        let mut statement = self.db.prepare_cached("SELECT pack, entry FROM runs ORDER BY pack")?;
        let found = statement.query_map([], |r| Ok((PackId(r.get(0)?), r.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether a restore has taken in this pack.
    pub fn is_restored(&self, pack: &PackId) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM restored WHERE pack = ?1)";
        Ok(self.db.one(sql, [pack.0], |r| r.get(0))?)
    }

    /// The digest of all rows as the log holds them, whatever their last day, kept up to date with every commit.
    pub fn digest(&self) -> Result<Digest> {
        let mut all = Digest::default();
        self.digests()?.values().for_each(|digest| all.combine(digest));
        Ok(all)
    }

    /// The digests that a head states: one per last day, and that of day 0 always (`docs/format.md` §3.7).
    pub fn digests(&self) -> Result<BTreeMap<u32, Digest>> {
        rows::digests(&self.db)
    }

    /// What was noted of a source when it was imported: its size, times, inode and hashes, in the caller's form.
    pub fn source(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let found = self.db.one("SELECT mark FROM sources WHERE path = ?1", [path], |r| r.get(0));
        Ok(found.optional()?)
    }
}

impl Commit<'_> {
    pub fn set_note(&mut self, note: Note, value: Option<&[u8]>) -> Result<()> {
        if let Some(value) = value {
            return set(self.db, note, value);
        }
        self.db.run("DELETE FROM notes WHERE name = ?1", [note.name()])?;
        Ok(())
    }

    pub fn set_setting(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self.db.run("INSERT OR REPLACE INTO settings VALUES (?1, ?2)", [name, value])?,
            None => self.db.run("DELETE FROM settings WHERE name = ?1", [name])?,
        };
        Ok(())
    }

    /// Keeps an own record, signed and about to be sent, and the rows it carries.
    pub fn send(&mut self, own: &OwnRecord, rows: impl IntoIterator<Item = RowKey>) -> Result<()> {
        let counter = own.counter.cast_signed();
        if counter <= 0 {
            return Err(ArchiveError::Refused("counters begin at 1"));
        }
        self.db.run("INSERT INTO outbox VALUES (?1, ?2, ?3)", params![counter, own.record, own.body])?;
        let mut mark = self.db.prepare_cached(
            "UPDATE rows SET state = ?6 \
             WHERE chat = ?1 AND time = ?2 AND target = ?3 AND kind = ?4 AND id = ?5 AND state = -1",
        )?;
        let mut chat: Option<chats::Entry> = None;
        for key in rows {
            if chat.as_ref().is_none_or(|c| c.id != key.chat) {
                chat = chats::by_id(self.db, &key.chat)?;
            }
            let Some(chat) = &chat else { continue };
            let kind = i64::from(key.kind.0);
            mark.execute(params![chat.n, key.time, key.target.0, kind, key.id.0, counter])?;
        }
        Ok(())
    }

    /// Takes note that the log has an own record at `index`. Rows changed since it was sealed wait on; what the log has
    /// of them is learnt when the record is applied like any other.
    pub fn accepted(&mut self, counter: u64, index: u64) -> Result<()> {
        let mut carried = self.db.prepare_cached(
            "SELECT chat, value, logged, arrival, id, target, kind, time FROM rows WHERE state = ?1 AND state <> 0",
        )?;
        let mut found = carried.query([counter.cast_signed()])?;
        let mut chats: HashMap<i64, chats::Entry> = HashMap::new();
        while let Some(row) = found.next()? {
            let n: i64 = row.get(0)?;
            let chat = match chats.entry(n) {
                Occupied(known) => known.into_mut(),
                Vacant(new) => new.insert(chats::by_number(self.db, n)?),
            };
            let value = row.get_ref(1)?.as_blob().unwrap_or_default();
            let before = row.get_ref(2)?.as_blob().ok();
            // A row that the log holds already and that was carried again unchanged adds nothing.
            if before.is_some() || row.get_ref(3)? == ValueRef::Null {
                let names = [EventId(row.get(4)?), EventId(row.get(5)?)];
                self.rows.logged(&chat.chat, &names, Kind(row.get(6)?), before, value)?;
            }
            self.rows.acted(chat, Kind(row.get(6)?), row.get(7)?);
        }
        self.db.run(
            "UPDATE rows SET arrival = min(coalesce(arrival, ?2), ?2), logged = NULL, state = ?3 \
             WHERE state = ?1 AND state <> 0",
            params![counter.cast_signed(), rows::index(index), rows::SYNCED],
        )?;
        self.accepted_stretches(counter, index)?;
        self.drop_own(counter)
    }

    fn accepted_stretches(&mut self, counter: u64, index: u64) -> Result<()> {
        let mine = "SELECT n FROM stretches WHERE state = ?1 AND state <> 0";
        let sql = format!("SELECT lanes FROM frame_lanes WHERE n IN ({mine})");
        let mut carried = self.db.prepare_cached(&sql)?;
        let mut found = carried.query([counter.cast_signed()])?;
        while let Some(row) = found.next()? {
            self.rows.logged_stretch(&Digest::decode(row.get_ref(0)?.as_blob().unwrap_or_default())?);
        }
        self.db.run(&format!("DELETE FROM frame_lanes WHERE n IN ({mine})"), [counter.cast_signed()])?;
        self.db.run(
            "UPDATE stretches SET arrival = ?2, state = ?3 WHERE state = ?1 AND state <> 0",
            params![counter.cast_signed(), rows::index(index), rows::SYNCED],
        )?;
        Ok(())
    }

    /// Takes an own record back that the log will never have: its rows wait again.
    pub fn take_back(&mut self, counter: u64) -> Result<()> {
        for table in ["rows", "stretches"] {
            self.db.run(
                &format!("UPDATE {table} SET state = ?2 WHERE state = ?1 AND state <> 0"),
                params![counter.cast_signed(), rows::UNSYNCED],
            )?;
        }
        self.drop_own(counter)
    }

    fn drop_own(&mut self, counter: u64) -> Result<()> {
        self.db.run("DELETE FROM outbox WHERE counter = ?1", [counter.cast_signed()])?;
        Ok(())
    }

    pub fn set_pack(&mut self, staged: &StagedPack) -> Result<()> {
        let StagedPack { pack, class, state, at } = staged;
        let values = params![pack.0, class, *state as i64, at];
        self.db.run("INSERT OR REPLACE INTO packs VALUES (?1, ?2, ?3, ?4)", values)?;
        Ok(())
    }

    /// Forgets a pack that is pinned now, or gone.
    pub fn drop_pack(&mut self, pack: &PackId) -> Result<()> {
        self.db.run("DELETE FROM packs WHERE pack = ?1", [pack.0])?;
        Ok(())
    }

    pub fn set_run(&mut self, pack: &PackId, entry: &[u8]) -> Result<()> {
        self.db.run("INSERT OR REPLACE INTO runs VALUES (?1, ?2)", params![pack.0, entry])?;
        Ok(())
    }

    pub fn drop_run(&mut self, pack: &PackId) -> Result<()> {
        self.db.run("DELETE FROM runs WHERE pack = ?1", [pack.0])?;
        Ok(())
    }

    pub fn set_restored(&mut self, pack: &PackId) -> Result<()> {
        self.db.run("INSERT OR IGNORE INTO restored VALUES (?1)", [pack.0])?;
        Ok(())
    }

    pub fn clear_restored(&mut self) -> Result<()> {
        self.db.run("DELETE FROM restored", [])?;
        Ok(())
    }

    pub fn set_source(&mut self, path: &str, mark: &[u8], at: i64) -> Result<()> {
        self.db.run("INSERT OR REPLACE INTO sources VALUES (?1, ?2, ?3)", params![path, mark, at])?;
        Ok(())
    }
}
