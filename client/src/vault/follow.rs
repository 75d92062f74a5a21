//! Taking over a newer roster from the log, once the log's follower has accepted it.

use proto::wire::header::Record;
use proto::wire::roster::RosterClear;

use super::seen::day;
use super::{Ring, Vault};
use crate::error::{Error, Result};

impl Vault {
    /// Opens a ROSTER that was accepted over the current one. A device that it no longer lists has been removed.
    pub(crate) fn next_ring(
        &self,
        record: &Record,
        body: &[u8],
        index: u64,
        clear: &RosterClear,
        at_ms: u64,
    ) -> Result<Ring> {
        let device = &self.session.device;
        if clear.roster.active(&device.id()).is_none() {
            return Err(Error::DeviceRevoked { account: self.session.identity.shown(), at: day(at_ms) });
        }
        let next = self.ring.next(record.clone(), body.to_vec(), index, device);
        next.map_err(|_| Error::RosterMismatch { what: "the newest roster" })
    }
}
