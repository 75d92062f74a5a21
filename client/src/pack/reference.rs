//! What must be known of a pack to read it: the form in which a head lists its pages (`docs/format.md` §4.5).

use proto::wire::bytes::{Malformed, Reader, Result, Writer};
use proto::wire::ladder::Class;

use super::Damaged;
use crate::crypto::{Entropy, PackKey, PackPlace, draw};
use crate::ids::{AccountId, PackId};

/// A pack's name, length, hash and key.
pub struct PackRef {
    pub id: PackId,
    pub class: Class,
    /// BLAKE3 of the pack's bytes.
    pub hash: [u8; 32],
    pub key: PackKey,
    /// Length of the sealed footer; 0 in a catalogue page.
    pub footer_len: u32,
}

/// A pack ready for upload.
pub struct SealedPack {
    pub pack: PackRef,
    pub bytes: Vec<u8>,
}

/// A sealed footer is never longer: it describes at most 1 MiB of blocks.
pub(super) const FOOTER_BYTES_MAX: u32 = 1 << 20;

impl PackRef {
    pub fn encode(&self, w: &mut Writer) {
        w.raw(&self.id.0).u8(self.class.number()).raw(&self.hash);
        self.key.write(w);
        w.u32(self.footer_len);
    }

    pub fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (id, class, hash) = (PackId(r.array()?), r.u8()?, r.array()?);
        let class = Class::new(class).ok_or(Malformed::Unknown)?;
        let (key, footer_len) = (PackKey::read(r)?, r.u32()?);
        if footer_len > FOOTER_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        Ok(Self { id, class, hash, key, footer_len })
    }

    /// Holds a whole pack to its stated length and hash.
    pub fn check(&self, bytes: &[u8]) -> std::result::Result<(), Damaged> {
        let alike = bytes.len() == self.class.bytes() && *blake3::hash(bytes).as_bytes() == self.hash;
        if alike { Ok(()) } else { Err(Damaged) }
    }

    pub(super) fn place(&self, account: &AccountId, number: u32, last: bool) -> PackPlace {
        PackPlace { account: *account, pack: self.id, number, last }
    }
}

/// Name and key of a pack about to be written.
pub(super) struct Fresh {
    pub id: PackId,
    pub key: PackKey,
}

impl Fresh {
    pub(super) fn draw(entropy: &mut dyn Entropy) -> Self {
        Self { id: PackId(draw(entropy)), key: PackKey::generate(entropy) }
    }

    pub(super) fn place(&self, account: &AccountId, number: u32, last: bool) -> PackPlace {
        PackPlace { account: *account, pack: self.id, number, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fixed::Fixed;

    #[test]
    fn references_come_back() {
        let fresh = Fresh::draw(&mut Fixed::new("reference"));
        let hash = [4; 32];
        let pack = PackRef { id: fresh.id, class: Class::PAGE, hash, key: fresh.key, footer_len: 300 };
        let mut w = Writer::new();
        pack.encode(&mut w);
        let bytes = w.finish();
        let again = PackRef::decode(&mut Reader::new(&bytes)).unwrap();
        assert!(again.key.same(&pack.key));
        assert_eq!((again.id, again.class, again.hash, again.footer_len), (pack.id, pack.class, hash, 300));
        for length in 0..bytes.len() {
            assert!(PackRef::decode(&mut Reader::new(&bytes[..length])).is_err());
        }
    }

    #[test]
    fn a_footer_longer_than_any_is_refused() {
        let fresh = Fresh::draw(&mut Fixed::new("reference"));
        let mut pack = PackRef { id: fresh.id, class: Class::MAX, hash: [4; 32], key: fresh.key, footer_len: 0 };
        for (length, fits) in [(FOOTER_BYTES_MAX, true), (FOOTER_BYTES_MAX + 1, false)] {
            pack.footer_len = length;
            let mut w = Writer::new();
            pack.encode(&mut w);
            assert_eq!(PackRef::decode(&mut Reader::new(&w.finish())).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn only_the_bytes_it_names_pass() {
        let fresh = Fresh::draw(&mut Fixed::new("reference"));
        let bytes = vec![7; Class::PAGE.bytes()];
        let hash = *blake3::hash(&bytes).as_bytes();
        let pack = PackRef { id: fresh.id, class: Class::PAGE, hash, key: fresh.key, footer_len: 0 };
        assert_eq!(pack.check(&bytes), Ok(()));
        assert_eq!(pack.check(&[&bytes[..], &[7]].concat()), Err(Damaged));
        assert_eq!(pack.check(&vec![8; bytes.len()]), Err(Damaged));
    }
}
