//! Pairing two devices by a short code: SPAKE2, then our own confirmation of its key on both sides, before anything is
//! sealed under it (`docs/format.md` §8.1).
//!
//! A wrong code gives another key and no error, so it is the confirmation that decides; a code is good for one try.
//! The check words come from the whole transcript: somebody in the middle who heard the code would have two keys, and
//! two sets of words.

mod code;

use proto::wire::bytes::Writer;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use code::{NoCode, PairingCode};

use super::derive::{derive, derive_public, purpose};
use super::entropy::AsRng;
use super::place::Place;
use super::seal::{Refused, open, seal};
use super::secret::Secret;
use super::{Entropy, Wiped};
use crate::ids::AccountId;

/// A side's message of the exchange.
pub const EXCHANGE_BYTES: usize = 33;
/// What confirms the key.
pub const CONFIRMATION_BYTES: usize = 32;

/// Which of the two devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PairingSide {
    /// The one that wants to join.
    New,
    /// The one that is signed in.
    Old,
}

/// A pairing whose first message is made.
pub struct Pairing {
    state: Spake2<Ed25519Group>,
    side: PairingSide,
    /// What both sides must agree on beside the two messages.
    about: Vec<u8>,
    message: [u8; EXCHANGE_BYTES],
}

/// A pairing whose key both sides have, if the other side had the same code.
pub struct Paired {
    key: Secret,
    side: PairingSide,
}

impl PairingSide {
    fn other(self) -> Self {
        match self {
            Self::New => Self::Old,
            Self::Old => Self::New,
        }
    }

    fn confirmation(self) -> &'static str {
        match self {
            Self::New => purpose::PAIRING_CONFIRM_NEW,
            Self::Old => purpose::PAIRING_CONFIRM_OLD,
        }
    }

    fn sealing(self) -> &'static str {
        match self {
            Self::New => purpose::PAIRING_SEAL_NEW,
            Self::Old => purpose::PAIRING_SEAL_OLD,
        }
    }
}

impl Pairing {
    /// Begins, at the server of that name.
    pub fn start(code: &PairingCode, server_name: &str, side: PairingSide, entropy: &mut dyn Entropy) -> Self {
        let mut about = Writer::new();
        about.prefixed(server_name.as_bytes()).u32(code.number());
        let about = about.finish();
        // The crate keeps the password unwiped: it is given what is good for this mailbox alone.
        let password = derive(purpose::PAIRING_CODE, &[&about, code.words().as_bytes()]);
        let password = Password::new(password.bytes());
        let (new, old) = (Identity::new(b"new device"), Identity::new(b"old device"));
        let (state, sent) = match side {
            PairingSide::New => Spake2::start_a_with_rng(&password, &new, &old, AsRng(entropy)),
            PairingSide::Old => Spake2::start_b_with_rng(&password, &new, &old, AsRng(entropy)),
        };
        let message = sent.as_slice().try_into().expect("a message of this group has 33 bytes");
        Self { state, side, about, message }
    }

    pub fn message(&self) -> &[u8; EXCHANGE_BYTES] {
        &self.message
    }

    /// Takes the other side's message. That it had the same code is not known before its confirmation holds.
    pub fn finish(self, theirs: &[u8]) -> Result<Paired, Refused> {
        let Self { state, side, about, message } = self;
        let theirs: [u8; EXCHANGE_BYTES] = theirs.try_into().map_err(|_| Refused)?;
        let shared = Zeroizing::new(state.finish(&theirs).map_err(|_| Refused)?);
        let (new, old) = match side {
            PairingSide::New => (&message, &theirs),
            PairingSide::Old => (&theirs, &message),
        };
        Ok(Paired { key: derive(purpose::PAIRING, &[&shared, &about, new, old]), side })
    }
}

impl Paired {
    /// What tells the other side that this one has the key.
    pub fn confirmation(&self) -> [u8; CONFIRMATION_BYTES] {
        derive_public(self.side.confirmation(), &[self.key.bytes()])
    }

    /// Whether the other side has the key, and so had the code.
    pub fn confirms(&self, theirs: &[u8]) -> bool {
        let expected = derive_public(self.side.other().confirmation(), &[self.key.bytes()]);
        expected.ct_eq(theirs).into()
    }

