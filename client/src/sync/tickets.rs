//! Tickets: how a device knows a record as its own that it sent and then could not keep.
//!
//! In live exchange a record is on its way before it is kept here, so that others need not wait for this device's disk. A
//! process that ends in between leaves a record in the log that the archive lacks, which otherwise only a copy of the
//! device can have made. So a random ticket is noted first, the record carries it, and each is for one record. Two copies
//! of a device have one ticket in common at most: the second record tells them apart.

use super::flow::Flow;
use crate::archive::{Archive, Commit, Note};
use crate::crypto::draw;
use crate::env::SharedEntropy;
use crate::error::Result;
use crate::log::Ticket;

/// The tickets of one run of work.
#[derive(Default)]
pub(super) struct Tickets {
    /// Noted by an earlier run: a record that carries it was this device's.
    pub before: Option<Ticket>,
    /// Noted by this run, for the next record.
    pub next: Option<Ticket>,
}

impl Tickets {
    pub fn of(archive: &Archive) -> Result<Self> {
        let before = archive.note(Note::Ticket)?.and_then(|note| note.try_into().ok());
        Ok(Self { before, next: None })
    }

    /// What follows when a record of this device has been taken in from the log: its ticket is used up.
    pub fn used(&self, entropy: &mut SharedEntropy) -> Self {
        Self { before: None, next: self.next.map(|_| draw(entropy)) }
    }

    pub fn keep(&self, commit: &mut Commit<'_>) -> crate::archive::Result<()> {
        let ticket = self.next.or(self.before);
        commit.set_note(Note::Ticket, ticket.as_ref().map(|t| &t[..]))
    }
}

impl Flow<'_> {
    /// Notes a ticket for the next record.
    pub fn draw_ticket(&mut self) -> Result<()> {
        let tickets = Tickets { before: None, next: Some(draw(&mut self.entropy())) };
        self.archive.commit(|c| tickets.keep(c))?;
        self.tickets = tickets;
        Ok(())
    }
}
