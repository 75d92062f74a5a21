//! Bytes that both sides must agree on (`docs/format.md`): one implementation for client, service and reference model.

pub mod bytes;
pub mod context;
pub mod events;
pub mod head;
pub mod header;
pub mod ids;
pub mod ladder;
pub mod last_day;
pub mod limits;
pub mod roster;
pub mod signin;
pub mod slot;
pub mod tree;
