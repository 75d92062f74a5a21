//! What needs the account's root on a device that has joined: revoking, and new secrets.
//!
//! Each act proves a secret afresh, holds what the service answers to what this device knows already, and appends one
//! ROSTER. Of the log nothing else is applied here: the next sync does that.

use std::collections::BTreeSet;

use proto::v1;
use proto::wire::roster::{Roster, SlotKind};
use proto::wire::slot::OpaqueObject;

use super::advance::{Advanced, Change, Made};
use super::gate::{Gate, Proved};
use super::left::{left, set_left};
use super::passphrase::{Enrolled, Enrolment, judge};
use super::seen::{AllSeen, active};
use super::slots::{SlotCopy, Slots};
use super::verify::Verified;
use super::{Ring, Secret, Vault};
use crate::archive::{Archive, Note};
use crate::crypto::opaque::Cost;
use crate::crypto::passphrase::Passphrase;
use crate::crypto::roster::Plan;
use crate::crypto::slot::SlotPlace;
use crate::crypto::{Entropy, RecoveryKey, Root};
use crate::error::{Error, Result};
use crate::ids::DeviceId;
use crate::log::LogState;

impl Vault {
    /// Ends another device's access and begins an epoch it cannot open. Copies it has already stay there.
    pub async fn revoke(&mut self, archive: &mut Archive, device: &DeviceId, secret: Secret) -> Result<()> {
        if *device == self.session.device.id() {
            return Err(Error::Refused("a device does not revoke itself: it leaves".to_owned()));
        }
        let (gate, known) = (Gate::of(&self.session).await?, self.known(archive)?);
        let mut entropy = self.session.env.entropy.clone();
        let advanced = gate.advance(&secret, |proved| {
            let Proved { root, mut verified, .. } = known.hold(self, proved)?;
            let mut plan = known.plan(&verified);
            if !plan.revoke(device) {
                return Err(Error::NotFound(format!("{} is no active device of this account", device.short())));
            }
            verified.open.keyring.advance(&mut entropy);
            Made::on(verified, &root, plan, Vec::new(), &mut entropy)
        });
        let advanced = advanced.await?;
        self.take(archive, advanced)
    }

    /// Sets a new passphrase for the same root. At every instant the old or the new one works; no device is signed out.
    pub async fn change_passphrase(&mut self, archive: &mut Archive, secret: Secret, new: Passphrase) -> Result<()> {
        self.judge(&new)?;
        let (gate, known) = (Gate::of(&self.session).await?, self.known(archive)?);
        let enrolled = self.enrol(&gate, self.present_cost(archive)?, new).await?;
        let mut entropy = self.session.env.entropy.clone();
        let advanced = gate.advance(&secret, |proved| {
            let Proved { root, verified, .. } = known.hold(self, proved)?;
            let before = verified.roster();
            let mut plan = Plan::after(&verified.open);
            let at = self.place(before, SlotKind::Passphrase, before.root_generation);
            let slot = SlotCopy::passphrase(&at, &enrolled, &root, &mut entropy);
            list(&mut plan, &slot, at.generation);
            Made::on(verified, &root, plan, vec![slot], &mut entropy)
        });
        let advanced = advanced.await?;
        self.take(archive, advanced)
    }

    /// Makes a new root, so that whoever knew the old secrets has nothing: a new epoch, and both slots replaced.
    ///
    /// A recovery key that was given as the secret stays good unless a new one is asked for. Otherwise an account that
    /// has a recovery key gets a new one: the old slot holds the old root. It is given out once and kept nowhere.
    pub async fn rotate_root(
        &mut self,
        archive: &mut Archive,
        secret: Secret,
        new_passphrase: Passphrase,
        new_recovery: bool,
    ) -> Result<Option<RecoveryKey>> {
        self.rotate_root_keeping(archive, secret, new_passphrase, new_recovery, |_| Ok(())).await
    }

