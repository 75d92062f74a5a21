//! The reading end of the line that attachments take to the vault: files are read, hashed and cut into named chunks.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use crate::archive::{Hand, MediaReader};
use crate::chunk::{Chunks, Cutter};
use crate::crypto::{ChunkIdKey, Wiped};
use crate::ids::{ChunkId, FileId};
use crate::sources::export::Members;

/// Content that is read at one go.
const GO_BYTES: usize = 1 << 20;
/// Things that come of one go; most files are far smaller than a go.
const GO_ITEMS: usize = 256;

/// A file to be read.
pub(super) struct Wanted {
    pub file: FileId,
    pub bytes: u64,
    pub hand: Hand,
}

/// A chunk as it was cut.
pub(super) struct Piece {
    pub id: ChunkId,
    pub content: Wiped,
}

/// What comes of reading, in the order of the files' bytes.
pub(super) enum Came {
    Piece(Piece),
    /// A file was read to its end.
    End {
        file: FileId,
        hash: [u8; 32],
        bytes: u64,
    },
    /// A file cannot be read; pieces of it may have come.
    Unread {
        file: FileId,
        error: io::Error,
    },
}

/// Reads one file after another.
pub(super) struct FileReader {
    ids: Arc<ChunkIdKey>,
    cutter: Arc<Cutter>,
    members: Members,
    queue: VecDeque<Wanted>,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    file: FileId,
    chunks: Chunks<Hashing>,
}

impl FileReader {
    pub fn new(ids: Arc<ChunkIdKey>, cutter: Arc<Cutter>) -> Self {
        Self { ids, cutter, members: Members::default(), queue: VecDeque::new(), under_way: None }
    }

    pub fn add(&mut self, files: impl IntoIterator<Item = Wanted>) {
        self.queue.extend(files);
    }

    /// Whether nothing is left to be read.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.under_way.is_none()
    }

    /// Reads on, for some megabytes.
    pub fn go(&mut self) -> Vec<Came> {
        let (mut read, mut bytes) = (Vec::new(), 0);
        while bytes < GO_BYTES && read.len() < GO_ITEMS {
            if let Some(under_way) = &mut self.under_way {
                match under_way.chunks.next_chunk() {
                    Ok(Some(chunk)) => {
                        bytes += chunk.len();
                        read.push(Came::Piece(Piece { id: self.ids.chunk(&chunk), content: chunk }));
                    }
                    Ok(None) => {
                        let Hashing { hasher, bytes, .. } = under_way.chunks.source();
                        let (hash, bytes) = (*hasher.finalize().as_bytes(), *bytes);
                        read.push(Came::End { file: under_way.file, hash, bytes });
                        self.under_way = None;
                    }
                    Err(error) => {
                        read.push(Came::Unread { file: under_way.file, error });
                        self.under_way = None;
                    }
                }
                continue;
            }
            let Some(Wanted { file, bytes: expected, hand }) = self.queue.pop_front() else { break };
            let content = match hand {
                Hand::Home(reader) => Ok(Content::Home(Box::new(reader))),
                Hand::Outside(place) => self.members.open(&place.export, &place.member).map(Content::Outside),
            };
            match content {
                Ok(content) => {
                    let source =
                        Hashing { content, left: expected.saturating_add(1), hasher: blake3::Hasher::new(), bytes: 0 };
                    let chunks = Chunks::new(source, expected, self.cutter.clone());
                    self.under_way = Some(UnderWay { file, chunks });
                }
                Err(error) => read.push(Came::Unread { file, error }),
            }
        }
        read
    }
}

enum Content {
    Home(Box<MediaReader>),
    Outside(Box<dyn Read + Send>),
}

/// A file's content, hashed as it passes. A file that grew is read no further than one byte beyond its length: it is
/// another file then.
struct Hashing {
    content: Content,
    /// How much more is read at the most.
    left: u64,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Read for Hashing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let out = out.get_mut(..room).unwrap_or_default();
        if out.is_empty() {
            return Ok(0);
        }
        let n = match &mut self.content {
            Content::Home(reader) => reader.read(out)?,
            Content::Outside(content) => content.read(out)?,
        };
        self.hasher.update(out.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}
