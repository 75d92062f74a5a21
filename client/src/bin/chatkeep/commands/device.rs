//! `device`: who belongs to the account, and ending somebody's access.

use client::error::Error;
use client::vault::{AllSeen, DeviceInfo, DeviceStanding, Secret, Seen, left};
use serde_json::{Value, json};

use crate::args::devices::{Device, Rename, Revoke};
use crate::args::secret::ProofFrom;
use crate::context::{Context, Writing};
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};
use crate::secrets;
use crate::terminal::{clean, day, rfc3339};

const PREFIX_MIN: usize = 4;

pub async fn run(context: &Context, command: &Device) -> Result<Outcome> {
    match command {
        Device::List => list(context),
        Device::Link(args) => super::link::run(context, args).await,
        Device::Rename(args) => rename(context, args).await,
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
    let (vault, archive) = context.reading()?;
    let (mut devices, seen, gone) = (vault.devices_named(&archive)?, AllSeen::of(&archive)?, left(&archive)?);
    // The roster lists those that ended themselves as gone when the next device is put out.
    for device in devices.iter_mut().filter(|d| gone.contains(&d.id)) {
        device.state = DeviceStanding::Left;
    }
    let mut text = String::new();
    for device in &devices {
        let name = if device.name.is_empty() { "(gone)" } else { &device.name };
        let standing = match device.state {
            DeviceStanding::Active if device.current => "this device",
            DeviceStanding::Active => "",
            DeviceStanding::Revoked => "removed",
            DeviceStanding::Left => "left",
        };
        let times = seen.get(&device.id);
        let when = match (device.state, times.gone_ms, times.last_ms) {
            (DeviceStanding::Active, _, Some(last)) => format!("seen {}", day(clock(last))),
            (DeviceStanding::Revoked | DeviceStanding::Left, Some(gone), _) => format!("on {}", day(clock(gone))),
            _ => String::new(),
        };
        let since = if device.joined_ms > 0 { format!("since {}", day(device.joined_ms)) } else { String::new() };
        let line =
            format!("{}  {}  {}  {since}  {standing} {when}", device.id.short(), clean(name), clean(&device.platform));
        text += line.trim_end();
        text += "\n";
    }
    let list: Vec<Value> = devices.iter().map(|d| told(d, seen.get(&d.id))).collect();
    Ok(Outcome::new(json!({ "schema": "chatkeep.devices/1", "devices": list }), text))
}

/// The server's clock as ours counts.
fn clock(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn told(device: &DeviceInfo, seen: Seen) -> Value {
    let moment = |ms: Option<u64>| ms.and_then(|ms| rfc3339(clock(ms)));
    let gone = seen.gone_ms.filter(|_| device.state != DeviceStanding::Active);
    json!({
        "id": device.id.hex(),
        "name": Some(&device.name).filter(|n| !n.is_empty()),
        "platform": Some(&device.platform).filter(|p| !p.is_empty()),
        "added_at": rfc3339(device.joined_ms).filter(|_| device.joined_ms > 0),
        "last_seen_at": moment(seen.last_ms),
        "current": device.current,
        "state": match device.state {
            DeviceStanding::Active => "active",
            DeviceStanding::Revoked => "revoked",
            DeviceStanding::Left => "left",
        },
        "revoked_at": moment(gone),
    })
}

async fn rename(context: &Context, args: &Rename) -> Result<Outcome> {
    let mut writing = context.writing("device rename")?;
    let device = find(&writing.vault.devices_named(&writing.archive)?, &args.device)?;
    let (before, after) = (clean(&device.name), clean(&args.name));
    let more = |device: &DeviceInfo| json!({ "device": { "id": device.id.hex(), "name": device.name }, "dry_run": args.dry_run });
    if args.dry_run {
        let text = format!("Would call \"{before}\" \"{after}\". Nothing changed.\n");
        return Ok(Outcome::new(changed("device-rename", false, more(&device)), text));
    }
    let Writing { vault, archive, .. } = &mut writing;
    let did = client::sync::rename(archive, &context.env, vault, &device.id, &args.name)?;
    if did {
        super::forget::send(context, &mut writing).await?;
    }
    let device = DeviceInfo { name: args.name.clone(), ..device };
    let text =
        if did { format!("\"{before}\" is now \"{after}\".\n") } else { format!("It is \"{after}\" already.\n") };
    Ok(Outcome::new(changed("device-rename", did, more(&device)), text))
}

async fn revoke(context: &Context, args: &Revoke) -> Result<Outcome> {
    let mut writing = context.writing("device revoke")?;
    let device = find(&writing.vault.devices_named(&writing.archive)?, &args.device)?;
    let name = clean(if device.name.is_empty() { &args.device } else { &device.name });
    if device.current {
        return Err(Problem::refused("a device does not remove itself").hint("`chatkeep logout` ends this one"));
    }
    let active = device.state == DeviceStanding::Active;
    let seen = AllSeen::of(&writing.archive)?.get(&device.id);
    let more = json!({ "device": told(&device, seen), "dry_run": args.dry_run });
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
    let secret = proof(context, &args.proof)?;
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
pub fn proof(context: &Context, from: &ProofFrom) -> Result<Secret> {
    if let Some(given) = secrets::given_passphrase(&from.passphrase)? {
        return Ok(Secret::Passphrase(given));
    }
    if let Some(key) = secrets::given_recovery_key(&from.recovery_key)? {
        return Ok(Secret::Recovery(key));
    }
    secrets::passphrase(&context.output, &from.passphrase).map(Secret::Passphrase)
}
