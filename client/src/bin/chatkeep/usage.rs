//! What is told when the command line does not parse, and help.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::output::{Colour, Output};
use crate::problem::Problem;
use crate::settings;

/// Tells a usage error, or prints the help that was asked for.
pub fn tell(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Whoever reads only the first lines closes the pipe; that is no failure.
        let _ = write!(io::stdout(), "{error}");
        return ExitCode::SUCCESS;
    }
    let json = std::env::args_os().any(|a| a == "--json") || settings::asks_for_json();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        eprint!("{error}");
        return ExitCode::from(2);
    }
    Output::new(json, false, true, Colour::Auto).fail(&problem(error));
    ExitCode::from(2)
}

/// ` for backup`, read from the usage line that clap puts beside the error.
fn of_command(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => return String::new(),
    };
    let words = usage.split_whitespace().skip_while(|w| *w != crate::NAME).skip(1);
    let names: Vec<&str> = words.take_while(|w| w.starts_with(|c: char| c.is_ascii_lowercase())).collect();
    if names.is_empty() { String::new() } else { format!(" for {}", names.join(" ")) }
}

fn problem(error: &clap::Error) -> Box<Problem> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(list)) => list.first().cloned(),
        _ => None,
    };
    let given = text(ContextKind::InvalidArg).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UnknownArgument => format!("unknown flag \"{given}\"{}", of_command(error)),
        ErrorKind::InvalidSubcommand => {
            format!("unknown command \"{}\"", text(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing".to_owned(),
        // The first line without clap's own beginning says what is wrong; lists that follow are put behind it.
        _ => {
            let all = error.render().to_string();
            let mut lines = all.lines().map(str::trim).take_while(|l| !l.starts_with("Usage:"));
            let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let rest: Vec<&str> = lines.filter(|l| !l.is_empty()).collect();
            if rest.is_empty() { first } else { format!("{first} {}", rest.join(", ")) }
        }
    };
    let near = text(ContextKind::SuggestedArg).or_else(|| text(ContextKind::SuggestedSubcommand));
    match near {
        Some(near) => Problem::usage(message).hint(format!("did you mean {near}?")),
        None => Problem::usage(message).hint("`chatkeep --help`, or --help after the command"),
    }
}
