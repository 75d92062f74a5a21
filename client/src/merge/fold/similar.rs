//! How alike two texts are, in whole numbers, so that every device finds the same.

/// Characters of a text that are looked at.
const CHARS_MAX: usize = 200;

/// Common bigrams of two texts in percent of all of them.
pub(super) fn percent(a: &str, b: &str) -> u32 {
    let (a, b) = (bigrams(a), bigrams(b));
    if a.is_empty() || b.is_empty() {
        return if a == b { 100 } else { 0 };
    }
    let (mut i, mut j, mut common) = (0, 0, 0u32);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    2 * common * 100 / (a.len() + b.len()) as u32
}

/// The text's bigrams, sorted; its ends count as a character, so that a text of one character has some, too.
fn bigrams(text: &str) -> Vec<(char, char)> {
    let chars = text.chars().filter(|c| !matches!(c, '\u{200e}' | '\u{200f}')).take(CHARS_MAX);
    let mut before = '\0';
    let mut all: Vec<_> = chars.map(|c| (std::mem::replace(&mut before, c), c)).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn likeness_is_symmetric_and_in_percent() {
        assert_eq!(percent("see you at noon", "see you at noon"), 100);
        assert_eq!(percent("", ""), 100);
        assert_eq!(percent("", "a"), 0);
        assert_eq!(percent("abc", "xyz"), 0);
        let (a, b) = ("see you at noon", "see you at nine");
        assert!(percent(a, b) > 60 && percent(a, b) == percent(b, a));
        assert_eq!(percent("\u{200e}a", "a"), 100);
    }
}
