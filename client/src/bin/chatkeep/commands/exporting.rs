//! `export`: chats as files. Works offline.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use client::archive::Archive;
use client::error::Error;
use client::event::Attachment;
use client::ids::ChatId;
use client::writers::{Contents, Totals, WriteError, write_jsonl, write_txt};
use serde_json::json;

use super::{chats, snapshots, view};
use crate::args::reading::{Export, WriteChoice};
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result, Warning};
use crate::terminal::{count, counted, size};

pub fn run(context: &Context, args: &Export) -> Result<Outcome> {
    let archive = context.archive()?;
    let Some(given) = &args.snapshot else { return write(context, args, &archive) };
    let all = snapshots::complete(&archive)?;
    let view = view::at(context, &archive, snapshots::find(&all, given)?)?;
    write(context, args, &view.archive)
}

fn write(context: &Context, args: &Export, archive: &Archive) -> Result<Outcome> {
    let of = args.chats.iter().map(|given| Ok(chats::find(archive, given)?.id)).collect::<Result<Vec<ChatId>>>()?;
    let out = &args.out;
    empty(out)?;
    let messages = archive.export((!of.is_empty()).then_some(&of), args.since, args.until)?;
    let asked = |m: &client::archive::Result<(client::merge::Message, Option<String>)>| {
        args.with_timed || m.as_ref().map_or(true, |(message, _)| message.expires_at.is_none())
    };
    let messages = messages.filter(asked).map(|m| m.map_err(Into::into));
    let media = Media(archive);
    let contents: Option<&dyn Contents> = if args.no_media { None } else { Some(&media) };
    let written = match args.format {
        WriteChoice::Jsonl => write_jsonl(messages, contents, out),
        WriteChoice::Txt => write_txt(messages, contents, out),
    };
    let totals = written.map_err(|e| failed(out, e))?;
    warn(context, &totals);
    let missing =
        totals.missing.iter().map(|m| json!({ "message": m.message, "attachment": m.attachment, "reason": m.reason }));
    let json = json!({
        "schema": "chatkeep.export/1",
        "out": out.display().to_string(),
        "chats": totals.chats,
        "messages": totals.messages,
        "attachments": totals.attachments,
        "bytes": totals.bytes,
        "missing": missing.collect::<Vec<_>>(),
    });
    let text = format!(
        "Wrote  {} of {}, {} ({}) to {}\n",
        counted(totals.messages, "message"),
        counted(totals.chats, "chat"),
        counted(totals.attachments, "attachment"),
        size(totals.bytes),
        out.display()
    );
    Ok(Outcome::new(json, text))
}

/// Makes the folder, or finds it empty.
fn empty(out: &Path) -> Result<()> {
    fs::create_dir_all(out).map_err(|e| Problem::io(out, &e))?;
    let mut entries = fs::read_dir(out).map_err(|e| Problem::io(out, &e))?;
    if entries.next().is_some() {
        return Err(Error::TargetNotEmpty { path: out.display().to_string() }.into());
    }
    Ok(())
}

fn warn(context: &Context, totals: &Totals) {
    let lacking = totals.missing.len() as u64;
    if lacking > 0 {
        let message = format!(
            "{} of {} are not on this device",
            count(lacking),
            counted(totals.attachments + lacking, "attachment")
        );
        let warning =
            Warning::new("W_ATTACHMENTS_WAITING", message).hint("`chatkeep restore` fetches what the vault has");
        context.output.warn(&warning);
    }
}

fn failed(out: &Path, error: WriteError) -> Box<Problem> {
    match error {
        WriteError::Io(e) => Problem::io(out, &e),
        WriteError::Read(e) => Error::Archive(e.to_string()).into(),
        other => Problem::internal(other.to_string()),
    }
}

/// Attachments of the archive.
struct Media<'a>(&'a Archive);

impl Contents for Media<'_> {
    fn open(&self, attachment: &Attachment) -> io::Result<Option<Box<dyn Read + '_>>> {
        let found = self.0.attachment(attachment).map_err(io::Error::other)?;
        Ok(found.map(|content| Box::new(content) as Box<dyn Read>))
    }
}
