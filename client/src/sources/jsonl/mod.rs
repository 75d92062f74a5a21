//! Our interchange, JSON Lines (SURFACE §6): one message a line. What `writers::jsonl` writes, this gives back.

mod line;
mod lines;
mod message;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use super::export::Taker;
use super::{Answers, ChatReport, Files, ImportError, Sink};
use crate::event::{Chat, Presence};

pub use line::{Word, id_of};

/// Source name of messages that state none.
pub const SOURCE: &str = "jsonl";
/// A line longer than this is left out.
pub const LINE_BYTES_MAX: usize = 16 << 20;
const DETECT_BYTES: u64 = 256 << 10;
const DETECT_FILES_MAX: usize = 1000;
/// Distinct senders are counted up to this many, over all chats of a file.
const SENDERS_MAX: usize = 1 << 20;
/// Chats are told apart up to this many in one file.
const CHATS_MAX: usize = 100_000;

/// Finds the export's files of lines by content.
pub fn detect(files: &dyn Files) -> Vec<String> {
    let list = files.list();
    let alone = list.len() == 1;
    let ours = |path: &str| {
        let ending = path.rsplit_once('.').map_or("", |(_, e)| e);
        alone || ["jsonl", "ndjson"].iter().any(|e| ending.eq_ignore_ascii_case(e))
    };
    let candidates = list.iter().filter(|e| ours(&e.path)).take(DETECT_FILES_MAX);
    candidates.filter(|e| begins_like_ours(files, &e.path)).map(|e| e.path.clone()).collect()
}

fn begins_like_ours(files: &dyn Files, path: &str) -> bool {
    let Ok(file) = files.open(path) else { return false };
    lines::first_keys(file.take(DETECT_BYTES))
        .is_some_and(|keys| ["id", "chat", "ts"].iter().all(|k| keys.contains(*k)))
}

/// Reads every file of lines found.
pub fn read(files: &dyn Files, answers: &Answers, sink: &mut dyn Sink) -> Result<Vec<ChatReport>, ImportError> {
    let found = detect(files);
    if found.is_empty() {
        return Err(ImportError::Unreadable("no JSON Lines with id, chat and ts were found in it".into()));
    }
    let mut taker = Taker::new(files);
    let mut reports = Reports { me: answers.me.clone(), ..Reports::default() };
    for path in found {
        read_file(files, &path, &mut taker, sink, &mut reports)?;
    }
    Ok(reports.chats.into_values().map(|(report, _)| report).collect())
}

fn read_file(
    files: &dyn Files,
    path: &str,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
    reports: &mut Reports,
) -> Result<(), ImportError> {
    let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default();
    let mut lines = lines::Lines::new(BufReader::new(files.open(path)?));
    loop {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(e) if e.kind() == std::io::ErrorKind::FileTooLarge => {
                return Err(ImportError::Hostile(format!("{path:?} is larger than its export says; refused")));
            }
            Err(e) => {
                sink.skip(path, &format!("cannot be read on: {e}; what stood before it was read"));
                break;
            }
        };
        let item = || format!("{path} line {}", line.number);
        let read = match line.read() {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err(reason) => {
                sink.skip(&item(), &reason);
                continue;
            }
        };
        if read.mended > 0 {
            sink.skip(&item(), "held bytes that are no valid text; they are kept beside what could be read");
        }
        let message = match message::convert(read, folder, taker, sink)? {
            Ok(message) => message,
            Err(reason) => {
                sink.skip(&item(), &reason);
                continue;
            }
        };
        for problem in &message.problems {
            sink.skip(&item(), problem);
        }
        reports.announce(&message, sink)?;
        reports.count(&message);
        let native = message.row.native.clone();
        sink.row(&message.chat, message.row)?;
        for row in message.about {
            sink.about(&message.chat, &native, row)?;
        }
    }
    Ok(())
}

/// What was found, chat by chat: lines of chats may come mixed.
#[derive(Default)]
struct Reports {
    chats: BTreeMap<Chat, (ChatReport, std::collections::HashSet<[u8; 32]>)>,
    senders: usize,
    me: Option<String>,
}

impl Reports {
    fn announce(&mut self, it: &message::Read, sink: &mut dyn Sink) -> Result<(), ImportError> {
        let known = self.chats.get(&it.chat).map(|(report, _)| &report.title);
        if known.is_some_and(|title| it.info.title.is_none() || *title == it.info.title) {
            return Ok(());
        }
        sink.chat(&it.chat, &it.info)?;
        if known.is_none() && self.chats.len() >= CHATS_MAX {
            return Err(ImportError::Hostile(format!("names more than {CHATS_MAX} chats; refused")));
        }
        let me = self.me.clone();
        let (report, _) = self.chats.entry(it.chat.clone()).or_default();
        report.chat = Some(it.chat.clone());
        report.assumed_me = me;
        report.title = it.info.title.clone().or(report.title.take());
        Ok(())
    }

    fn count(&mut self, it: &message::Read) {
        let Some((report, senders)) = self.chats.get_mut(&it.chat) else { return };
        if it.is_system {
            report.system += 1;
        } else {
            report.messages += 1;
            if let Some(sender) = it.row.sender().filter(|_| self.senders < SENDERS_MAX) {
                let hash = blake3::hash(sender.native_id.or(sender.name).unwrap_or_default().as_bytes());
                self.senders += usize::from(senders.insert(*hash.as_bytes()));
                report.participants = senders.len() as u64;
            }
        }
        report.edited += u64::from(it.edited);
        report.deleted += u64::from(it.deleted);
        report.reactions += it.reactions;
        report.replies += u64::from(it.row.reply().is_some() && !it.is_system);
        for attachment in it.row.attachments() {
            match attachment.presence {
                Presence::Present if attachment.hash.is_none() => {}
                Presence::Present => report.present += 1,
                Presence::Omitted => report.omitted += 1,
                Presence::Expired => report.expired += 1,
                Presence::Missing | Presence::Deleted => report.missing += 1,
            }
        }
        if it.row.sent_at().is_some() {
            report.first = Some(report.first.map_or(it.row.time, |t| t.min(it.row.time)));
            report.last = Some(report.last.map_or(it.row.time, |t| t.max(it.row.time)));
        }
    }
}
