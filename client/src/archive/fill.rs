//! How well the packs are filled in which the vault's attachments lie, as far as this device knows.

use super::Archive;
use super::error::Result;
use super::statements::Statements as _;
use crate::ids::PackId;

/// A pack of attachments that records pin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MediaPack {
    pub pack: PackId,
    /// Where its last known chunk ends.
    pub end: u64,
    /// Bytes of the chunks that lie in it by now.
    pub living: u64,
}

impl Archive {
    /// Every pack that chunks lie in, those aside that this device has not pinned yet, and those that have a last day.
    pub fn media_packs(&self) -> Result<Vec<MediaPack>> {
        let mut statement = self.db.prepare_cached(
            "SELECT pack, max(at + bytes), sum(bytes) FROM chunks c \
             WHERE NOT EXISTS (SELECT 1 FROM packs p WHERE p.pack = c.pack) \
             AND NOT EXISTS (SELECT 1 FROM timed_packs t WHERE t.pack = c.pack) GROUP BY pack ORDER BY pack",
        )?;
        let found = statement.query_map([], |r| {
            let (end, living): (i64, i64) = (r.get(1)?, r.get(2)?);
            Ok(MediaPack { pack: PackId(r.get(0)?), end: end.cast_unsigned(), living: living.cast_unsigned() })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether a text too long for its row waits to be sent: it lies among the attachments and is none.
    pub fn long_text_waits(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM files f JOIN long_fields l ON l.file = f.file WHERE f.vault = 0)";
        Ok(self.db.one(sql, [], |r| r.get(0))?)
    }
}
