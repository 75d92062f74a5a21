//! Values with units.

use std::time::Duration;

/// Reads a length of time: `10s`, `15m`, `2h`, `30d`, or seconds.
pub fn span(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err("expected a time such as 10s, 15m, 2h or 30d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a time such as 10s, 15m, 2h or 30d".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

/// Reads bytes a second: `500KiB/s`, `4MiB`, or bytes.
pub fn rate(text: &str) -> Result<u64, String> {
    let wrong = || "expected a rate such as 500KiB/s or 4MiB/s".to_owned();
    let (number, unit) = split(text.strip_suffix("/s").unwrap_or(text));
    let unit: u64 = match unit {
        "" | "B" => 1,
        "K" | "KB" | "kB" | "KiB" => 1 << 10,
        "M" | "MB" | "MiB" => 1 << 20,
        "G" | "GB" | "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    match number.parse::<u64>().map_err(|_| wrong())?.saturating_mul(unit) {
        0 => Err("a rate of 0 would never end".to_owned()),
        rate => Ok(rate),
    }
}

/// Reads a whole percentage from 1 to 100.
pub fn percent(text: &str) -> Result<u8, String> {
    let number = text.trim().trim_end_matches('%').parse::<u8>().ok();
    number.filter(|n| (1..=100).contains(n)).ok_or_else(|| "expected 1% to 100%".to_owned())
}

/// Reads a time: a year, month, day, day with time of day, or RFC 3339; in ms, as messages are sorted. Messages of
/// sources that know no zone are sorted by their local time, all others by UTC.
pub fn moment(text: &str) -> Result<i64, String> {
    let wrong = || "expected a time such as 2024, 2024-06, 2024-06-11 or 2024-06-11T08:02".to_owned();
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let text = text.trim().replace(' ', "T");
    let whole = match text.len() {
        4 => format!("{text}-01-01T00:00:00"),
        7 => format!("{text}-01T00:00:00"),
        10 => format!("{text}T00:00:00"),
        16 => format!("{text}:00"),
        _ => text,
    };
    let time = chrono::NaiveDateTime::parse_from_str(&whole, "%Y-%m-%dT%H:%M:%S").map_err(|_| wrong())?;
    Ok(time.and_utc().timestamp_millis())
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_nonsense_is_not() {
        assert_eq!(span("90"), Ok(Duration::from_secs(90)));
        assert_eq!(span("30d"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(rate("4MiB/s"), Ok(4 << 20));
        assert_eq!((percent("5%"), percent("100")), (Ok(5), Ok(100)));
        assert!(span("1 fortnight").is_err() && span("").is_err() && rate("0").is_err() && rate("x/s").is_err());
        for (text, ms) in [
            ("2024", 1_704_067_200_000),
            ("2024-01", 1_704_067_200_000),
            ("2024-01-01", 1_704_067_200_000),
            ("2024-01-01 00:01", 1_704_067_260_000),
            ("2024-01-01T01:00:00+01:00", 1_704_067_200_000),
        ] {
            assert_eq!(moment(text), Ok(ms), "{text}");
        }
        assert!(moment("yesterday").is_err() && moment("2024-13-01").is_err() && moment("").is_err());
        assert!(percent("0").is_err() && percent("101%").is_err());
    }
}
