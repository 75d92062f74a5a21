//! Randomness, as it comes in from outside.

/// A source of random bytes good enough for keys.
///
/// Simulations and vectors pass a fixed one; everything else passes [`SystemEntropy`](crate::env::SystemEntropy).
pub trait Entropy {
    /// Fills `out` entirely.
    fn fill(&mut self, out: &mut [u8]);
}

/// Draws a fixed number of bytes that are not secret (ids, seeds stored beside what they seal).
pub(crate) fn draw<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

/// Our randomness as the generator HPKE asks for.
pub(super) struct AsRng<'a>(pub &'a mut dyn Entropy);

impl hpke::rand_core::TryRng for AsRng<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes(draw(self.0)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes(draw(self.0)))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl hpke::rand_core::TryCryptoRng for AsRng<'_> {}

#[cfg(test)]
pub(crate) mod fixed {
    use super::Entropy;

    /// A counted stream: the same bytes in every run, no block twice.
    pub(crate) struct Fixed(blake3::OutputReader);

    impl Fixed {
        pub(crate) fn new(seed: &str) -> Self {
            Self(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof())
        }
    }

    impl Entropy for Fixed {
        fn fill(&mut self, out: &mut [u8]) {
            self.0.fill(out);
        }
    }
}
