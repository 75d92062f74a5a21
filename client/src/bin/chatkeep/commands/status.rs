//! `status`: in words first what is safe, then the rest. Works offline.

use std::time::Duration;

use client::archive::{Archive, Note};
use client::error::Error;
use client::sync::Usage;
use client::vault::Vault;
use proto::wire::roster::SlotKind;
use serde_json::{Value, json};

use super::{acts, snapshots};
use crate::args::daily::Status;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::{Problem, Result, Warning};
use crate::terminal::{ago, clean, count, counted, day, moment, rfc3339, size};

/// How long the server may take before it counts as not reachable.
const PATIENCE: Duration = Duration::from_secs(10);
const CLOCK_MAX_MS: i64 = 5 * 60 * 1000;
/// A part of the quota above which space is short.
const NEARLY_FULL: f64 = 0.9;

/// What the server said, if it said anything.
struct Contact {
    reachable: bool,
    signed_in: Option<bool>,
    usage: Option<Usage>,
    problem: Option<Box<Problem>>,
}

pub async fn run(context: &Context, args: &Status) -> Result<Outcome> {
    let (vault, archive) = context.reading()?;
    let now = context.now_ms();
    let contact = contact(&vault).await;
    let counts = archive.counts()?;
    let newest = snapshots::complete(&archive)?.into_iter().next();
    let noted = |note| -> Result<Option<i64>> { Ok(moment_of(&archive, note)?) };
    // A later backup that found nothing new protects up to its own time.
    let last_at = match (&newest, noted(Note::LastBackup)?) {
        (Some(newest), Some(noted)) => Some(newest.at_ms.max(noted)),
        (Some(newest), None) => Some(newest.at_ms),
        (None, _) => None,
    };
    let age_s = last_at.map(|at| now.saturating_sub(at).max(0).cast_unsigned() / 1000);
    let proven = noted(Note::LastProof)?;
    let checked = noted(Note::LastRecoveryCheck)?;
    let has_key = vault.ring.roster().slot(SlotKind::Recovery).is_some();
    let mut warnings = Vec::new();
    let mut warn = |code, message: String, hint: &str| warnings.push(Warning::new(code, message).hint(hint));
    // What came by `sync` alone is safe, though no snapshot names it.
    let in_vault = counts.messages > 0 && counts.unsaved_messages == 0 && counts.waiting == 0;
    match age_s {
        None if in_vault => warn("W_NO_BACKUP", "no snapshot was made yet".to_owned(), "`chatkeep backup`"),
        None => warn("W_NO_BACKUP", "nothing is backed up yet".to_owned(), "`chatkeep backup`"),
        Some(age) if age > context.settings.time("status.stale_after").as_secs() => {
            warn("W_STALE", format!("the last backup was {}", ago(age)), "`chatkeep backup`");
        }
        Some(_) => {}
    }
    if archive.note(Note::Restore)?.is_some() || !archive.runs()?.is_empty() {
        let message = "not everything the vault has is on this device yet".to_owned();
        warn("W_RESTORE_UNFINISHED", message, "`chatkeep restore`");
    }
    if archive.note(Note::Cloned)?.is_some() {
        let message = "another machine runs with this device's keys; this one writes nothing more".to_owned();
        warn("W_DEVICE_CLONED", message, "sign in again here: `chatkeep login`");
    }
    if counts.unsaved_messages > 0 {
        let message = format!("{} not in the vault yet", counted(counts.unsaved_messages, "message"));
        warn("W_UNSAVED", message, "`chatkeep backup`");
    }
    if counts.waiting > 0 {
        let message = format!("{} wait to be uploaded", counted(counts.waiting, "attachment"));
        warn("W_ATTACHMENTS_WAITING", message, "`chatkeep backup`");
    }
    if archive.note(Note::Damage)?.is_some() {
        warn(
            "W_DAMAGE",
            "a check found damage in the vault".to_owned(),
            "`chatkeep backup` here repairs what this device has",
        );
    }
    let deleted = acts::deletions(context, &vault, &archive)?;
    if !has_key {
        warn("W_NO_RECOVERY_KEY", "there is no recovery key".to_owned(), "`chatkeep recovery new --kit FILE`");
    }
    if let Some(problem) = &contact.problem {
        let code = if contact.signed_in == Some(false) { "W_SIGNED_OUT" } else { "W_UNREACHABLE" };
        let hint = problem.hints.first().map_or("`chatkeep doctor`", String::as_str);
        warn(code, problem.message.clone(), hint);
    }
    if let Some(usage) = contact.usage {
        let behind = now.saturating_sub(i64::try_from(usage.server_time_ms).unwrap_or(i64::MAX));
        if behind.abs() > CLOCK_MAX_MS {
            let hours = ago(behind.unsigned_abs() / 1000).replace(" ago", "");
            warn(
                "W_CLOCK",
                format!("this device's clock differs from the server's by {hours}"),
                "messages are safe; set the clock",
            );
        }
        if usage.quota_bytes > 0 && usage.stored_bytes as f64 > NEARLY_FULL * usage.quota_bytes as f64 {
            let message = format!("{} of {} are used", size(usage.stored_bytes), size(usage.quota_bytes));
            warn("W_QUOTA", message, "ask the operator for more");
        }
    }
    warnings.extend(acts::mass_warnings(&vault, &deleted));
    let identity = &vault.session.identity;
    let device = vault.devices_named(&archive)?.into_iter().find(|d| d.current);
    let mut text = match (last_at, age_s) {
        (Some(at), Some(age)) => format!("Protected up to {} ({}).", moment(at), ago(age)),
        _ if in_vault => "Everything here is in the vault; no snapshot names it yet.".to_owned(),
        _ => "Nothing is protected yet.".to_owned(),
    };
    text += &match proven {
        Some(at) => format!(" Last proven restore: {}.\n", day(at)),
        None => " No restore was proven yet (chatkeep check --restore-test).\n".to_owned(),
    };
    let reached = match (contact.reachable, contact.signed_in) {
        (true, Some(false)) => "signed out",
        (true, _) => "reachable, signed in",
        (false, _) => "not reachable now",
    };
    text += &format!("Account    {}\nServer     {} ({reached})\n", identity.shown(), clean(&identity.server));
    if let Some(device) = &device {
        text += &format!("Device     \"{}\" ({})\n", clean(&device.name), device.id.short());
    }
    text += &format!(
        "Here       {} in {}; {} not backed up, {} waiting\n",
        counted(counts.messages, "message"),
        counted(counts.chats, "chat"),
        count(counts.unsaved_messages),
        counted(counts.waiting, "attachment"),
    );
    if let Some(usage) = contact.usage {
        text += &format!("Vault      {} of {}\n", size(usage.stored_bytes), size(usage.quota_bytes));
    }
    for waiting in acts::waiting(&deleted) {
        let until = waiting.until;
        let goes =
            if until <= now { "gone for good soon".to_owned() } else { format!("for good after {}", moment(until)) };
        text += &format!("Deleted    {}, {goes} (chatkeep undelete)\n", waiting.says());
    }
    text += &format!("Recovery   {}\n", recovery(has_key, checked));
    for warning in &warnings {
        text += &format!("Warning    {} ({})\n", clean(&warning.message), warning.hints.join("; "));
    }
    let json = json!({
        "schema": "chatkeep.status/1",
        "account": identity.shown(),
        "server": identity.server,
        "reachable": contact.reachable,
        "signed_in": contact.signed_in,
        "device": device.map(|d| json!({ "id": d.id.hex(), "name": d.name })),
        "last_backup": newest.map(|s| json!({
            "snapshot": s.id.hex(), "at": last_at.and_then(rfc3339), "age_s": age_s,
        })),
        "last_proven_at": proven.and_then(rfc3339),
        "messages": counts.messages,
        "chats": counts.chats,
        "unsaved_messages": counts.unsaved_messages,
        "attachments_waiting": counts.waiting,
        "deletions_waiting": acts::waiting_json(&deleted),
        "usage": contact.usage.map(|u| json!({ "stored_bytes": u.stored_bytes, "quota_bytes": u.quota_bytes })),
        "recovery": { "set": has_key, "last_checked_at": checked.and_then(rfc3339) },
        "warnings": warnings.iter().map(Warning::to_json).collect::<Vec<Value>>(),
    });
    let exit = if args.strict && !warnings.is_empty() { 3 } else { 0 };
    Ok(Outcome::new(json, text).exit(exit))
}

fn recovery(set: bool, checked: Option<i64>) -> String {
    match (set, checked) {
        (false, _) => "no recovery key".to_owned(),
        (true, None) => "key set, not tried from this device (chatkeep recovery check)".to_owned(),
        (true, Some(at)) => format!("key set, last tried {}", day(at)),
    }
}

async fn contact(vault: &Vault) -> Contact {
    let server = vault.session.identity.server.clone();
    let asked = tokio::time::timeout(PATIENCE, vault.usage()).await;
    let asked = asked.unwrap_or_else(|_| Err(Error::Unreachable { server, cause: "timed out".to_owned() }));
    match asked {
        Ok(usage) => Contact { reachable: true, signed_in: Some(true), usage: Some(usage), problem: None },
        Err(error) => {
            let signed_out = error.exit() == 13;
            let reachable = error.exit() != 20;
            let problem = Some(error.into());
            Contact { reachable, signed_in: signed_out.then_some(false), usage: None, problem }
        }
    }
}

/// A moment that a note holds.
pub fn moment_of(archive: &Archive, note: Note) -> client::archive::Result<Option<i64>> {
    Ok(archive.note(note)?.and_then(|bytes| Some(i64::from_le_bytes(bytes.try_into().ok()?))))
}
