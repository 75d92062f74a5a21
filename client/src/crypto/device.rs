//! A device's own keys: Ed25519 for signing, X-Wing for being given epoch keys. Made here, they never leave.

use ed25519_dalek::{Signer, SigningKey};
use hpke::{Deserializable, Kem, Serializable, kem::XWing};
use proto::wire::context::{h, purpose, signed_bytes};
use proto::wire::limits::HEADER_BYTES;
use proto::wire::roster::{Device, DeviceState, Joiner, KEM_KEY_BYTES, Roster};
use proto::wire::signin::device_message;
use zeroize::Zeroizing;

use super::secret::Secret;
use super::{Entropy, Refused};
use crate::ids::{AccountId, DeviceId};

/// A device's two secret keys.
pub struct DeviceKeys {
    signing: SigningKey,
    kem_seed: Secret,
    public: DevicePublic,
}

/// What others know of a device's keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DevicePublic {
    pub verifying_key: [u8; 32],
    pub kem_key: Box<[u8; KEM_KEY_BYTES]>,
}

impl DevicePublic {
    pub fn id(&self) -> DeviceId {
        DeviceId(h(purpose::DEVICE_ID, &[&self.verifying_key, &self.kem_key[..]]))
    }

    /// The keys of a device that is active in a roster.
    pub fn of(device: &Device) -> Option<Self> {
        match &device.state {
            DeviceState::Active { kem_key, .. } => {
                Some(Self { verifying_key: device.verifying_key, kem_key: kem_key.clone() })
            }
            DeviceState::Revoked { .. } | DeviceState::Left { .. } => None,
        }
    }
}

impl DeviceKeys {
    pub const EXPORT_BYTES: usize = 64;

    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let signing_seed = Secret::random(entropy);
        Self::from_seeds(&signing_seed, Secret::random(entropy))
    }

    /// Gives both seeds to the device's key store, as one secret.
    pub fn export(&self) -> Zeroizing<[u8; Self::EXPORT_BYTES]> {
        let mut out = Zeroizing::new([0; Self::EXPORT_BYTES]);
        let (signing, kem) = out.split_at_mut(32);
        signing.copy_from_slice(self.signing.as_bytes());
        kem.copy_from_slice(self.kem_seed.bytes());
        out
    }

    pub fn import(bytes: &[u8; Self::EXPORT_BYTES]) -> Self {
        let (signing, kem) = bytes.split_at(32);
        Self::from_seeds(&Secret::written(|s| s.copy_from_slice(signing)), Secret::written(|s| s.copy_from_slice(kem)))
    }

    pub fn public(&self) -> &DevicePublic {
        &self.public
    }

    pub fn id(&self) -> DeviceId {
        self.public.id()
    }

    /// Signs a sign-in at a service that gave this nonce.
    pub fn sign_in(&self, server_name: &str, account: &AccountId, nonce: &[u8; 32]) -> [u8; 64] {
        sign(&self.signing, purpose::SIGN_IN, &[&device_message(server_name, account, &self.id(), nonce)])
    }

    /// Proves possession of the keys that a roster's content lists as joining.
    ///
    /// The content may have been put together by another device, so it is read first: what is signed must be a roster
    /// in which exactly these keys are active and new, and nothing else.
    pub fn join(&self, content: &[u8]) -> Result<Joiner, Refused> {
        let roster = Roster::decode(content).map_err(|_| Refused)?;
        let device = roster.active(&self.id()).ok_or(Refused)?;
        if DevicePublic::of(device).as_ref() != Some(&self.public) || device.joined_version != roster.version {
            return Err(Refused);
        }
        Ok(Joiner { device: self.id(), signature: sign(&self.signing, purpose::DEVICE_JOIN, &[content]) })
    }

    pub(super) fn sign_header(&self, header: &[u8; HEADER_BYTES]) -> [u8; 64] {
        sign(&self.signing, purpose::RECORD, &[header])
    }

    pub(super) fn kem_key(&self) -> <XWing as Kem>::PrivateKey {
        kem_private(&self.kem_seed)
    }

    fn from_seeds(signing: &Secret, kem_seed: Secret) -> Self {
        let signing = SigningKey::from_bytes(signing.bytes());
        let kem_key = XWing::sk_to_pk(&kem_private(&kem_seed)).to_bytes();
        let kem_key = Box::new(kem_key.as_slice().try_into().expect("an X-Wing public key has 1216 bytes"));
        let public = DevicePublic { verifying_key: signing.verifying_key().to_bytes(), kem_key };
        Self { signing, kem_seed, public }
    }
}

pub(super) fn sign(key: &SigningKey, purpose: &str, parts: &[&[u8]]) -> [u8; 64] {
    key.sign(&signed_bytes(purpose, parts)).to_bytes()
}

fn kem_private(seed: &Secret) -> <XWing as Kem>::PrivateKey {
    Deserializable::from_bytes(seed.bytes()).expect("any 32 bytes are an X-Wing seed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;
    use proto::wire::signin::verify_device;

    #[test]
    fn keys_come_back_from_the_key_store() {
        let keys = DeviceKeys::generate(&mut Fixed::new("device"));
        let again = DeviceKeys::import(&keys.export());
        assert_eq!(keys.public(), again.public());
        assert_eq!(*keys.export(), *again.export());
        assert_ne!(keys.id(), DeviceKeys::generate(&mut Fixed::new("another")).id());
    }

    #[test]
    fn a_sign_in_holds_for_one_server_and_nonce() {
        let keys = DeviceKeys::generate(&mut Fixed::new("device"));
        let account = AccountId([5; 32]);
        let signature = keys.sign_in("vault.example.org", &account, &[1; 32]);
        let check = |server: &str, nonce: u8| {
            let message = device_message(server, &account, &keys.id(), &[nonce; 32]);
            verify_device(&keys.public().verifying_key, &message, &signature).is_ok()
        };
        assert!(check("vault.example.org", 1));
        assert!(!check("vault.example.com", 1));
        assert!(!check("vault.example.org", 2));
    }
}
