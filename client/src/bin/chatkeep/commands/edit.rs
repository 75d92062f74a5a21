//! `edit`: another text for a message.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{acts, messages, show};
use crate::args::acts::Edit;
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};

/// More than any message has.
const BYTES_MAX: u64 = 1 << 20;

pub async fn run(context: &Context, args: &Edit) -> Result<Outcome> {
    // An editor may stay open for long: what is new is read before the home is taken.
    let shown = show::message(&context.archive()?, &args.message)?;
    let text = match &args.text_file {
        Some(path) => read(path)?,
        None => edited(context, shown.message.text.as_deref().unwrap_or_default())?,
    };
    if text.is_empty() {
        return Err(Problem::usage("the new text is empty").hint("`chatkeep delete` takes a message away"));
    }
    let mut writing = context.writing("edit")?;
    let (id, short) = (shown.message.id, shown.message.id.short());
    let mut entropy = context.env.entropy.clone();
    let mut acting = acts::acting(context, &writing.archive, &mut entropy)?;
    let edit = if args.dry_run {
        let would = writing.archive.edit_row(&id, &text, &mut acting)?.is_some();
        let word = if would { "Would change" } else { "Would not change" };
        let more = json!({ "message": id.hex(), "edit": null, "sent": false, "dry_run": true });
        return Ok(Outcome::new(changed("edit", false, more), format!("{word} {short}. Nothing changed.\n")));
    } else {
        writing.archive.edit(&id, &text, &mut acting)?
    };
    let sent = if edit.is_some() { acts::send(context, &mut writing).await? } else { false };
    let more = json!({ "message": id.hex(), "edit": edit.map(|e| e.hex()), "sent": sent, "dry_run": false });
    let text = match (edit, writing.archive.message(&id)?) {
        (None, _) => format!("{short} says so already.\n"),
        (Some(_), Some(shown)) => show::line(&shown),
        (Some(_), None) => format!("Changed {short} in \"{}\".\n", crate::terminal::clean(messages::chat_name(&shown))),
    };
    Ok(Outcome::new(changed("edit", edit.is_some(), more), text))
}

/// A text without its last newline.
fn read(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Problem::usage(format!("cannot read {}: {e}", path.display()));
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Problem::usage("the new text is longer than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| Problem::usage("the new text is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// Has the text changed in the person's editor, by a file that goes away again.
fn edited(context: &Context, before: &str) -> Result<String> {
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    let Some(editor) = editor.filter(|_| context.output.may_ask()) else {
        return Err(Problem::new("E_INPUT_REQUIRED", 2, "a new text is needed but there is no editor to write it in")
            .hint("pass --text-file PATH, or set VISUAL or EDITOR and use a terminal"));
    };
    let scratch = context.scratch("edit")?;
    let path = scratch.path().join("message.txt");
    let failed = |e: std::io::Error| Problem::io(&path, &e);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    client::home::private_file(&mut options);
    let mut file = options.open(&path).map_err(failed)?;
    file.write_all(format!("{before}\n").as_bytes()).map_err(failed)?;
    drop(file);
    // As git does: the variable may hold flags, so a shell takes it apart.
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(&path).status();
    match status {
        Ok(status) if status.success() => read(&path),
        Ok(_) => Err(Problem::refused("the editor failed; nothing was changed")),
        Err(e) => Err(Problem::usage(format!("cannot start the editor: {e}"))),
    }
}
