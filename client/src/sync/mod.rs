//! Bringing archive and vault together: pull and push, backup, restore, fold, check.
//!
//! Everything here can be stopped or killed at any moment and called again: what was acknowledged is not repeated, what
//! was not is made anew.

mod apply;
mod backup;
mod bring_back;
mod bucket;
mod bulk;
mod catalogue;
mod check;
mod clock;
mod contact;
mod events;
mod flow;
mod fold;
mod front;
mod gather;
mod head;
mod hidden;
mod live;
mod media_down;
mod media_read;
mod media_up;
mod names;
mod packs;
mod permit;
mod pull;
mod purge;
mod repair;
mod restore;
mod retention;
mod retry;
mod send;
mod setting;
mod skip;
mod snapshot;
mod take_in;
mod through_head;
mod tickets;
mod timers;
mod token;
mod upload;
mod verify;

pub use backup::{Backup, BackupOptions, Synced};
pub use bring_back::distrust;
pub use bucket::{FromBucket, Lost};
pub use check::{CheckLevel, Checked, Problem};
pub use clock::{act_clock, server_clock};
pub use contact::Usage;
pub use hidden::{hidden, set_hidden};
pub use live::{Inbox, LiveOptions, News, Recorder, Told};
pub use names::rename;
pub use restore::{Media, Missing, RestoreOptions, Restored};
pub use retention::{Keep, Kept, retention, retention_hides, set_retention};
pub use snapshot::{Snapshot, snapshots};
