//! Statements run again and again, a few dozen for one message: each is compiled once for a connection.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Params, Result, Row};

/// Statements a connection keeps compiled: more than the writer uses.
const KEPT: usize = 256;

/// Keeps statements compiled. Without the last setting SQLite compiles many of them anew whenever another value is bound.
pub(super) fn keep(db: &Connection) -> Result<()> {
    db.set_prepared_statement_cache_capacity(KEPT);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// As the connection's own `execute` and `query_row`, which compile anew each time.
pub(super) trait Statements {
    /// Answers how many rows it changed.
    fn run(&self, sql: &str, params: impl Params) -> Result<usize>;
    /// Reads the first row; an error where there is none.
    fn one<T>(&self, sql: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> Result<T>) -> Result<T>;
}

impl Statements for Connection {
    fn run(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }

    fn one<T>(&self, sql: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> Result<T>) -> Result<T> {
        self.prepare_cached(sql)?.query_row(params, read)
    }
}
