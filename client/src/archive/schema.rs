//! The database: how a connection is opened, and the tables.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use super::error::{ArchiveError, Result};
use super::statements;

/// Raised with every change of the tables; an archive of a higher number is refused.
pub(super) const SCHEMA: i64 = 5;

/// How long a writer waits for another one before it reports `Busy`.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Pages kept in memory.
const CACHE_KIB: u32 = 16 << 10;
/// While many messages are indexed: their ids are random, so each goes to another page.
const CACHE_WIDE_KIB: u32 = 64 << 10;

/// The write-ahead log is cut back to this after a checkpoint.
const WAL_BYTES_MAX: u32 = 64 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Create,
    Write,
    /// Opens the file for writing all the same, since a reader may have to recover the log of a killed writer; the
    /// connection then refuses every statement that writes.
    Read,
}

/// Opens a sealed connection. The order of the first steps matters: the cipher logs bad pages to stderr unless told
/// not to, a key must come before the first read, and only a read tells whether it was the right one.
pub(super) fn connect(path: &Path, key: &[u8; 32], access: Access) -> Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if access == Access::Create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    } else if !path.is_file() {
        return Err(ArchiveError::Missing);
    }
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_WAIT)?;
    statements::keep(&db)?;
    db.execute_batch("PRAGMA cipher_log_level = NONE")?;
    let mut hex = Zeroizing::new(String::with_capacity(96));
    hex.push_str("PRAGMA key = \"x'");
    for byte in key {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a hexadecimal digit"));
        }
    }
    hex.push_str("'\"");
    // An error's text could repeat the statement, and with it the key.
    db.execute_batch(&hex).map_err(|_| ArchiveError::WrongKey)?;
    db.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    db.execute_batch("PRAGMA temp_store = MEMORY")?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    if mode != "wal" {
        return Err(ArchiveError::Database("no write-ahead log".into()));
    }
    db.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA secure_delete = FAST; \
         PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = {WAL_BYTES_MAX}"
    ))?;
    match access {
        Access::Create => create(&db)?,
        Access::Write => check(&db)?,
        Access::Read => {
            check(&db)?;
            db.execute_batch("PRAGMA query_only = ON")?;
        }
    }
    Ok(db)
}

/// Says whether the next commits are on the disk before they return, and all earlier ones with them.
pub(super) fn set_durable(db: &Connection, durable: bool) -> Result<()> {
    let sql = if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
    Ok(db.prepare_cached(sql)?.execute([]).map(drop)?)
}

/// Keeps more pages in memory, or as many as always.
pub(super) fn widen_cache(db: &Connection, wide: bool) -> Result<()> {
    let kib = if wide { CACHE_WIDE_KIB } else { CACHE_KIB };
    Ok(db.execute_batch(&format!("PRAGMA cache_size = -{kib}"))?)
}

fn create(db: &Connection) -> Result<()> {
    // One transaction, so that a kill leaves either no archive or a whole one.
    db.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES}; PRAGMA user_version = {SCHEMA}; COMMIT"))?;
    Ok(())
}

fn check(db: &Connection) -> Result<()> {
    match db.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0))? {
        SCHEMA => Ok(()),
        // A kill between making the file and its tables.
        0 => Err(ArchiveError::Missing),
        version if version > SCHEMA => Err(ArchiveError::Newer),
        _ => Err(ArchiveError::Damaged("an unknown schema".into())),
    }
}