    /// Three words for both screens.
    pub fn check_words(&self) -> [&'static str; 3] {
        let bits = derive_public(purpose::PAIRING_CHECK_WORDS, &[self.key.bytes()]);
        let [a, b, c, d, e, ..] = bits;
        let bits = u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
        [0, 11, 22].map(|shift| code::word(u16::try_from(bits >> shift & 0x7ff).unwrap_or(0)))
    }

    /// Seals this side's `number`th message.
    pub fn seal(&self, number: u32, content: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        let key = derive(self.side.sealing(), &[self.key.bytes()]);
        seal(&key, &NO_ACCOUNT, &Place::Pairing { number }, content, entropy)
    }

    /// Opens the other side's `number`th message.
    pub fn open(&self, number: u32, sealed: &[u8]) -> Result<Wiped, Refused> {
        let key = derive(self.side.other().sealing(), &[self.key.bytes()]);
        open(&key, &NO_ACCOUNT, &Place::Pairing { number }, sealed)
    }
}

/// A new device knows no account yet.
const NO_ACCOUNT: AccountId = AccountId([0; 32]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::fixed::Fixed;

    const SERVER: &str = "vault.example.org";
    const CODE: &str = "417-lamp-orbit-civil";

    fn start(code: &str, server: &str, side: PairingSide) -> Pairing {
        Pairing::start(&PairingCode::parse(code).unwrap(), server, side, &mut Fixed::new(&format!("{side:?}")))
    }

    fn pair(new: Pairing, old: Pairing) -> (Paired, Paired) {
        let (from_new, from_old) = (*new.message(), *old.message());
        (new.finish(&from_old).unwrap(), old.finish(&from_new).unwrap())
    }

    fn agree(new: &Paired, old: &Paired) -> bool {
        let held = (new.confirms(&old.confirmation()), old.confirms(&new.confirmation()));
        assert_eq!(held.0, held.1);
        held.0
    }

    #[test]
    fn the_same_code_gives_one_key_and_the_same_words() {
        let (new, old) = pair(start(CODE, SERVER, PairingSide::New), start(CODE, SERVER, PairingSide::Old));
        assert!(agree(&new, &old));
        assert_eq!(new.check_words(), old.check_words());
        assert!(!new.confirms(&new.confirmation()), "a side's own confirmation says nothing to it");
        assert!(!new.confirms(&old.confirmation()[..31]) && !new.confirms(&[]));
        let sealed = new.seal(0, b"keys", &mut Fixed::new("seal"));
        assert_eq!(&**old.open(0, &sealed).unwrap(), b"keys");
        assert!(old.open(1, &sealed).is_err(), "it has a place");
        assert!(new.open(0, &sealed).is_err(), "it has a sender");
    }

    #[test]
    fn another_code_number_server_or_message_gives_another_key() {
        let old = || start(CODE, SERVER, PairingSide::Old);
        for (code, server) in
            [("417-lamp-orbit-cliff", SERVER), ("418-lamp-orbit-civil", SERVER), (CODE, "vault.example.com")]
        {
            let (new, old) = pair(start(code, server, PairingSide::New), old());
            assert!(!agree(&new, &old), "{code} {server}");
            assert!(old.open(0, &new.seal(0, b"x", &mut Fixed::new("seal"))).is_err());
        }
        // Somebody in the middle who knows the code has a key with each side, and the words differ.
        let middle = |side, seed| {
            let code = PairingCode::parse(CODE).unwrap();
            Pairing::start(&code, SERVER, side, &mut Fixed::new(seed))
        };
        let (new, as_old) = pair(start(CODE, SERVER, PairingSide::New), middle(PairingSide::Old, "m1"));
        let (as_new, old) = pair(middle(PairingSide::New, "m2"), old());
        assert!(agree(&new, &as_old) && agree(&as_new, &old));
        assert_ne!(new.check_words(), old.check_words());
    }

    #[test]
    fn hostile_messages_are_refused() {
        let new = || start(CODE, SERVER, PairingSide::New);
        let own = *new().message();
        assert!(new().finish(&own).is_err(), "one's own message sent back");
        let old = *start(CODE, SERVER, PairingSide::Old).message();
        for end in 0..old.len() {
            assert!(new().finish(&old[..end]).is_err());
        }
        assert!(new().finish(&[&old[..], &[0]].concat()).is_err());
    }
}
