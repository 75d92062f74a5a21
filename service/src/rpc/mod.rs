//! The gRPC surface: requests in, domain calls, answers and typed refusals out.

mod accounts;
mod answers;
mod checked;
mod hints;
mod packs;
mod pairing;
pub mod refusal;
mod serve;
mod state;
mod vault;
mod watch;

pub use checked::{INVITE_BYTES, invite_hash};
pub use hints::{Grown, Hints};
pub use serve::{Connection, Service};
pub use state::{Registration, Settings};