    /// As [`rotate_root`](Self::rotate_root); `keep` is given a new recovery key before anything is changed, and
    /// nothing is changed if it fails. After [`Error::AnswerLost`] either the old or the new key is in force.
    pub async fn rotate_root_keeping(
        &mut self,
        archive: &mut Archive,
        secret: Secret,
        new_passphrase: Passphrase,
        new_recovery: bool,
        mut keep: impl FnMut(&RecoveryKey) -> Result<()> + Send,
    ) -> Result<Option<RecoveryKey>> {
        self.judge(&new_passphrase)?;
        let (gate, known) = (Gate::of(&self.session).await?, self.known(archive)?);
        let enrolled = self.enrol(&gate, self.present_cost(archive)?, new_passphrase).await?;
        let mut entropy = self.session.env.entropy.clone();
        let fresh = RecoveryKey::generate(&mut entropy);
        let given = match &secret {
            Secret::Recovery(key) if !new_recovery => Some(key),
            _ => None,
        };
        let mut gives_fresh = false;
        let advanced = gate.advance(&secret, |proved| {
            let proved = known.hold(self, proved)?;
            let has_one = proved.verified.roster().slot(SlotKind::Recovery).is_some();
            let gave = gives_fresh;
            gives_fresh = given.is_none() && (new_recovery || has_one);
            if gives_fresh && !gave {
                keep(&fresh)?;
            }
            let recovery = given.or(gives_fresh.then_some(&fresh));
            self.rotation(&known, proved, &enrolled, recovery, &mut entropy)
        });
        let advanced = advanced.await?;
        let taken = self.take(archive, advanced);
        // The root is new at the service whatever became of this device's note of it, which the next sync repairs: the
        // one copy of a new key must reach its owner.
        match gives_fresh {
            true => Ok(Some(fresh)),
            false => taken.map(|()| None),
        }
    }

    /// Proves the passphrase to the server and changes nothing.
    pub async fn check_passphrase(&self, passphrase: Passphrase) -> Result<()> {
        self.check_secret(Secret::Passphrase(passphrase)).await
    }

    /// Proves the recovery key to the server and changes nothing.
    pub async fn check_recovery(&self, key: RecoveryKey) -> Result<()> {
        self.check_secret(Secret::Recovery(key)).await
    }

    async fn check_secret(&self, secret: Secret) -> Result<()> {
        let proved = Gate::of(&self.session).await?.prove(&secret).await?;
        self.continues(&proved.verified)
    }

    fn judge(&self, passphrase: &Passphrase) -> Result<()> {
        let identity = &self.session.identity;
        judge(passphrase, &[identity.name.as_str(), &identity.server])
    }

    /// Enrols a passphrase for this account.
    async fn enrol(&self, gate: &Gate, cost: Option<Cost>, passphrase: Passphrase) -> Result<Enrolled> {
        let enrolment = Enrolment::start(passphrase, self.session.env.entropy.clone())?;
        let request = enrolment.request().to_vec();
        let answer = self.session.call(|remote, token| {
            let request = v1::RegisterStartRequest {
                name: String::new(),
                opaque_request: request.clone().into(),
                invite: Default::default(),
                token: token.bytes,
            };
            async move { remote.register_start(request).await }
        });
        let answer = answer.await.map_err(|e| e.into_error(&self.session.identity))?;
        enrolment.finish(answer, cost, gate).await
    }

    /// The cost of the present passphrase, which its owner chose: the next one has it too.
    fn present_cost(&self, archive: &Archive) -> Result<Option<Cost>> {
        let slots = kept_slots(archive)?;
        let object = slots.of(SlotKind::Passphrase).and_then(|s| OpaqueObject::decode(&s.credential).ok());
        Ok(object.and_then(|o| self.session.bounds.accept(o.cost).ok()))
    }

    fn rotation(
        &self,
        known: &Known,
        proved: Proved,
        enrolled: &Enrolled,
        recovery: Option<&RecoveryKey>,
        entropy: &mut dyn Entropy,
    ) -> Result<Made> {
        let Proved { root: old, mut verified, .. } = proved;
        let before = verified.roster().clone();
        let new = Root::generate(entropy);
        verified.open.keyring.advance(entropy);
        let mut plan = known.plan(&verified);
        plan.root_generation =
            before.root_generation.checked_add(1).ok_or(Error::RosterMismatch { what: "the root" })?;
        let at = |kind| self.place(&before, kind, plan.root_generation);
        let (at_passphrase, at_recovery) = (at(SlotKind::Passphrase), at(SlotKind::Recovery));
        let mut slots = vec![SlotCopy::passphrase(&at_passphrase, enrolled, &new, entropy)];
        slots.extend(recovery.map(|key| SlotCopy::recovery(&at_recovery, key, &new, entropy)));
        for (slot, at) in slots.iter().zip([&at_passphrase, &at_recovery]) {
            list(&mut plan, slot, at.generation);
        }
        let mut known_keys = verified.known_keys;
        known_keys.push(new.signer().verifying_key());
        let change = Change {
            root: &new,
            keyring: &verified.open.keyring,
            old: Some(&old.signer()),
            joining: None,
            slots,
            known_keys,
        };
        Made::new(plan, before, verified.log, change, entropy)
    }

