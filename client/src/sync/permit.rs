//! Permits of the account's root: sending one behind the deletions it covers, and holding one that others sent.

use proto::wire::events::{EventsClear, Permit};
use proto::wire::header::{Header, RecordKind};
use proto::wire::roster::Roster;

use super::flow::Flow;
use super::send::Sent;
use crate::archive::{Archive, OwnRecord};
use crate::error::{Error, Result};
use crate::log::EventsContent;
use crate::vault::{Consent, Vault, Work};

const DAY_MS: u64 = 86_400_000;

/// Whether the account's root, as it is now, has signed a permit for the roster under which its record was written, and
/// for a day that has not gone.
pub(super) fn permit_holds(permit: &Permit, roster: &Roster, header: &Header, server_time: u64) -> bool {
    permit.roster_version == header.roster_version
        && u64::from(permit.last_day) >= server_time / DAY_MS
        && permit.verify(&roster.account, &roster.verifying_key).is_ok()
}

/// Others may write in between so often.
const TRIES: usize = 5;

impl Vault {
    /// Sends what waits, deletions among it, and then the permit for them. Where it cannot be sent the deletions stay,
    /// and wait as long as any of so many.
    pub async fn permit_deletions(&mut self, archive: &mut Archive, consent: &Consent, work: &Work) -> Result<()> {
        let mut flow = Flow::begin(self, archive, work)?;
        flow.pull().await?;
        flow.send_left_over().await?;
        flow.push_rows().await?;
        flow.send_permit(consent).await
    }
}

impl Flow<'_> {
    async fn send_permit(&mut self, consent: &Consent) -> Result<()> {
        let clear = EventsClear { packs: Vec::new(), permit: Some(consent.0.clone()) }.encode();
        for _ in 0..TRIES {
            if consent.0.roster_version != self.follower.state().roster.version {
                break;
            }
            let content = EventsContent::default().encode();
            let sealed = self.seal(RecordKind::Events, self.last_own(), &clear, &content);
            let sealed = sealed.map_err(|e| Error::Internal(e.to_string()))?;
            let counter = sealed.record.header.counter;
            let own = OwnRecord { counter, record: sealed.record.encode().to_vec(), body: sealed.body };
            self.archive.commit(|c| c.send(&own, []))?;
            if self.send_outbox().await? == Sent::Taken {
                return Ok(());
            }
        }
        Err(Error::Refused("devices or secrets of the account changed meanwhile".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Root;
    use crate::crypto::fixed::Fixed;
    use crate::ids::{AccountId, DeviceId};

    const TODAY: u64 = 20_000;

    fn header(roster_version: u64) -> Header {
        Header {
            kind: RecordKind::Events,
            flags: 0,
            incarnation: 0,
            account: AccountId([1; 32]),
            device: DeviceId([2; 32]),
            counter: 1,
            previous: [0; 32],
            seen_size: 0,
            seen_root: [0; 32],
            agreed: 0,
            roster_version,
            last_day: 0,
            clear_len: 0,
            body_len: 0,
            body_hash: [0; 32],
        }
    }

    #[test]
    fn a_permit_is_of_this_root_this_roster_and_no_day_that_has_gone() {
        let (root, other) = (Root::generate(&mut Fixed::new("root")), Root::generate(&mut Fixed::new("other")));
        let roster = Roster {
            account: AccountId([1; 32]),
            version: 9,
            epoch: 0,
            root_generation: 1,
            verifying_key: root.signer().verifying_key(),
            epoch_commitment: [0; 32],
            root_wrap: [0; 112],
            ended: false,
            slots: Vec::new(),
            devices: Vec::new(),
        };
        let made = |by: &Root| by.signer().permit(&roster.account, 7, 1 << 20, TODAY as u32);
        let time = TODAY * DAY_MS + 5;
        assert!(permit_holds(&made(&root), &roster, &header(7), time));
        assert!(!permit_holds(&made(&other), &roster, &header(7), time), "another root");
        assert!(!permit_holds(&made(&root), &roster, &header(8), time), "another roster");
        assert!(!permit_holds(&made(&root), &roster, &header(7), time + DAY_MS), "its day has gone");
        let more = Permit { bytes: 2 << 20, ..made(&root) };
        assert!(!permit_holds(&more, &roster, &header(7), time), "more than was signed");
    }
}
