//! Reading a file chunk by chunk, in bounded memory.

use std::io::{self, Read};
use std::sync::Arc;

use super::{CHUNK_BYTES_MAX, Cutter};
use crate::crypto::Wiped;

/// The chunks of a file, one after another. Holds 8 MiB, however long the file is.
pub struct Chunks<R> {
    source: R,
    cutter: Arc<Cutter>,
    buffer: Wiped,
    start: usize,
    end: usize,
    source_ended: bool,
    /// Whether the file has been found to be longer than one chunk.
    long: bool,
}

const BUFFER_BYTES: usize = 2 * CHUNK_BYTES_MAX;

impl<R: Read> Chunks<R> {
    /// `bytes` is how long the file should be; it may be longer or shorter.
    pub fn new(source: R, bytes: u64, cutter: Arc<Cutter>) -> Self {
        // One byte more, so that the end of a short file is seen without a longer buffer.
        let room = usize::try_from(bytes.saturating_add(1)).map_or(BUFFER_BYTES, |b| b.min(BUFFER_BYTES));
        let buffer = Wiped::zeros(room);
        Self { source, cutter, buffer, start: 0, end: 0, source_ended: false, long: false }
    }

    /// What the chunks are read from.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// The next chunk; none at the end. An empty file has none at all.
    pub fn next_chunk(&mut self) -> io::Result<Option<Wiped>> {
        self.fill()?;
        let ahead = &self.buffer[self.start..self.end];
        if ahead.is_empty() {
            return Ok(None);
        }
        self.long |= ahead.len() > CHUNK_BYTES_MAX;
        if !self.long {
            // The whole file: its buffer is not needed any more.
            let mut whole = std::mem::take(&mut self.buffer);
            whole.truncate(self.end);
            (self.start, self.end) = (0, 0);
            return Ok(Some(whole));
        }
        let length = self.cutter.cut(ahead);
        self.start += length;
        Ok(Some(Wiped::copy_of(&self.buffer[self.start - length..self.start])))
    }

    /// Reads until more than one chunk's worth lies ahead, or the file ends.
    fn fill(&mut self) -> io::Result<()> {
        if self.source_ended || self.end - self.start > CHUNK_BYTES_MAX {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end <= CHUNK_BYTES_MAX {
            if self.end == self.buffer.len() {
                // Small files, which most are, never take the whole buffer.
                let longer = (self.buffer.len() * 4).clamp(64 << 10, BUFFER_BYTES);
                self.grow(longer);
            }
            let n = read(&mut self.source, &mut self.buffer[self.end..])?;
            if n == 0 {
                self.source_ended = true;
                return Ok(());
            }
            self.end += n;
        }
        Ok(())
    }

    /// Moves to a longer buffer; the old one is wiped.
    fn grow(&mut self, length: usize) {
        let mut longer = Wiped::zeros(length);
        longer[..self.end].copy_from_slice(&self.buffer[..self.end]);
        self.buffer = longer;
    }
}

fn read(source: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(out) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::cut::tests::{cutter, noise};

    /// A source that gives a few bytes at a time and is interrupted in between.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(7) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let n = out.len().min(self.0.len()).min(100_000 + self.1 * 31 % 50_000);
            let (now, later) = self.0.split_at(n);
            out[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }

    fn lengths(source: impl Read) -> (Vec<usize>, Vec<u8>) {
        let cutter = Arc::new(cutter("reader"));
        let mut chunks = Chunks::new(source, 70_000, cutter);
        let (mut lengths, mut whole) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            lengths.push(chunk.len());
            whole.extend_from_slice(&chunk);
        }
        assert!(chunks.buffer.len() <= BUFFER_BYTES);
        (lengths, whole)
    }

    #[test]
    fn up_to_four_mebibytes_are_one_chunk() {
        for length in [0, 1, 65_536, 65_537, CHUNK_BYTES_MAX - 1, CHUNK_BYTES_MAX] {
            let file = noise("short", length);
            let expected = if length == 0 { vec![] } else { vec![length] };
            assert_eq!(lengths(&file[..]), (expected, file));
        }
        let file = noise("short", CHUNK_BYTES_MAX + 1);
        let (cut, whole) = lengths(&file[..]);
        assert!(cut.len() > 1 && whole == file);
    }

    #[test]
    fn the_way_a_file_arrives_does_not_move_its_cuts() {
        let file = noise("long", 21 << 20);
        let at_once = lengths(&file[..]);
        assert!(at_once.1 == file && at_once.0.len() > 8);
        assert!(lengths(Slow(&file, 0)) == at_once);
    }

    #[test]
    fn a_failing_source_is_told() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::FileTooLarge.into())
            }
        }
        let cutter = Arc::new(cutter("reader"));
        let failed = Chunks::new(Broken, 0, cutter).next_chunk().map(|_| ()).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::FileTooLarge);
    }
}
