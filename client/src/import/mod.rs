//! From paths to the archive: finds the exports, reads what is not known yet, and tells truthfully what was in them.
//!
//! Every export is taken in transactions of bounded size. A kill between two of them leaves a consistent archive with
//! a part of it; importing again adds exactly the rest.

mod archived;
mod beside;
mod find;
mod glob;
mod known;
mod metered;
mod prove;
mod report;
#[cfg(test)]
mod tests;
mod whatsapp;

use std::path::{Path, PathBuf};

pub use glob::Glob;
pub use report::{Assumed, Attachments, Report, Skipped, Source, Span};

use self::archived::Archived;
use self::find::Candidate;
use self::known::Mark;
use self::metered::{Meter, Metered};
use crate::archive::{Archive, Imported};
use crate::env::{Env, Hands};
use crate::error::{Error, Result};
use crate::ids::ChatId;
use crate::sources::detect::{Format, detect};
use crate::sources::export::{Opened, open_path};
use crate::sources::{Answers, ChatReport, ImportError, Sink, jsonl, telegram};
use crate::vault::Work;

/// How to import.
#[derive(Clone, Default, Debug)]
pub struct ImportOptions {
    /// The format of every path; told by content where absent.
    pub format: Option<Format>,
    pub answers: Answers,
    /// Exports of a folder, and files of an export, that are left out.
    pub exclude: Vec<Glob>,
    /// Counts everything as it would be, and changes nothing.
    pub dry_run: bool,
    /// Reads again also what is known by its size, times and edges.
    pub reread: bool,
    pub files: FilesOf,
}

/// What becomes of an export's attachments.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum FilesOf {
    /// They are copied into the home: the export may go.
    #[default]
    Copied,
    /// They are read, and stay where they are until the vault has them: the export may go after the next backup.
    LeftThere,
}

/// Imports what lies at the paths: exports, or folders of exports.
///
/// An export that was named and cannot be read is an error; one that was found in a folder is left out with its reason,
/// and the rest goes on. All named ones are opened and held to the limits before anything is written. Ends with
/// [`Error::Cancelled`] between two transactions when the work is stopped.
pub fn import(
    archive: &mut Archive,
    paths: &[PathBuf],
    options: &ImportOptions,
    work: &Work,
    env: &Env,
) -> Result<Report> {
    let mut report = Report { dry_run: options.dry_run, ..Report::default() };
    let candidates = find::candidates(paths, &options.exclude)?;
    let mut sources = Vec::new();
    for candidate in candidates {
        match Prepared::open(archive, &candidate, options) {
            Ok(prepared) => sources.push(prepared),
            Err(e) => leave_out(&candidate, e, &mut report)?,
        }
    }
    let total = sources.iter().map(Prepared::bytes_to_read).sum();
    let meter = Meter::new(work.clone(), total);
    let mut run = Run { options, work, env, meter };
    let all = |archive: &mut Archive| {
        for source in sources {
            let candidate = source.candidate.clone();
            if let Err(e) = run.source(archive, source, &mut report) {
                leave_out(&candidate, e, &mut report)?;
            }
        }
        Ok::<(), Error>(())
    };
    if options.dry_run {
        archive.on_trial(all)?
    } else {
        all(archive)?
    }
    Ok(report)
}

/// Lists an export that cannot be read, unless the failure concerns more than it.
fn leave_out(candidate: &Candidate, error: Error, report: &mut Report) -> Result<()> {
    let reason = match &error {
        Error::Import(ImportError::Unreadable(_) | ImportError::Hostile(_)) if !candidate.named => error.to_string(),
        Error::Import(ImportError::Undecided { flag, .. }) if !candidate.named => {
            format!("{error}: import it by itself with {flag}")
        }
        _ => return Err(error),
    };
    report.skip(candidate.shown.clone(), reason);
    Ok(())
}

/// An export that was opened, held to the limits, and closed again: a folder may hold thousands.
struct Prepared {
    candidate: Candidate,
    mark: Mark,
    what: What,
}

enum What {
    /// Read before, and not changed since: what was told then.
    Known(Report),
    /// Its bytes as often as they are read.
    New { format: Format, bytes: u64 },
}

