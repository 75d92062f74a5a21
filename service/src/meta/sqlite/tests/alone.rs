//! What the writer that many requests share costs one that is alone.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::rows::Rows;
use super::super::values::failed;
use super::super::{Sqlite, schema};
use crate::meta::run::Transactions;
use crate::meta::suite::author::{Author, T0};
use crate::meta::tables::Tables;
use crate::meta::{Meta, Result};

/// A store where each request commits by itself, in the thread that brings it.
struct Ungrouped(Mutex<Connection>);

#[async_trait]
impl Transactions for Ungrouped {
    async fn write<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static,
    {
        let connection = self.0.lock().unwrap();
        let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate).map_err(failed)?;
        let done = work(&mut Rows(&connection))?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    async fn read<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut dyn Tables) -> Result<R> + Send + 'static,
    {
        work(&mut Rows(&self.0.lock().unwrap()))
    }
}

/// One append, after a pause: nothing else is under way.
async fn lone(store: &dyn Meta, author: &mut Author) -> Duration {
    tokio::time::sleep(Duration::from_millis(2)).await;
    let new = author.events(0, &proto::wire::events::EventsClear::default());
    let begun = Instant::now();
    author.append(store, 0, new, T0).await;
    begun.elapsed()
}

fn place(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join(name)
}

/// Both in turn, so that what the machine does meanwhile meets both. Prints the medians; told apart from noise is only
/// what would be a queue that waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_append_does_not_wait_for_company() {
    let dir = tempfile::tempdir().unwrap();
    let grouped = Sqlite::open(&place(dir.path(), "grouped.db")).await.unwrap();
    let ungrouped = Ungrouped(Mutex::new(schema::open_writer(&place(dir.path(), "ungrouped.db")).unwrap()));
    let mut one = Author::register(&grouped, 1).await;
    let mut two = Author::register(&ungrouped, 2).await;
    let (mut shared, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..if std::env::var_os("CHATKEEP_LONG").is_some() { 1_000 } else { 100 } {
        shared.push(lone(&grouped, &mut one).await);
        alone.push(lone(&ungrouped, &mut two).await);
    }
    shared.sort_unstable();
    alone.sort_unstable();
    let (shared, alone) = (shared[shared.len() / 2], alone[alone.len() / 2]);
    println!("a lone append: {shared:?} through the writer, {alone:?} by itself");
    assert!(shared < alone + Duration::from_millis(2), "{shared:?} to {alone:?}");
}
