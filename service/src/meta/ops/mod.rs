//! The rules, one implementation for every store. Each function is the inside of one transaction.

pub mod account;
pub mod admin;
pub mod append;
pub mod brake;
pub mod expire;
pub mod gate;
pub mod head;
pub mod mailbox;
pub mod mirror;
pub mod pack;
pub mod place;
pub mod read;
pub mod roster;
pub mod sweep;
pub mod trim;
