//! `device`: who belongs to the account, and ending somebody's access.

use client::error::Error;
use client::vault::{DeviceInfo, DeviceStanding, Secret};
use serde_json::{Value, json};

use crate::args::devices::{Device, Revoke};
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};
use crate::secrets;
use crate::terminal::{clean, day, rfc3339};

const PREFIX_MIN: usize = 4;

pub async fn run(context: &Context, command: &Device) -> Result<Outcome> {
    match command {
        Device::List => list(context),
        Device::Revoke(args) => revoke(context, args).await,
    }
}

/// The device that a name, an id or the beginning of one means.
pub fn find(all: &[DeviceInfo], given: &str) -> Result<DeviceInfo> {
    let lower = given.to_ascii_lowercase();
    let mut found: Vec<&DeviceInfo> = all.iter().filter(|d| d.name == given && !given.is_empty()).collect();
    if found.is_empty() && lower.len() >= PREFIX_MIN {
        found = all.iter().filter(|d| d.id.hex().starts_with(&lower)).collect();
    }
    match found.as_slice() {
        [] => Err(Problem::not_found(format!("no device is called \"{}\" or starts with it", clean(given)))
            .hint("`chatkeep device list` lists them")),
        [one] => Ok((*one).clone()),
        many => {
            let candidates = many.iter().map(|d| d.id.hex()).collect();
            Err(Error::Ambiguous { given: given.to_owned(), what: "devices", candidates }.into())
        }
    }
}

fn list(context: &Context) -> Result<Outcome> {
    let devices = context.vault()?.devices();
    let mut text = String::new();
    for device in &devices {
        let name = if device.name.is_empty() { "(gone)" } else { &device.name };
        let standing = match device.state {
            DeviceStanding::Active if device.current => "this device",
            DeviceStanding::Active => "",
            DeviceStanding::Revoked => "removed",
            DeviceStanding::Left => "left",
        };
        let since = if device.joined_ms > 0 { format!("since {}", day(device.joined_ms)) } else { String::new() };
        let line = format!("{}  {}  {}  {since}  {standing}", device.id.short(), clean(name), clean(&device.platform));
        text += line.trim_end();
        text += "\n";
    }
    let list: Vec<Value> = devices.iter().map(told).collect();
    Ok(Outcome::new(json!({ "schema": "chatkeep.devices/1", "devices": list }), text))
}

fn told(device: &DeviceInfo) -> Value {
    json!({
        "id": device.id.hex(),
        "name": Some(&device.name).filter(|n| !n.is_empty()),
        "platform": Some(&device.platform).filter(|p| !p.is_empty()),
        "added_at": rfc3339(device.joined_ms).filter(|_| device.joined_ms > 0),
        "last_seen_at": null,
        "current": device.current,
        "state": match device.state {
            DeviceStanding::Active => "active",
            DeviceStanding::Revoked => "revoked",
            DeviceStanding::Left => "left",
        },
        "revoked_at": null,
    })
}

async fn revoke(context: &Context, args: &Revoke) -> Result<Outcome> {
    let mut writing = context.writing("device revoke")?;
    let device = find(&writing.vault.devices(), &args.device)?;
    let name = clean(if device.name.is_empty() { &args.device } else { &device.name });
    if device.current {
        return Err(Problem::refused("a device does not remove itself").hint("`chatkeep logout` ends this one"));
    }
    let active = device.state == DeviceStanding::Active;
    let more = json!({ "device": told(&device), "dry_run": args.dry_run });
    if !active {
        return Ok(Outcome::new(changed("device-revoke", false, more), format!("\"{name}\" has no access already.\n")));
    }
    let plainly = "Copies it already holds stay there.";
    if args.dry_run {
        let text = format!("Would end the access of \"{name}\" ({}). {plainly} Nothing changed.\n", device.id.short());
        return Ok(Outcome::new(changed("device-revoke", false, more), text));
    }
    let question = format!("End the access of \"{name}\" ({}), for good? {plainly}", device.id.short());
    confirmed(context, &question)?;
    let secret = proof(context, &args.passphrase, &args.recovery_key)?;
    writing.vault.revoke(&mut writing.archive, &device.id, secret).await?;
    let text = format!("\"{name}\" has no access any more, and opens nothing new. {plainly}\n");
    Ok(Outcome::new(changed("device-revoke", true, more), text))
}

/// Has a destructive act confirmed: by `--yes`, or on the terminal.
pub fn confirmed(context: &Context, question: &str) -> Result<()> {
    if context.settings.yes {
        return Ok(());
    }
    if !context.output.may_ask() {
        return Err(
            Problem::refused("this needs a confirmation, and there is no terminal to ask on").hint("pass --yes")
        );
    }
    if context.output.confirm(question, false)? { Ok(()) } else { Err(Problem::refused("nothing was changed")) }
}

/// The passphrase, or the recovery key where a source gives it: either opens the root for one act.
pub fn proof(
    context: &Context,
    passphrase: &crate::args::secret::PassphraseFrom,
    recovery: &crate::args::secret::RecoveryKeyFrom,
) -> Result<Secret> {
    if let Some(given) = secrets::given_passphrase(passphrase)? {
        return Ok(Secret::Passphrase(given));
    }
    if let Some(key) = secrets::given_recovery_key(recovery)? {
        return Ok(Secret::Recovery(key));
    }
    secrets::passphrase(&context.output, passphrase).map(Secret::Passphrase)
}
