//! The key of an epoch: it seals the bodies of all records made while the same devices are active.

use subtle::ConstantTimeEq;

use super::Entropy;
use super::derive::{derive_public, purpose};
use super::place::Place;
use super::seal::{Refused, open, seal};
use super::secret::{Secret, key_type};
use super::wiped::Wiped;
use crate::ids::AccountId;

key_type!(/// `E_k`: random, wrapped to every active device and under the root.
    EpochKey);

impl EpochKey {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    /// What the roster states about this key, so that all devices can tell they were given the same one.
    pub fn commitment(&self, account: &AccountId, epoch: u32) -> [u8; 32] {
        derive_public(purpose::EPOCH_COMMITMENT, &[self.0.bytes(), &account.0, &epoch.to_le_bytes()])
    }

    pub(super) fn committed(self, account: &AccountId, epoch: u32, stated: &[u8; 32]) -> Result<Self, Refused> {
        if self.commitment(account, epoch).ct_eq(stated).into() { Ok(self) } else { Err(Refused) }
    }

    pub(super) fn seal_body(
        &self,
        account: &AccountId,
        header: &[u8],
        clear: &[u8],
        padded: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        seal(&self.0, account, &Place::Body { header, clear }, padded, entropy)
    }

    pub(super) fn open_body(
        &self,
        account: &AccountId,
        header: &[u8],
        clear: &[u8],
        sealed: &[u8],
    ) -> Result<Wiped, Refused> {
        open(&self.0, account, &Place::Body { header, clear }, sealed)
    }
}
