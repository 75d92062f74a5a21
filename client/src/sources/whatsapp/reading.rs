//! Second pass over a chat file: its lines, one after the other, in bounded memory.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};

use super::body::{self, Content, Hand, PLACE_ROLE};
use super::header::Frame;
use super::lines::{LINE_BYTES_MAX, Lines, PhysicalLine};
use super::marks::is_mark;
use super::media::{self, Media, Shelf};
use super::names;
use super::survey::Grammar;
use crate::event::{Attachment, Kind, Party, Precision, Presence, Row, Stamp, tag};
use crate::merge::{Class, Line};
use crate::sources::{ChatReport, FileTaken, Files, ImportError, Sink};

/// A group has 1,024 members; a file that names far more people than ever shared one is not read.
const SENDERS_MAX: usize = 65_536;

/// What the second pass found beside the lines.
#[derive(Clone, Default, Debug)]
pub struct Reading {
    /// Distinct senders of messages, sorted.
    pub names: Vec<String>,
    /// Messages, attachments and times; chat, title and assumptions are left to the caller.
    pub report: ChatReport,
}

/// Where lines go.
pub(super) type Emit<'e> = &'e mut dyn FnMut(Line) -> Result<(), ImportError>;

/// Reads every line. Without a sink the attachments' bytes are left alone.
pub(super) fn read(
    files: &dyn Files,
    chat_file: &str,
    grammar: &Grammar,
    emit: Emit<'_>,
    sink: Option<&mut dyn Sink>,
) -> Result<Reading, ImportError> {
    let hand = Hand { ios: grammar.frame == Frame::Bracket, marks: grammar.marks };
    let shelf = Shelf::new(files, chat_file);
    let (senders, taken) = (BTreeSet::new(), HashMap::new());
    let mut reader =
        Reader { files, chat_file, grammar, hand, shelf, emit, sink, senders, taken, report: ChatReport::default() };
    reader.run()?;
    let Reader { senders, mut report, .. } = reader;
    report.participants = senders.len() as u64;
    Ok(Reading { names: senders.into_iter().collect(), report })
}

struct Reader<'r, 's> {
    files: &'r dyn Files,
    chat_file: &'r str,
    grammar: &'r Grammar,
    hand: Hand,
    shelf: Shelf,
    emit: Emit<'r>,
    sink: Option<&'s mut dyn Sink>,
    senders: BTreeSet<String>,
    /// Files handed over already, by path: a file that many messages name is read once.
    taken: HashMap<String, FileTaken>,
    report: ChatReport,
}

/// A message whose end has not been seen.
struct Open {
    unit: i64,
    second: Option<u8>,
    stamp: Option<String>,
    /// The bytes behind the header, line ends as LF.
    bytes: Vec<u8>,
    number: u64,
    cut: bool,
    /// The line follows a header we know.
    headed: bool,
}

impl Open {
    /// Adds a line of the same message, up to the limit of one line.
    fn extend(&mut self, line: &PhysicalLine) {
        let room = LINE_BYTES_MAX.saturating_sub(self.bytes.len());
        if line.bytes.len() >= room {
            self.cut = true;
        }
        if !self.cut {
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(&line.bytes);
        }
        self.cut |= line.cut;
    }
}

impl Reader<'_, '_> {
    fn run(&mut self) -> Result<(), ImportError> {
        let mut lines = Lines::new(self.files.open(self.chat_file)?);
        let mut line = PhysicalLine::default();
        let mut open: Option<Open> = None;
        while lines.next(&mut line)? {
            let text = String::from_utf8_lossy(&line.bytes);
            if let Some(next) = self.start(&text, &line) {
                if let Some(done) = open.replace(next) {
                    self.finish(done)?;
                }
            } else if let Some(open) = open.as_mut() {
                open.extend(&line);
            } else if text.chars().any(|c| !c.is_whitespace() && !is_mark(c)) {
                open = Some(self.unheaded(&line));
            }
        }
        if let Some(mut last) = open {
            // What follows the last message's text is the file's end, not the message.
            while last.bytes.last() == Some(&b'\n') {
                last.bytes.pop();
            }
            self.finish(last)?;
        }
        Ok(())
    }

    fn start(&self, text: &str, line: &PhysicalLine) -> Option<Open> {
        let (head, unit) = self.grammar.head(text)?;
        // A header holds no replaced characters, so its length is the same in the bytes.
        let header_bytes = text.len().checked_sub(head.rest.len())?;
        let bytes = line.bytes.get(header_bytes..)?.to_vec();
        let (second, stamp) = (head.second, Some(head.stamp.to_owned()));
        Some(Open { unit, second, stamp, bytes, number: line.number, cut: line.cut, headed: true })
    }

    /// Keeps lines above the first header: at the first message's time, as nobody's.
    fn unheaded(&self, line: &PhysicalLine) -> Open {
        let unit = self.grammar.first_unit;
        let bytes = line.bytes.clone();
        Open { unit, second: None, stamp: None, bytes, number: line.number, cut: line.cut, headed: false }
    }

