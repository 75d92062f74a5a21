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

    pub const fn number(self) -> u8 {
        self.0
    }

    pub const fn bytes(self) -> usize {
        1 << self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_class_that_holds_a_length_is_found() {
        for (len, floor, bytes) in [
            (0, Class::BODY, 256),
            (256, Class::BODY, 256),
            (257, Class::BODY, 512),
            (1, Class::SLOT, 512),
            (1, Class::PAGE, 16 << 10),
            (65_537, Class::PACK, 128 << 10),
            (8 << 20, Class::PACK, 8 << 20),
        ] {
            assert_eq!(Class::fitting(len, floor).unwrap().bytes(), bytes, "{len}");
        }
        assert_eq!(Class::fitting((8 << 20) + 1, Class::BODY), None);
        assert_eq!(Class::fitting(usize::MAX, Class::BODY), None);
    }

    #[test]
    fn only_the_ladder_has_classes() {
        let lengths = (0..=usize::BITS - 1).map(|n| 1usize << n);
        let on: Vec<_> = lengths.filter_map(Class::of_length).map(Class::number).collect();
        assert_eq!(on, (8..=23).collect::<Vec<u8>>());
        assert!([0, 255, 257, 768, (8 << 20) - 1, usize::MAX].into_iter().all(|len| Class::of_length(len).is_none()));
        assert_eq!((0..=255).filter_map(Class::new).count(), 16);
    }
}
