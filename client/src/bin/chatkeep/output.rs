//! The ways out: the answer to stdout, everything else to stderr, as text or as JSON.

use std::fs::OpenOptions;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::problem::{Problem, Result, Warning};
use crate::terminal::clean_lines;

/// What a command answers.
pub struct Outcome {
    pub answer: Answer,
    /// 0, 3 or 4; warnings make 0 a 3.
    pub exit: u8,
}

pub enum Answer {
    /// One JSON object, or the text that says the same.
    One { json: Value, text: String },
    /// The command has printed its lines itself.
    Printed,
}

impl Outcome {
    pub fn new(json: Value, text: impl Into<String>) -> Self {
        Self { answer: Answer::One { json, text: text.into() }, exit: 0 }
    }

    pub fn printed() -> Self {
        Self { answer: Answer::Printed, exit: 0 }
    }

    pub fn exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

/// How to tell things, and whether anybody can be asked.
pub struct Output {
    pub json: bool,
    pub quiet: bool,
    pub no_input: bool,
    pub colour: bool,
    warned: AtomicBool,
}

/// Whether a question waits for its answer: then an interrupt ends the process at once.
static ASKING: AtomicBool = AtomicBool::new(false);

impl Output {
    pub fn new(json: bool, quiet: bool, no_input: bool, colour: Colour) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && !dumb();
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => wanted && std::io::stderr().is_terminal(),
        };
        Self { json, quiet, no_input, colour, warned: AtomicBool::new(false) }
    }

    /// Whether a question may be asked.
    pub fn may_ask(&self) -> bool {
        !self.no_input && std::io::stdin().is_terminal()
    }

    pub fn is_asking() -> bool {
        ASKING.load(Ordering::Relaxed)
    }

    pub fn warned(&self) -> bool {
        self.warned.load(Ordering::Relaxed)
    }

    /// Prints a piece of a command's answer. A reader that went away (`| head`) is no failure.
    pub fn print(&self, text: &str) {
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    pub fn answer(&self, outcome: &Outcome) {
        if let Answer::One { json, text } = &outcome.answer {
            let shown = if self.json { format!("{json}\n") } else { text.clone() };
            self.print(&shown);
        }
    }

    /// Says something beside the answer. Programs are not told.
    pub fn note(&self, text: &str) {
        if !self.json && !self.quiet {
            eprintln!("{text}");
        }
    }

    /// Says something that makes the exit code 3.
    pub fn warn(&self, warning: &Warning) {
        self.warned.store(true, Ordering::Relaxed);
        if self.json {
            eprintln!("{}", warning.to_json());
        } else if !self.quiet {
            let head = self.paint("33", &format!("warning[{}]:", warning.code));
            eprintln!("{head} {}", clean_lines(&warning.message));
            warning.hints.iter().for_each(|hint| eprintln!("  hint: {hint}"));
        }
    }

    pub fn fail(&self, problem: &Problem) {
        if self.json {
            eprintln!("{}", problem.to_json());
            return;
        }
        let head = self.paint("31", &format!("error[{}]:", problem.code));
        eprintln!("{head} {}", clean_lines(&problem.message));
        if let Some(cause) = &problem.cause {
            eprintln!("  cause: {}", clean_lines(cause));
        }
        problem.hints.iter().for_each(|hint| eprintln!("  hint: {}", clean_lines(hint)));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Asks for a line, on the terminal itself so that stderr stays what it is. None at the end of input.
    pub fn ask(&self, question: &str) -> Result<Option<String>> {
        let _waiting = Asking::begin();
        to_terminal(question);
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        match read.map_err(|e| Problem::internal(format!("cannot read from the terminal: {e}")))? {
            0 => Ok(None),
            _ => Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned())),
        }
    }

    /// Asks without showing what is typed.
    pub fn ask_hidden(&self, question: &str) -> Result<zeroize::Zeroizing<String>> {
        let _waiting = Asking::begin();
        let typed = rpassword::prompt_password(question);
        Ok(zeroize::Zeroizing::new(typed.map_err(|e| Problem::internal(format!("cannot ask on the terminal: {e}")))?))
    }

    /// Asks yes or no; `default` is what an empty answer means.
    pub fn confirm(&self, question: &str, default: bool) -> Result<bool> {
        let choice = if default { "[Y/n]" } else { "[y/N]" };
        let typed = self.ask(&format!("{question} {choice} "))?.unwrap_or_default();
        Ok(match typed.trim().to_lowercase().as_str() {
            "" => default,
            "y" | "yes" => true,
            _ => false,
        })
    }
}

/// While it lives, a question waits for its answer.
struct Asking;

impl Asking {
    fn begin() -> Self {
        ASKING.store(true, Ordering::Relaxed);
        Self
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.store(false, Ordering::Relaxed);
    }
}

/// Writes to the terminal the person sits at, wherever stdout and stderr go.
pub fn to_terminal(text: &str) {
    match OpenOptions::new().write(true).open("/dev/tty") {
        Ok(mut terminal) => drop(terminal.write_all(text.as_bytes())),
        Err(_) => eprint!("{text}"),
    }
}

/// Whether the terminal can do nothing but lines.
pub fn dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The answer of a command that changes something and has no form of its own.
pub fn changed(command: &str, changed: bool, more: Value) -> Value {
    let mut object = json!({ "schema": format!("chatkeep.{command}/1"), "changed": changed });
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}
