//! The one reader and writer of bytes (`docs/format.md` §1).
//!
//! Nothing else in the workspace indexes into bytes that came from outside. Integers are little-endian; varints are
//! LEB128 in their shortest form, so one value has one encoding.

use thiserror::Error;

/// Why bytes from outside could not be read. The place is not told: a failed parse says nothing about secrets.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    #[error("ends too early")]
    Short,
    #[error("has bytes left over")]
    Trailing,
    #[error("a length or count is above its limit")]
    TooLong,
    #[error("a value is not in its one canonical form")]
    NotCanonical,
    #[error("a value is outside what this version knows")]
    Unknown,
}

pub type Result<T> = std::result::Result<T, Malformed>;

/// A cursor over bytes we may not have written.
#[derive(Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn remaining(&self) -> usize {
        self.0.len()
    }

    /// Takes exactly `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Malformed::Short)?;
        self.0 = tail;
        Ok(head)
    }

    /// Takes all that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Malformed::Short)?;
        self.0 = tail;
        Ok(*head)
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Reads a LEB128 number of at most 64 bits; the shortest form only.
    pub fn uvarint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed::NotCanonical);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let longer_than_needed = byte == 0 && shift > 0;
                return if longer_than_needed { Err(Malformed::NotCanonical) } else { Ok(value) };
            }
        }
        Err(Malformed::NotCanonical)
    }

    /// Reads a signed number in zigzag form.
    pub fn svarint(&mut self) -> Result<i64> {
        let raw = self.uvarint()?;
        Ok(((raw >> 1) as i64) ^ -((raw & 1) as i64))
    }

    /// Reads a varint length, holds it to `max` before anything is taken, then takes that many bytes.
    pub fn prefixed(&mut self, max: usize) -> Result<&'a [u8]> {
        let len = self.uvarint()?;
        if len > max as u64 {
            return Err(Malformed::TooLong);
        }
        self.take(len as usize)
    }

    /// Reads a varint count held to `max`.
    pub fn count(&mut self, max: usize) -> Result<usize> {
        let n = self.uvarint()?;
        if n > max as u64 { Err(Malformed::TooLong) } else { Ok(n as usize) }
    }

    /// Reads prefixed UTF-8.
    pub fn text(&mut self, max: usize) -> Result<&'a str> {
        std::str::from_utf8(self.prefixed(max)?).map_err(|_| Malformed::NotCanonical)
    }

    /// Asserts that nothing is left.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::Trailing) }
    }
}

/// The writing half: a growing buffer with the same vocabulary as [`Reader`].
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.raw(&[v])
    }

    pub fn u16(&mut self, v: u16) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    pub fn uvarint(&mut self, mut v: u64) -> &mut Self {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
        self
    }

    pub fn svarint(&mut self, v: i64) -> &mut Self {
        self.uvarint(((v << 1) ^ (v >> 63)) as u64)
    }

    pub fn prefixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.uvarint(bytes.len() as u64).raw(bytes)
    }

    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_shortest_varint_is_read() {
        for long in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0x80; 10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] {
            assert_eq!(Reader::new(long).uvarint().err(), Some(Malformed::NotCanonical), "{long:x?}");
        }
        assert_eq!(Reader::new(&[0x80]).uvarint(), Err(Malformed::Short));
    }

    proptest! {
        #[test]
        fn numbers_come_back(u in any::<u64>(), s in any::<i64>(), b in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = Writer::new().uvarint(u).svarint(s).prefixed(&b).finish();
            let mut r = Reader::new(&bytes);
            prop_assert_eq!((r.uvarint()?, r.svarint()?, r.prefixed(300)?), (u, s, &b[..]));
            r.finish()?;
        }

        #[test]
        fn no_bytes_panic(b in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut r = Reader::new(&b);
            while r.uvarint().is_ok() || r.prefixed(16).is_ok() || r.u32().is_ok() {}
        }
    }
}
