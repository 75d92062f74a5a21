//! Hands an export's files to the sink, each at most once.

use std::collections::HashMap;
use std::io::{self, Read};

use super::super::{FileTaken, Files, ImportError, Sink};

/// What became of a file a message names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    Took(FileTaken),
    /// The export does not hold it.
    NotThere,
    /// It is there but could not be read; the reason is already noted with the sink.
    Unreadable,
}

/// Gives attachments to the sink and remembers what it took: a message may name the same file a million times.
pub struct Taker<'a> {
    files: &'a dyn Files,
    known: HashMap<&'a str, Option<FileTaken>>,
}

impl<'a> Taker<'a> {
    pub fn new(files: &'a dyn Files) -> Self {
        Self { files, known: HashMap::new() }
    }

    /// Takes the file of this checked path.
    pub fn take(&mut self, path: &str, sink: &mut dyn Sink) -> Result<Taken, ImportError> {
        let list = self.files.list();
        let listed = super::index_of(list, path).ok().and_then(|i| list.get(i));
        let Some(entry) = listed else { return Ok(Taken::NotThere) };
        let known = match self.known.get(entry.path.as_str()) {
            Some(known) => *known,
            None => {
                let taken = self.read(path, sink)?;
                self.known.insert(&entry.path, taken);
                taken
            }
        };
        Ok(known.map_or(Taken::Unreadable, Taken::Took))
    }

    fn read(&self, path: &str, sink: &mut dyn Sink) -> Result<Option<FileTaken>, ImportError> {
        let mut content = match self.files.open(path) {
            Ok(inner) => Watched { inner, failure: None },
            Err(e) => {
                sink.skip(path, &format!("cannot be opened: {e}"));
                return Ok(None);
            }
        };
        let outcome = sink.file(path, &mut content);
        match content.failure {
            // Whatever the sink made of it: the cause lies with the export, and with this file alone.
            Some(e) if e.kind() == io::ErrorKind::FileTooLarge => {
                sink.skip(path, "larger than its export says");
                Ok(None)
            }
            Some(e) => {
                sink.skip(path, &format!("cannot be read: {e}"));
                Ok(None)
            }
            None => outcome.map(Some),
        }
    }
}

/// Remembers a failure of the export, so that it is told apart from one of the sink.
struct Watched<R> {
    inner: R,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).map_err(|e| {
            let told = io::Error::new(e.kind(), e.to_string());
            if e.kind() != io::ErrorKind::Interrupted {
                self.failure = Some(e);
            }
            told
        })
    }
}
