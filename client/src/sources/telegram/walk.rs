//! The structure around the messages: an account's lists of chats, a chat's head.

use std::collections::HashSet;
use std::io::{BufReader, Read};

use struson::reader::ValueType;

use super::super::export::Taker;
use super::super::json::{Broken, Json, Walker};
use super::super::natives::Derived;
use super::super::{Answers, ChatInfo, ChatReport, Files, ImportError, Sink};
use super::SOURCE;
use super::convert::{self, Converted};
use crate::event::{Chat, Kind, Presence};

/// A message that takes more memory than this is left out (FORMATS §5).
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// The longest name, type or id of a chat.
const HEAD_BYTES_MAX: usize = 4 << 10;
/// How many chats' heads are read ahead of their messages.
const CHATS_MAX: usize = 100_000;
/// Distinct senders are counted up to this many.
const SENDERS_MAX: usize = 1 << 20;

/// What a chat says of itself.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Head {
    id: Option<String>,
    kind: Option<String>,
    name: Option<String>,
}

/// Why a walk stopped: the text, or what we do with it.
enum Stop {
    Broken(Broken),
    Import(ImportError),
}

impl From<Broken> for Stop {
    fn from(e: Broken) -> Self {
        Self::Broken(e)
    }
}

impl From<ImportError> for Stop {
    fn from(e: ImportError) -> Self {
        Self::Import(e)
    }
}

/// Reads one file. A file broken midway keeps what stood before the break, and says so.
pub fn read(
    files: &dyn Files,
    path: &str,
    answers: &Answers,
    taker: &mut Taker<'_>,
    sink: &mut dyn Sink,
    reports: &mut Vec<ChatReport>,
) -> Result<(), ImportError> {
    let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default();
    let had = reports.len();
    let mut import = Import {
        files,
        path,
        folder,
        answers,
        taker,
        sink,
        reports,
        heads: None,
        chats_seen: 0,
        me: answers.me.clone(),
    };
    let mut walker = Walker::new(BufReader::new(files.open(path)?));
    let outcome = account(&mut walker, &mut import);
    let Import { sink, reports, .. } = import;
    if walker.mended() > 0 {
        sink.skip(path, &format!("{} places were not valid text and read as U+FFFD", walker.mended()));
    }
    match outcome {
        Ok(()) => Ok(()),
        Err(Stop::Import(e)) => Err(e),
        Err(Stop::Broken(Broken::TooDeep)) => {
            Err(ImportError::Hostile(format!("{path:?}: {}; refused", Broken::TooDeep)))
        }
        Err(Stop::Broken(Broken::Io(e))) if e.kind() == std::io::ErrorKind::FileTooLarge => {
            Err(ImportError::Hostile(format!("{path:?} is larger than its export says; refused")))
        }
        Err(Stop::Broken(e)) if reports.len() == had => Err(ImportError::Unreadable(format!("{path:?}: {e}"))),
        Err(Stop::Broken(e)) => {
            sink.skip(path, &format!("{e}; what stood before it was read"));
            Ok(())
        }
    }
}

struct Import<'a, 'f> {
    files: &'a dyn Files,
    path: &'a str,
    /// Folder of the file inside the export, with its slash: media paths start there.
    folder: &'a str,
    answers: &'a Answers,
    taker: &'a mut Taker<'f>,
    sink: &'a mut dyn Sink,
    reports: &'a mut Vec<ChatReport>,
    /// Heads of all chats in order, read ahead when a chat's messages come before its head.
    heads: Option<Vec<Head>>,
    chats_seen: usize,
    me: Option<String>,
}

/// What is done with each chat of the file.
trait Visit<R: Read> {
    /// Called at `messages`, with what the head said so far.
    fn messages(&mut self, walker: &mut Walker<R>, head: &Head) -> Result<(), Stop>;
    /// Called at a chat's end, with the whole head.
    fn end(&mut self, head: Head) -> Result<(), Stop>;
    fn owner(&mut self, id: String);
}

