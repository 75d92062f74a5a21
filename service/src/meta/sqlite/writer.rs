//! The one writer: many requests, one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc;

use super::rows::Rows;
use super::values::failed;
use crate::meta::tables::Tables;
use crate::meta::{MetaError, Result};

/// Requests in one commit.
const BATCH_MAX: usize = 256;

/// A request: does its work inside the batch's transaction, then waits with its answer for the commit.
pub type Job = Box<dyn FnOnce(&mut dyn Tables) -> Outcome + Send>;

/// What a request came to.
pub struct Outcome {
    /// Set where its changes must not be kept.
    pub failure: Option<MetaError>,
    pub reply: Reply,
}

type Reply = Box<dyn FnOnce(Result<()>) + Send>;

/// Runs until every sender is gone and the queue is empty. It has a thread of its own: a request then waits for one other
/// to wake, not for a task and then a thread.
pub fn run(connection: &Connection, mut queue: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        let jobs = std::mem::take(&mut batch);
        // The connection is as before: the transaction rolls back when it is dropped.
        if catch_unwind(AssertUnwindSafe(|| commit(connection, jobs))).is_err() {
            // Askers see that their answer will not come.
            tracing::error!(event = "database_writer_failed");
        }
    }
}

fn commit(connection: &Connection, jobs: Vec<Job>) {
    let mut replies = Vec::with_capacity(jobs.len());
    let committed = transact(connection, jobs, &mut replies);
    for reply in replies {
        reply(committed.clone());
    }
}

/// Collects the replies of all requests begun; those not begun are dropped, which their askers see as a closed store.
fn transact(connection: &Connection, jobs: Vec<Job>, replies: &mut Vec<Reply>) -> Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(failed)?;
    for job in jobs {
        step(connection, "SAVEPOINT request")?;
        let Outcome { failure, reply } = job(&mut Rows(connection));
        replies.push(reply);
        match failure {
            None => step(connection, "RELEASE request")?,
            // A full disk may have ended the whole transaction: then nobody's work was kept.
            Some(failure) if connection.is_autocommit() => return Err(failure),
            Some(_) => {
                step(connection, "ROLLBACK TO request")?;
                step(connection, "RELEASE request")?;
            }
        }
    }
    transaction.commit().map_err(failed)
}

fn step(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(failed)
}
