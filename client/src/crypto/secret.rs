//! The shape all keys share: bytes on the heap, wiped when dropped, never shown.

#[cfg(test)]
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::Entropy;

/// Secret bytes, 32 unless said otherwise. On the heap, so that moving a key leaves no copy behind.
pub(super) struct Secret<const N: usize = 32>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    pub(super) fn random(entropy: &mut dyn Entropy) -> Self {
        let mut secret = Self(Box::new([0; N]));
        entropy.fill(&mut secret.0[..]);
        secret
    }

    /// Lets `write` fill a fresh secret in place.
    pub(super) fn written(write: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self(Box::new([0; N]));
        write(&mut secret.0);
        secret
    }

    pub(super) fn copied(bytes: &[u8; N]) -> Self {
        Self::written(|out| *out = *bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn same(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Defines a key type around a [`Secret`].
macro_rules! key_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(pub(super) $crate::crypto::secret::Secret);
    };
}
pub(super) use key_type;
