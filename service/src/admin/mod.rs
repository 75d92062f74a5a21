//! Administration over a Unix socket: one JSON request a line, one JSON answer a line.
//!
//! Who can open the socket is the operator: it is made for its owner alone, and nothing else is asked.

mod answer;
mod check;
mod invites;
mod protocol;
mod server;

pub use answer::Admin;
pub use invites::first_invite;
pub use protocol::{AdminError, Request, call};
pub use server::{bind, serve};
