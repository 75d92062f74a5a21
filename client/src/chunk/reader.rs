//! Reading a file chunk by chunk, in bounded memory.

use std::io::{self, Read};

use super::{CHUNK_BYTES_MAX, Cutter};
use crate::crypto::Wiped;

/// A file's plain BLAKE3 and size: with the file key they make its id, before anything is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashedFile {
    pub hash: [u8; 32],
    pub bytes: u64,
}

/// Reads a whole file to hash it.
pub fn hash_file(mut source: impl Read) -> io::Result<HashedFile> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = Wiped::new(vec![0; 64 << 10]);
    let mut bytes = 0;
    loop {
        let n = read(&mut source, &mut buffer)?;
        if n == 0 {
            return Ok(HashedFile { hash: *hasher.finalize().as_bytes(), bytes });
        }
        hasher.update(buffer.split_at(n).0);
        bytes += n as u64;
    }
}

/// The chunks of a file, one after another. Holds 8 MiB, however long the file is.
pub struct Chunks<'a, R> {
    source: R,
    cutter: &'a Cutter,
    buffer: Wiped,
    start: usize,
    end: usize,
    source_ended: bool,
    /// Whether the file has been found to be longer than one chunk.
    long: bool,
}

const BUFFER_BYTES: usize = 2 * CHUNK_BYTES_MAX;

impl<'a, R: Read> Chunks<'a, R> {
    pub fn new(source: R, cutter: &'a Cutter) -> Self {
        let buffer = Wiped::new(Vec::new());
        Self { source, cutter, buffer, start: 0, end: 0, source_ended: false, long: false }
    }

    /// The next chunk; none at the end. An empty file has none at all.
    pub fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        self.fill()?;
        let ahead = &self.buffer[self.start..self.end];
        if ahead.is_empty() {
            return Ok(None);
        }
        self.long |= ahead.len() > CHUNK_BYTES_MAX;
        let length = if self.long { self.cutter.cut(ahead) } else { ahead.len() };
        self.start += length;
        Ok(Some(&self.buffer[self.start - length..self.start]))
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
        let mut longer = Wiped::new(vec![0; length]);
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
        let cutter = cutter("reader");
        let mut chunks = Chunks::new(source, &cutter);
        let (mut lengths, mut whole) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            lengths.push(chunk.len());
            whole.extend_from_slice(chunk);
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
    fn hashing_agrees_with_blake3_and_counts() {
        for length in [0, 1, 200_000] {
            let file = noise("hash", length);
            let hashed = hash_file(Slow(&file, 0)).unwrap();
            assert_eq!(hashed, HashedFile { hash: *blake3::hash(&file).as_bytes(), bytes: length as u64 });
        }
    }

    #[test]
    fn a_failing_source_is_told() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::FileTooLarge.into())
            }
        }
        let cutter = cutter("reader");
        let failed = Chunks::new(Broken, &cutter).next_chunk().map(|_| ()).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::FileTooLarge);
        assert!(hash_file(Broken).is_err());
    }
}
