//! The size ladder: every stored length is a power of two (`docs/format.md` §1).

/// A length class: 2^class bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Class(u8);

impl Class {
    pub const MIN: Self = Self(8);
    pub const MAX: Self = Self(23);
    /// Floors.
    pub const BODY: Self = Self(8);
    pub const SLOT: Self = Self(9);
    pub const PAGE: Self = Self(14);
    pub const PACK: Self = Self(16);
    /// Ceilings.
    pub const BODY_MAX: Self = Self(16);
    pub const FRONT_PAGE_MAX: Self = Self(17);
    /// Runs are cut at 1 MiB.
    pub const RUN_MAX: Self = Self(20);

    pub fn new(number: u8) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&number).then_some(Self(number))
    }

    /// The smallest class at or above `floor` that holds `len` bytes.
    pub fn fitting(len: usize, floor: Self) -> Option<Self> {
        (floor.0..=Self::MAX.0).map(Self).find(|c| c.bytes() >= len)
    }

    /// The class whose length this is.
    pub fn of_length(len: usize) -> Option<Self> {
        if !len.is_power_of_two() {
            return None;
        }
        Self::new(len.trailing_zeros() as u8)
    }

    pub fn number(self) -> u8 {
        self.0
    }

    pub fn bytes(self) -> usize {
        1 << self.0
    }
}
