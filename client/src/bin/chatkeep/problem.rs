//! What went wrong, as it is told: the exact first lines of every code, with hints that can be run.

use std::time::Duration;

use client::error::Error;
use client::sources::ImportError;
use serde_json::{Value, json};

use crate::terminal::{duration, size};

pub type Result<T, E = Box<Problem>> = std::result::Result<T, E>;

/// A failure as people and programs are told it.
#[derive(Debug)]
pub struct Problem {
    pub code: &'static str,
    pub exit: u8,
    pub message: String,
    pub cause: Option<String>,
    pub hints: Vec<String>,
    pub retry_after: Option<Duration>,
    pub request_id: Option<String>,
    pub details: Value,
}

/// Something that is told and does not end the command; the exit code becomes 3.
#[derive(Debug)]
pub struct Warning {
    pub code: &'static str,
    pub message: String,
    pub hints: Vec<String>,
    pub item: Option<String>,
}

impl Problem {
    pub fn new(code: &'static str, exit: u8, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            code,
            exit,
            message: message.into(),
            cause: None,
            hints: Vec::new(),
            retry_after: None,
            request_id: None,
            details: json!({}),
        })
    }

    pub fn usage(message: impl Into<String>) -> Box<Self> {
        Self::new("E_USAGE", 2, message)
    }

    pub fn not_found(message: impl Into<String>) -> Box<Self> {
        Self::new("E_NOT_FOUND", 14, message)
    }

    pub fn refused(message: impl Into<String>) -> Box<Self> {
        Self::new("E_REFUSED", 17, message)
    }

    pub fn internal(cause: impl Into<String>) -> Box<Self> {
        Self::new("E_INTERNAL", 1, "unexpected failure; this is a bug")
            .cause(cause)
            .hint("report it with `chatkeep doctor --share`; no secret is included")
    }

    pub fn io(what: &std::path::Path, error: &std::io::Error) -> Box<Self> {
        Self::new("E_DISK_FULL", 32, format!("cannot read or write {}: {error}", what.display()))
    }

    pub fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hints.push(hint.into());
        self
    }

    pub fn cause(mut self: Box<Self>, cause: impl Into<String>) -> Box<Self> {
        self.cause = Some(cause.into());
        self
    }

    pub fn details(mut self: Box<Self>, details: Value) -> Box<Self> {
        self.details = details;
        self
    }

    pub fn retryable(&self) -> bool {
        matches!(self.exit, 11 | 20 | 21 | 22)
    }

    pub fn to_json(&self) -> Value {
        json!({
            "schema": "chatkeep.error/1",
            "code": self.code,
            "exit": self.exit,
            "message": self.message,
            "cause": self.cause,
            "hints": self.hints,
            "retryable": self.retryable(),
            "retry_after_s": self.retry_after.map(|d| d.as_secs_f64().ceil() as u64),
            "request_id": self.request_id,
            "details": self.details,
        })
    }
}

impl Warning {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hints: Vec::new(), item: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub fn to_json(&self) -> Value {
        json!({
            "schema": "chatkeep.warning/1",
            "code": self.code,
            "message": self.message,
            "hints": self.hints,
            "item": self.item,
        })
    }
}

impl From<Error> for Box<Problem> {
    fn from(error: Error) -> Self {
        let (code, exit) = (error.code(), error.exit());
        let mut problem = Problem::new(code, exit, error.to_string());
        problem.retry_after = error.retry_after();
        told(problem, error)
    }
}

impl From<client::archive::ArchiveError> for Box<Problem> {
    fn from(error: client::archive::ArchiveError) -> Self {
        Error::from(error).into()
    }
}

impl From<client::home::KeyError> for Box<Problem> {
    fn from(error: client::home::KeyError) -> Self {
        Error::from(error).into()
    }
}