/// Walks the outermost object: an account, or one chat.
fn account<R: Read>(walker: &mut Walker<R>, visit: &mut impl Visit<R>) -> Result<(), Stop> {
    walker.begin_object()?;
    let (mut head, mut is_chat) = (Head::default(), false);
    while let Some(name) = walker.member()? {
        let kind = walker.peek()?;
        match (name.as_str(), kind) {
            ("chats" | "left_chats", ValueType::Object) => {
                walker.begin_object()?;
                while let Some(name) = walker.member()? {
                    if name == "list" && walker.peek()? == ValueType::Array {
                        chats(walker, visit)?;
                    } else {
                        walker.skip()?;
                    }
                }
            }
            ("personal_information", ValueType::Object) => {
                let about = walker.value(MESSAGE_BYTES_MAX)?;
                let id =
                    about.as_ref().and_then(Json::map).and_then(|m| m.get("user_id")).and_then(Json::text_or_number);
                if let Some(id) = id {
                    visit.owner(format!("user{id}"));
                }
            }
            _ => is_chat |= chat_member(walker, &name, kind, &mut head, visit)?,
        }
    }
    if is_chat { visit.end(head) } else { Ok(()) }
}

fn chats<R: Read>(walker: &mut Walker<R>, visit: &mut impl Visit<R>) -> Result<(), Stop> {
    walker.begin_array()?;
    while walker.item()? {
        if walker.peek()? != ValueType::Object {
            walker.skip()?;
            continue;
        }
        walker.begin_object()?;
        let mut head = Head::default();
        while let Some(name) = walker.member()? {
            let kind = walker.peek()?;
            chat_member(walker, &name, kind, &mut head, visit)?;
        }
        visit.end(head)?;
    }
    Ok(())
}

/// Reads a member of a chat; answers whether it was its messages.
fn chat_member<R: Read>(
    walker: &mut Walker<R>,
    name: &str,
    kind: ValueType,
    head: &mut Head,
    visit: &mut impl Visit<R>,
) -> Result<bool, Stop> {
    let slot = match (name, kind) {
        ("messages", ValueType::Array) => {
            visit.messages(walker, head)?;
            return Ok(true);
        }
        ("id", ValueType::Number | ValueType::String) => &mut head.id,
        ("type", ValueType::String) => &mut head.kind,
        ("name", ValueType::String) => &mut head.name,
        _ => {
            walker.skip()?;
            return Ok(false);
        }
    };
    let value = walker.value(HEAD_BYTES_MAX)?;
    *slot = value.as_ref().and_then(Json::text_or_number).filter(|t| !t.is_empty()).map(str::to_owned);
    Ok(false)
}

/// Collects heads alone.
struct Heads(Vec<Head>);

impl<R: Read> Visit<R> for Heads {
    fn messages(&mut self, walker: &mut Walker<R>, _: &Head) -> Result<(), Stop> {
        Ok(walker.skip()?)
    }

    fn end(&mut self, head: Head) -> Result<(), Stop> {
        if self.0.len() < CHATS_MAX {
            self.0.push(head);
        }
        Ok(())
    }

    fn owner(&mut self, _: String) {}
}

impl<R: Read> Visit<R> for Import<'_, '_> {
    fn messages(&mut self, walker: &mut Walker<R>, head: &Head) -> Result<(), Stop> {
        let head = if head.id.is_some() && head.kind.is_some() { head.clone() } else { self.head_ahead(head)? };
        let (chat, assumed) = self.chat(&head);
        let info = ChatInfo { title: title(&head), shape: shape(head.kind.as_deref()) };
        self.sink.chat(&chat, &info)?;
        let mut report = ChatReport {
            chat: Some(chat.clone()),
            title: info.title,
            assumed_chat: assumed,
            assumed_me: self.me.clone(),
            ..ChatReport::default()
        };
        let outcome = self.list(walker, &chat, &mut report);
        // Counted also when the text breaks off: what was read stands.
        self.reports.push(report);
        outcome
    }

    fn end(&mut self, _: Head) -> Result<(), Stop> {
        self.chats_seen += 1;
        Ok(())
    }

    fn owner(&mut self, id: String) {
        self.me.get_or_insert(id);
    }
}

