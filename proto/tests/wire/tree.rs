//! Proofs against a tree defined a second time, and against provers who lie (`docs/format.md` §4.2).

use std::convert::Infallible;

use proptest::prelude::*;
use proto::wire::limits::{LOG_RECORDS_MAX, PROOF_HASHES_MAX};
use proto::wire::tree::{
    Frontier, Hash, Subtrees, consistency_proof, frontier, inclusion_proof, root, verify_consistency, verify_inclusion,
};

use crate::maker::hash;

/// RFC 9162 §2.1.1: split at the largest power of two below the length.
fn defined(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => [0; 32],
        1 => leaves[0],
        n => {
            let mut k = 1;
            while k * 2 < n {
                k *= 2;
            }
            hash("log node", &[&defined(&leaves[..k]), &defined(&leaves[k..])])
        }
    }
}

struct Log(Vec<Hash>);

impl Subtrees for Log {
    type Error = Infallible;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Infallible> {
        let (size, index) = (1usize << height, index as usize);
        Ok(defined(&self.0[index * size..(index + 1) * size]))
    }
}

fn log(n: u64) -> Log {
    Log((0..n).map(|i| hash("log leaf", &[&i.to_le_bytes()])).collect())
}

/// Every proof that differs from a good one by one lie: a hash flipped, left out, doubled, put in, or two swapped.
fn lies(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[proof, &[[3; 32]]].concat()];
    for at in 0..proof.len() {
        let mut change = |f: &dyn Fn(&mut Vec<Hash>)| {
            let mut lie = proof.to_vec();
            f(&mut lie);
            all.push(lie);
        };
        change(&|p| p[at][at % 32] ^= 0x10);
        change(&|p| p.truncate(at));
        change(&|p| {
            p.remove(at);
        });
        change(&|p| p.insert(at, p[at]));
        change(&|p| p.insert(at, [3; 32]));
        (at + 1..proof.len()).for_each(|other| change(&|p| p.swap(at, other)));
    }
    all
}

fn check(log: &mut Log, index: u64, old: u64, new: u64) {
    let roots = [old, new].map(|n| defined(&log.0[..n as usize]));
    let proof = consistency_proof(log, old, new).unwrap();
    assert!(verify_consistency(old, &roots[0], new, &roots[1], &proof), "{old} to {new}");
    assert!(proof.len() <= PROOF_HASHES_MAX);
    for lie in lies(&proof) {
        assert!(!verify_consistency(old, &roots[0], new, &roots[1], &lie), "{old} to {new}");
    }
    assert_eq!(verify_consistency(new, &roots[1], old, &roots[0], &proof), old == new, "{old} to {new} backwards");
    assert!(old == new || !verify_consistency(old, &roots[1], new, &roots[1], &proof) || old == 0);

    // The same root for a log of more height: a size that only seems to have grown.
    let taller = 2 * new.next_power_of_two();
    assert!(old == 0 || !verify_consistency(old, &roots[0], taller, &roots[1], &proof), "{old} to {taller}");

    let leaf = log.0[index as usize];
    let proof = inclusion_proof(log, index, new).unwrap();
    assert!(verify_inclusion(index, &leaf, new, &roots[1], &proof), "{index} in {new}");
    for lie in lies(&proof) {
        assert!(!verify_inclusion(index, &leaf, new, &roots[1], &lie), "{index} in {new}");
    }
    for other in (0..new).filter(|other| *other != index) {
        assert!(!verify_inclusion(other, &leaf, new, &roots[1], &proof), "{index} as {other} in {new}");
    }
    assert!(!verify_inclusion(new, &leaf, new, &roots[1], &proof), "beyond the end");
}

#[test]
fn every_small_log_is_proved_and_no_lie_about_it() {
    let mut all = log(34);
    for new in 1..=34 {
        for old in 0..=new {
            check(&mut all, old % new, old, new);
        }
    }
}

#[test]
fn a_frontier_is_taken_only_in_its_own_shape() {
    assert_eq!(Frontier::from_parts(0, vec![]).unwrap(), Frontier::default());
    for (size, hashes) in [(0, 1), (1, 0), (1, 2), (5, 1), (5, 3), (8, 3), (u64::MAX, 63), (u64::MAX, 65)] {
        assert!(Frontier::from_parts(size, vec![[1; 32]; hashes]).is_err(), "{hashes} hashes for {size}");
    }
    // A log as large as sizes go would overflow on its next record; the largest taken does not.
    assert!(Frontier::from_parts(u64::MAX, vec![[1; 32]; 64]).is_err());
    let mut largest = Frontier::from_parts(LOG_RECORDS_MAX, vec![[1; 32]]).unwrap();
    largest.append([2; 32]);
    assert_eq!((largest.size(), largest.hashes().len()), (LOG_RECORDS_MAX + 1, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn large_logs_are_proved((new, old, index) in (1u64..1500).prop_flat_map(|n| (Just(n), 0..=n, 0..n))) {
        let mut all = log(new);
        check(&mut all, index, old, new);
        let known = frontier(&mut all, old).unwrap();
        let known = Frontier::from_parts(old, known.hashes().to_vec()).unwrap();
        prop_assert_eq!(known.root(), defined(&all.0[..old as usize]));
        let mut grown = known;
        all.0[old as usize..].iter().for_each(|leaf| grown.append(*leaf));
        prop_assert_eq!(grown.root(), root(&mut all, new).unwrap());
        prop_assert_eq!(grown, frontier(&mut all, new).unwrap());
    }
}

proptest! {
    #[test]
    fn no_proof_panics(
        sizes in any::<[u64; 2]>(),
        roots in any::<[Hash; 2]>(),
        proof in prop::collection::vec(any::<Hash>(), 0..140),
    ) {
        prop_assert!(!verify_consistency(sizes[0].max(1), &roots[0], sizes[1], &roots[1], &proof) || sizes[0] == sizes[1]);
        prop_assert!(!verify_inclusion(sizes[0], &roots[0], sizes[1], &roots[1], &proof));
    }
}
