//! Sending a permit behind the deletions it covers.

use proto::wire::events::EventsClear;
use proto::wire::header::RecordKind;

use super::flow::Flow;
use super::send::Sent;
use crate::archive::{Archive, OwnRecord};
use crate::error::{Error, Result};
use crate::log::EventsContent;
use crate::vault::{Consent, Vault, Work};

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
