//! `man`: one page for each command, made from the one definition of the command line.

use std::path::Path;

use clap::{Command, CommandFactory as _};
use serde_json::json;

use crate::args::Cli;
use crate::args::about::Man;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};

pub fn run(args: &Man) -> Result<Outcome> {
    std::fs::create_dir_all(&args.out).map_err(|e| Problem::io(&args.out, &e))?;
    let mut pages = Vec::new();
    let mut root = Cli::command();
    root.build();
    write(&root, crate::NAME, &args.out, &mut pages)?;
    let text = format!("Wrote {} pages to {}\n", pages.len(), args.out.display());
    let more = json!({ "out": args.out.display().to_string(), "pages": pages });
    Ok(Outcome::new(changed("man", true, more), text))
}

fn write(command: &Command, name: &str, out: &Path, pages: &mut Vec<String>) -> Result<()> {
    let file = format!("{name}.1");
    let path = out.join(&file);
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    man.render(&mut page).and_then(|()| std::fs::write(&path, &page)).map_err(|e| Problem::io(&path, &e))?;
    pages.push(file);
    for sub in command.get_subcommands() {
        write(sub, &format!("{name}-{}", sub.get_name()), out, pages)?;
    }
    Ok(())
}
