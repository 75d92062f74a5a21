//! `import`, and the importing that a backup begins with.

use std::path::{Path, PathBuf};
use std::time::Instant;

use client::archive::Archive;
use client::error::Error;
use client::import::{FilesOf, Glob, ImportOptions, Report, Source, Span, import};
use client::sources::detect::Format;
use client::sources::{Answers, DateOrder, ImportError};
use client::vault::Work;
use serde_json::{Value, json};

use crate::args::imports::{FormatChoice, How, Import, Order};
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result, Warning};
use crate::terminal::{clean, count, counted, rfc3339};

/// Items left out that are named one by one on a terminal.
const NAMED_MAX: usize = 20;

pub fn run(context: &Context, args: &Import) -> Result<Outcome> {
    let begun = Instant::now();
    let mut writing = context.writing("import")?;
    let options = options(&args.how, args.dry_run)?;
    let work = context.work("import");
    let report = read(context, &mut writing.archive, &args.paths, options, &work)?;
    context.progress.end();
    let spent = begun.elapsed().as_secs_f64();
    let indexed = if args.dry_run { 0.0 } else { context.index(&mut writing.archive, "import")? };
    warn(context, &report);
    let (mut text, mut told) = (text(&report), sources(&report));
    super::refused::tell(context, &writing, &report, &mut told, &mut text)?;
    if args.dry_run {
        text += "Nothing changed.\n";
    } else if report.sources.iter().any(|s| s.messages_new + s.versions_new > 0) {
        text += "Next: chatkeep backup\n";
    }
    let json = json!({
        "schema": "chatkeep.import/1",
        "sources": told,
        "skipped": skipped(&report),
        "duration_s": spent,
        "index_s": indexed,
        "dry_run": args.dry_run,
    });
    Ok(Outcome::new(json, text))
}

/// What the flags say of how to read.
pub fn options(how: &How, dry_run: bool) -> Result<ImportOptions> {
    let date_order = how.date_order.map(|order| match order {
        Order::Dmy => DateOrder::Dmy,
        Order::Mdy => DateOrder::Mdy,
        Order::Ymd => DateOrder::Ymd,
    });
    let zone = how.zone.clone().or_else(machine_zone);
    Ok(ImportOptions {
        format: match how.format {
            FormatChoice::Auto => None,
            FormatChoice::Whatsapp => Some(Format::WhatsApp),
            FormatChoice::Telegram => Some(Format::Telegram),
            FormatChoice::Jsonl => Some(Format::JsonLines),
        },
        answers: Answers { date_order, zone, chat: how.chat.clone(), me: how.me.clone() },
        exclude: how.exclude.iter().map(|pattern| Glob::new(pattern)).collect(),
        dry_run,
        reread: how.reread,
        files: FilesOf::Copied,
    })
}

/// The zone of this machine by its IANA name, where it has one.
fn machine_zone() -> Option<String> {
    let named = std::env::var("TZ").ok().map(|tz| tz.trim_start_matches(':').to_owned()).filter(|tz| !tz.is_empty());
    let zone = named.or_else(|| iana_time_zone::get_timezone().ok())?;
    zone.parse::<chrono_tz::Tz>().ok().map(|zone| zone.name().to_owned())
}