/// Puts the library's error into the words of the contract, where it has more than the error's own, and adds hints.
fn told(mut problem: Box<Problem>, error: Error) -> Box<Problem> {
    match error {
        Error::NotSetUp => {
            problem.hint("new here: `chatkeep register NAME@SERVER`; have one: `chatkeep login NAME@SERVER`")
        }
        Error::WrongPassphrase { account } => {
            let other = format!(
                "check keyboard layout and Caps Lock; nothing was changed; or `chatkeep login {account} --recovery`"
            );
            problem.hint(other)
        }
        Error::WeakPassphrase { .. } => problem.hint("leave it empty at the prompt to have one made for you"),
        Error::RecoveryKeyTypo => problem.hint("compare each group with your kit; nothing was sent"),
        Error::WrongRecoveryKey => problem.hint("use the kit with the newest date"),
        Error::DeviceRevoked { account, .. } => {
            let again = format!("your archive here is intact; sign in again with `chatkeep login {account}`");
            problem.hint(again)
        }
        Error::AccountEnded { .. } => problem.hint("your archive here is intact: `chatkeep export` keeps it elsewhere"),
        Error::Suspended { .. } => problem.hint("your archive here is intact"),
        Error::PairingFailed => problem.hint("codes work once: run `chatkeep device link` again"),
        Error::NoPairingCode(_) => {
            problem.hint("compare it with the other screen; nothing was sent, so it is still good")
        }
        Error::DeviceCloned => {
            problem.hint("sign in again here with `chatkeep login`, by passphrase or kit; nothing is lost")
        }
        Error::NameTaken { name, server } => problem.hint(format!("is it yours? `chatkeep login {name}@{server}`")),
        Error::RegistrationClosed { server } => {
            problem.message = format!("{server} does not accept new accounts without an invite");
            problem.hint("ask its operator, then set CHATKEEP_INVITE_FILE")
        }
        Error::NameInvalid { .. } => problem.hint("use 1 to 64 of a-z, 0-9, dot, dash and underscore"),
        Error::TargetNotEmpty { .. } => problem.hint("choose an empty folder"),
        Error::ArchiveKept { .. } => {
            problem.hint("`chatkeep logout` removes it; or use another home: --profile NAME, or CHATKEEP_HOME")
        }
        Error::AlreadySetUp { .. } => {
            problem.hint("another account on this machine: pass --profile NAME, or set CHATKEEP_HOME")
        }
        Error::Ambiguous { candidates, .. } => {
            problem.details = json!({ "candidates": candidates });
            let shown: Vec<&str> = candidates.iter().take(4).map(String::as_str).collect();
            problem.hint(format!("give more characters: {}", shown.join(", ")))
        }
        Error::Quota { needed, free } => {
            problem.message = format!("this backup needs {} but {} is free", size(needed), size(free));
            problem.hint("text is saved, media waits: ask the operator for more; nothing was lost")
        }
        Error::Guesses { wait } => {
            let minutes = wait.as_secs().div_ceil(60).max(1);
            problem.message = format!("too many tries for this account; the next is possible in {minutes} min");
            problem.hint("the recovery key is never delayed")
        }
        Error::DevicesFull => problem.hint("`chatkeep device list`, then `chatkeep device revoke` one that is gone"),
        Error::Fork => problem.hint("both are kept; `chatkeep doctor --share`"),
        Error::Rollback | Error::RosterMismatch { .. } => {
            problem.hint("do not delete local data; `chatkeep doctor --share` and contact the operator")
        }
        Error::Keyring(_) => problem
            .hint("unlock it: sign in to the desktop, and run this in that session")
            .hint("on a machine without a desktop, CHATKEEP_HOME names a home that keeps its keys in a file"),
        Error::Unsaved { .. } => problem.hint("run `chatkeep backup`, or repeat with --yes"),
        Error::Busy { .. } => problem.hint("wait, or `chatkeep status` to see its progress"),
        Error::Tls { cause, .. } => {
            problem.hint("private CA? set CHATKEEP_CA_FILE; otherwise do not continue").cause(cause)
        }
        Error::Version { server, detail } => {
            if detail.starts_with("needs ") {
                let version = env!("CARGO_PKG_VERSION");
                problem.message = format!("this client ({version}) is too old for {server} ({detail})");
            }
            problem.hint("update chatkeep; your data is safe")
        }
        Error::Unreachable { server, cause } => {
            problem.message = format!("cannot reach {} ({})", with_port(&server), plain_cause(&cause));
            problem.hint("will resume where it stopped; `chatkeep doctor` tests each step")
        }
        Error::AnswerLost { .. } => problem.hint("once it can be reached, run the same command again"),
        Error::Overloaded { server, wait } => {
            let wait = duration(wait.as_secs_f64().max(1.0));
            problem.message = format!("{server} is very busy and asked us to wait {wait}");
            problem.hint("your messages are safe here; try again later")
        }
        Error::Server { request_id, cause } => {
            problem.request_id = Some(request_id).filter(|id| id != "none");
            problem.hint("try again later; give the id to the operator").cause(cause)
        }
        Error::Damaged { details, .. } => {
            problem.details = json!({ "objects": details });
            problem.hint("`chatkeep check --read-data`; re-run `chatkeep backup` here to repair")
        }
        Error::DiskFull { what, needed, free, path } => {
            problem.message = format!("{what} needs {}, {} free in {path}", size(needed), size(free));
            problem.hint("free space, or `--media later`")
        }
        Error::Io { .. } => problem.hint("is the disk full, or the folder not yours?"),
        Error::Import(import) => match import {
            ImportError::Undecided { flag, .. } => problem.hint(format!("pass {flag}")),
            ImportError::Hostile(_) => problem.hint("nothing was imported"),
            ImportError::Unreadable(_) => problem.hint("`chatkeep formats`, then --format NAME"),
            _ => problem,
        },
        Error::Archive(_) => problem.hint("`chatkeep doctor` says more; what the vault holds is not touched by this"),
        Error::Internal(cause) => Problem::internal(cause),
        Error::Cancelled => {
            problem.message = "interrupted; what was done is kept".to_owned();
            problem.hint("run the same command again to go on")
        }
        _ => problem,
    }
}

