//! Writing on trial: everything happens as it would, and is taken back in the end.

use std::ops::Deref;

use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};

use super::Archive;
use super::error::Result;

/// A transaction of its own, or a part of the one that a trial takes back.
pub(super) enum Scope<'a> {
    Whole(Transaction<'a>),
    Part(Savepoint<'a>),
}

impl<'a> Scope<'a> {
    pub fn begin(db: &'a mut Connection, trial: bool) -> Result<Self> {
        Ok(if trial {
            Self::Part(db.savepoint()?)
        } else {
            Self::Whole(db.transaction_with_behavior(TransactionBehavior::Immediate)?)
        })
    }

    pub fn commit(self) -> Result<()> {
        Ok(match self {
            Self::Whole(transaction) => transaction.commit()?,
            Self::Part(savepoint) => savepoint.commit()?,
        })
    }
}

impl Deref for Scope<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Whole(transaction) => transaction,
            Self::Part(savepoint) => savepoint,
        }
    }
}

impl Archive {
    /// Does `work` and takes everything back that it wrote. Files it hands over are read and counted, not kept.
    ///
    /// The write lock is held meanwhile, and what is written on trial lies sealed in the write-ahead log until then, so
    /// a kill leaves nothing of it.
    pub fn on_trial<T, E: From<super::ArchiveError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(super::ArchiveError::from)?;
        self.trial = true;
        let outcome = work(self);
        self.trial = false;
        self.db.execute_batch("ROLLBACK").map_err(super::ArchiveError::from)?;
        outcome
    }
}
