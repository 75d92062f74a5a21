//! Last days: when what has a timer is gone, for both sides alike.

pub const DAY_MS: u64 = 24 * 3_600_000;

/// Whether a last day (days since 1970) is over at a time; 0 stands for none.
pub fn is_past(last_day: u32, now_ms: u64) -> bool {
    last_day != 0 && now_ms / DAY_MS > u64::from(last_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_over_when_the_next_begins() {
        assert!(!is_past(20_000, 20_001 * DAY_MS - 1));
        assert!(is_past(20_000, 20_001 * DAY_MS));
        assert!(!is_past(0, u64::MAX));
        assert!(!is_past(u32::MAX, 20_000 * DAY_MS));
    }
}
