//! WhatsApp's text exports (FORMATS §3.1): a chat file of iPhone or Android, alone or with its media, to lines.
//!
//! Two streaming passes: [`Export::survey`] learns how the file writes, [`Export::read`] hands out its lines. Memory
//! holds one message and the names of people, whatever the size of the file.

mod body;
mod header;
mod label;
mod lines;
mod marks;
mod media;
mod names;
mod order;
mod periods;
mod phrases;
mod reading;
mod survey;
#[cfg(test)]
mod tests;

pub use label::label;
pub use reading::Reading;

use std::io::Read;

use crate::event::Precision;
use crate::merge::Line;
use crate::sources::{Answers, DateOrder, Files, ImportError, Sink};

/// How much of a file is looked at to tell what it is.
const DETECT_BYTES: u64 = 64 << 10;

/// How many text files of an export are looked at to find the chat.
const DETECT_FILES_MAX: usize = 32;

/// How many lines may stand above the first header.
const DETECT_LINES_MAX: usize = 8;

/// A chat file found in an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Path of the text in the export; everything else is its media.
    pub chat_file: String,
}

/// Finds the chat file by content. Cheap: reads the beginnings of a few text files.
pub fn detect(files: &dyn Files) -> Option<Found> {
    let alone = files.list().len() == 1;
    let mut texts: Vec<&str> = files.list().iter().map(|e| e.path.as_str()).filter(|p| alone || is_text(p)).collect();
    // The chat lies at the top; attached documents may be texts, too.
    texts.sort_by_key(|p| (!p.ends_with("_chat.txt"), !p.contains("WhatsApp"), p.matches('/').count(), *p));
    let chat = texts.into_iter().take(DETECT_FILES_MAX).find(|path| begins_like_a_chat(files, path))?;
    Some(Found { chat_file: chat.to_owned() })
}

fn is_text(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, e)| e.eq_ignore_ascii_case("txt"))
}

fn begins_like_a_chat(files: &dyn Files, path: &str) -> bool {
    let mut bytes = Vec::new();
    let Ok(file) = files.open(path) else { return false };
    if file.take(DETECT_BYTES).read_to_end(&mut bytes).is_err() {
        return false;
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().filter(|l| !l.trim().is_empty()).take(DETECT_LINES_MAX);
    lines.any(|line| header::parse(line).is_some())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Platform {
    Ios,
    Android,
}

/// What a merge needs to know of an export before its lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The chat's name by the person's word, else by the file's name, else by the notice that begins an iPhone's export.
    pub label: Option<String>,
    /// Unit (local minute as ms) of the first line in the file.
    pub first_unit: i64,
    /// Unit of the latest line.
    pub last_unit: i64,
    /// Time of the latest line in ms, with seconds where the export shows them: the export's as-of.
    pub last_time: i64,
    pub precision: Precision,
    pub date_order: DateOrder,
    pub platform: Platform,
    /// The person's word; it enters nothing but reports and import rows.
    pub zone: Option<String>,
}

/// An export whose way of writing is known.
pub struct Export<'f> {
    files: &'f dyn Files,
    found: Found,
    grammar: survey::Grammar,
    facts: Facts,
    me: Option<String>,
    chat: Option<String>,
}

impl<'f> Export<'f> {
    /// Reads the chat file once and decides how it writes.
    pub fn survey(files: &'f dyn Files, answers: &Answers) -> Result<Self, ImportError> {
        let found = detect(files)
            .ok_or_else(|| ImportError::Unreadable("no chat of a WhatsApp export was found in it".into()))?;
        let grammar = survey::survey(files, &found.chat_file, answers)?;
        let ios = grammar.frame == header::Frame::Bracket;
        let facts = Facts {
            label: answers.chat.clone().or_else(|| label(&found.chat_file)).or_else(|| grammar.title.clone()),
            first_unit: grammar.first_unit,
            last_unit: grammar.latest - grammar.latest.rem_euclid(60_000),
            last_time: grammar.latest,
            precision: if grammar.seconds { Precision::Second } else { Precision::Minute },
            date_order: grammar.order,
            platform: if ios { Platform::Ios } else { Platform::Android },
            zone: answers.zone.clone(),
        };
        Ok(Self { files, found, grammar, facts, me: answers.me.clone(), chat: answers.chat.clone() })
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Hands out every line in file order, attachments by name only: present without hash and size.
    pub fn scan(&self, emit: &mut dyn FnMut(Line) -> Result<(), ImportError>) -> Result<Reading, ImportError> {
        self.pass(emit, None)
    }

    /// Hands out every line in file order and the attachments' bytes to the sink.
    pub fn read(
        &self,
        emit: &mut dyn FnMut(Line) -> Result<(), ImportError>,
        sink: &mut dyn Sink,
    ) -> Result<Reading, ImportError> {
        self.pass(emit, Some(sink))
    }

    fn pass(
        &self,
        emit: &mut dyn FnMut(Line) -> Result<(), ImportError>,
        sink: Option<&mut dyn Sink>,
    ) -> Result<Reading, ImportError> {
        let mut reading = reading::read(self.files, &self.found.chat_file, &self.grammar, emit, sink)?;
        let report = &mut reading.report;
        report.title.clone_from(&self.facts.label);
        report.assumed_zone.clone_from(&self.facts.zone);
        report.assumed_date_order = Some(self.facts.date_order);
        report.assumed_me.clone_from(&self.me);
        report.assumed_chat.clone_from(&self.chat);
        Ok(reading)
    }
}
