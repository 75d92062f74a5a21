//! What the server's clock says beside this device's own.

use super::flow::Flow;
use crate::archive::{Archive, Note};
use crate::error::Result;

/// An own act is dated at most so long after the server's clock: a device whose clock runs years ahead would else win
/// over every other for years.
const AHEAD_MS: i64 = 3_600_000;
/// A difference is noted again when it changes by this.
const STEP_MS: i64 = 60_000;

impl Flow<'_> {
    /// Notes how far the server's clock is from this device's.
    pub(super) fn note_clock(&mut self, server_ms: u64) -> Result<()> {
        let server_ms = i64::try_from(server_ms).unwrap_or(i64::MAX);
        self.server_ms = Some(server_ms);
        self.follower.told(server_ms.unsigned_abs());
        let ahead = server_ms.saturating_sub(self.vault.session.env.now_ms());
        let known = noted(self.archive)?;
        if known.is_none_or(|known| known.abs_diff(ahead) > STEP_MS.unsigned_abs()) {
            self.archive.commit(|c| c.set_note(Note::Clock, Some(&ahead.to_le_bytes())))?;
        }
        Ok(())
    }

    /// The server's clock, ms; before it was asked, this device's own.
    pub(super) fn server_now(&self) -> i64 {
        self.server_ms.unwrap_or_else(|| self.vault.session.env.now_ms())
    }
}

/// How far the server's clock was ahead of this device's, when they were last compared.
fn noted(archive: &Archive) -> Result<Option<i64>> {
    Ok(archive.note(Note::Clock)?.and_then(|bytes| Some(i64::from_le_bytes(bytes.try_into().ok()?))))
}

/// The server's clock, as far as this device knows it, when its own shows `now`.
pub fn server_clock(archive: &Archive, now: i64) -> Result<i64> {
    Ok(now.saturating_add(noted(archive)?.unwrap_or(0)))
}

/// What an act done now is dated: by this device's clock, but not far beyond the server's.
pub fn act_clock(archive: &Archive, now: i64) -> Result<i64> {
    Ok(dated(now, noted(archive)?))
}

fn dated(now: i64, ahead: Option<i64>) -> i64 {
    let most = ahead.map_or(now, |ahead| now.saturating_add(ahead).saturating_add(AHEAD_MS));
    now.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_ahead_is_held_to_the_servers_and_an_hour() {
        let (server, late) = (1_767_225_600_000, 4_070_908_800_000);
        assert_eq!(dated(late, Some(server - late)), server + AHEAD_MS);
        assert_eq!(dated(server + 60_000, Some(-60_000)), server + 60_000);
        assert_eq!(dated(0, Some(server)), 0, "a clock that is behind only loses");
        assert_eq!(dated(late, None), late, "nothing is known of a server");
        assert_eq!(dated(i64::MAX, Some(i64::MAX)), i64::MAX);
    }
}