fn with_port(server: &str) -> String {
    let has_port = server.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    if has_port { server.to_owned() } else { format!("{server}:{}", client::remote::ServerAddress::PORT) }
}

/// The cause without the operating system's number.
fn plain_cause(cause: &str) -> String {
    let text = cause.split(" (os error").next().unwrap_or(cause);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(error: Error) -> (String, String, u8) {
        let problem: Box<Problem> = error.into();
        (problem.message, problem.hints.first().cloned().unwrap_or_default(), problem.exit)
    }

    #[test]
    fn first_lines_are_those_of_the_contract() {
        let unreachable = Error::Unreachable {
            server: "vault.example.org".into(),
            cause: "Connection refused (os error 111)".into(),
        };
        assert_eq!(line(unreachable).0, "cannot reach vault.example.org:8443 (connection refused)");
        let guesses = Error::Guesses { wait: Duration::from_secs(500) };
        assert_eq!(line(guesses).0, "too many tries for this account; the next is possible in 9 min");
        let wrong = line(Error::WrongPassphrase { account: "ana@vault.example.org".into() });
        assert_eq!(wrong.0, "that passphrase does not open ana@vault.example.org");
        assert!(wrong.1.starts_with("check keyboard layout and Caps Lock; nothing was changed"));
        assert_eq!(wrong.2, 12);
        let old = Error::Version { server: "vault.example.org".into(), detail: "needs 1.6 or newer".into() };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            line(old).0,
            format!("this client ({version}) is too old for vault.example.org (needs 1.6 or newer)")
        );
        let internal = line(Error::Internal("x".into()));
        assert_eq!((internal.0.as_str(), internal.2), ("unexpected failure; this is a bug", 1));
        let full = Error::DiskFull { what: "restore", needed: 2_469_606_195, free: 966_367_641, path: "/data".into() };
        assert_eq!(line(full).0, "restore needs 2.3 GiB, 921.6 MiB free in /data");
    }
}
