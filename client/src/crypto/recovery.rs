//! The recovery key: the machine-made second way in (`docs/format.md` §2).

use ed25519_dalek::SigningKey;
use proto::wire::context::purpose as public;
use proto::wire::signin::recovery_message;
use proto::wire::slot::AccountName;
use zeroize::Zeroizing;

use super::Entropy;
use super::derive::{derive, derive_public, purpose};
use super::device::sign;
use super::recovery_text::{KEY_BYTES, Typo, decode, encode};
use super::secret::Secret;
use super::slot::SlotKey;

/// 160 random bits that open an account.
pub struct RecoveryKey(Secret<KEY_BYTES>);

/// Signs in with a recovery key.
pub struct RecoverySigner(SigningKey);

impl RecoveryKey {
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::random(entropy))
    }

    /// Reads what a person typed or a kit holds. A typo is told here, before anything is sent.
    pub fn parse(text: &str) -> Result<Self, Typo> {
        Ok(Self(Secret::copied(&*decode(text)?)))
    }

    /// The key as it stands in the kit.
    pub fn text(&self) -> Zeroizing<String> {
        encode(self.0.bytes())
    }

    pub fn signer(&self) -> RecoverySigner {
        RecoverySigner(SigningKey::from_bytes(derive(purpose::RECOVERY_SIGN_IN_KEY, &[self.0.bytes()]).bytes()))
    }

    /// The name under which the bucket keeps the slot, so that the key alone finds it.
    pub fn slot_name(&self) -> [u8; 16] {
        let hash = derive_public(purpose::RECOVERY_SLOT_NAME, &[self.0.bytes()]);
        *hash.first_chunk().expect("32 bytes begin with 16")
    }

    pub(super) fn slot_key(&self) -> SlotKey {
        SlotKey(derive(purpose::RECOVERY_SLOT_KEY, &[self.0.bytes()]))
    }
}

impl RecoverySigner {
    pub fn verifying_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub fn sign_in(&self, server_name: &str, name: &AccountName, nonce: &[u8; 32]) -> [u8; 64] {
        sign(&self.0, public::RECOVERY_SIGN_IN, &[&recovery_message(server_name, name, nonce)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;
    use proto::wire::signin::verify_recovery;

    #[test]
    fn the_text_gives_the_same_key() {
        let key = RecoveryKey::generate(&mut Fixed::new("recovery"));
        let again = RecoveryKey::parse(&key.text()).unwrap();
        assert_eq!(key.signer().verifying_key(), again.signer().verifying_key());
        assert_eq!(key.slot_name(), again.slot_name());
    }

    #[test]
    fn a_sign_in_holds_for_its_nonce() {
        let signer = RecoveryKey::generate(&mut Fixed::new("recovery")).signer();
        let name = AccountName::new("ana").unwrap();
        let signature = signer.sign_in("vault.example.org", &name, &[1; 32]);
        let check = |nonce: u8| {
            let message = recovery_message("vault.example.org", &name, &[nonce; 32]);
            verify_recovery(&signer.verifying_key(), &message, &signature).is_ok()
        };
        assert!(check(1) && !check(2));
    }
}