/// Every table. Ids are 32-byte blobs, times ms since 1970.
///
/// `rows` and `stretches` are the truth; `messages`, `attachments`, `also` and `words` follow from them and can be made
/// again. What is small and changes stands apart from what is long and does not, since a changed row is written whole.
const TABLES: &str = "
CREATE TABLE chats (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    source TEXT NOT NULL,
    conversation TEXT NOT NULL,
    title TEXT,
    title_as_of INTEGER,
    shape TEXT,
    messages INTEGER NOT NULL DEFAULT 0,
    text_bytes INTEGER NOT NULL DEFAULT 0,
    dirty INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE rows (
    chat INTEGER NOT NULL,
    time INTEGER NOT NULL,
    target BLOB NOT NULL,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    value BLOB NOT NULL,
    logged BLOB,
    arrival INTEGER,
    state INTEGER NOT NULL,
    PRIMARY KEY (chat, time, target, kind, id)
) WITHOUT ROWID;
CREATE INDEX rows_open ON rows (state, chat, time, target, kind, id) WHERE state <> 0;
CREATE INDEX rows_deletions ON rows (chat, time, target, kind, id) WHERE kind IN (18, 19);
CREATE INDEX rows_media_deletions ON rows (chat, time, target, kind, id) WHERE kind IN (24, 25);
CREATE TABLE stretches (
    n INTEGER PRIMARY KEY,
    chat INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    targets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    arrival INTEGER,
    state INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    shown_first INTEGER,
    shown_last INTEGER,
    text_bytes INTEGER NOT NULL
);
CREATE UNIQUE INDEX stretches_span ON stretches (chat, first);
CREATE INDEX stretches_open ON stretches (state, last) WHERE state <> 0;
CREATE INDEX stretches_waiting ON stretches (chat, first) WHERE waiting > 0;
CREATE TABLE frames (n INTEGER PRIMARY KEY, frame BLOB NOT NULL);
CREATE TABLE frame_lanes (n INTEGER PRIMARY KEY, lanes BLOB NOT NULL);
CREATE TABLE authors (arrival INTEGER PRIMARY KEY, device BLOB, at INTEGER NOT NULL, permit BLOB);
CREATE TABLE tombstones (
    id BLOB PRIMARY KEY,
    chat INTEGER NOT NULL,
    time INTEGER NOT NULL,
    here INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    open INTEGER NOT NULL,
    purged INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tombstones_open ON tombstones (chat, time) WHERE open = 1;
CREATE TABLE timed (
    last_day INTEGER NOT NULL, chat INTEGER NOT NULL, time INTEGER NOT NULL, target BLOB NOT NULL,
    kind INTEGER NOT NULL, id BLOB NOT NULL, PRIMARY KEY (last_day, chat, time, target, kind, id)
) WITHOUT ROWID;
CREATE INDEX timed_row ON timed (chat, time, target);
CREATE TABLE timed_packs (pack BLOB PRIMARY KEY, last_day INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE timed_vault (file BLOB PRIMARY KEY, last_day INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE timed_files (file BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE purged_files (file BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE long_fields (
    file BLOB NOT NULL, chat INTEGER NOT NULL, time INTEGER NOT NULL, target BLOB NOT NULL,
    PRIMARY KEY (file, chat, time, target)
) WITHOUT ROWID;

CREATE TABLE senders (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE TABLE messages (
    n INTEGER PRIMARY KEY,
    chat INTEGER NOT NULL,
    time INTEGER NOT NULL,
    place INTEGER NOT NULL,
    id BLOB NOT NULL,
    prefix INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    sender INTEGER,
    text TEXT,
    rest BLOB NOT NULL
);
CREATE UNIQUE INDEX messages_order ON messages (chat, time, place, id);
CREATE INDEX messages_prefix ON messages (prefix);
CREATE TABLE also (prefix INTEGER NOT NULL, id BLOB NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (prefix, id, n)) WITHOUT ROWID;
CREATE INDEX also_n ON also (n);
CREATE TABLE attachments (
    chat INTEGER NOT NULL, n INTEGER NOT NULL, pos INTEGER NOT NULL, file BLOB, role INTEGER NOT NULL,
    PRIMARY KEY (chat, n, pos)
) WITHOUT ROWID;
CREATE INDEX attachments_file ON attachments (file) WHERE file IS NOT NULL;
CREATE VIRTUAL TABLE words USING fts5(
    text, content='', contentless_delete=1, detail=full,
    tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\"
);
INSERT INTO words(words, rank) VALUES ('pgsz', 3900);
INSERT INTO words(words, rank) VALUES ('hashsize', 8388608);
CREATE TABLE unindexed (n INTEGER PRIMARY KEY);

CREATE TABLE files (
    file BLOB PRIMARY KEY, hash BLOB NOT NULL, bytes INTEGER NOT NULL, here INTEGER, vault INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX files_here ON files (here) WHERE here IS NOT NULL;
CREATE INDEX files_waiting ON files (file) WHERE vault = 0;
CREATE TABLE deleted_files (file BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE read_marks (chat INTEGER PRIMARY KEY, time INTEGER NOT NULL);
CREATE TABLE outside (export TEXT NOT NULL, member TEXT NOT NULL, file BLOB NOT NULL, UNIQUE (export, member));
CREATE INDEX outside_file ON outside (file);
CREATE TABLE chunks (
    chunk BLOB PRIMARY KEY, pack BLOB NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL, key BLOB NOT NULL,
    coding INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX chunks_pack ON chunks (pack);
CREATE TABLE file_chunks (
    file BLOB PRIMARY KEY, bytes INTEGER NOT NULL, depth INTEGER NOT NULL, chunks BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (counter INTEGER PRIMARY KEY, record BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE packs (pack BLOB PRIMARY KEY, class INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tail (at INTEGER PRIMARY KEY, content BLOB NOT NULL, last_day INTEGER NOT NULL);
CREATE TABLE bulk (
    seq INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL, hash BLOB NOT NULL,
    pack BLOB NOT NULL, entry BLOB NOT NULL
);
CREATE TABLE runs (pack BLOB PRIMARY KEY, entry BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE restored (pack BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE lanes (last_day INTEGER PRIMARY KEY, lanes BLOB NOT NULL);
CREATE TABLE sources (path TEXT PRIMARY KEY, mark BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID
";
