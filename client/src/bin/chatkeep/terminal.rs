//! Text for terminals: hostile text made harmless, sizes, counts and times as people read them.

use chrono::{DateTime, Local, SecondsFormat, Utc};

/// Makes text from elsewhere harmless on a terminal, on one line: no control character reaches it, and nothing turns the
/// direction of what stands beside it.
pub fn clean(text: &str) -> String {
    text.chars().filter_map(|c| if is_break(c) { Some(' ') } else { harmless(c) }).collect()
}

/// As [`clean`], but lines stay lines.
pub fn clean_lines(text: &str) -> String {
    text.chars().filter_map(|c| if c == '\n' { Some(c) } else { harmless(c) }).collect()
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\t' | '\u{2028}' | '\u{2029}')
}

fn harmless(c: char) -> Option<char> {
    match c {
        '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        // Embeddings, overrides and isolates; tag characters and other invisible ones that carry hidden text.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}' | '\u{feff}' => None,
        c if c.is_control() => None,
        c => Some(c),
    }
}

/// A size with one decimal, such as `2.1 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).unwrap_or(&"B"))
}

/// A number with its thousands set apart: `48,210`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A number with its noun: `1 message`, `48,210 messages`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A length of time: `0.4s`, `12s`, `2m41s`, `3h05m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 if seconds < 9.95 => format!("{:.1}s", seconds.max(0.0)),
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// How long ago: `41 h ago`.
pub fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// A moment for people, in this machine's zone: `2026-11-23 22:10`.
pub fn moment(ms: i64) -> String {
    at(ms).map_or_else(|| "?".to_owned(), |t| t.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string())
}

/// A day for people, in this machine's zone.
pub fn day(ms: i64) -> String {
    at(ms).map_or_else(|| "?".to_owned(), |t| t.with_timezone(&Local).format("%Y-%m-%d").to_string())
}

/// A moment for programs: RFC 3339, UTC, milliseconds.
pub fn rfc3339(ms: i64) -> Option<String> {
    at(ms).map(|t| t.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn at(ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_steer_a_terminal() {
        let hostile = "a\u{1b}[2Jb\u{7}\u{9b}31mc\r\nd\u{202e}e\u{2066}f\u{e0041}";
        assert_eq!(clean(hostile), "a[2Jb31mc def");
        assert_eq!(clean_lines("x\ny\u{1b}c\tz"), "x\nyc z");
        assert_eq!(clean("שלום 👩‍👩‍👧 e\u{301}"), "שלום 👩‍👩‍👧 e\u{301}", "honest text stays as it is");
    }

    #[test]
    fn sizes_counts_and_times_read_well() {
        assert_eq!([size(0), size(1023), size(1024), size(2_254_857_830)], ["0 B", "1023 B", "1.0 KiB", "2.1 GiB"]);
        assert_eq!(size(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!([count(0), count(999), count(1000), count(48_210)], ["0", "999", "1,000", "48,210"]);
        assert_eq!([counted(1, "message"), counted(2, "chat")], ["1 message", "2 chats"]);
        assert_eq!(
            [duration(0.42), duration(12.0), duration(161.0), duration(11_100.0)],
            ["0.4s", "12s", "2m41s", "3h05m"]
        );
        assert_eq!(
            [ago(5), ago(150), ago(147_600), ago(864_000)],
            ["just now", "2 min ago", "41 h ago", "10 days ago"]
        );
        assert_eq!(rfc3339(1_700_000_000_123).as_deref(), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
