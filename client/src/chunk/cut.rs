//! Where a long file is cut: FastCDC (2020, normalised level 2) with a gear table made from the account's cut key.
//!
//! The table is secret because cut points of a known file would otherwise give it away by its lengths.

use fastcdc::v2020::{Normalization, cut_gear, select_masks};

use super::{CHUNK_BYTES_MAX, CUT_BYTES_AVERAGE, CUT_BYTES_MIN};
use crate::crypto::CutKey;

/// Cuts files of one account.
pub struct Cutter {
    gear: Box<[u64; 256]>,
    /// The table once more, each word shifted left by one: the algorithm takes two bytes a step.
    gear_shifted: Box<[u64; 256]>,
    masks: (u64, u64),
}

impl Cutter {
    pub fn new(key: &CutKey) -> Self {
        let gear = key.gear();
        let gear_shifted = Box::new(gear.map(|word| word << 1));
        Self { gear, gear_shifted, masks: select_masks(CUT_BYTES_AVERAGE, Normalization::Level2) }
    }

    /// The length of the next chunk. `ahead` is all that is left of the file, or at least 4 MiB of it.
    pub(super) fn cut(&self, ahead: &[u8]) -> usize {
        let (strict, lax) = self.masks;
        let (_, length) = cut_gear(
            ahead,
            CUT_BYTES_MIN,
            CUT_BYTES_AVERAGE,
            CHUNK_BYTES_MAX,
            strict,
            lax,
            strict << 1,
            lax << 1,
            &self.gear[..],
            &self.gear_shifted[..],
        );
        length
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.gear.zeroize();
        self.gear_shifted.zeroize();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crypto::Lifetime;
    use crate::crypto::fixed::Fixed;

    pub(in crate::chunk) fn cutter(seed: &str) -> Cutter {
        Cutter::new(&Lifetime::generate(&mut Fixed::new(seed)).cut_key())
    }

    pub(in crate::chunk) fn noise(seed: &str, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut out);
        out
    }

    fn cuts(cutter: &Cutter, mut bytes: &[u8]) -> Vec<usize> {
        let mut at = 0;
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let length = cutter.cut(bytes);
            at += length;
            out.push(at);
            bytes = &bytes[length..];
        }
        out
    }

    #[test]
    fn lengths_keep_their_bounds_and_average() {
        let file = noise("lengths", 64 << 20);
        let cuts = cuts(&cutter("a"), &file);
        let lengths: Vec<usize> = std::iter::once(&0).chain(&cuts).zip(&cuts).map(|(a, b)| b - a).collect();
        let (last, whole) = lengths.split_last().unwrap();
        assert!(whole.iter().all(|l| (CUT_BYTES_MIN..=CHUNK_BYTES_MAX).contains(l)) && *last <= CHUNK_BYTES_MAX);
        let average = file.len() / lengths.len();
        assert!((700 << 10..1500 << 10).contains(&average), "{average}");
    }

    #[test]
    fn an_inserted_byte_moves_few_cuts() {
        let file = noise("resync", 32 << 20);
        let cutter = cutter("a");
        let before = cuts(&cutter, &file);
        for at in [0, 1 << 20, 10_000_000] {
            let mut longer = file.clone();
            longer.insert(at, 7);
            let after = cuts(&cutter, &longer);
            let kept = before.iter().filter(|c| **c > at + (8 << 20)).collect::<Vec<_>>();
            assert!(kept.len() > 5);
            assert!(kept.iter().all(|c| after.contains(&(**c + 1))), "inserted at {at}");
        }
    }

    #[test]
    fn another_key_cuts_elsewhere() {
        let file = noise("keys", 24 << 20);
        let (a, b) = (cuts(&cutter("a"), &file), cuts(&cutter("b"), &file));
        let common = a.iter().filter(|c| b.contains(c)).count();
        assert_eq!(common, 1, "only the end of the file");
    }

    #[test]
    fn all_zeros_are_cut_at_the_most() {
        assert_eq!(cutter("a").cut(&vec![0; 5 << 20]), CHUNK_BYTES_MAX);
    }
}
