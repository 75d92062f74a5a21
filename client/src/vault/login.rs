//! Signing in: a secret is proved, everything verified, and this device joins with a new ROSTER.

use proto::wire::slot::AccountName;

use super::advance::{Advanced, Change, Made};
use super::gate::{Gate, Proved};
use super::install::Joined;
use super::slots::Slots;
use super::{Identity, Ring, Secret, Session, Vault, Where};
use crate::crypto::roster::{Label, Plan};
use crate::crypto::{DeviceKeys, Entropy};
use crate::error::{Error, Result};

impl Vault {
    /// Proves the secret, verifies everything, and joins this device. Nothing is written on this machine.
    pub async fn login(at: Where, name: AccountName, secret: Secret, label: Label) -> Result<Joined> {
        let gate = Gate::connect(&at, name).await?;
        let mut entropy = at.env.entropy.clone();
        let device = DeviceKeys::generate(&mut entropy);
        let advanced = gate.advance(&secret, |proved| gate.joining(proved, &device, &label, &mut entropy)).await?;
        drop(secret);
        let log = advanced.log_state();
        let Advanced { made, index, .. } = advanced;
        let ring = Ring::new(made.sealed.record, made.sealed.body, index, made.known_keys, &device)
            .map_err(|_| Error::Internal("the roster this device joined by does not open here".to_owned()))?;
        let account = ring.roster().account;
        let Gate { server, server_name, name, .. } = gate;
        let session = Session::new(at, Identity { server, server_name, name, account }, device);
        let slots = current_slots(&session, &ring).await;
        Ok(Joined { session, ring, log, slots, history: true })
    }
}

impl Gate {
    fn joining(&self, proved: Proved, device: &DeviceKeys, label: &Label, entropy: &mut dyn Entropy) -> Result<Made> {
        let Proved { root, verified, suspended } = proved;
        if suspended {
            return Err(Error::Suspended { server: self.server.clone() });
        }
        let before = verified.roster().clone();
        let mut plan = Plan::after(&verified.open);
        plan.join(device.public().clone(), label.clone());
        let change = Change {
            root: &root,
            keyring: &verified.open.keyring,
            old: None,
            joining: Some(device),
            slots: Vec::new(),
            known_keys: verified.known_keys,
        };
        Made::new(plan, before, verified.log, change, entropy)
    }
}

/// The slots as the service has them, if they are those the roster names. This device has joined already, and can ask
/// for them at any later time: so a failure here ends nothing.
pub(super) async fn current_slots(session: &Session, ring: &Ring) -> Option<Slots> {
    let sent = session.call(|remote, token| async move { remote.slots(&token).await }).await.ok()?;
    Slots::from_wire(&sent, ring.roster())
}
