//! The roster: who may write, under which key (`docs/format.md` §4.4). One implementation of its acceptance for
//! client, service and reference model.

mod accept;
mod content;

pub use accept::{Refused, accept_chain, accept_first, accept_next};
pub use content::{Device, DeviceState, Joiner, Roster, RosterClear, Rotation, Slot, SlotKind};
pub use content::{ENCAPSULATED_BYTES, KEM_KEY_BYTES, ROOT_WRAP_BYTES, WRAPPED_BYTES};
