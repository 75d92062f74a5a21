//! All keys an active device works with: every epoch's, and the lifetime secret.

use proto::wire::bytes::{Reader, Writer};
use proto::wire::header::Record;
use proto::wire::limits::BODY_BYTES_MAX;
use zeroize::Zeroizing;

use super::secret::Secret;
use super::{Entropy, EpochKey, Lifetime, OpenBody, Refused, open_body};

/// The keys of all epochs so far, the current one last, and the lifetime secret.
pub struct Keyring {
    earlier: Vec<EpochKey>,
    current: EpochKey,
    lifetime: Lifetime,
}

/// A roster's body holds no more.
const EARLIER_MAX: usize = BODY_BYTES_MAX / 32;

impl Keyring {
    /// Makes a new account's keys.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let current = EpochKey::generate(entropy);
        Self { earlier: Vec::new(), current, lifetime: Lifetime::generate(entropy) }
    }

    /// Begins the next epoch. What was sealed before still opens.
    pub fn advance(&mut self, entropy: &mut dyn Entropy) {
        let last = std::mem::replace(&mut self.current, EpochKey::generate(entropy));
        self.earlier.push(last);
    }

    pub fn epoch(&self) -> u32 {
        u32::try_from(self.earlier.len()).expect("fewer epochs than EARLIER_MAX are ever read or made")
    }

    pub fn current(&self) -> &EpochKey {
        &self.current
    }

    pub fn of_epoch(&self, epoch: u32) -> Option<&EpochKey> {
        let index = usize::try_from(epoch).ok()?;
        if index == self.earlier.len() { Some(&self.current) } else { self.earlier.get(index) }
    }

    pub fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// Opens a record's body with the current epoch's key, or the newest earlier one that does.
    pub fn open_body(&self, record: &Record, body: &[u8]) -> Result<OpenBody, Refused> {
        let keys = std::iter::once(&self.current).chain(self.earlier.iter().rev());
        keys.map(|key| open_body(record, body, key)).find(Result::is_ok).unwrap_or(Err(Refused))
    }

    /// Encodes all but the current key, under which the result is about to be sealed.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut w = Writer::new();
        w.u32(self.epoch());
        for key in &self.earlier {
            w.raw(key.0.bytes());
        }
        w.raw(self.lifetime.0.bytes());
        Zeroizing::new(w.finish())
    }

    /// Puts a keyring together again, given the current key that opened it.
    pub(super) fn decode(bytes: &[u8], current: EpochKey, epoch: u32) -> Result<Self, Refused> {
        let mut r = Reader::new(bytes);
        let count = r.u32().map_err(|_| Refused)?;
        if count != epoch || count as usize > EARLIER_MAX {
            return Err(Refused);
        }
        let mut key = || Ok(Secret::copied(&r.array().map_err(|_| Refused)?));
        let earlier = (0..count).map(|_| key().map(EpochKey)).collect::<Result<Vec<_>, Refused>>()?;
        let lifetime = Lifetime(key()?);
        r.finish().map_err(|_| Refused)?;
        Ok(Self { earlier, current, lifetime })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;

    #[test]
    fn all_epochs_and_the_lifetime_come_back() {
        let mut entropy = Fixed::new("keyring");
        let mut keyring = Keyring::generate(&mut entropy);
        for _ in 0..3 {
            keyring.advance(&mut entropy);
        }
        let current = || EpochKey(Secret::copied(keyring.current().0.bytes()));
        let again = Keyring::decode(&keyring.encode(), current(), 3).unwrap();
        for epoch in 0..4 {
            assert!(keyring.of_epoch(epoch).unwrap().0.same(&again.of_epoch(epoch).unwrap().0));
        }
        assert!(again.of_epoch(4).is_none());
        assert!(keyring.lifetime().0.same(&again.lifetime().0));
        assert!(Keyring::decode(&keyring.encode(), current(), 2).is_err(), "another epoch");
        let bytes = keyring.encode();
        for length in 0..bytes.len() {
            assert!(Keyring::decode(&bytes[..length], current(), 3).is_err());
        }
        assert!(Keyring::decode(&[&bytes[..], &[0]].concat(), current(), 3).is_err());
    }
}
