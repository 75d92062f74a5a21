//! Ending an account: a last ROSTER, after which the service removes everything it has of it.

use super::advance::Made;
use super::gate::{Gate, Proved};
use super::{Secret, Vault};
use crate::archive::Archive;
use crate::crypto::roster::Plan;
use crate::error::Result;

impl Vault {
    /// Ends the account for all its devices, for good. The service takes away what it keeps of it within 72 hours; what
    /// devices hold stays with them, this one's archive too.
    pub async fn end_account(&mut self, archive: &mut Archive, secret: Secret) -> Result<()> {
        let (gate, known) = (Gate::of(&self.session).await?, self.known(archive)?);
        let mut entropy = self.session.env.entropy.clone();
        let advanced = gate.advance(&secret, |proved| {
            let Proved { root, verified, .. } = known.hold(self, proved)?;
            let mut plan = Plan::after(&verified.open);
            plan.ended = true;
            Made::on(verified, &root, plan, Vec::new(), &mut entropy)
        });
        let advanced = advanced.await?;
        self.take(archive, advanced)
    }
}
