//! An export in memory, and a sink that remembers.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use super::super::{Export, Facts, Reading};
use crate::event::{Chat, Row};
use crate::merge::Line;
use crate::sources::{Answers, ChatInfo, FileEntry, FileTaken, Files, ImportError, Sink};

#[derive(Default)]
pub(super) struct Memory {
    list: Vec<FileEntry>,
    content: BTreeMap<String, Vec<u8>>,
    /// A listed file that fails while it is read.
    pub broken: Option<String>,
}

impl Memory {
    pub fn one(path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self::default().with(path, bytes)
    }

    pub fn with(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.list.push(FileEntry { path: path.into(), bytes: bytes.len() as u64 });
        self.content.insert(path.into(), bytes);
        self
    }
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::InvalidData, "damaged"))
    }
}

impl Files for Memory {
    fn list(&self) -> &[FileEntry] {
        &self.list
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        if self.broken.as_deref() == Some(path) {
            return Ok(Box::new(Failing));
        }
        let bytes = self.content.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

/// Hashes files and notes what was skipped.
#[derive(Default)]
pub(super) struct Notes {
    pub skipped: Vec<(String, String)>,
    /// How many files were taken.
    pub files: u64,
}

impl Sink for Notes {
    fn chat(&mut self, _: &Chat, _: &ChatInfo) -> Result<(), ImportError> {
        Ok(())
    }

    fn row(&mut self, _: &Chat, _: Row) -> Result<(), ImportError> {
        Ok(())
    }

    fn file(&mut self, _: &str, content: &mut dyn Read) -> Result<FileTaken, ImportError> {
        self.files += 1;
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        Ok(FileTaken { hash: *blake3::hash(&bytes).as_bytes(), bytes: bytes.len() as u64 })
    }

    fn skip(&mut self, item: &str, reason: &str) {
        self.skipped.push((item.into(), reason.into()));
    }
}

pub(super) struct Got {
    pub facts: Facts,
    pub lines: Vec<Line>,
    pub reading: Reading,
    pub notes: Notes,
}

pub(super) fn import(files: &dyn Files, answers: &Answers) -> Result<Got, ImportError> {
    let export = Export::survey(files, answers)?;
    let mut lines = Vec::new();
    let mut notes = Notes::default();
    let mut emit = |line| {
        lines.push(line);
        Ok(())
    };
    let reading = export.read(&mut emit, &mut notes)?;
    Ok(Got { facts: export.facts().clone(), lines, reading, notes })
}

/// Imports a chat file alone.
pub(super) fn text(name: &str, text: &str) -> Got {
    import(&Memory::one(name, text), &Answers::default()).expect("a chat")
}
