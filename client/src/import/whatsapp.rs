//! WhatsApp's exports have no ids, so what is known of the chat decides how their lines become rows (FORMATS §2a).

use std::cell::RefCell;
use std::io::Read;
use std::path::PathBuf;

use super::archived::Archived;
use super::metered::Meter;
use super::{ChatRead, Read as Found, Span};
use crate::archive::{Archive, ChatSummary};
use crate::error::Result;
use crate::event::{Chat, Fields, Kind, Row, tag};
use crate::ids::ChatId;
use crate::merge::{
    Assembler, Choice, Export, Import, Question, Sketch, aliases, choose_strand, gap, known_imports, known_strands,
    overlapping,
};
use crate::sources::whatsapp::{self, Facts};
use crate::sources::{Answers, ChatInfo, FileTaken, Files, ImportError, Sink};
use crate::vault::Work;

const SOURCE: &str = "whatsapp";

/// How often the chat's text is gone through: to learn how it writes, to compare it, and to take it.
pub(super) const PASSES: u64 = 3;

/// Reads one export, called `name`.
pub(super) fn read(
    archive: &mut Archive,
    files: &dyn Files,
    name: &str,
    answers: &Answers,
    left_in: Option<PathBuf>,
    (work, meter): (&Work, &Meter),
) -> Result<Found> {
    let export = whatsapp::Export::survey(files, answers)?;
    work.check()?;
    let mut sketch = Sketch::new(SOURCE);
    export.scan(&mut |line| {
        sketch.line(&line);
        Ok(())
    })?;
    work.check()?;
    let label = match &answers.chat {
        Some(label) => label.clone(),
        None => label(archive, export.facts(), name, &sketch, work)?,
    };
    let chat = Chat { source: SOURCE.into(), conversation: label.clone() };
    let known = Known::of(archive, &archive.chat_id(&chat))?;
    let strand = match choose_strand(SOURCE, &sketch, &known.strands, answers.chat.is_some()) {
        Choice::Known(strand) | Choice::Own(strand) => strand,
        Choice::Ask(question) => return Err(asked(question, &label).into()),
    };
    let names = aliases(SOURCE, &sketch, &known.strands, &known.imports);
    let plan = Export { strand, as_of: export.facts().last_time, precision: export.facts().precision, aliases: names };
    let mut assembler = Assembler::new(SOURCE, plan);

    let mut sink = Archived::new(archive.import()?, left_in, work, meter);
    let begun = sink.chat(&chat, &ChatInfo { title: Some(label.clone()), shape: None });
    sink.outcome(begun)?;
    let shared = RefCell::new(&mut sink);
    let reading = export
        .read(&mut |line| assembler.line(line, &mut |row| shared.borrow_mut().row(&chat, row)), &mut Shared(&shared));
    let reading = reading.and_then(|reading| {
        assembler.finish(&mut |row| shared.borrow_mut().row(&chat, row))?;
        Ok(reading)
    });
    let mut report = sink.outcome(reading)?.report;
    let imported = sink.finish()?;
    report.gaps.extend(gap(&sketch, &known.strands));
    report.title = Some(label.clone());
    report.assumed_chat = Some(label);
    let id = archive.chat_id(&chat);
    report.chat = Some(chat);
    Ok(Found { chats: vec![ChatRead { report, overlaps: overlaps(&sketch, &known.imports), id }], imported })
}

/// What the archive knows of a chat.
struct Known {
    strands: Vec<(i64, Sketch)>,
    imports: Vec<Import>,
}

impl Known {
    fn of(archive: &Archive, chat: &ChatId) -> Result<Self> {
        let mut rows = Vec::new();
        archive.each_row(Some(&[*chat]), false, |stored| {
            rows.push(slim(stored.row()?));
            Ok(true)
        })?;
        Ok(Self { strands: known_strands(SOURCE, &rows), imports: known_imports(&rows) })
    }
}

/// A row without all that a comparison does not look at: texts may be long.
fn slim(mut row: Row) -> Row {
    let mut fields = Fields::default();
    let looked_at: &[u16] = if row.kind == Kind::IMPORT { &[tag::IMPORT] } else { &[tag::SENDER, tag::PLACE] };
    for tag in looked_at {
        if let Some(value) = row.fields.remove(*tag) {
            fields.set(*tag, value);
        }
    }
    row.fields = fields;
    row
}

