//! What a device in exchange does when nothing else happens, and when it is due. It outlives single exchanges.

use std::time::Duration;

use proto::wire::ladder::Class;
use tokio::time::Instant;

/// Small packs are looked for so often: they come one by one.
const GATHER_EVERY: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Chores {
    /// Since when attachments wait for others to go with.
    media_since: Option<Instant>,
    gathered_at: Option<Instant>,
}

impl Chores {
    /// When attachments that wait go out: at once if they fill a pack, otherwise once the first has waited so long for
    /// company.
    pub fn media_due(&mut self, waiting_bytes: u64, wait: Duration, now: Instant) -> Instant {
        let since = *self.media_since.get_or_insert(now);
        if waiting_bytes >= Class::MAX.bytes() as u64 { now } else { since + wait }
    }

    /// None wait any more.
    pub fn media_went(&mut self) {
        self.media_since = None;
    }

    /// Whether to look for packs to gather now. Noted as done once it was.
    pub fn gather_due(&self, now: Instant) -> bool {
        self.gathered_at.is_none_or(|at| now - at >= GATHER_EVERY)
    }

    pub fn gathered(&mut self, now: Instant) {
        self.gathered_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_attachments_wait_from_the_first_on_and_a_full_pack_does_not() {
        let (begun, wait) = (Instant::now(), Duration::from_secs(600));
        let mut chores = Chores::default();
        assert_eq!(chores.media_due(1_000, wait, begun), begun + wait);
        let later = begun + Duration::from_secs(400);
        assert_eq!(chores.media_due(2_000, wait, later), begun + wait, "one more does not put it off");
        assert_eq!(chores.media_due(8 << 20, wait, later), later);
        chores.media_went();
        assert_eq!(chores.media_due(1_000, wait, later), later + wait);
    }
}
