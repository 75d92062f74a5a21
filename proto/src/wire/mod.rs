//! Bytes that both sides must agree on (`docs/format.md`): one implementation for client, service and reference model.

pub mod bytes;
pub mod ids;