    fn finish(&mut self, open: Open) -> Result<(), ImportError> {
        if open.cut {
            let item = format!("{}, line {}", self.chat_file, open.number);
            self.skip(&item, "longer than 1 MiB: only its beginning was kept");
        }
        let text = readable(&open.bytes);
        let damaged = matches!(text, Cow::Owned(_));
        let (sender, content) = self.understand(&text, open.headed)?;
        if damaged || open.cut || !open.headed {
            self.report.lines_unknown = self.report.lines_unknown.saturating_add(1);
        }

        let attachments = self.attachments(&content)?;
        let mut row = Row::new(content.kind, open.unit, "");
        row.fields.set_some(tag::BODY, Some(content.text.as_str()));
        row.fields.set_some(tag::ACTION, content.action.as_deref());
        if damaged {
            row.fields.set_some(tag::RAW, Some(open.bytes.as_slice()));
        }
        if let Some(sender) = &sender {
            row.set_sender(&Party::named(sender.clone()));
        }
        if let Some(stamp) = open.stamp {
            let precision = if open.second.is_some() { Precision::Second } else { Precision::Minute };
            row.set_sent_at(&Stamp::local(stamp, precision));
        }
        row.set_attachments(&attachments);

        self.count(&content, &attachments, sender.is_some(), &open.second, open.unit);
        let (class, normal) = (content.class, content.normal);
        (self.emit)(Line { unit: open.unit, seconds: open.second, sender, class, normal, row })
    }

    /// Tells sender and content of a message's whole text.
    fn understand(&mut self, text: &str, headed: bool) -> Result<(Option<String>, Content), ImportError> {
        let (line, more) = match text.split_once('\n') {
            Some((line, more)) => (line, Some(more)),
            None => (text, None),
        };
        let split = headed.then(|| self.grammar.names.split(line)).flatten();
        let Some((name, body)) = split else {
            let mut content = body::unsigned(text);
            if !headed {
                content.kind = Kind::SYSTEM;
            }
            return Ok((None, content));
        };
        let body = match more {
            Some(more) => Cow::Owned(format!("{body}\n{more}")),
            None => Cow::Borrowed(body),
        };
        let content = body::signed(&body, &self.shelf, self.hand);
        if content.kind == Kind::SYSTEM {
            return Ok((None, content));
        }
        let name = names::clean(name);
        if !self.senders.contains(&name) {
            if self.senders.len() == SENDERS_MAX {
                return Err(ImportError::Hostile(format!("more than {SENDERS_MAX} people write in one chat")));
            }
            self.senders.insert(name.clone());
        }
        Ok((Some(name), content))
    }

    fn attachments(&mut self, content: &Content) -> Result<Vec<Attachment>, ImportError> {
        let mut list = Vec::new();
        for file in content.files.iter().take(Attachment::COUNT_MAX) {
            list.push(self.attachment(file)?);
        }
        if let Some(link) = &content.place {
            let mut place = Attachment::new(PLACE_ROLE, Presence::Omitted);
            place.source_ref = Some(link.clone());
            list.push(place);
        }
        Ok(list)
    }

    fn attachment(&mut self, file: &Media) -> Result<Attachment, ImportError> {
        let Some(name) = &file.name else {
            return Ok(Attachment::new(file.role, Presence::Omitted));
        };
        let mut attachment = Attachment::new(file.role, Presence::Missing);
        attachment.name = Some(name.clone());
        attachment.mime = media::mime(name).map(str::to_owned);
        let Some(path) = &file.path else { return Ok(attachment) };
        let Some(sink) = self.sink.as_mut() else {
            attachment.presence = Presence::Present;
            return Ok(attachment);
        };
        let taken = match self.taken.get(path) {
            Some(taken) => Ok(*taken),
            None => take(self.files, path, &mut **sink)?,
        };
        match taken {
            Ok(taken) => {
                self.taken.insert(path.clone(), taken);
                attachment.presence = Presence::Present;
                attachment.hash = Some(taken.hash);
                attachment.size = Some(taken.bytes);
            }
            Err(e) => sink.skip(path, &format!("the attachment could not be read: {e}")),
        }
        Ok(attachment)
    }

    fn skip(&mut self, item: &str, reason: &str) {
        if let Some(sink) = self.sink.as_mut() {
            sink.skip(item, reason);
        }
    }

    fn count(&mut self, content: &Content, list: &[Attachment], signed: bool, second: &Option<u8>, unit: i64) {
        let add = |n: &mut u64, when: bool| *n = n.saturating_add(u64::from(when));
        let r = &mut self.report;
        add(&mut r.messages, signed);
        add(&mut r.system, !signed);
        add(&mut r.edited, content.class == Class::Edited);
        add(&mut r.deleted, content.class == Class::Deleted);
        for a in list.iter().filter(|a| a.role != PLACE_ROLE) {
            add(&mut r.present, a.presence == Presence::Present);
            add(&mut r.omitted, a.presence == Presence::Omitted);
            add(&mut r.missing, a.presence == Presence::Missing);
        }
        let time = unit.saturating_add(i64::from(second.unwrap_or(0)) * 1000);
        r.first = Some(r.first.map_or(time, |f| f.min(time)));
        r.last = r.last.max(Some(time));
    }
}

/// UTF-8 as it stands; other bytes and NUL show as U+FFFD.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { text }
}

/// Hands a file to the sink. A file that cannot be read is the inner error; what the sink cannot do stops the import.
fn take(files: &dyn Files, path: &str, sink: &mut dyn Sink) -> Result<Result<FileTaken, io::Error>, ImportError> {
    let inner = match files.open(path) {
        Ok(inner) => inner,
        Err(e) => return Ok(Err(e)),
    };
    let mut watched = Watched { inner, failed: None };
    match sink.file(path, &mut watched) {
        Ok(taken) => Ok(Ok(taken)),
        Err(e) => watched.failed.map_or(Err(e), |failed| Ok(Err(failed))),
    }
}

/// Remembers that reading failed, to tell it from a failure of the sink.
struct Watched<R> {
    inner: R,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buf);
        if let Err(e) = &result
            && e.kind() != io::ErrorKind::Interrupted
        {
            self.failed = Some(io::Error::new(e.kind(), e.to_string()));
        }
        result
    }
}
