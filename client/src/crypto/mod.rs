//! Keys and sealing (`docs/format.md` §2). Does no I/O; randomness comes in from outside.

mod derive;
mod digest;
mod ids;
mod lifetime;
mod recovery;
mod seal;

pub use digest::{Digest, LANES};
pub use ids::{ChunkIdKey, CutKey, DigestKey, EventKey, FileKey};
pub use lifetime::{EpochKey, Lifetime};
pub use recovery::{RecoveryKey, Typo};
pub use seal::{
    ArchiveKey, ChunkKey, PackKey, Place, Refused, SEAL_OVERHEAD_BYTES, body_class, open, pad, padding, seal, unpad,
};
