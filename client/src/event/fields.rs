//! Tags of a row's fields.

pub use crate::fields::Fields;

/// Tags of a row's fields (`docs/format.md` §3.2). A number is never used twice.
pub mod tag {
    pub const BODY: u16 = 1;
    pub const SENDER: u16 = 2;
    pub const SENT_AT: u16 = 3;
    pub const RECEIVED_AT: u16 = 4;
    pub const SERVER_AT: u16 = 5;
    pub const EDITED_AT: u16 = 6;
    pub const EXPIRES_AT: u16 = 7;
    pub const RANGES: u16 = 8;
    pub const REPLY_TO: u16 = 9;
    pub const FORWARDED_FROM: u16 = 10;
    pub const THREAD_ROOT: u16 = 11;
    pub const VIA_BOT: u16 = 12;
    pub const ATTACHMENTS: u16 = 13;
    /// Every source field not mapped: canonical JSON (keys sorted, no white space).
    pub const EXTRA: u16 = 14;
    /// The source's bytes where they were not UTF-8; `BODY` then holds the readable approximation.
    pub const RAW: u16 = 15;
    /// The source's own id as it shows it (JSON Lines `id`), where the native key is not already that.
    pub const SOURCE_ID: u16 = 16;
    /// Person and emoji of a reaction: emoji as text.
    pub const EMOJI: u16 = 17;
    /// What a system line, call or pin is about, in the source's own word.
    pub const ACTION: u16 = 18;
    /// Ids of further rows that are the same message (own deletions): 32 bytes each.
    pub const ROW_IDS: u16 = 19;
    /// Name of a setting; `BODY` is its value.
    pub const SETTING: u16 = 20;
    /// Whole text stored like an attachment because it is above 16 KiB: an attachment value.
    pub const LONG_BODY: u16 = 21;
    /// A body that is a file of its own (kept source, other long fields): an attachment value.
    pub const LONG_EXTRA: u16 = 22;
    /// Chat title as the source shows it, on import rows.
    pub const TITLE: u16 = 23;
    /// Counts and labels of snapshot and import rows: canonical JSON.
    pub const COUNTS: u16 = 24;
    /// Per-recipient times: canonical JSON.
    pub const RECEIPTS: u16 = 25;
    /// Contents that a media_delete names: BLAKE3 and size of each (40 bytes), ascending.
    pub const CONTENTS: u16 = 26;
    // Formats without ids (FORMATS §2a).
    /// Place inside the time unit, all senders counted; joined by max.
    pub const PLACE: u16 = 40;
    /// Time of the export's last message; joined by min.
    pub const AS_OF: u16 = 41;
    /// Seconds inside the minute where an export shows them; filled in.
    pub const SECONDS: u16 = 42;
    /// The row's class: one byte, `P`, `E`, `D` or `O`.
    pub const CLASS: u16 = 43;
    /// What stood together in one file.
    pub const VIEW: u16 = 44;
    /// What an export was: names, first and last unit, count.
    pub const IMPORT: u16 = 45;
    /// Strand of the export (the unit of its first line).
    pub const STRAND: u16 = 46;
}
