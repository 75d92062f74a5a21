//! `completions`: a script for a shell, made from the one definition of the command line.

use clap::CommandFactory as _;
use serde_json::json;

use crate::args::Cli;
use crate::args::about::Completions;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result};

pub fn run(context: &Context, args: &Completions) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), crate::NAME, &mut script);
    let script = String::from_utf8(script).map_err(|e| Problem::internal(e.to_string()))?;
    if !context.output.json {
        context.output.print(&script);
        return Ok(Outcome::printed());
    }
    let shell = args.shell.to_string();
    Ok(Outcome::new(json!({ "schema": "chatkeep.completions/1", "shell": shell, "script": script }), script))
}
