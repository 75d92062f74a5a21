//! The Merkle tree of a log, shaped as RFC 9162 §2.1 (`docs/format.md` §4.2).

use super::bytes::{Malformed, Result};
use super::context::{h, purpose};
use super::limits::LOG_RECORDS_MAX;

pub type Hash = [u8; 32];

/// Root of the empty log.
pub const EMPTY: Hash = [0; 32];

/// Hashes two children.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    h(purpose::LOG_NODE, &[left, right])
}

/// The roots of a log's full subtrees, largest first: enough to append and to know the root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// Takes a frontier from outside; its hash count must be the size's number of one bits.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self> {
        // Leaves room to append: a size at the end of its range would overflow on the next record.
        if size > LOG_RECORDS_MAX {
            return Err(Malformed::TooLong);
        }
        if hashes.len() != size.count_ones() as usize {
            return Err(Malformed::NotCanonical);
        }
        Ok(Self { size, hashes })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    pub fn append(&mut self, leaf: Hash) {
        let mut carry = leaf;
        // Each trailing one bit of the size is a full subtree that the new leaf completes to the next height.
        for _ in 0..self.size.trailing_ones() {
            let left = self.hashes.pop().expect("one hash per one bit of size");
            carry = node(&left, &carry);
        }
        self.hashes.push(carry);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        let mut hashes = self.hashes.iter().rev();
        let Some(last) = hashes.next() else { return EMPTY };
        hashes.fold(*last, |right, left| node(left, &right))
    }
}

/// Gives hashes of full subtrees to the provers. `height` 0 is a leaf; `index` counts subtrees of that height.
pub trait Subtrees {
    type Error;
    fn subtree(&mut self, height: u32, index: u64) -> std::result::Result<Hash, Self::Error>;
}

/// Hash of the leaves `[start, end)`, where `start` is a multiple of the largest power of two below the length.
fn range<S: Subtrees>(s: &mut S, start: u64, end: u64) -> std::result::Result<Hash, S::Error> {
    let n = end - start;
    if n == 0 {
        return Ok(EMPTY);
    }
    if n.is_power_of_two() && start.is_multiple_of(n) {
        return s.subtree(n.trailing_zeros(), start / n);
    }
    let k = split(n);
    let left = range(s, start, start + k)?;
    let right = range(s, start + k, end)?;
    Ok(node(&left, &right))
}

/// Largest power of two below n (n ≥ 2).
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The root of the first `size` leaves.
pub fn root<S: Subtrees>(s: &mut S, size: u64) -> std::result::Result<Hash, S::Error> {
    range(s, 0, size)
}

/// The frontier of the first `size` leaves.
pub fn frontier<S: Subtrees>(s: &mut S, size: u64) -> std::result::Result<Frontier, S::Error> {
    let mut hashes = Vec::new();
    let mut start = 0;
    for height in (0..64).rev().filter(|h| size >> h & 1 == 1) {
        hashes.push(s.subtree(height, start >> height)?);
        start += 1 << height;
    }
    Ok(Frontier { size, hashes })
}

