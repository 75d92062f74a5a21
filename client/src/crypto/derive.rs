//! Derivation of one key from another, each under a context of its own.

use proto::wire::context::PREFIX;
use zeroize::Zeroizing;

/// `H(purpose, secret)` as a secret.
pub(super) fn derive(purpose: &str, secret: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_derive_key(&format!("{PREFIX}{purpose}"));
    hasher.update(secret);
    let mut out = Zeroizing::new([0; 32]);
    hasher.finalize_xof().fill(&mut out[..]);
    zeroize::Zeroize::zeroize(&mut hasher);
    out
}

/// Declares a secret of 32 bytes: no Debug, no Clone, wiped on drop.
macro_rules! secret32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(pub(super) zeroize::Zeroizing<[u8; 32]>);

        impl $name {
            /// Takes bytes that were opened from their sealed form.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let mut own = zeroize::Zeroizing::new([0; 32]);
                if bytes.len() != own.len() {
                    return None;
                }
                own.copy_from_slice(bytes);
                Some(Self(own))
            }

            pub fn generate(entropy: &mut dyn $crate::env::Entropy) -> Self {
                let mut own = zeroize::Zeroizing::new([0; 32]);
                entropy.fill(&mut own[..]);
                Self(own)
            }

            /// The bytes, for sealing them under another key.
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }
    };
}
pub(super) use secret32;
