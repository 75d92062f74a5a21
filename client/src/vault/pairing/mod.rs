//! A new device joins by a pairing code: no secret moves, a person compares three words, and the device that is signed
//! in appends the ROSTER.

mod join;
mod link;
mod mailbox;
mod told;

pub use join::Joining;
pub use link::{Linking, Newcomer};

use crate::error::Error;

/// Whatever does not fit between two devices that pair: the person is told one thing, and begins again.
fn failed<E>(_: E) -> Error {
    Error::PairingFailed
}
