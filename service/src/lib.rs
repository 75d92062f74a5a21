//! The chatkeep service: orders and keeps what it cannot read.
//!
//! Everything from outside comes in through a trait or a value: clock and randomness ([`env`]), rows ([`meta`]),
//! objects ([`objects`]), connections (a stream of IO objects given to `rpc::Service::serve`).

pub mod auth;
pub mod config;
pub mod env;
pub mod limits;
pub mod meta;
pub mod objects;

/// The product's name, as people and file names see it.
pub const PRODUCT: &str = "chatkeepd";
