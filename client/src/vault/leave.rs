//! A device ends itself: an empty record flagged last, signed by the device alone.

use bytes::Bytes;
use proto::v1;
use proto::wire::header::{FLAG_LAST, Header, Leaf, RecordKind, body_hash};
use proto::wire::limits::{LEAF_BYTES, PULL_BYTES_MAX};

use super::session::{CallError, malformed};
use super::verify::Chain;
use super::{Vault, advance::repeated};
use crate::archive::{Archive, Note};
use crate::crypto::sign_bare;
use crate::error::{Error, Result};
use crate::log::LogState;

/// Headers to a page when no body comes with them.
const PAGE_HEADERS: u64 = (PULL_BYTES_MAX / LEAF_BYTES) as u64;

impl Vault {
    /// Ends this device's membership. The next ROSTER of another device lists it as gone.
    pub async fn leave(&mut self, archive: &mut Archive) -> Result<()> {
        let log = archive.note(Note::Log)?.ok_or_else(|| Error::Archive("it holds no log".to_owned()))?;
        let log = LogState::decode(&log).map_err(|_| Error::Archive("its log is damaged".to_owned()))?;
        self.append_last(&log).await.map_err(|e| e.into_error(&self.session.identity))
    }

    async fn append_last(&self, log: &LogState) -> Result<(), CallError> {
        let opened = self.session.call(|remote, token| {
            let request = asked(log);
            async move { remote.open(&token, request).await }
        });
        let opened = opened.await?;
        if opened.incarnation != log.incarnation {
            // Whatever this device has seen belongs to another life of the log: a sync has to settle that first.
            return Err(Error::Rollback.into());
        }
        let digest = match opened.last_counter {
            0 => [0; 32],
            _ => opened.last_digest[..].try_into().map_err(|_| malformed("a record digest has no 32 bytes"))?,
        };
        let size = opened.log.as_ref().map_or(0, |l| l.size);
        let header = Header {
            kind: RecordKind::Events,
            flags: FLAG_LAST,
            incarnation: log.incarnation,
            account: self.session.identity.account,
            device: self.session.device.id(),
            counter: opened.last_counter.checked_add(1).ok_or_else(|| malformed("a counter has no next"))?,
            previous: digest,
            seen_size: log.frontier.size(),
            seen_root: log.frontier.root(),
            agreed: self.last_agreed(opened.last_counter, &digest, size).await?,
            roster_version: self.newest_version(&opened.rosters)?,
            last_day: 0,
            clear_len: 0,
            body_len: 0,
            body_hash: body_hash(&[]),
        };
        let record = sign_bare(&self.session.device, header);
        let record = v1::Record { record: Bytes::copy_from_slice(&record.encode()), body: Bytes::new() };
        let request = v1::AppendRequest { records: vec![record], slots: Vec::new() };
        let appended = self.session.call(|remote, token| {
            let request = request.clone();
            async move {
                repeated(|| {
                    let (remote, token, request) = (remote.clone(), token.clone(), request.clone());
                    async move { remote.append(Some(&token), request).await }
                })
                .await
            }
        });
        appended.await.map(drop)
    }

    /// The version to sign under: that of a roster which follows from the account's id and is not older than ours.
    fn newest_version(&self, rosters: &[v1::Entry]) -> Result<u64> {
        let newest = Chain::read(rosters)?.accept(&self.session.identity.account)?;
        if newest.roster.version < self.ring.roster().version {
            return Err(Error::Rollback);
        }
        Ok(newest.roster.version)
    }

    /// What this device's newest record agreed with, which never falls. The record is looked for from the log's end
    /// on, and is this device's own if its digest and signature say so.
    async fn last_agreed(&self, counter: u64, digest: &[u8; 32], size: u64) -> Result<u64, CallError> {
        let mut end = size;
        while counter > 0 && end > 0 {
            let from = end.saturating_sub(PAGE_HEADERS);
            let request = v1::PullRequest { from, known_size: 0, headers_only: true, past_gaps: false };
            let pulled = self.session.call(|remote, token| async move { remote.pull(&token, request).await }).await?;
            let own = pulled.entries.iter().rev().filter_map(|e| Leaf::decode(&e.leaf).ok()).find(|leaf| {
                let key = &self.session.device.public().verifying_key;
                leaf.record.digest() == *digest && leaf.record.verify(key).is_ok()
            });
            if let Some(leaf) = own {
                return Ok(leaf.record.header.agreed);
            }
            end = from;
        }
        match counter {
            0 => Ok(0),
            _ => Err(malformed("this device's last record is not in the log").into()),
        }
    }
}

/// Everything the account's rosters say, and nothing else: the chain has to lead from the account's id.
fn asked(log: &LogState) -> v1::OpenRequest {
    v1::OpenRequest {
        known_size: log.frontier.size(),
        known_incarnation: log.incarnation,
        known_head: u64::MAX,
        known_roster: 0,
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        no_front_page: true,
    }
}
