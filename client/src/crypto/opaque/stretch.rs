//! Argon2id, the stretching inside OPAQUE: its cost, the bounds of that cost, and its memory.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use proto::wire::slot::Argon2Cost;
use thiserror::Error;
use zeroize::Zeroize;

/// A cost that was held to bounds before use. A service cannot make a device stretch for nothing or without end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost(Argon2Cost);

/// The offered cost is outside what this client accepts.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the service asks for Argon2id at {} KiB, {} passes, {} lanes, which is outside what this client accepts", .0.memory_kib, .0.passes, .0.lanes)]
pub struct CostRefused(pub Argon2Cost);

/// From which to which cost a client stretches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    floor: Argon2Cost,
    ceiling: Argon2Cost,
}

const FLOOR: Argon2Cost = Argon2Cost { memory_kib: 19 << 10, passes: 2, lanes: 1 };
const CEILING: Argon2Cost = Argon2Cost { memory_kib: 1 << 20, passes: 10, lanes: 4 };
const CHEAP: Argon2Cost = Argon2Cost { memory_kib: 64, passes: 1, lanes: 1 };

impl Bounds {
    /// What every client that serves people uses.
    pub const STANDARD: Self = Self { floor: FLOOR, ceiling: CEILING };
    /// Lets suites that sign in a thousand times use [`Cost::CHEAP_FOR_TESTS`]. Nothing but a test passes it.
    pub const FOR_TESTS: Self = Self { floor: CHEAP, ceiling: CEILING };

    /// Holds an offered cost to the bounds.
    pub fn accept(&self, offered: Argon2Cost) -> Result<Cost, CostRefused> {
        let Argon2Cost { memory_kib, passes, lanes } = offered;
        let fits = (self.floor.memory_kib..=self.ceiling.memory_kib).contains(&memory_kib)
            && (self.floor.passes..=self.ceiling.passes).contains(&passes)
            && (self.floor.lanes..=self.ceiling.lanes).contains(&lanes)
            && memory_kib >= 8 * lanes;
        if fits { Ok(Cost(offered)) } else { Err(CostRefused(offered)) }
    }
}

impl Cost {
    pub const DEFAULT: Self = Self(Argon2Cost { memory_kib: 64 << 10, passes: 3, lanes: 1 });
    /// For people whose devices are all large.
    pub const LARGE: Self = Self(Argon2Cost { memory_kib: 256 << 10, passes: 3, lanes: 1 });
    pub const CHEAP_FOR_TESTS: Self = Self(CHEAP);

    pub fn get(&self) -> Argon2Cost {
        self.0
    }

    fn stretch(&self, input: &[u8], out: &mut [u8]) -> Option<()> {
        let Argon2Cost { memory_kib, passes, lanes } = self.0;
        let params = Params::new(memory_kib, passes, lanes, Some(out.len())).ok()?;
        let mut arena = Arena::of(params.block_count())?;
        // RFC 9807 §10.9: the salt is zero, because the OPRF's output is already unique to the account.
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into_with_memory(input, &[0; 16], out, &mut arena.0[..]).ok()
    }
}

/// Needed by the trait; every call passes its cost explicitly.
impl Default for Cost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl opaque_ke::ksf::Ksf for Cost {
    fn hash<L: ArrayLength<u8>>(&self, input: GenericArray<u8, L>) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        self.stretch(&input, &mut output).ok_or(InternalError::KsfError)?;
        Ok(output)
    }
}

/// Argon2's memory: taken without aborting when there is none, wiped and given back at once.
struct Arena(Vec<Block>);

impl Arena {
    fn of(blocks: usize) -> Option<Self> {
        let mut arena = Vec::new();
        arena.try_reserve_exact(blocks).ok()?;
        arena.resize(blocks, Block::default());
        Some(Self(arena))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for block in &mut self.0 {
            block.zeroize();
        }
    }
}

const _: () = assert!(FLOOR.memory_kib >= 8 * FLOOR.lanes && CHEAP.memory_kib >= 8 * CHEAP.lanes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_outside_the_bounds_are_refused() {
        let offer = |memory_kib, passes, lanes| Bounds::STANDARD.accept(Argon2Cost { memory_kib, passes, lanes });
        assert_eq!(offer(64 << 10, 3, 1), Ok(Cost::DEFAULT));
        assert_eq!(offer(256 << 10, 3, 1), Ok(Cost::LARGE));
        assert!(offer(19 << 10, 2, 1).is_ok() && offer(1 << 20, 10, 4).is_ok());
        for (memory, passes, lanes) in [
            ((19 << 10) - 1, 2, 1),
            (19 << 10, 1, 1),
            (19 << 10, 2, 0),
            ((1 << 20) + 1, 3, 1),
            (1 << 20, 11, 1),
            (1 << 20, 3, 5),
            (u32::MAX, u32::MAX, u32::MAX),
            (0, 0, 0),
        ] {
            assert!(offer(memory, passes, lanes).is_err(), "{memory} {passes} {lanes}");
        }
        assert!(Bounds::STANDARD.accept(CHEAP).is_err());
        assert_eq!(Bounds::FOR_TESTS.accept(CHEAP), Ok(Cost::CHEAP_FOR_TESTS));
    }

    /// The expected outputs were computed with the C reference implementation.
    #[test]
    fn it_is_argon2id_with_a_zero_salt() {
        let stretched = |passes, lanes| {
            let mut out = [0; 64];
            Cost(Argon2Cost { memory_kib: 256, passes, lanes }).stretch(&[7; 64], &mut out).unwrap();
            out.iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        assert_eq!(
            stretched(2, 1),
            "0774a3d1685ead5c0f91dc3973ab389cc1b552d6ad174619c0eb45424de028b8\
             13d65d41cd61ff767f820df2f9a7f5ca18fd802c86d4ecf2b771a59c4e02f8e1"
        );
        assert_eq!(
            stretched(3, 4),
            "1405da73b1695b01864482b7493dfa309c1df3d916a47c0e2f4057a25900cd99\
             f6117920b8abc0d0a8e59bc2b91940429a9f20f3952387aba1e801f7e3bf2dc8"
        );
    }
}