impl Import<'_, '_> {
    /// The whole head of the chat we stand in, read by a pass of its own: its messages came first.
    fn head_ahead(&mut self, so_far: &Head) -> Result<Head, Stop> {
        if self.heads.is_none() {
            let mut heads = Heads(Vec::new());
            let file = self.files.open(self.path).map_err(ImportError::from)?;
            // A break is met again, and reported, by the pass that reads the messages.
            let _ = account(&mut Walker::new(BufReader::new(file)), &mut heads);
            self.heads = Some(heads.0);
        }
        let ahead = self.heads.as_ref().and_then(|h| h.get(self.chats_seen)).cloned();
        Ok(ahead.unwrap_or_else(|| so_far.clone()))
    }

    /// The chat's key, and the label that was assumed where it has no id.
    fn chat(&self, head: &Head) -> (Chat, Option<String>) {
        let kind = head.kind.as_deref().unwrap_or("chat");
        let (id, assumed) = match &head.id {
            Some(id) => (id.clone(), None),
            None => {
                let file = self.path.rsplit('/').next().unwrap_or(self.path);
                let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                let label = head.name.clone().or_else(|| self.answers.chat.clone()).unwrap_or_else(|| stem.to_owned());
                (label.clone(), Some(label))
            }
        };
        let mut conversation = format!("{kind}:{id}");
        if conversation.len() > Chat::CONVERSATION_BYTES_MAX {
            conversation = format!("long:{}", blake3::hash(conversation.as_bytes()).to_hex());
        }
        (Chat { source: SOURCE.into(), conversation }, assumed)
    }

    fn list<R: Read>(&mut self, walker: &mut Walker<R>, chat: &Chat, report: &mut ChatReport) -> Result<(), Stop> {
        let (mut derived, mut senders, mut number) = (Derived::default(), HashSet::new(), 0u64);
        walker.begin_array()?;
        while walker.item()? {
            number += 1;
            let is_object = walker.peek()? == ValueType::Object;
            let message = match walker.value(MESSAGE_BYTES_MAX)? {
                Some(Json::Map(message)) if is_object => message,
                other => {
                    let reason = if other.is_none() { "larger than 1 MiB" } else { "not an object" };
                    self.sink.skip(&format!("{}: message {number} of {}", self.path, chat.conversation), reason);
                    continue;
                }
            };
            let converted = convert::convert(message, self.folder, &mut derived, self.taker, self.sink)?;
            count(report, &mut senders, &converted);
            let native = converted.row.native.clone();
            self.sink.row(chat, converted.row)?;
            for reaction in converted.reactions {
                self.sink.about(chat, &native, reaction)?;
            }
        }
        Ok(())
    }
}

fn title(head: &Head) -> Option<String> {
    let saved = head.kind.as_deref() == Some("saved_messages");
    head.name.clone().or_else(|| saved.then(|| "Saved Messages".to_owned()))
}

fn shape(kind: Option<&str>) -> Option<&'static str> {
    match kind? {
        "personal_chat" | "bot_chat" | "saved_messages" => Some("dm"),
        "private_group" | "private_supergroup" | "public_supergroup" => Some("group"),
        "private_channel" | "public_channel" => Some("channel"),
        _ => None,
    }
}

fn count(report: &mut ChatReport, senders: &mut HashSet<[u8; 32]>, it: &Converted) {
    if it.is_service {
        report.system += 1;
    } else {
        report.messages += 1;
        if let Some(sender) = it.row.sender().filter(|_| senders.len() < SENDERS_MAX) {
            senders.insert(*blake3::hash(sender.native_id.or(sender.name).unwrap_or_default().as_bytes()).as_bytes());
            report.participants = senders.len() as u64;
        }
    }
    report.edited += u64::from(it.is_edited);
    report.replies += u64::from(it.is_reply);
    report.reactions += it.reactions.len() as u64;
    for attachment in &it.attachments {
        match attachment.presence {
            // A place or a bare contact has no bytes to come.
            Presence::Present if attachment.hash.is_none() => {}
            Presence::Present => report.present += 1,
            Presence::Omitted => report.omitted += 1,
            Presence::Expired => report.expired += 1,
            Presence::Missing | Presence::Deleted => report.missing += 1,
        }
    }
    if it.row.sent_at().is_some() && it.row.kind != Kind::IMPORT {
        let time = it.row.time;
        report.first = Some(report.first.map_or(time, |t| t.min(time)));
        report.last = Some(report.last.map_or(time, |t| t.max(time)));
    }
}
