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
        assert!(percent("0").is_err() && percent("101%").is_err());
    }
}
