//! From an older schema to this one. The database is copied aside before anything in it changes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::schema::{SCHEMA_VERSION, make_private};
use super::values::failed;
use crate::meta::{MetaError, Result};

/// Drops learn what becomes of them, accounts what is live and how far their bodies may go.
const FROM_1: &str = "
ALTER TABLE account ADD COLUMN head_author BLOB;
ALTER TABLE account ADD COLUMN live_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN brake_since_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN brake_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN trim_to INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN gone_below INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pack ADD COLUMN page INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pack ADD COLUMN braked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pack ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
CREATE INDEX account_trimming ON account (id) WHERE trimmed < trim_to;
CREATE INDEX pack_dropped ON pack (account, id) WHERE dropped_by IS NOT NULL;
CREATE TABLE permit (
  account BLOB, signature BLOB, roster_version INTEGER NOT NULL, bytes_left INTEGER NOT NULL,
  last_day INTEGER NOT NULL, PRIMARY KEY (account, signature)
) WITHOUT ROWID;
UPDATE account SET
  head_author = (SELECT device FROM log WHERE log.account = account.id AND log.idx = account.head_index),
  live_bytes = (SELECT coalesce(sum(1 << class), 0) FROM pack WHERE pack.account = account.id AND pack.due_ms IS NULL),
  gone_below = (SELECT coalesce(max(idx) + 1, 0) FROM log WHERE log.account = account.id AND log.erased = 1);
";

/// Records learn their last day; those of before have none.
const FROM_2: &str = "
ALTER TABLE log ADD COLUMN last_day INTEGER NOT NULL DEFAULT 0;
CREATE INDEX log_timed ON log (account, last_day) WHERE last_day > 0 AND erased = 0;
CREATE INDEX pack_timed ON pack (account, last_day) WHERE last_day > 0;
";

pub fn from(connection: &mut Connection, path: &Path, version: u32) -> Result<()> {
    copy_aside(connection, path, version)?;
    let transaction = connection.transaction().map_err(failed)?;
    for (from, step) in [(1, FROM_1), (2, FROM_2)] {
        if version <= from {
            transaction.execute_batch(step).map_err(failed)?;
        }
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Beside the database, under its name and the version it has. A copy that a kill cut short is made again.
fn copy_aside(connection: &Connection, path: &Path, version: u32) -> Result<()> {
    let mut name = OsString::from(path);
    name.push(format!(".v{version}"));
    let copy = PathBuf::from(name);
    match std::fs::remove_file(&copy) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(MetaError::Database(Arc::new(e))),
        _ => {}
    }
    make_private(&copy)?;
    let place = copy.to_str().ok_or(MetaError::Damaged("the database's path is not text"))?;
    connection.execute("VACUUM INTO ?1", [place]).map(drop).map_err(failed)
}
