//! Reads exports of any known format, merges those of one chat, and writes them as JSON Lines with their media.
//!
//! `cargo run --example merge_exports -- [--chat LABEL] OUT EXPORT…`: LABEL names the chat of WhatsApp exports whose file
//! names differ. OUT must be an empty or new folder. Everything is held in memory
//! and nothing is sealed: it shows reading, merging and writing, before there is an archive to keep the rows in.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use client::crypto::{DigestKey, EventKey, Lifetime};
use client::env::SystemEntropy;
use client::event::{Attachment, Chat, Row, Target};
use client::ids::EventId;
use client::merge::{
    Assembler, Choice, Export, Message, Sketch, aliases, choose_strand, fold_chat, fold_target, has_ids, join,
    known_imports, known_strands,
};
use client::sources::export::open_path;
use client::sources::{Answers, ChatInfo, ChatReport, FileTaken, Files, ImportError, Sink, detect, whatsapp};
use client::writers::{Contents, write_jsonl};

struct Rows {
    events: EventKey,
    digest: DigestKey,
    chats: BTreeMap<Chat, BTreeMap<EventId, Row>>,
    titles: BTreeMap<Chat, String>,
    media: PathBuf,
    label: Option<String>,
    new: u64,
    skipped: u64,
}

impl Rows {
    fn id_of(&self, chat: &Chat, row: &Row) -> EventId {
        self.events.event(&chat.source, &chat.conversation, row.kind.id_class(), &row.native)
    }
}

impl Sink for Rows {
    fn chat(&mut self, chat: &Chat, info: &ChatInfo) -> Result<(), ImportError> {
        self.chats.entry(chat.clone()).or_default();
        if let Some(title) = &info.title {
            self.titles.insert(chat.clone(), title.clone());
        }
        Ok(())
    }

    fn row(&mut self, chat: &Chat, row: Row) -> Result<(), ImportError> {
        let id = self.id_of(chat, &row);
        let rows = self.chats.entry(chat.clone()).or_default();
        let Some(known) = rows.get(&id) else {
            rows.insert(id, row);
            self.new += 1;
            return Ok(());
        };
        let joined = join(id, known, &row, |r| self.digest.row(&chat.source, &chat.conversation, &r.encode()));
        rows.insert(id, joined.row);
        if let Some(version) = joined.version {
            let id = self.events.event(&chat.source, &chat.conversation, version.kind.id_class(), &version.native);
            rows.insert(id, version);
        }
        Ok(())
    }

    fn about(&mut self, chat: &Chat, target_native: &str, mut row: Row) -> Result<(), ImportError> {
        row.target = Target::Event(self.events.event(&chat.source, &chat.conversation, 0, target_native));
        self.row(chat, row)
    }

    fn file(&mut self, content: &mut dyn Read) -> Result<FileTaken, ImportError> {
        let mut part = tempfile::NamedTempFile::new_in(&self.media)?;
        let bytes = io::copy(content, &mut part)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(part.path())?)?;
        let hash = *hasher.finalize().as_bytes();
        part.persist(self.media.join(blake3::Hash::from(hash).to_hex().as_str())).map_err(|e| e.error)?;
        Ok(FileTaken { hash, bytes })
    }

    fn skip(&mut self, item: &str, reason: &str) {
        self.skipped += 1;
        eprintln!("left out: {item}: {reason}");
    }
}

impl Contents for Rows {
    fn open(&self, attachment: &Attachment) -> io::Result<Option<Box<dyn Read + '_>>> {
        let Some(hash) = attachment.hash else { return Ok(None) };
        match File::open(self.media.join(blake3::Hash::from(hash).to_hex().as_str())) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

fn read_whatsapp(files: &dyn Files, name: &str, sink: &mut Rows) -> Result<ChatReport, ImportError> {
    let answers = Answers { chat: sink.label.clone().or_else(|| whatsapp::label(name)), ..Answers::default() };
    let export = whatsapp::Export::survey(files, &answers)?;
    let facts = export.facts();
    let label = facts.label.clone().unwrap_or_else(|| name.to_owned());
    let chat = Chat { source: "whatsapp".into(), conversation: label.clone() };
    sink.chat(&chat, &ChatInfo { title: Some(label), shape: None })?;
    let mut sketch = Sketch::new("whatsapp");
    export.scan(&mut |line| {
        sketch.line(&line);
        Ok(())
    })?;
    let stored: Vec<Row> = sink.chats.get(&chat).into_iter().flatten().map(|(_, row)| row.clone()).collect();
    let known = known_strands("whatsapp", &stored);
    let strand = match choose_strand("whatsapp", &sketch, &known, sink.label.is_some()) {
        Choice::Known(strand) | Choice::Own(strand) => strand,
        Choice::Ask(question) => {
            return Err(ImportError::Undecided {
                question: format!("is this the same chat? ({question:?})"),
                flag: "--chat",
            });
        }
    };
    let names = aliases("whatsapp", &sketch, &known, &known_imports(&stored));
    let plan = Export { strand, as_of: facts.last_time, precision: facts.precision, aliases: names };
    let mut assembler = Assembler::new("whatsapp", plan);
    let mut rows = Vec::new();
    let reading = export.read(
        &mut |line| {
            assembler.line(line, &mut |row| {
                rows.push(row);
                Ok(())
            })
        },
        sink,
    )?;
    assembler.finish(&mut |row| {
        rows.push(row);
        Ok::<(), ImportError>(())
    })?;
    for row in rows {
        sink.row(&chat, row)?;
    }
    Ok(reading.report)
}

/// WhatsApp is read here, because its rows need what is already known of the chat.
struct Detect;

impl detect::WhatsApp for Detect {
    fn detect(&self, files: &dyn Files) -> bool {
        whatsapp::detect(files).is_some()
    }

