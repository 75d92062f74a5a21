//! Checking the archive against itself.

use super::error::Result;
use super::statements::Statements as _;
use super::{Archive, media};
use crate::ids::FileId;

/// Problems that are named; a broken file has many.
const PROBLEMS_MAX: usize = 100;

impl Archive {
    /// Verifies every page, the tables against each other, and that every media file is there. Answers what is wrong,
    /// in words that name no content.
    pub fn check(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        // In WAL mode every page the cipher complains about is a page in use.
        for pragma in ["PRAGMA cipher_integrity_check", "PRAGMA integrity_check"] {
            let mut statement = self.db.prepare_cached(pragma)?;
            for line in statement.query_map([], |r| r.get::<_, String>(0))?.take(PROBLEMS_MAX) {
                problems.push(line?);
            }
        }
        problems.retain(|line| line != "ok");
        for (wrong, sql) in [
            (
                "chats count their messages wrongly",
                "SELECT count(*) FROM chats c WHERE messages <> (SELECT count(*) FROM messages m WHERE m.chat = c.n) + \
                 (SELECT coalesce(sum(waiting), 0) FROM stretches s WHERE s.chat = c.n)",
            ),
            (
                "chats count the bytes of their texts wrongly",
                "SELECT count(*) FROM chats c WHERE text_bytes <> \
                 (SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM messages m WHERE m.chat = c.n) + \
                 (SELECT coalesce(sum(text_bytes), 0) FROM stretches s WHERE s.chat = c.n)",
            ),
            (
                "messages are neither indexed nor waiting for it",
                "SELECT count(*) FROM messages m WHERE text <> '' AND n NOT IN (SELECT n FROM unindexed) \
                 AND n NOT IN (SELECT rowid FROM words)",
            ),
            ("rows of no chat", "SELECT count(*) FROM rows WHERE chat NOT IN (SELECT n FROM chats)"),
            ("stretches of no chat", "SELECT count(*) FROM stretches WHERE chat NOT IN (SELECT n FROM chats)"),
            ("stretches without a frame", "SELECT count(*) FROM stretches WHERE n NOT IN (SELECT n FROM frames)"),
            (
                "stretches that meet another",
                "SELECT count(*) FROM stretches a JOIN stretches b ON a.chat = b.chat AND a.first < b.first \
                 WHERE b.first <= a.last",
            ),
            (
                "rows inside a stretch's span",
                "SELECT count(*) FROM stretches s WHERE EXISTS \
                 (SELECT 1 FROM rows r WHERE r.chat = s.chat AND r.time BETWEEN s.first AND s.last)",
            ),
            (
                "what a stretch adds to the digest, kept or missing at the wrong time",
                "SELECT count(*) FROM stretches WHERE (state = 0) = (n IN (SELECT n FROM frame_lanes))",
            ),
            (
                "the log's value of a row that is not in the log",
                "SELECT count(*) FROM rows WHERE arrival IS NULL AND (logged IS NOT NULL OR state = 0)",
            ),
        ] {
            let count: i64 = self.db.one(sql, [], |r| r.get(0))?;
            if count > 0 {
                problems.push(format!("{wrong}: {count}"));
            }
        }
        problems.extend(self.check_media()?);
        Ok(problems)
    }

    fn check_media(&self) -> Result<Vec<String>> {
        let mut statement = self.db.prepare_cached("SELECT file FROM files WHERE here IS NOT NULL")?;
        let mut gone = 0;
        for file in statement.query_map([], |r| Ok(FileId(r.get(0)?)))? {
            gone += u64::from(self.media.open(&self.db, &file?).is_err());
        }
        Ok(if gone > 0 { vec![format!("media files are gone: {gone}")] } else { Vec::new() })
    }

    /// Reads a media file to its end; tells whether it is whole and what its name says.
    pub fn check_file(&self, file: &FileId) -> Result<bool> {
        let Some(mut reader) = media::Store::open(&self.media, &self.db, file)? else { return Ok(false) };
        let mut hasher = blake3::Hasher::new();
        let bytes = reader.bytes();
        if std::io::copy(&mut reader, &mut hasher).is_err() {
            return Ok(false);
        }
        Ok(self.parts.ids.file(hasher.finalize().as_bytes(), bytes) == *file)
    }
}
