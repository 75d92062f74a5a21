//! The chatkeep protocol: public bytes only. No key, no cipher, no password KDF, no I/O.

pub mod wire;

/// Generated messages, clients and servers of package `chatkeep.v1`.
#[allow(clippy::all, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("chatkeep.v1");

    /// The descriptor set, for reflection and for the golden that makes wire changes visible in review.
    pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/chatkeep.v1.bin"));
}