    fn read(&self, _: &dyn Files, _: &Answers, _: &mut dyn Sink) -> Result<Vec<ChatReport>, ImportError> {
        Err(ImportError::Unreadable("read through read_whatsapp".into()))
    }
}

fn import(path: &Path, rows: &mut Rows) -> Result<(), ImportError> {
    let opened = open_path(path)?;
    for (item, reason) in &opened.skipped {
        rows.skip(item, reason);
    }
    let before = rows.new;
    let files = opened.files.as_ref();
    let reports = match detect::detect(files, &opened.name, &Detect)? {
        detect::Format::WhatsApp => vec![read_whatsapp(files, &opened.name, rows)?],
        format => detect::read(format, files, &Answers::default(), rows, &Detect)?,
    };
    let (messages, system) = reports.iter().fold((0, 0), |(m, s), r| (m + r.messages, s + r.system));
    let new = rows.new - before;
    println!("Read      {}: {messages} messages, {system} system lines; {new} new rows", opened.name);
    Ok(())
}

fn fold(rows: &Rows) -> Vec<(Message, Option<String>)> {
    let mut out = Vec::new();
    for (chat, list) in &rows.chats {
        let title = rows.titles.get(chat).cloned();
        let messages = if has_ids(&chat.source) {
            let mut targets: BTreeMap<EventId, Vec<(EventId, Row)>> = BTreeMap::new();
            for (id, row) in list {
                let target = match row.target {
                    Target::Own => *id,
                    Target::Event(target) => target,
                };
                targets.entry(target).or_default().push((*id, row.clone()));
            }
            targets.into_values().filter_map(|rows| fold_target(chat, rows)).collect()
        } else {
            fold_chat(chat, list.iter().map(|(id, row)| (*id, row.clone())).collect()).messages
        };
        out.extend(messages.into_iter().map(|m| (m, title.clone())));
    }
    out.sort_by(|(a, _), (b, _)| {
        let key = |m: &Message| (m.chat.conversation.clone(), m.chat.source.clone(), m.time);
        key(a).cmp(&key(b))
    });
    out
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from).peekable();
    let named = args.next_if(|a| a.as_os_str() == "--chat").is_some();
    let label = if named { args.next().map(|l| l.display().to_string()) } else { None };
    let (Some(out), exports) = (args.next(), args.collect::<Vec<_>>()) else {
        return Err("usage: [--chat LABEL] OUT EXPORT…".into());
    };
    if exports.is_empty() {
        return Err("usage: [--chat LABEL] OUT EXPORT…".into());
    }
    fs::create_dir_all(&out)?;
    if fs::read_dir(&out)?.next().is_some() {
        return Err(format!("{} already contains files", out.display()).into());
    }
    let media = tempfile::tempdir()?;
    let lifetime = Lifetime::generate(&mut SystemEntropy);
    let mut rows = Rows {
        events: lifetime.event_key(),
        digest: lifetime.digest_key(),
        chats: BTreeMap::new(),
        titles: BTreeMap::new(),
        media: media.path().to_owned(),
        label,
        new: 0,
        skipped: 0,
    };
    for export in &exports {
        import(export, &mut rows)?;
    }
    let messages = fold(&rows);
    let totals = write_jsonl(messages.into_iter().map(Ok), Some(&rows), &out)?;
    println!(
        "Wrote     {} messages of {} chats, {} attachments to {}",
        totals.messages,
        totals.chats,
        totals.attachments,
        out.display()
    );
    if rows.skipped > 0 {
        println!("Left out  {} items, listed above", rows.skipped);
    }
    Ok(())
}
