//! The tables, and how a connection is opened.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate;
use super::values::failed;
use crate::meta::{MetaError, Result};

/// The version this code reads and writes.
pub const SCHEMA_VERSION: u32 = 3;
/// "ckmd": tells our file from another SQLite database.
const APPLICATION_ID: i64 = 0x636b_6d64;
/// Pages of WAL after which it is cut back, 4 KiB each.
const CHECKPOINT_PAGES: u32 = 1000;
/// What a WAL that grew in a burst is cut back to.
const WAL_BYTES_KEPT: u64 = 64 << 20;
const BUSY: Duration = Duration::from_secs(5);

/// Every key is led by the account. Large values lie in tables with a rowid, so that keys stay dense.
const TABLES: &str = "
CREATE TABLE account (
  id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL, suspended INTEGER NOT NULL,
  ended INTEGER NOT NULL, incarnation INTEGER NOT NULL, size INTEGER NOT NULL, frontier BLOB NOT NULL,
  last_time_ms INTEGER NOT NULL, body_bytes INTEGER NOT NULL, generation INTEGER NOT NULL,
  roster_version INTEGER NOT NULL, roster_index INTEGER NOT NULL,
  head_generation INTEGER, head_index INTEGER, head_digest BLOB, covered_size INTEGER, covered_bytes INTEGER,
  front_size INTEGER, front_page BLOB,
  quota_bytes INTEGER NOT NULL, used_bytes INTEGER NOT NULL, devices_max INTEGER NOT NULL,
  head_author BLOB, live_bytes INTEGER NOT NULL DEFAULT 0, brake_since_ms INTEGER NOT NULL DEFAULT 0,
  brake_bytes INTEGER NOT NULL DEFAULT 0, trim_to INTEGER NOT NULL DEFAULT 0, trimmed INTEGER NOT NULL DEFAULT 0,
  gone_below INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX account_ended ON account (id) WHERE ended = 1;
CREATE INDEX account_trimming ON account (id) WHERE trimmed < trim_to;
CREATE TABLE device (
  account BLOB, id BLOB, active INTEGER NOT NULL, counter INTEGER NOT NULL, digest BLOB NOT NULL,
  seen_size INTEGER NOT NULL, agreed INTEGER NOT NULL, last_time_ms INTEGER NOT NULL, staged_bytes INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE TABLE log (
  account BLOB NOT NULL, idx INTEGER NOT NULL, leaf BLOB NOT NULL, body BLOB NOT NULL, erased INTEGER NOT NULL,
  bytes_before INTEGER NOT NULL, device BLOB, counter INTEGER, last_day INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account, idx)
);
CREATE UNIQUE INDEX log_author ON log (account, device, counter) WHERE device IS NOT NULL;
CREATE INDEX log_timed ON log (account, last_day) WHERE last_day > 0 AND erased = 0;
CREATE TABLE leaf_hashes (account BLOB NOT NULL, row INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (account, row));
CREATE TABLE node (
  account BLOB, height INTEGER, idx INTEGER, hash BLOB NOT NULL, PRIMARY KEY (account, height, idx)
) WITHOUT ROWID;
CREATE TABLE roster (
  account BLOB NOT NULL, version INTEGER NOT NULL, idx INTEGER NOT NULL, digest BLOB NOT NULL, rotation INTEGER,
  content BLOB NOT NULL, PRIMARY KEY (account, version)
);
CREATE TABLE slot (
  account BLOB NOT NULL, kind INTEGER NOT NULL, slot BLOB NOT NULL, credential BLOB NOT NULL, name BLOB,
  PRIMARY KEY (account, kind)
);
CREATE UNIQUE INDEX slot_name ON slot (name) WHERE name IS NOT NULL;
CREATE TABLE pack (
  account BLOB, id BLOB, class INTEGER NOT NULL, last_day INTEGER NOT NULL, device BLOB NOT NULL,
  whole INTEGER NOT NULL, due_ms INTEGER, pin INTEGER, in_head INTEGER NOT NULL, dropped_by INTEGER, dropper BLOB,
  page INTEGER NOT NULL DEFAULT 0, braked INTEGER NOT NULL DEFAULT 0, purged INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX pack_due ON pack (due_ms, account, id) WHERE due_ms IS NOT NULL;
CREATE INDEX pack_staged ON pack (account, device, id) WHERE pin IS NULL AND in_head = 0 AND dropped_by IS NULL;
CREATE INDEX pack_dropped ON pack (account, id) WHERE dropped_by IS NOT NULL;
CREATE INDEX pack_timed ON pack (account, last_day) WHERE last_day > 0;
CREATE TABLE permit (
  account BLOB, signature BLOB, roster_version INTEGER NOT NULL, bytes_left INTEGER NOT NULL,
  last_day INTEGER NOT NULL, PRIMARY KEY (account, signature)
) WITHOUT ROWID;
CREATE TABLE guess (key BLOB PRIMARY KEY, spent INTEGER NOT NULL, since_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE once (
  kind INTEGER, id BLOB, value BLOB NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX once_until ON once (until_ms);
CREATE TABLE invite (
  hash BLOB PRIMARY KEY, uses_left INTEGER NOT NULL, expires_ms INTEGER NOT NULL, quota_bytes INTEGER,
  created_ms INTEGER NOT NULL, revoked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE mirror (
  account BLOB, kind INTEGER, part BLOB, since_ms INTEGER NOT NULL, stamp INTEGER NOT NULL,
  PRIMARY KEY (account, kind, part)
) WITHOUT ROWID;
CREATE INDEX mirror_since ON mirror (since_ms);
";

/// Opens the connection of the one writer, making file and tables where there are none.
pub fn open_writer(path: &Path) -> Result<Connection> {
    make_private(path)?;
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    prepare(&connection)?;
    // The version is read before anything is written: a newer file is left exactly as it is.
    let found: u32 = connection.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(failed)?;
    if found > SCHEMA_VERSION {
        return Err(MetaError::NewerSchema { found, known: SCHEMA_VERSION });
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |r| r.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(MetaError::Damaged("the database cannot use a write-ahead log here"));
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT as i64).map_err(failed)?;
    match found {
        0 => create(&mut connection)?,
        older if older < SCHEMA_VERSION => migrate::from(&mut connection, path, older)?,
        _ => {}
    }
    Ok(connection)
}

/// Opens a connection that can only read.
pub fn open_reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    prepare(&connection)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Or many statements are compiled anew whenever another value is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop).map_err(failed)
}

fn create(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction().map_err(failed)?;
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).map_err(failed)?;
    if tables != 0 {
        return Err(MetaError::Damaged("the file is another program's database"));
    }
    transaction.execute_batch(TABLES).map_err(failed)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// SQLite gives its side files the mode of the database.
pub fn make_private(path: &Path) -> Result<()> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(drop).map_err(|e| MetaError::Database(Arc::new(e)))
}
