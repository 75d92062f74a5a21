//! How much of everything is admitted, and what is told to those who come too many.

mod admission;
mod fairness;
mod network;

pub use admission::{Admission, AdmissionLayer, Class, Label};
pub use fairness::{Fairness, Share};
pub use network::{Network, NetworkLimit, Peer};

use std::time::Duration;

/// What a message may measure: a batch of 64 full bodies fits, and so does an answer with head, roster and tail.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// A call of a pairing: one message, and what says whose it is.
pub const LETTER_BYTES_MAX: usize = proto::wire::limits::PAIRING_OLD_BYTES_MAX + 1024;
/// HTTP/2 windows, per stream and per connection.
pub const WINDOW_BYTES: u32 = 4 << 20;
/// Calls one connection may have open at once.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// Headers of one call.
pub const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;
/// Silence after which a connection is asked whether it is still there, and how long it has to answer.
pub const KEEPALIVE: Duration = Duration::from_secs(20);
/// A call that touches rows alone ends within this.
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Silence between two pieces of an upload.
pub const UPLOAD_IDLE: Duration = Duration::from_secs(30);
/// A whole upload of at most 8 MiB.
pub const UPLOAD_DEADLINE: Duration = Duration::from_secs(600);
/// What an object call may take.
pub const OBJECT_DEADLINE: Duration = Duration::from_secs(45);
/// How long `Open` waits for the front page before it answers without it.
pub const FRONT_PAGE_WAIT: Duration = Duration::from_millis(300);
/// A watcher's admission is looked at again at least this often.
pub const WATCH_RECHECK: Duration = Duration::from_secs(300);
/// Entries kept of a watched log for its streams; what is longer a watcher pulls.
pub const HINT_BYTES_MAX: usize = 32 << 10;

const _: () = {
    assert!(MESSAGE_BYTES_MAX > 2 * proto::wire::limits::BATCH_BYTES_MAX);
    assert!(MESSAGE_BYTES_MAX > 2 * proto::wire::limits::PULL_BYTES_MAX);
    assert!(HINT_BYTES_MAX < MESSAGE_BYTES_MAX);
    assert!(UPLOAD_IDLE.as_secs() < UPLOAD_DEADLINE.as_secs());
};
