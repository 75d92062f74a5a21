//! Small pieces of text that mean something in an export: direction marks, odd spaces, digits of other scripts.

/// WhatsApp puts it before text that it wrote itself.
pub(super) const LRM: char = '\u{200e}';

/// Whether a character only steers the direction of text.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether a character is a space of any width, but no line end.
pub(super) fn is_space(c: char) -> bool {
    c == ' ' || c == '\t' || matches!(c, '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}')
}

pub(super) fn skip_marks(s: &str) -> &str {
    s.trim_start_matches(is_mark)
}

/// Removes the two marks that exports add or leave out at will (FORMATS §3.1), wherever they stand.
pub(super) fn without_marks(s: &str) -> String {
    s.chars().filter(|c| !matches!(c, '\u{200e}' | '\u{200f}')).collect()
}

/// The value of a decimal digit of the scripts that phones write times in.
pub(super) fn digit(c: char) -> Option<u8> {
    const ZEROS: [char; 10] = [
        '0', '\u{0660}', '\u{06f0}', '\u{0966}', '\u{09e6}', '\u{0a66}', '\u{0ae6}', '\u{0be6}', '\u{0e50}', '\u{ff10}',
    ];
    ZEROS.iter().find_map(|zero| {
        let value = u32::from(c).checked_sub(u32::from(*zero))?;
        u8::try_from(value).ok().filter(|v| *v < 10)
    })
}

/// Lower case without marks and outer spaces, odd spaces made plain, final full stop dropped: how phrases compare.
pub(super) fn folded(s: &str) -> String {
    let plain: String = s.chars().filter(|c| !is_mark(*c)).map(|c| if is_space(c) { ' ' } else { c }).collect();
    let lower = plain.trim().to_lowercase();
    lower.trim_end_matches(['.', '。', '।']).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_several_scripts() {
        let digits = |s: &str| s.chars().map(digit).collect::<Vec<_>>();
        assert_eq!(digits("09"), [Some(0), Some(9)]);
        assert_eq!(digits("٠٩۵५"), [Some(0), Some(9), Some(5), Some(5)]);
        assert_eq!(digits("a/:"), [None, None, None]);
    }

    #[test]
    fn phrases_compare_folded() {
        assert_eq!(folded("\u{200e}This\u{202f}Message. "), "this message");
    }
}
