//! The root's consent to a mass deletion: who knows a secret of the account need not wait two weeks.

use proto::wire::events::Permit;

use super::gate::{Gate, Proved};
use super::{Secret, Vault};
use crate::archive::Archive;
use crate::crypto::draw;
use crate::error::Result;

/// A permit that was signed, until it is sent. It holds no secret.
pub struct Consent(pub(crate) Permit);

/// Days within which what it covers has to go; the undo's own day, and two for a device to come online.
const DAYS: u64 = 3;
const DAY_MS: u64 = 86_400_000;

impl Vault {
    /// Proves a secret and has the root sign a permit for so many bytes. Nothing is changed or kept.
    pub async fn consent(&self, archive: &Archive, secret: Secret, bytes: u64, server_now: i64) -> Result<Consent> {
        let (gate, known) = (Gate::of(&self.session).await?, self.known(archive)?);
        let Proved { root, verified, .. } = known.hold(self, gate.prove(&secret).await?)?;
        let last_day = u64::try_from(server_now).unwrap_or(0) / DAY_MS + DAYS;
        let last_day = u32::try_from(last_day).unwrap_or(u32::MAX);
        let roster = verified.roster();
        // Each permit speaks once, and is known by its signature: two of one day must not be the same.
        let more: [u8; 2] = draw(&mut self.session.env.entropy.clone());
        let bytes = bytes.saturating_add(u64::from(u16::from_le_bytes(more)));
        Ok(Consent(root.signer().permit(&roster.account, roster.version, bytes, last_day)))
    }
}