    /// Where the next slot of a kind stands.
    fn place(&self, before: &Roster, kind: SlotKind, root_generation: u32) -> SlotPlace {
        let identity = &self.session.identity;
        // The last generation has no next: such a roster would be refused by everybody, and is before it is sent.
        let generation = before.slot(kind).map_or(1, |s| s.generation.saturating_add(1));
        SlotPlace { account: identity.account, name: identity.name.clone(), generation, root_generation }
    }

    /// Keeps the roster that was appended, and what it replaced.
    pub(super) fn take(&mut self, archive: &mut Archive, advanced: Advanced) -> Result<()> {
        let Advanced { made, index, server_time } = advanced;
        let Made { sealed, slots: new, known_keys, .. } = made;
        let ring = Ring::new(sealed.record, sealed.body, index, known_keys, &self.session.device)
            .map_err(|_| Error::Internal("the roster made here does not open here".to_owned()))?;
        let mut slots = kept_slots(archive)?;
        for slot in new {
            slots.replace(slot);
        }
        let mut waiting = left(archive)?;
        waiting.retain(|device| ring.roster().active(device).is_some());
        let mut seen = AllSeen::of(archive)?;
        seen.roster(&active(self.ring.roster()), ring.roster(), server_time);
        archive.commit(|commit| {
            commit.set_note(Note::Roster, Some(&ring.encode()))?;
            commit.set_note(Note::Slots, Some(&slots.encode()))?;
            seen.keep(ring.roster(), commit)?;
            set_left(commit, &waiting)
        })?;
        self.ring = ring;
        Ok(())
    }

    /// Holds a verified state to the roster this device knows: the same account, and nothing older.
    fn continues(&self, verified: &Verified) -> Result<()> {
        let (known, shown) = (self.ring.roster(), verified.roster());
        if shown.account != known.account {
            return Err(Error::RosterMismatch { what: "the account the server answered" });
        }
        if shown.version < known.version || !verified.known_keys.starts_with(&self.ring.known_keys) {
            return Err(Error::Rollback);
        }
        if shown.version == known.version && verified.digest != self.ring.record.digest() {
            return Err(Error::Fork);
        }
        Ok(())
    }

    pub(super) fn known(&self, archive: &Archive) -> Result<Known> {
        let log = archive.note(Note::Log)?.ok_or_else(|| Error::Archive("it holds no log".to_owned()))?;
        let log = LogState::decode(&log).map_err(|_| Error::Archive("its log is damaged".to_owned()))?;
        Ok(Known { log, left: left(archive)? })
    }
}

/// What this device's archive tells before the act begins.
pub(super) struct Known {
    pub log: LogState,
    left: BTreeSet<DeviceId>,
}

impl Known {
    /// Holds what was proved to what this device has verified before.
    pub fn hold(&self, vault: &Vault, proved: Proved) -> Result<Proved> {
        let identity = &vault.session.identity;
        if proved.suspended {
            return Err(Error::Suspended { server: identity.server.clone() });
        }
        vault.continues(&proved.verified)?;
        let (known, shown) = (&self.log, &proved.verified.log);
        if shown.incarnation == known.incarnation {
            if shown.frontier.size() < known.frontier.size() {
                return Err(Error::Rollback);
            }
            if shown.frontier.size() == known.frontier.size() && shown.frontier.root() != known.frontier.root() {
                return Err(Error::Fork);
            }
        } else if shown.incarnation < known.incarnation {
            return Err(Error::Rollback);
        }
        if proved.verified.roster().active(&vault.session.device.id()).is_none() {
            return Err(Error::DeviceRevoked { account: identity.shown(), at: None });
        }
        Ok(proved)
    }

    /// The next roster of a new epoch: devices that left by themselves are listed as gone.
    fn plan(&self, verified: &Verified) -> Plan {
        let mut plan = Plan::after(&verified.open);
        for device in &self.left {
            plan.mark_left(device);
        }
        plan
    }
}

/// The slots as this device keeps them; it may have none yet.
fn kept_slots(archive: &Archive) -> Result<Slots> {
    match archive.note(Note::Slots)? {
        None => Ok(Slots::default()),
        Some(bytes) => Slots::decode(&bytes).map_err(|_| Error::Archive("its slots are damaged".to_owned())),
    }
}

/// Puts a slot into a plan in place of the one of its kind.
fn list(plan: &mut Plan, slot: &SlotCopy, generation: u32) {
    plan.slots.retain(|s| s.kind != slot.kind);
    plan.slots.push(slot.listed(generation));
}
