//! Patterns of paths: `*` and `?` stay inside one part, `**` goes over any number of parts, and a pattern of one part
//! means that part anywhere.

/// A pattern of relative paths with `/` between their parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glob {
    parts: Vec<String>,
}

/// Parts of a pattern; a longer one is cut.
const PARTS_MAX: usize = 64;

impl Glob {
    /// Reads a pattern. Any text is one.
    pub fn new(pattern: &str) -> Self {
        let parts: Vec<&str> = pattern.split(['/', '\\']).filter(|p| !p.is_empty() && *p != ".").collect();
        let anywhere = parts.len() == 1;
        let lead = anywhere.then_some("**");
        Self { parts: lead.into_iter().chain(parts).take(PARTS_MAX).map(str::to_owned).collect() }
    }

    /// Whether a path, or a folder above it, fits.
    pub fn fits(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|p| !p.is_empty()).collect();
        (1..=parts.len()).any(|n| over_parts(&self.parts, parts.get(..n).unwrap_or_default()))
    }
}

/// Whether any of the patterns fits.
pub(super) fn any(globs: &[Glob], path: &str) -> bool {
    globs.iter().any(|glob| glob.fits(path))
}

/// Goes through pattern and path as a set of places in the pattern, so that no pattern takes long.
fn over_parts(pattern: &[String], path: &[&str]) -> bool {
    matches(pattern, path, |p| p == "**", |p, part| inside(p, part))
}

fn inside(pattern: &str, part: &str) -> bool {
    let (pattern, part): (Vec<char>, Vec<char>) = (pattern.chars().collect(), part.chars().collect());
    matches(&pattern, &part, |p| *p == '*', |p, c| *p == '?' || p == c)
}

fn matches<P, T>(pattern: &[P], text: &[T], many: impl Fn(&P) -> bool, one: impl Fn(&P, &T) -> bool) -> bool {
    // `reached[i]`: the first i pieces of the pattern fit what has been read of the text.
    let mut reached = vec![false; pattern.len() + 1];
    let spread = |reached: &mut Vec<bool>| {
        for (i, piece) in pattern.iter().enumerate() {
            if many(piece) && reached.get(i) == Some(&true) {
                reached[i + 1] = true;
            }
        }
    };
    reached[0] = true;
    spread(&mut reached);
    for c in text {
        let mut next = vec![false; pattern.len() + 1];
        for (i, piece) in pattern.iter().enumerate().filter(|(i, _)| reached[*i]) {
            if many(piece) {
                next[i] = true;
            } else if one(piece, c) {
                next[i + 1] = true;
            }
        }
        reached = next;
        spread(&mut reached);
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_fit_what_people_mean() {
        let fits = |pattern: &str, path| Glob::new(pattern).fits(path);
        for (pattern, path) in [
            ("*.zip", "a/b/x.zip"),
            ("photos", "photos/p.jpg"),
            ("a/*.txt", "a/x.txt"),
            ("a/**/x.txt", "a/x.txt"),
            ("a/**/x.txt", "a/b/c/x.txt"),
            ("IMG-???.jpg", "m/IMG-123.jpg"),
            ("**", "anything"),
            ("ä*é", "äé"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("*.zip", "x.zip.txt"), ("a/*.txt", "a/b/x.txt"), ("b/x", "a/b/x"), ("?", "ab"), ("", "x"), ("a", "ab")]
        {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_fits_itself_and_no_pattern_takes_long(path in "[a-z]{1,4}(/[a-z]{1,4}){0,3}", stars in "[*a?/]{0,60}") {
            prop_assert!(Glob::new(&path).fits(&path));
            Glob::new(&stars).fits(&"a".repeat(2000));
        }
    }
}
