//! The archive's sink, which can be stopped, and whose own failures come out as they were.

use std::io::Read;
use std::path::PathBuf;

use super::metered::Meter;
use crate::archive::{Import, Imported};
use crate::error::{Error, Result};
use crate::event::{Chat, Row};
use crate::sources::{ChatInfo, FileTaken, ImportError, Sink};
use crate::vault::Work;

/// Hands everything to the archive.
pub(super) struct Archived<'a> {
    import: Import<'a>,
    work: &'a Work,
    meter: &'a Meter,
}

impl<'a> Archived<'a> {
    /// `left_in` is the export whose files are not copied.
    pub fn new(mut import: Import<'a>, left_in: Option<PathBuf>, work: &'a Work, meter: &'a Meter) -> Self {
        if let Some(export) = left_in {
            import.leave_files_in(export);
        }
        Self { import, work, meter }
    }

    /// The outcome of a reading that wrote here.
    pub fn outcome<T>(&self, outcome: std::result::Result<T, ImportError>) -> Result<T> {
        self.work.check()?;
        Ok(outcome?)
    }

    /// Commits the rest and folds.
    pub fn finish(self) -> Result<Imported> {
        Ok(self.import.finish()?)
    }

    /// Takes a file of the export by what it was found to be.
    pub fn left_there(&mut self, path: &str, taken: FileTaken) -> std::result::Result<(), ImportError> {
        self.point()?;
        Ok(self.import.left_there(path, taken)?)
    }

    /// Where everything before is either committed or will be read again.
    fn point(&self) -> std::result::Result<(), ImportError> {
        if self.work.is_cancelled() { Err(ImportError::Sink(Error::Cancelled.to_string())) } else { Ok(()) }
    }
}

impl Sink for Archived<'_> {
    fn chat(&mut self, chat: &Chat, info: &ChatInfo) -> std::result::Result<(), ImportError> {
        self.import.chat(chat, info)
    }

    fn row(&mut self, chat: &Chat, row: Row) -> std::result::Result<(), ImportError> {
        self.point()?;
        self.meter.item();
        self.import.row(chat, row)
    }

    fn about(&mut self, chat: &Chat, target_native: &str, row: Row) -> std::result::Result<(), ImportError> {
        self.import.about(chat, target_native, row)
    }

    fn file(&mut self, path: &str, content: &mut dyn Read) -> std::result::Result<FileTaken, ImportError> {
        self.point()?;
        self.import.file(path, content)
    }

    fn skip(&mut self, item: &str, reason: &str) {
        self.import.skip(item, reason);
    }
}
