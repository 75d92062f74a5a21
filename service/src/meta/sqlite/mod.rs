//! Rows in SQLite, the default. One writer, many readers.
//!
//! One task commits the waiting writes of many accounts together, each in a savepoint of its own, and answers after the
//! commit is durable (WAL, `synchronous = FULL`). It never waits to fill a batch: that was measured slower at every load.
//! A read holds its transaction for one page of results, so the WAL can always be cut back.

mod migrate;
mod pack_rows;
mod rows;
mod schema;
mod values;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::run::Transactions;
use super::tables::Tables;
use super::{MetaError, Result};
use rows::Rows;
use writer::{Job, Outcome};

/// Writes waiting for the writer; above it, senders wait.
const WRITE_QUEUE: usize = 1024;
/// Reads at one time.
const READERS: usize = 4;

/// The store in one SQLite file.
pub struct Sqlite {
    jobs: mpsc::Sender<Job>,
    readers: Arc<Readers>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Sqlite {
    /// Opens the file, made for its owner alone if it is not there; a newer schema is refused. Must run on a runtime.
    pub async fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        let at = path.clone();
        let connection = blocking(move || schema::open_writer(&at)).await??;
        Self::start(connection, path)
    }

    fn start(connection: Connection, path: PathBuf) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(WRITE_QUEUE);
        let thread = std::thread::Builder::new().name("database".to_owned());
        let begun = thread.spawn(move || writer::run(&connection, queue));
        begun.map_err(|e| MetaError::Database(Arc::new(e)))?;
        let readers = Readers { path, idle: Mutex::new(Vec::new()), permits: Semaphore::new(READERS) };
        Ok(Self { jobs, readers: Arc::new(readers) })
    }
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(|e| MetaError::Database(Arc::new(e)))
}

impl Readers {
    fn run<R>(&self, work: impl FnOnce(&mut dyn Tables) -> Result<R>) -> Result<R> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        let result = read_page(&connection, work);
        // A connection that could not end its transaction is not used again.
        if connection.is_autocommit() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        result
    }
}

fn read_page<R>(connection: &Connection, work: impl FnOnce(&mut dyn Tables) -> Result<R>) -> Result<R> {
    let transaction = connection.unchecked_transaction().map_err(values::failed)?;
    let result = work(&mut Rows(connection));
    transaction.rollback().map_err(values::failed)?;
    result
}

#[async_trait]
impl Transactions for Sqlite {
    async fn write<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            let result = work(tables);
            let failure = result.as_ref().err().cloned();
            let reply = Box::new(move |committed: Result<()>| {
                // Whoever asked may have gone; what was committed stays.
                drop(answer.send(committed.and(result)));
            });
            Outcome { failure, reply }
        });
        self.jobs.send(job).await.map_err(|_| MetaError::Closed)?;
        answered.await.map_err(|_| MetaError::Closed)?
    }

    async fn read<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static,
    {
        let readers = self.readers.clone();
        let _permit = self.readers.permits.acquire().await.map_err(|_| MetaError::Closed)?;
        blocking(move || readers.run(work)).await?
    }
}

#[cfg(test)]
mod tests;
