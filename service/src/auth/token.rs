//! Tokens: what admits a device's calls for an hour.
//!
//! A token is its content with a MAC, so admission needs no read. Whoever then reads the account compares the access
//! generation in the same statement, so a revoked device's token ends with the ROSTER that revokes it.

use proto::wire::bytes::{Reader, Writer};
use proto::wire::context::PREFIX;
use proto::wire::ids::{AccountId, DeviceId};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How long a token is good for.
pub const TOKEN_SECONDS: u64 = 3600;
const MAC_BYTES: usize = 32;
const VERSION: u8 = 1;

/// Whom a token admits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    pub account: AccountId,
    pub device: DeviceId,
    /// The account's access generation when the token was made; every ROSTER and leaving raises it.
    pub generation: u64,
}

/// A key that tokens are MAC'd under.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct TokenKey([u8; 32]);

/// The key tokens are made under, and the one before it, which is still believed.
pub struct TokenKeys {
    current: TokenKey,
    previous: Option<TokenKey>,
}

impl TokenKeys {
    pub fn new(current: [u8; 32], previous: Option<[u8; 32]>) -> Self {
        Self { current: TokenKey(current), previous: previous.map(TokenKey) }
    }

    pub fn make(&self, caller: &Caller, now_ms: u64) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).raw(&caller.account.0).raw(&caller.device.0).u64(caller.generation);
        let content = w.u64(now_ms.saturating_add(TOKEN_SECONDS * 1000)).finish();
        let mac = self.current.mac(&content);
        Writer::new().raw(&content).raw(mac.as_bytes()).finish()
    }

    /// Whom a token admits now; nothing tells a forged one from an old one.
    pub fn open(&self, token: &[u8], now_ms: u64) -> Option<Caller> {
        let (content, mac) = token.split_at_checked(token.len().checked_sub(MAC_BYTES)?)?;
        let mac: &[u8; MAC_BYTES] = mac.try_into().ok()?;
        let keys = std::iter::once(&self.current).chain(&self.previous);
        // Both keys are always tried, so that time does not tell which one made a token.
        let known = keys.fold(subtle::Choice::from(0), |known, key| known | key.mac(content).as_bytes().ct_eq(mac));
        if !bool::from(known) {
            return None;
        }
        let mut r = Reader::new(content);
        let version = r.u8().ok()?;
        let account = AccountId(r.array().ok()?);
        let device = DeviceId(r.array().ok()?);
        let (generation, until_ms) = (r.u64().ok()?, r.u64().ok()?);
        r.finish().ok()?;
        (version == VERSION && now_ms < until_ms).then_some(Caller { account, device, generation })
    }
}

impl TokenKey {
    fn mac(&self, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(PREFIX.as_bytes()).update(b"token\0").update(content);
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caller() -> Caller {
        Caller { account: AccountId([1; 32]), device: DeviceId([2; 32]), generation: 3 }
    }

    #[test]
    fn a_token_lasts_an_hour_and_outlives_one_change_of_key() {
        let old = TokenKeys::new([1; 32], None);
        let token = old.make(&caller(), 1000);
        assert_eq!(old.open(&token, 1000), Some(caller()));
        assert_eq!(old.open(&token, 1000 + 3_599_999), Some(caller()));
        assert_eq!(old.open(&token, 1000 + 3_600_000), None);
        assert_eq!(TokenKeys::new([2; 32], Some([1; 32])).open(&token, 1000), Some(caller()));
        assert_eq!(TokenKeys::new([3; 32], Some([2; 32])).open(&token, 1000), None);
    }

    #[test]
    fn each_flipped_bit_is_refused() {
        let keys = TokenKeys::new([1; 32], Some([2; 32]));
        let token = keys.make(&caller(), 0);
        for bit in 0..token.len() * 8 {
            let mut bent = token.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open(&bent, 0), None, "{bit}");
        }
        assert_eq!(keys.open(&token[1..], 0), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_admit(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            prop_assert_eq!(TokenKeys::new([1; 32], None).open(&bytes, 0), None);
        }
    }
}