/// Imports, and asks what only the person knows where there is somebody to ask.
pub fn read(
    context: &Context,
    archive: &mut Archive,
    paths: &[PathBuf],
    mut options: ImportOptions,
    work: &Work,
) -> Result<Report> {
    loop {
        let error = match import(archive, paths, &options, work, &context.env) {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        let Error::Import(ImportError::Undecided { question, flag }) = &error else { return Err(error.into()) };
        if !context.output.may_ask() {
            return Err(error.into());
        }
        context.progress.end();
        answer(context, question, flag, &mut options)?;
    }
}

fn answer(context: &Context, question: &str, flag: &str, options: &mut ImportOptions) -> Result<()> {
    let question = clean(question);
    let missing = || Problem::new("E_INPUT_REQUIRED", 2, question.clone()).hint(format!("pass {flag}"));
    if flag == "--date-order" && options.answers.date_order.is_none() {
        let typed = context.output.ask(&format!("{question}. Which is it, dmy or mdy? "))?.ok_or_else(missing)?;
        options.answers.date_order = Some(match typed.trim() {
            "dmy" => DateOrder::Dmy,
            "mdy" => DateOrder::Mdy,
            "ymd" => DateOrder::Ymd,
            _ => return Err(missing()),
        });
        return Ok(());
    }
    if flag == "--chat" && options.answers.chat.is_none() {
        let typed = context.output.ask(&format!("{question} Name the chat: "))?.ok_or_else(missing)?;
        let label = typed.trim();
        if !label.is_empty() {
            options.answers.chat = Some(label.to_owned());
            return Ok(());
        }
    }
    Err(missing())
}

/// Says once that something was left out.
pub fn warn(context: &Context, report: &Report) {
    if report.is_whole() {
        return;
    }
    for item in report.skipped.iter().take(NAMED_MAX) {
        context.output.note(&format!("left out: {}: {}", clean(&item.item), clean(&item.reason)));
    }
    let read: u64 = report.sources.iter().map(|s| s.messages + s.system).sum();
    let (left, all) = (report.skipped_total, report.skipped_total + read);
    let verb = if report.dry_run { "would be" } else { "is" };
    let message = format!("{} of {} could not be read; the rest {verb} imported", count(left), counted(all, "item"));
    let hint = "listed above and in `--json` under skipped";
    context.output.warn(&Warning::new("W_SOURCE_PARTIAL", message).hint(hint));
}

pub fn sources(report: &Report) -> Vec<Value> {
    let spans = |list: &[Span]| -> Vec<Value> {
        list.iter().map(|s| json!({ "from": rfc3339(s.from), "to": rfc3339(s.to) })).collect()
    };
    let one = |s: &Source| {
        let (a, assumed) = (&s.attachments, &s.assumed);
        json!({
            "path": s.path,
            "format": s.format,
            "chat": s.chat,
            "chat_id": s.chat_id,
            "messages": s.messages,
            "messages_new": s.messages_new,
            "versions_new": s.versions_new,
            "refused": s.refused,
            "system": s.system,
            "participants": s.participants,
            "attachments": { "present": a.present, "omitted": a.omitted, "expired": a.expired, "missing": a.missing },
            "edited": s.edited,
            "deleted": s.deleted,
            "reactions": s.reactions,
            "replies": s.replies,
            "first_at": s.first.and_then(rfc3339),
            "last_at": s.last.and_then(rfc3339),
            "lines_unknown": s.lines_unknown,
            "assumed": {
                "zone": assumed.zone,
                "date_order": assumed.date_order,
                "me": assumed.me,
                "chat": assumed.chat,
            },
            "gaps": spans(&s.gaps),
            "overlaps": spans(&s.overlaps),
            "unchanged": s.known,
        })
    };
    report.sources.iter().map(one).collect()
}

pub fn skipped(report: &Report) -> Vec<Value> {
    report.skipped.iter().map(|s| json!({ "item": s.item, "reason": s.reason })).collect()
}

/// What was read, export by export, and what chats of several exports came to.
pub fn text(report: &Report) -> String {
    let head = if report.dry_run { "Would read" } else { "Read     " };
    let mut text = String::new();
    for of_path in report.sources.chunk_by(|a, b| a.path == b.path) {
        let sum = |of: fn(&Source) -> u64| of_path.iter().map(of).sum::<u64>();
        let known = of_path.iter().all(|s| s.known);
        let new =
            if known { "not changed since".to_owned() } else { format!("{} new", count(sum(|s| s.messages_new))) };
        let path = of_path.first().map_or("", |s| &s.path);
        text += &format!(
            "{head} {}, {} ({new}), {} as {}  {}\n",
            counted(of_path.len() as u64, "chat"),
            counted(sum(|s| s.messages + s.system), "message"),
            counted(sum(|s| s.attachments.present), "attachment"),
            of_path.first().map_or("", |s| &s.format),
            clean(Path::new(path).file_name().map_or(path.into(), |n| n.to_string_lossy()).as_ref()),
        );
    }
    let mut told: Vec<&str> = Vec::new();
    for source in &report.sources {
        let of_chat: Vec<&Source> = report.sources.iter().filter(|s| s.chat_id == source.chat_id).collect();
        let joins = of_chat.len() > 1 || !source.gaps.is_empty() || !source.overlaps.is_empty();
        if !joins || told.contains(&source.chat_id.as_str()) {
            continue;
        }
        told.push(&source.chat_id);
        let span = |s: &Span| format!("{} to {}", super::messages::day(s.from), super::messages::day(s.to));
        let spans =
            |of: fn(&Source) -> &Vec<Span>| of_chat.iter().flat_map(|s| of(s)).map(span).collect::<Vec<_>>().join(", ");
        let (overlaps, gaps) = (spans(|s| &s.overlaps), spans(|s| &s.gaps));
        text += &format!("          {}: {}", clean(&source.chat), counted(of_chat.len() as u64, "export"));
        if !overlaps.is_empty() {
            text += &format!("; overlap {overlaps}");
        }
        if !gaps.is_empty() {
            text += &format!("; nothing between {gaps}");
        }
        text += "\n";
    }
    text
}