impl Prepared {
    fn open(archive: &Archive, candidate: &Candidate, options: &ImportOptions) -> Result<Self> {
        let opened = open(candidate, options)?;
        let files = opened.files.as_ref();
        let mark = Mark::of(&candidate.path, files.list(), options).map_err(|e| Error::io(&candidate.path, e))?;
        if !options.reread
            && let Some(report) = known::recall(archive, &candidate.path, &candidate.shown, &mark, options.files)?
        {
            return Ok(Self { candidate: candidate.clone(), mark, what: What::Known(report) });
        }
        let format = match options.format {
            Some(format) => format,
            None => detect(files, &opened.name)?,
        };
        let main = format.main_files(files);
        prove::prove(files, format, &main).map_err(|e| unreadable(candidate, e))?;
        let times = |path| if format == Format::WhatsApp && main.contains(path) { whatsapp::PASSES } else { 1 };
        let bytes = files.list().iter().map(|f| f.bytes.saturating_mul(times(&f.path))).sum();
        Ok(Self { candidate: candidate.clone(), mark, what: What::New { format, bytes } })
    }

    fn bytes_to_read(&self) -> u64 {
        if let What::New { bytes, .. } = self.what { bytes } else { 0 }
    }
}

fn open(candidate: &Candidate, options: &ImportOptions) -> Result<Opened> {
    let mut opened = open_path(&candidate.path).map_err(|e| unreadable(candidate, e))?;
    opened.files = Box::new(metered::Kept::new(opened.files, &options.exclude));
    Ok(opened)
}

fn unreadable(candidate: &Candidate, error: ImportError) -> Error {
    match error {
        ImportError::Io(source) => Error::io(&candidate.path, source),
        other => Error::Import(other),
    }
}

/// One call of [`import`].
struct Run<'r> {
    options: &'r ImportOptions,
    work: &'r Work,
    env: &'r Env,
    meter: Meter,
}

impl Run<'_> {
    fn source(&mut self, archive: &mut Archive, source: Prepared, report: &mut Report) -> Result<()> {
        self.work.check()?;
        let Prepared { candidate, mark, what } = source;
        let format = match what {
            What::Known(known) => {
                report.add(known);
                return Ok(());
            }
            What::New { format, .. } => format,
        };
        let opened = open(&candidate, self.options)?;
        let files = Metered::new(opened.files.as_ref(), self.meter.clone());
        let left_in = match self.options.files {
            FilesOf::Copied => None,
            FilesOf::LeftThere => Some(candidate.path.canonicalize().map_err(|e| Error::io(&candidate.path, e))?),
        };
        let read = self.read(archive, format, &files, &opened.name, left_in);
        // Stopped work looks like a failing sink, or like an export that ends early; it is neither.
        self.work.check()?;
        let Read { chats, imported } = read.map_err(|e| match e {
            Error::Import(ImportError::Io(source)) => Error::io(&candidate.path, source),
            other => other,
        })?;
        let one = report::of_source(&candidate.shown, format, chats, &imported, opened.skipped);
        if !self.options.dry_run {
            known::remember(archive, &candidate.path, &mark.read(self.options.files), &one, self.env.now_ms())?;
        }
        report.add(one);
        Ok(())
    }

    fn read(
        &mut self,
        archive: &mut Archive,
        format: Format,
        files: &Metered<'_>,
        name: &str,
        left_in: Option<PathBuf>,
    ) -> Result<Read> {
        let answers = &self.options.answers;
        if format == Format::WhatsApp {
            return whatsapp::read(archive, files, name, answers, left_in, (self.work, &self.meter));
        }
        // Copying a file needs the archive; whatever stays where it is can be read beside it.
        let beside = left_in.is_some() && self.env.hands == Hands::Threads;
        let mut sink = Archived::new(archive.import()?, left_in, self.work, &self.meter);
        let read = |sink: &mut dyn Sink| match format {
            Format::Telegram => telegram::read(files, answers, sink),
            _ => jsonl::read(files, answers, sink),
        };
        let reports = if beside { beside::read_beside(&mut sink, read)? } else { read(&mut sink) };
        let reports = sink.outcome(reports)?;
        let imported = sink.finish()?;
        let chat = |report: ChatReport| {
            let id = report.chat.as_ref().map_or(ChatId([0; 32]), |chat| archive.chat_id(chat));
            ChatRead { report, overlaps: Vec::new(), id }
        };
        Ok(Read { chats: reports.into_iter().map(chat).collect(), imported })
    }
}

/// What one export held, and what of it was new.
struct Read {
    chats: Vec<ChatRead>,
    imported: Imported,
}

struct ChatRead {
    report: ChatReport,
    id: ChatId,
    /// Spans that earlier exports of the chat cover too.
    overlaps: Vec<Span>,
}

/// What a path is called in reports.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
