//! The account's log as a device follows it: every entry is verified before anything is made of it (DESIGN §5).

mod catch_up;
mod content;
mod follower;
mod state;
#[cfg(test)]
mod tests;

pub use catch_up::NewestRoster;
pub use content::{EventsContent, RECORD_CHUNKS_MAX, Ticket};
pub use follower::{Accepted, Alarm, Follower};
pub use state::{HeadSeen, LastRecord, LogState};
