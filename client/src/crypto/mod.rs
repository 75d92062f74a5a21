//! Keys, sealing, slots, rosters and the passphrase login: all of the client's cryptography, and no I/O.
//!
//! Every key is a type of its own, made by derivation, generation or opening, wiped when dropped, and neither shown,
//! copied nor serialised. What needs a key is a method of it, so no caller holds raw key bytes; the few places that
//! must write a key into something sealed are inside this crate. `docs/format.md` §2 lists every derivation.

mod derive;
mod device;
mod digest;
mod entropy;
mod epoch;
mod keyring;
pub(crate) mod large;
mod lifetime;
mod object_keys;
pub mod opaque;
mod padding;
pub mod pairing;
pub mod passphrase;
mod place;
mod record;
mod recovery;
mod recovery_text;
mod root;
pub mod roster;
mod seal;
mod secret;
pub mod slot;
mod wiped;
mod wrap;

pub use device::{DeviceKeys, DevicePublic};
pub use digest::{Digest, Term};
pub use entropy::Entropy;
pub(crate) use entropy::draw;
#[cfg(test)]
pub(crate) use entropy::fixed;
pub use epoch::EpochKey;
pub use keyring::Keyring;
pub use lifetime::{ChunkIdKey, CutKey, DigestKey, EventKey, FileKey, Lifetime};
pub use object_keys::{ArchiveKey, ChunkKey, PackKey, PackPlace};
pub use padding::{PADDING_PREFIX_BYTES, pad, unpad};
pub use record::{BodyTooLong, OpenBody, SealedRecord, content_bytes_max, open_body, seal_record, sign_bare};
pub use recovery::{RecoveryKey, RecoverySigner};
pub use recovery_text::Typo;
pub use root::{Root, RosterSigner, account_of};
pub use seal::{Refused, SEAL_BYTES};
pub use wiped::Wiped;
pub use wrap::Wrap;
