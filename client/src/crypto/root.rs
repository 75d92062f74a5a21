//! The account root and what derives from it. No device keeps it: passphrase or recovery key open it for one act.

use ed25519_dalek::SigningKey;
use proto::wire::context::{h, purpose as public};
use proto::wire::events::Permit;
use proto::wire::limits::HEADER_BYTES;
use proto::wire::roster::ROOT_WRAP_BYTES;

use super::derive::{derive, purpose};
use super::device::sign;
use super::place::Place;
use super::seal::{Refused, open, seal};
use super::secret::{Secret, key_type};
use super::{Entropy, EpochKey};
use crate::ids::AccountId;

key_type!(/// Thirty-two random bytes that open everything.
    Root);
key_type!(/// Seals the epoch key for whoever has the root.
    RootWrapKey);

/// Signs rosters, root rotations and permits.
pub struct RosterSigner(SigningKey);

/// The account whose first roster is signed by this key.
pub fn account_of(first_roster_key: &[u8; 32]) -> AccountId {
    AccountId(h(public::ACCOUNT_ID, &[first_roster_key]))
}

impl Root {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    pub fn signer(&self) -> RosterSigner {
        RosterSigner(SigningKey::from_bytes(derive(purpose::ROSTER_SIGNING_KEY, &[self.0.bytes()]).bytes()))
    }

    pub(super) fn wrap_key(&self) -> RootWrapKey {
        RootWrapKey(derive(purpose::ROOT_WRAP_KEY, &[self.0.bytes()]))
    }
}

impl RosterSigner {
    pub fn verifying_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Consents to a mass deletion.
    pub fn permit(&self, account: &AccountId, roster_version: u64, bytes: u64, last_day: u32) -> Permit {
        let purpose = Permit::MASS_DELETION;
        let mut permit = Permit { roster_version, purpose, bytes, last_day, signature: [0; 64] };
        permit.signature = sign(&self.0, public::PERMIT, &[&permit.message(account)]);
        permit
    }

    pub(super) fn sign_header(&self, header: &[u8; HEADER_BYTES]) -> [u8; 64] {
        sign(&self.0, public::ROSTER, &[header])
    }

    pub(super) fn sign_rotation(&self, content: &[u8]) -> [u8; 64] {
        sign(&self.0, public::ROSTER_ROTATION, &[content])
    }
}

impl RootWrapKey {
    pub(super) fn wrap(
        &self,
        account: &AccountId,
        roster_version: u64,
        epoch: u32,
        key: &EpochKey,
        entropy: &mut dyn Entropy,
    ) -> [u8; ROOT_WRAP_BYTES] {
        let sealed = seal(&self.0, account, &Place::RootWrap { roster_version, epoch }, key.0.bytes(), entropy);
        sealed.try_into().expect("a sealed key of 32 bytes has 112")
    }

    pub(super) fn unwrap(
        &self,
        account: &AccountId,
        roster_version: u64,
        epoch: u32,
        sealed: &[u8; ROOT_WRAP_BYTES],
    ) -> Result<EpochKey, Refused> {
        let key = open(&self.0, account, &Place::RootWrap { roster_version, epoch }, sealed)?;
        Ok(EpochKey(Secret::copied(key.as_slice().try_into().map_err(|_| Refused)?)))
    }
}
