//! Holds the texts of an export to the limits before anything of it is written: nested too deep, or longer than the
//! export says, is known from reading it through once.

use std::io::{self, Read};

use crate::sources::detect::Format;
use crate::sources::json::DEPTH_MAX;
use crate::sources::{Files, ImportError};

pub(super) fn prove(files: &dyn Files, format: Format, main: &[String]) -> Result<(), ImportError> {
    if main.is_empty() {
        return Err(ImportError::Unreadable(format!("this is no export of the format {}", format.name())));
    }
    for path in main {
        let depth = match through(files.open(path)?, format == Format::Telegram) {
            Ok(depth) => depth,
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                return Err(ImportError::Hostile(format!("{path:?} is larger than its export says; refused")));
            }
            // A text that breaks off is read as far as it goes.
            Err(_) => continue,
        };
        if depth > DEPTH_MAX {
            return Err(ImportError::Hostile(format!("{path:?}: JSON nested deeper than {DEPTH_MAX}; refused")));
        }
    }
    Ok(())
}

/// Reads to the end; answers how deep JSON is nested at its deepest.
fn through(mut content: impl Read, is_json: bool) -> io::Result<u32> {
    let mut buf = vec![0; 64 << 10];
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0u32, 0u32, false, false);
    loop {
        let n = match content.read(&mut buf) {
            Ok(0) => return Ok(deepest),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if !is_json {
            continue;
        }
        for byte in buf.get(..n).unwrap_or_default() {
            match (in_text, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => in_text = !in_text,
                (false, b'{' | b'[') => {
                    depth = depth.saturating_add(1);
                    deepest = deepest.max(depth);
                }
                (false, b'}' | b']') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_texts_only() {
        let depth = |text: &str| through(text.as_bytes(), true).unwrap();
        assert_eq!(depth(r#"{"a": ["[[[[", "\"[[", {"b": 1}]}"#), 3);
        assert_eq!(depth(&"[".repeat(70)), 70);
        assert_eq!(depth("]]]["), 1);
    }
}
