//! Administration: asks the running service and prints what it says.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use serde_json::{Value, json};
use service::admin::{AdminError, Request, call};
use service::config::{ByteSize, Config};

use super::cli::{Command, InviteCommand, UserCommand};
use super::output::{Failure, Output};

/// Exit status of a check that found damage.
const DAMAGE: u8 = 4;

pub async fn run(command: &Command, config: &Config, output: &Output) -> Result<ExitCode, Failure> {
    let socket = config.admin_socket();
    match command {
        Command::Health => return Ok(health(&socket, output).await),
        Command::User(UserCommand::List) => return users(&socket, output).await,
        Command::User(UserCommand::Delete { name, dry_run: false, yes, really }) => {
            confirm(name, *yes, really.as_deref())?;
        }
        _ => {}
    }
    let request = request(command)?;
    let answer = call(&socket, &request).await?;
    output.answer(&answer, |value| text(&request, value));
    let damaged = matches!(request, Request::Check { .. }) && answer["ok"] == false;
    Ok(if damaged { ExitCode::from(DAMAGE) } else { ExitCode::SUCCESS })
}

fn request(command: &Command) -> Result<Request, Failure> {
    let request = match command {
        Command::Check { sample } => Request::Check { sample: *sample },
        Command::Invite(InviteCommand::Create { uses, expires, quota }) => Request::InviteCreate {
            uses: *uses,
            expires_ms: u64::try_from(expires.0.as_millis()).unwrap_or(u64::MAX),
            quota_bytes: quota.map(|q| q.0),
        },
        Command::Invite(InviteCommand::List) => Request::InviteList,
        Command::Invite(InviteCommand::Revoke { id }) => Request::InviteRevoke { id: id.clone() },
        Command::User(UserCommand::Show { name }) => Request::UserShow { name: name.clone() },
        Command::User(UserCommand::Suspend { name }) => Request::UserSuspend { name: name.clone() },
        Command::User(UserCommand::Resume { name }) => Request::UserResume { name: name.clone() },
        Command::User(UserCommand::Delete { name, dry_run, .. }) => {
            Request::UserDelete { name: name.clone(), dry_run: *dry_run }
        }
        Command::User(UserCommand::SetQuota { name, quota }) => {
            Request::UserSetQuota { name: name.clone(), quota_bytes: quota.0 }
        }
        Command::User(UserCommand::List) => Request::UserList { after: None },
        Command::Health => Request::Health,
        Command::Serve { .. } | Command::Config(_) => return Err(Failure::internal("not an administration command")),
    };
    Ok(request)
}

/// For containers: 0 or 1 and nothing else.
async fn health(socket: &std::path::Path, output: &Output) -> ExitCode {
    let answer = call(socket, &Request::Health).await;
    let ready = answer.as_ref().is_ok_and(|v| v["ready"] == true);
    match answer {
        Ok(value) => output.answer(&value, |v| if v["ready"] == true { "ready\n" } else { "not ready\n" }.to_owned()),
        Err(error) => {
            let _ = output.fail(&error.into());
        }
    }
    ExitCode::from(u8::from(!ready))
}

/// All pages of users, as one list.
async fn users(socket: &std::path::Path, output: &Output) -> Result<ExitCode, Failure> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let mut page = call(socket, &Request::UserList { after }).await?;
        if let Some(users) = page["users"].as_array_mut() {
            all.append(users);
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    let answer = json!({"schema": "chatkeep.users/1", "users": all});
    output.answer(&answer, |value| {
        let mut lines = String::new();
        for user in value["users"].as_array().into_iter().flatten() {
            lines.push_str(&user_line(user));
        }
        lines
    });
    Ok(ExitCode::SUCCESS)
}

/// Deleting an account takes its name twice, and a yes.
fn confirm(name: &str, yes: bool, really: Option<&str>) -> Result<(), Failure> {
    let refused =
        |what: &str| Failure::new("E_REFUSED", 17, format!("this would delete everything \"{name}\" stores; {what}"));
    if really != Some(name) {
        return Err(refused(&format!("repeat with --really {name}")));
    }
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure(AdminError::new("E_INPUT_REQUIRED", 2, "there is no terminal to ask on: pass --yes")));
    }
    eprint!("Delete the account \"{name}\" and everything it stores? [y/N] ");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let agreed = read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes");
    if agreed { Ok(()) } else { Err(refused("nothing was changed")) }
}

/// The answer in words.
fn text(request: &Request, value: &Value) -> String {
    match request {
        Request::InviteCreate { .. } => format!("{}\n", shown(&value["link"])),
        Request::InviteList => {
            let mut lines = String::new();
            for invite in value["invites"].as_array().into_iter().flatten() {
                lines.push_str(&invite_line(invite));
            }
            lines
        }
        Request::InviteRevoke { .. } => format!("Revoked {}", invite_line(&value["invite"])),
        Request::UserShow { .. } => {
            let mut lines = user_line(&value["user"]);
            for device in value["devices"].as_array().into_iter().flatten() {
                let id: String = shown(&device["id"]).chars().take(8).collect();
                let state = if device["active"] == true { "active" } else { "gone" };
                let _ = writeln!(lines, "  device {id}  {state}  {} records", shown(&device["records"]));
            }
            lines
        }
        Request::UserDelete { dry_run: true, .. } => format!("Would delete {}", user_line(&value["user"])),
        Request::Check { .. } => {
            let mut lines = String::new();
            for problem in value["problems"].as_array().into_iter().flatten() {
                let _ = writeln!(lines, "{}  {}", shown(&problem["kind"]), shown(&problem["object"]));
            }
            let (objects, problems) = (shown(&value["objects"]), shown(&value["problem_count"]));
            let _ = writeln!(lines, "{objects} objects checked, {problems} problems");
            lines
        }
        _ => user_line(&value["user"]),
    }
}

fn user_line(user: &Value) -> String {
    let size = |v: &Value| ByteSize(v.as_u64().unwrap_or_default()).to_string();
    let (name, state) = (shown(&user["name"]), shown(&user["state"]));
    let (stored, quota) = (size(&user["stored_bytes"]), size(&user["quota_bytes"]));
    format!("{name}  {state}  {stored} of {quota}  {} devices\n", shown(&user["devices"]))
}

fn invite_line(invite: &Value) -> String {
    let id: String = shown(&invite["id"]).chars().take(8).collect();
    let state = match (invite["revoked"] == true, invite["usable"] == true) {
        (true, _) => "revoked",
        (false, true) => "usable",
        (false, false) => "spent",
    };
    format!("{id}  {state}  {} uses left  until {}\n", shown(&invite["uses_left"]), shown(&invite["expires_at"]))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
