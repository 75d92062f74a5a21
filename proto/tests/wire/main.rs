//! The protocol's bytes seen from outside: layouts by hand, golden vectors, hostile bytes, roster rules, proofs.
//!
//! What these tests can see: a moved field, a changed hash or signing context, a second encoding of one value, a panic
//! on foreign bytes, a roster rule that is gone, a proof that proves too much, a changed message. What they cannot: a
//! rule that is missing from `docs/format.md` too.

mod chain;
mod descriptor;
mod golden;
mod layout;
mod maker;
mod parsers;
mod roster;
mod samples;
mod tree;
