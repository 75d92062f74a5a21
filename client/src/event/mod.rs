//! Events and their one canonical encoding, the row (`docs/format.md` §3).
//!
//! A row keeps every field it carries, also those this version does not know: typed accessors read and write single
//! fields of a map that is otherwise carried through untouched.

mod fields;
mod key;
mod kind;
mod row;
mod timer;
mod values;

pub use fields::{Fields, tag};
pub use key::RowKey;
pub use kind::Kind;
pub use row::{Chat, ROW_BYTES_MAX, Row, RowHead, TEXT_BYTES_MAX, Target};
pub use timer::{gone_day, is_gone, last_day};
pub use values::{Attachment, Party, Precision, Presence, Range, Reply, Role, Stamp, ZoneSource};
