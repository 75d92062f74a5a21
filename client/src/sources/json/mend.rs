//! Makes text that is almost JSON readable, so that one broken byte does not cost the rest of a gigabyte.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

const CHUNK_BYTES: usize = 32 << 10;
/// The longest piece that must be seen whole: an escaped surrogate pair.
const PIECE_BYTES_MAX: usize = 12;
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// A filter over JSON text: drops a byte order mark, replaces invalid UTF-8 and lone surrogate escapes by U+FFFD, and
/// escapes raw control characters. Clean text passes unchanged. Each replacement is counted.
pub struct Mend<R> {
    inner: R,
    pending: Vec<u8>,
    ready: Vec<u8>,
    ready_from: usize,
    started: bool,
    ended: bool,
    counts: Counts,
}

/// What the filter has seen, shared with whoever holds the reader above it.
#[derive(Clone, Default)]
pub struct Counts {
    pub mended: Rc<Cell<u64>>,
}

impl<R: Read> Mend<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            pending: Vec::new(),
            ready: Vec::new(),
            ready_from: 0,
            started: false,
            ended: false,
            counts: Counts::default(),
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    fn fill(&mut self) -> io::Result<()> {
        let had = self.pending.len();
        self.pending.resize(had + CHUNK_BYTES, 0);
        let got = loop {
            match self.inner.read(&mut self.pending[had..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.pending.truncate(had + *got.as_ref().unwrap_or(&0));
        let got = got?;
        self.ended = got == 0;
        if !self.started && (self.pending.len() >= 3 || self.ended) {
            self.started = true;
            if self.pending.starts_with(b"\xef\xbb\xbf") {
                self.pending.drain(..3);
            }
        }
        if self.started {
            self.ready.clear();
            self.ready_from = 0;
            let used = self.mend();
            self.pending.drain(..used);
        }
        Ok(())
    }

    /// Moves what can be judged from `pending` to `ready`; answers how many bytes that were.
    fn mend(&mut self) -> usize {
        let mut rest: &[u8] = &self.pending;
        while let Some(&first) = rest.first() {
            if rest.len() < PIECE_BYTES_MAX && !self.ended {
                break;
            }
            let plain =
                rest.iter().take_while(|b| matches!(b, 0x20..=0x5b | 0x5d..=0x7f | b'\n' | b'\r' | b'\t')).count();
            let (used, good) = match first {
                _ if plain > 0 => (plain, true),
                b'\\' => escape(rest),
                0..0x20 => (1, false),
                _ => match character(rest) {
                    Ok(n) => (n, true),
                    Err(n) => (n, false),
                },
            };
            let (piece, after) = rest.split_at(used.min(rest.len()));
            if good {
                self.ready.extend_from_slice(piece);
            } else {
                self.counts.mended.set(self.counts.mended.get() + 1);
                match first {
                    b'\\' => self.ready.extend_from_slice(b"\\ufffd"),
                    0..0x20 => self.ready.extend_from_slice(format!("\\u{first:04x}").as_bytes()),
                    _ => self.ready.extend_from_slice(REPLACEMENT),
                }
            }
            rest = after;
        }
        self.pending.len() - rest.len()
    }
}

/// Length of the piece that starts with a backslash, and whether it may stay.
fn escape(rest: &[u8]) -> (usize, bool) {
    match rest.get(1) {
        Some(b'u') => {}
        Some(0x20..=0x7f) => return (2, true),
        _ => return (1, true),
    }
    match unit(rest) {
        Some(0xd800..0xdc00) => {
            let low = rest.get(6..).filter(|r| r.starts_with(b"\\u")).and_then(unit);
            if matches!(low, Some(0xdc00..0xe000)) { (12, true) } else { (6, false) }
        }
        Some(0xdc00..0xe000) => (6, false),
        Some(_) => (6, true),
        None => (2, true),
    }
}

/// The number of a `\uXXXX` escape.
fn unit(rest: &[u8]) -> Option<u32> {
    let hex = rest.get(2..6)?;
    hex.iter().try_fold(0, |n, b| Some(n << 4 | char::from(*b).to_digit(16)?))
}

/// Length of the UTF-8 character at the start, or of what is broken there.
fn character(rest: &[u8]) -> Result<usize, usize> {
    let head = rest.get(..4).unwrap_or(rest);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.valid_up_to() > 0 => {
            std::str::from_utf8(head.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(e) => return Err(e.error_len().unwrap_or(head.len())),
    };
    Ok(valid.chars().next().map_or(1, char::len_utf8))
}

impl<R: Read> Read for Mend<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.ready_from == self.ready.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let n = self.ready.get(self.ready_from..).unwrap_or_default().read(buf)?;
        self.ready_from += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out few bytes at a time, so that every boundary is met.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buf.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn mended(bytes: &[u8], step: usize) -> (Vec<u8>, u64) {
        let mut mend = Mend::new(Drip(bytes, step));
        let counts = mend.counts();
        let mut out = Vec::new();
        mend.read_to_end(&mut out).unwrap();
        (out, counts.mended.get())
    }

    #[test]
    fn what_is_broken_is_replaced_and_counted() {
        for (source, wanted, count) in [
            (&b"\xef\xbb\xbf{}"[..], &b"{}"[..], 0),
            (b"\"\\ud83d\\ude00 \\\\ud83d\"", b"\"\\ud83d\\ude00 \\\\ud83d\"", 0),
            (b"\"\\ud83d!\"", b"\"\\ufffd!\"", 1),
            (b"\"\\ude00\\ud83d\"", b"\"\\ufffd\\ufffd\"", 2),
            (b"\"a\x00b\"", b"\"a\\u0000b\"", 1),
            (b"\"\xff\xe2\x82\"", "\"\u{fffd}\u{fffd}\"".as_bytes(), 2),
            ("\"\u{20ac}\u{1f600}\"".as_bytes(), "\"\u{20ac}\u{1f600}\"".as_bytes(), 0),
        ] {
            for step in [1, 2, 3, 5, 100] {
                assert_eq!(mended(source, step), (wanted.to_vec(), count), "{source:?} by {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_outcome_is_text_whatever_the_steps(soup in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..40) {
            let (once, count) = mended(&soup, step);
            prop_assert!(std::str::from_utf8(&once).is_ok());
            prop_assert_eq!((once, count), mended(&soup, 1000));
        }

        #[test]
        fn clean_text_passes(text in "[ -~\u{a0}-\u{2fff}\u{1f300}-\u{1f6ff}]{0,200}") {
            let text = text.replace('\\', "/");
            prop_assert_eq!(mended(text.as_bytes(), 7), (text.into_bytes(), 0));
        }
    }
}
