//! Reads a text file line by line in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

/// A physical line is kept up to this length; the rest of it is read and dropped. The longest message WhatsApp sends
/// is 65,536 characters, so only a forged or damaged file comes near.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// One physical line without its end.
#[derive(Default)]
pub(super) struct PhysicalLine {
    pub bytes: Vec<u8>,
    /// The line was longer than [`LINE_BYTES_MAX`].
    pub cut: bool,
    /// Counts from 1.
    pub number: u64,
}

pub(super) struct Lines<R> {
    from: BufReader<R>,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub fn new(from: R) -> Self {
        Self { from: BufReader::with_capacity(64 << 10, from), number: 0 }
    }

    /// Reads the next line into `line`; answers false at the end. LF and CR LF end a line; neither is kept.
    pub fn next(&mut self, line: &mut PhysicalLine) -> io::Result<bool> {
        line.bytes.clear();
        line.cut = false;
        let mut any = false;
        loop {
            let part = match self.from.fill_buf() {
                Ok(part) => part,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if part.is_empty() {
                break;
            }
            any = true;
            let ends = part.iter().position(|b| *b == b'\n');
            let (text, used) = match ends {
                Some(at) => (part.get(..at).unwrap_or_default(), at.saturating_add(1)),
                None => (part, part.len()),
            };
            let room = LINE_BYTES_MAX.saturating_sub(line.bytes.len());
            line.cut |= text.len() > room;
            line.bytes.extend_from_slice(text.get(..room).unwrap_or(text));
            self.from.consume(used);
            if ends.is_some() {
                break;
            }
        }
        if any {
            self.number = self.number.saturating_add(1);
            line.number = self.number;
            if !line.cut && line.bytes.last() == Some(&b'\r') {
                line.bytes.pop();
            }
        }
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::new(bytes);
        let mut line = PhysicalLine::default();
        let mut out = Vec::new();
        while lines.next(&mut line).unwrap() {
            out.push((line.bytes.clone(), line.cut));
        }
        out
    }

    #[test]
    fn ends_of_lines_are_not_kept() {
        let found = all(b"a\r\nb\n\nc\rd");
        let texts: Vec<_> = found.iter().map(|(t, _)| t.as_slice()).collect();
        assert_eq!(texts, [b"a".as_slice(), b"b", b"", b"c\rd"]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX + 70_000];
        bytes.extend_from_slice(b"\nnext");
        let found = all(&bytes);
        assert_eq!(found.len(), 2);
        assert!(found[0].1 && found[0].0.len() == LINE_BYTES_MAX);
        assert_eq!(found[1], (b"next".to_vec(), false));
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let bytes = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(all(&bytes), [(bytes.clone(), false)]);
    }
}
