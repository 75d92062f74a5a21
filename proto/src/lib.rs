//! The chatkeep protocol: public bytes only. No key, no cipher, no password KDF, no I/O.

pub mod wire;
