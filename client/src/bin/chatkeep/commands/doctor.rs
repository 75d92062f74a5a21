//! `doctor`: everything chatkeep needs, tested one by one. Names, secrets and chats never show.

use std::time::Duration;

use client::archive::Note;
use client::home::Lock;
use client::vault::Vault;
use serde_json::{Value, json};

use crate::args::care::Doctor;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result};
use crate::terminal::{clean, counted};

const PATIENCE: Duration = Duration::from_secs(10);
const CLOCK_MAX_MS: i64 = 5 * 60 * 1000;

struct Line {
    name: &'static str,
    result: &'static str,
    detail: String,
    fix: Option<String>,
}

/// What has been tested so far.
#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.0.push(Line { name, result: "ok", detail: detail.into(), fix: None });
    }

    fn bad(&mut self, name: &'static str, result: &'static str, detail: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Line { name, result, detail: detail.into(), fix: Some(fix.into()) });
    }

    /// Notes a problem by its code alone: its words may name the account.
    fn problem(&mut self, name: &'static str, result: &'static str, problem: &Problem) {
        self.bad(name, result, problem.code, format!("`chatkeep explain {}`", problem.code));
    }
}

pub async fn run(context: &Context, args: &Doctor) -> Result<Outcome> {
    let mut lines = Lines::default();
    // It was read before any command began; a fault in it has ended the process there.
    lines.ok("config", if context.settings.places.config.exists() { "a file, read" } else { "no file, defaults" });
    home(context, &mut lines);
    match context.vault() {
        Ok(vault) => {
            lines.ok("keys", "they open the archive");
            archive(&vault, &mut lines);
            server(context, &vault, &mut lines).await;
        }
        Err(problem) => lines.problem("keys", if problem.exit == 10 { "warn" } else { "fail" }, &problem),
    }
    let worst = |result| lines.0.iter().any(|l| l.result == result);
    let exit = if worst("fail") || worst("warn") { 3 } else { 0 };
    let mut text = String::new();
    for Line { name, result, detail, fix } in &lines.0 {
        text += &format!("{result:<5} {name:<10} {}\n", clean(detail));
        if let Some(fix) = fix {
            text += &format!("      {:<10} {}\n", "", clean(fix));
        }
    }
    if args.share {
        let (version, os, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
        text = format!("```\n{} {version} on {os} {arch}\n{text}```\n", crate::NAME);
    }
    let checks: Vec<Value> = lines
        .0
        .iter()
        .map(|l| json!({ "name": l.name, "result": l.result, "detail": l.detail, "fix": l.fix }))
        .collect();
    let json = json!({
        "schema": "chatkeep.doctor/1",
        "version": env!("CARGO_PKG_VERSION"),
        "platform": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "checks": checks,
    });
    Ok(Outcome::new(json, text).exit(exit))
}

fn home(context: &Context, lines: &mut Lines) {
    let home = context.home();
    if !home.dir().exists() {
        lines.bad(
            "home",
            "warn",
            "there is none yet",
            "`chatkeep register NAME@SERVER` or `chatkeep login NAME@SERVER`",
        );
        return;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let open = std::fs::metadata(home.dir()).is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
        match open {
            true => lines.bad(
                "home",
                "warn",
                "others may look into the home",
                "chmod 700 on it; the next command does it too",
            ),
            false => lines.ok("home", "private to its owner"),
        }
    }
    match tempfile::tempfile_in(home.dir()).and_then(|mut f| std::io::Write::write_all(&mut f, &[0; 4096])) {
        Ok(()) => lines.ok("disk", "can be written"),
        Err(error) => lines.bad("disk", "fail", error.kind().to_string(), "free space, or take back the folder"),
    }
    match Lock::take(&home.lock_path(), std::process::id(), "doctor") {
        Ok(_) => lines.ok("lock", "free"),
        Err(_) => lines.bad("lock", "warn", "another chatkeep writes here now", "wait for it"),
    }
    let keyring = !context.settings.places.own_home && !home.key_path().exists();
    if context.keys_out_of_reach() {
        let fix = "run it in the desktop's session, where the keyring is";
        return lines.bad("keyring", "fail", "the keys are in the OS keyring, and this session has none", fix);
    }
    lines.ok("keyring", if keyring { "the OS keyring" } else { "a key file; the OS keyring is not used here" });
}

fn archive(vault: &Vault, lines: &mut Lines) {
    let found = vault.reader().map_err(Box::<Problem>::from);
    let archive = match found {
        Ok(archive) => archive,
        Err(problem) => return lines.problem("archive", "fail", &problem),
    };
    match archive.check() {
        Ok(problems) if problems.is_empty() => {
            let messages = archive.counts().map(|c| c.messages).unwrap_or_default();
            lines.ok("archive", format!("sound, {}", counted(messages, "message")));
        }
        Ok(problems) => {
            let fix = "`chatkeep logout --yes`, then sign in and restore: the vault has what was backed up";
            lines.bad("archive", "fail", problems.join("; "), fix);
        }
        Err(error) => lines.problem("archive", "fail", &Box::<Problem>::from(error)),
    }
    match archive.index_complete() {
        Ok(true) => lines.ok("index", "every message can be found"),
        Ok(false) => lines.bad("index", "warn", "not every message can be found yet", "`chatkeep sync` completes it"),
        Err(error) => lines.problem("index", "fail", &Box::<Problem>::from(error)),
    }
    match archive.note(Note::Damage) {
        Ok(None) => {}
        _ => lines.bad(
            "vault",
            "warn",
            "a check found damage in it",
            "`chatkeep backup` here repairs what this device has",
        ),
    }
}

/// Whether the server's name leads to an address. Who is asked goes through a proxy asks the proxy for that.
async fn resolves(context: &Context, server: &str, lines: &mut Lines) -> Result<()> {
    let address = context.address(server)?;
    if context.proxy(&address)?.is_some() {
        lines.ok("dns", "left to the proxy that HTTPS_PROXY names");
        return Ok(());
    }
    let looked = tokio::time::timeout(PATIENCE, tokio::net::lookup_host(address.host_and_port())).await;
    match looked.map(|found| found.is_ok_and(|mut addresses| addresses.next().is_some())) {
        Ok(true) => lines.ok("dns", "the server's name has an address"),
        Ok(false) => {
            let fix = "is this machine online, and the name right?";
            lines.bad("dns", "fail", "the server's name has no address", fix);
        }
        Err(_) => lines.bad("dns", "fail", "no answer within 10 s", "is this machine online?"),
    }
    Ok(())
}

async fn server(context: &Context, vault: &Vault, lines: &mut Lines) {
    let server = &vault.session.identity.server;
    if let Err(problem) = resolves(context, server, lines).await {
        return lines.problem("dns", "fail", &problem);
    }
    let at = match context.at(server) {
        Ok(at) => at,
        Err(problem) => return lines.problem("server", "fail", &problem),
    };
    let facts = match tokio::time::timeout(PATIENCE, Vault::peek(&at)).await {
        Ok(Ok(facts)) => facts,
        Ok(Err(error)) => {
            let problem: Box<Problem> = error.into();
            let name = if problem.exit == 18 { "tls" } else { "server" };
            return lines.problem(name, "fail", &problem);
        }
        Err(_) => return lines.bad("server", "fail", "no answer within 10 s", "is this machine online?"),
    };
    match context.address(server) {
        Ok(address) if address.tls => lines.ok("tls", "the server's certificate is trusted"),
        _ => lines.ok("tls", "none: the connection stays on this machine"),
    }
    lines.ok("server", format!("version {}", facts.version));
    let differs = context.now_ms().saturating_sub(i64::try_from(facts.time_ms).unwrap_or(i64::MAX));
    match differs.abs() <= CLOCK_MAX_MS {
        true => lines.ok("clock", "as the server's"),
        false => {
            lines.bad("clock", "warn", format!("differs from the server's by {} s", differs / 1000), "set the clock")
        }
    }
    match tokio::time::timeout(PATIENCE, vault.usage()).await {
        Ok(Ok(_)) => lines.ok("auth", "this device is signed in"),
        Ok(Err(error)) => lines.problem("auth", "fail", &Box::<Problem>::from(error)),
        Err(_) => lines.bad("auth", "fail", "no answer within 10 s", "try again later"),
    }
}