/// The known chat an export overlaps, else what its file is called.
fn label(archive: &Archive, facts: &Facts, name: &str, sketch: &Sketch, work: &Work) -> Result<String> {
    let label = whatsapp::label(name).or_else(|| facts.label.clone()).unwrap_or_else(|| name.to_owned());
    let label = shortened(label);
    let chats = archive.chats()?.into_iter().filter(|c| c.chat.source == SOURCE && near(c, sketch));
    let mut same = Vec::new();
    for chat in chats {
        work.check()?;
        let Known { strands, .. } = Known::of(archive, &chat.id)?;
        let one = || chat.chat.conversation.clone();
        if !overlapping(sketch, strands.iter().map(|(_, known)| ((), known))).is_empty() {
            same.push(one());
        }
    }
    match same.as_slice() {
        [] => Ok(label),
        [one] => Ok(one.clone()),
        several if several.contains(&label) => Ok(label),
        several => {
            let question = format!("these lines stand in several known chats ({}): which is it?", several.join(", "));
            Err(ImportError::Undecided { question, flag: "--chat" }.into())
        }
    }
}

/// Whether a chat has messages in an export's time, give or take what clocks may differ.
fn near(chat: &ChatSummary, sketch: &Sketch) -> bool {
    const SHIFT_MAX: i64 = 27 * 60 * 60_000;
    let (Some((from, to)), Some(first), Some(last)) = (sketch.span(), chat.first, chat.last) else { return false };
    first <= to.saturating_add(SHIFT_MAX) && last >= from.saturating_sub(SHIFT_MAX)
}

fn shortened(label: String) -> String {
    let end = label.floor_char_boundary(Chat::CONVERSATION_BYTES_MAX);
    label.split_at(end).0.to_owned()
}

fn asked(question: Question, label: &str) -> ImportError {
    let question = match question {
        Question::OtherChat => {
            format!("the known chat {label:?} has other lines at the same time: is this another chat?")
        }
        Question::NoCommonTime => {
            format!("this and the known chat {label:?} have no time in common: are they one chat?")
        }
        Question::OddShift => {
            format!(
                "these lines stand in the known chat {label:?} at times that no change of zone explains: is it the same chat?"
            )
        }
    };
    ImportError::Undecided { question, flag: "--chat" }
}

/// The parts of an export's time that earlier exports cover, joined.
fn overlaps(sketch: &Sketch, imports: &[Import]) -> Vec<Span> {
    let Some((from, to)) = sketch.span() else { return Vec::new() };
    let both = imports.iter().map(|i| Span { from: i.first.max(from), to: i.last.min(to) });
    let mut spans: Vec<Span> = both.filter(|s| s.from <= s.to).collect();
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}

/// One sink for lines and for files; they come one after the other.
struct Shared<'s, 'a>(&'s RefCell<&'s mut Archived<'a>>);

impl Sink for Shared<'_, '_> {
    fn chat(&mut self, chat: &Chat, info: &ChatInfo) -> Result<(), ImportError> {
        self.0.borrow_mut().chat(chat, info)
    }

    fn row(&mut self, chat: &Chat, row: Row) -> Result<(), ImportError> {
        self.0.borrow_mut().row(chat, row)
    }

    fn file(&mut self, path: &str, content: &mut dyn Read) -> Result<FileTaken, ImportError> {
        self.0.borrow_mut().file(path, content)
    }

    fn skip(&mut self, item: &str, reason: &str) {
        self.0.borrow_mut().skip(item, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Precision;

    #[test]
    fn overlaps_of_several_exports_are_joined() {
        let import = |first, last| Import {
            first,
            last,
            as_of: last,
            count: 1,
            precision: Precision::Minute,
            names: Default::default(),
            names_cut: false,
        };
        assert_eq!(overlaps(&Sketch::new(SOURCE), &[import(0, 9)]), []);
        let mut sketch = Sketch::new(SOURCE);
        for unit in [100, 200] {
            sketch.line(&crate::merge::Line {
                unit,
                seconds: None,
                sender: None,
                class: crate::merge::Class::Plain,
                normal: "a line".into(),
                row: Row::new(Kind::MESSAGE, unit, ""),
            });
        }
        let spans = overlaps(&sketch, &[import(0, 120), import(110, 150), import(160, 400), import(0, 90)]);
        assert_eq!(spans, [Span { from: 100, to: 150 }, Span { from: 160, to: 200 }]);
    }
}