/// Proves that leaf `index` is in the log of `size` (RFC 9162 §2.1.3.1).
pub fn inclusion_proof<S: Subtrees>(s: &mut S, index: u64, size: u64) -> std::result::Result<Vec<Hash>, S::Error> {
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let k = split(end - start);
        if index < start + k {
            proof.push(range(s, start + k, end)?);
            end = start + k;
        } else {
            proof.push(range(s, start, start + k)?);
            start += k;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Checks an inclusion proof (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(index: u64, leaf: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut f, mut s, mut hash) = (index, size - 1, *leaf);
    for p in proof {
        if s == 0 {
            return false;
        }
        if f & 1 == 1 || f == s {
            hash = node(p, &hash);
            while f & 1 == 0 && f != 0 {
                f >>= 1;
                s >>= 1;
            }
        } else {
            hash = node(&hash, p);
        }
        f >>= 1;
        s >>= 1;
    }
    s == 0 && hash == *root
}

/// Proves that the log of `old` is a prefix of the log of `new` (RFC 9162 §2.1.4.1). Empty when `old` is 0 or `new`.
pub fn consistency_proof<S: Subtrees>(s: &mut S, old: u64, new: u64) -> std::result::Result<Vec<Hash>, S::Error> {
    let mut proof = Vec::new();
    if old == 0 || old >= new {
        return Ok(proof);
    }
    let (mut start, mut end, mut whole) = (0, new, true);
    // Walks down to the subtree where the old log ends; what lies beside the way is the proof.
    while old != end {
        let k = split(end - start);
        if old <= start + k {
            proof.push(range(s, start + k, end)?);
            end = start + k;
        } else {
            proof.push(range(s, start, start + k)?);
            start += k;
            whole = false;
        }
    }
    if !whole {
        proof.push(range(s, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks a consistency proof (RFC 9162 §2.1.4.2).
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == 0 {
        return proof.is_empty() && *old_root == EMPTY;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old > new {
        return false;
    }
    let mut path = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut f, mut s) = (old - 1, new - 1);
    while f & 1 == 1 {
        f >>= 1;
        s >>= 1;
    }
    let (mut fr, mut sr) = (*first, *first);
    for c in path {
        if s == 0 {
            return false;
        }
        if f & 1 == 1 || f == s {
            fr = node(c, &fr);
            sr = node(c, &sr);
            while f & 1 == 0 && f != 0 {
                f >>= 1;
                s >>= 1;
            }
        } else {
            sr = node(&sr, c);
        }
        f >>= 1;
        s >>= 1;
    }
    s == 0 && fr == *old_root && sr == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    struct Leaves(Vec<Hash>);

    /// RFC 9162 §2.1.1, word for word.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY,
            [one] => *one,
            many => {
                let (l, r) = many.split_at(split(many.len() as u64) as usize);
                node(&naive(l), &naive(r))
            }
        }
    }

    impl Subtrees for Leaves {
        type Error = Infallible;
        fn subtree(&mut self, height: u32, index: u64) -> std::result::Result<Hash, Infallible> {
            let n = 1usize << height;
            Ok(naive(&self.0[index as usize * n..][..n]))
        }
    }

    fn leaves(n: usize) -> Leaves {
        Leaves((0..n).map(|i| h("log leaf", &[&i.to_le_bytes()])).collect())
    }

    #[test]
    fn frontier_and_root_follow_the_definition() {
        let mut all = leaves(70);
        let mut f = Frontier::default();
        for n in 0..=70 {
            assert_eq!(f.root(), naive(&all.0[..n]), "{n}");
            assert_eq!(frontier(&mut all, n as u64).unwrap(), f);
            assert_eq!(root(&mut all, n as u64).unwrap(), f.root());
            if n < 70 {
                f.append(all.0[n]);
            }
        }
    }

    #[test]
    fn inclusion_proofs_hold_and_only_they() {
        let mut all = leaves(40);
        for n in 1..=40u64 {
            let r = naive(&all.0[..n as usize]);
            for i in 0..n {
                let proof = inclusion_proof(&mut all, i, n).unwrap();
                let leaf = all.0[i as usize];
                assert!(verify_inclusion(i, &leaf, n, &r, &proof), "{i} of {n}");
                assert!(!verify_inclusion(i, &[7; 32], n, &r, &proof));
                assert!(!verify_inclusion(i, &leaf, n, &[7; 32], &proof));
                assert!(!verify_inclusion(i + 1, &leaf, n, &r, &proof) || n == 1);
                for at in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[at][0] ^= 1;
                    assert!(!verify_inclusion(i, &leaf, n, &r, &bad));
                    bad.remove(at);
                    assert!(!verify_inclusion(i, &leaf, n, &r, &bad));
                }
            }
        }
    }

    #[test]
    fn consistency_proofs_hold_and_only_they() {
        let mut all = leaves(70);
        for n in 1..=70u64 {
            let new = naive(&all.0[..n as usize]);
            for m in 0..=n {
                let old = naive(&all.0[..m as usize]);
                let proof = consistency_proof(&mut all, m, n).unwrap();
                assert!(verify_consistency(m, &old, n, &new, &proof), "{m} of {n}");
                assert!(!verify_consistency(m, &[9; 32], n, &new, &proof));
                assert!(m == 0 || !verify_consistency(m, &old, n, &[9; 32], &proof));
                for at in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[at][31] ^= 0x80;
                    assert!(!verify_consistency(m, &old, n, &new, &bad), "{m} of {n} at {at}");
                    bad.remove(at);
                    assert!(!verify_consistency(m, &old, n, &new, &bad));
                    let mut long = proof.clone();
                    long.insert(at, [3; 32]);
                    assert!(!verify_consistency(m, &old, n, &new, &long));
                }
            }
        }
    }
}
