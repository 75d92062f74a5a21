//! Names of files inside an export, made safe or refused.

/// The longest path inside an export.
pub const NAME_BYTES_MAX: usize = 4096;
/// The deepest nesting of folders.
pub const NAME_PARTS_MAX: usize = 64;

/// Checks a relative path from outside and brings it to one form: `/` between parts, no empty or `.` parts.
///
/// The error says why the item is left out.
pub fn checked_name(raw: &str) -> Result<String, &'static str> {
    if raw.len() > NAME_BYTES_MAX {
        return Err("the name is too long");
    }
    if raw.chars().any(char::is_control) {
        return Err("the name holds control characters");
    }
    let name = raw.replace('\\', "/");
    if name.starts_with('/') {
        return Err("the name is an absolute path");
    }
    let mut letters = name.chars();
    if matches!((letters.next(), letters.next()), (Some('a'..='z' | 'A'..='Z'), Some(':'))) {
        return Err("the name starts with a drive letter");
    }
    let parts: Vec<&str> = name.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.contains(&"..") {
        return Err("the name leads out of the export");
    }
    if parts.is_empty() {
        return Err("the name is empty");
    }
    if parts.len() > NAME_PARTS_MAX {
        return Err("the name is nested too deep");
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        for bad in [
            "../a",
            "a/../../b",
            "a/..",
            "..\\a",
            "/etc/passwd",
            "\\server\\x",
            "C:\\x",
            "c:x",
            "a\nb",
            "a\0",
            "",
            "./",
            "a\u{85}b",
        ] {
            assert!(checked_name(bad).is_err(), "{bad:?}");
        }
        assert!(checked_name(&"a/".repeat(65)).is_err());
        assert!(checked_name(&"a".repeat(NAME_BYTES_MAX + 1)).is_err());
        for (raw, good) in [
            ("a//b/./c", "a/b/c"),
            ("photos\\p.jpg", "photos/p.jpg"),
            ("..a/b..", "..a/b.."),
            ("äé 😀.jpg", "äé 😀.jpg"),
        ] {
            assert_eq!(checked_name(raw).as_deref(), Ok(good));
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_inside(raw in "([a-c.:/\\\\]|\\PC){0,20}") {
            if let Ok(name) = checked_name(&raw) {
                let inside = std::path::Path::new(&name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
                prop_assert!(inside && !name.contains('\\'));
                prop_assert_eq!(checked_name(&name), Ok(name));
            }
        }
    }
}
