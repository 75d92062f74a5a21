//! `account`: what it is, and its end.

use std::time::Duration;

use client::vault::DeviceStanding;
use proto::wire::roster::SlotKind;
use serde_json::json;

use super::device;
use crate::args::account::{Account, Delete};
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};
use crate::terminal::{clean, count, counted, size};

/// How long the server may take before it counts as not reachable.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(context: &Context, command: &Account) -> Result<Outcome> {
    match command {
        Account::Show => show(context).await,
        Account::Delete(args) => delete(context, args).await,
    }
}

async fn show(context: &Context) -> Result<Outcome> {
    let (vault, archive) = context.reading()?;
    let identity = &vault.session.identity;
    let devices = vault.devices_named(&archive)?;
    let active = devices.iter().filter(|d| d.state == DeviceStanding::Active).count() as u64;
    let counts = archive.counts()?;
    let has_key = vault.ring.roster().slot(SlotKind::Recovery).is_some();
    let usage = tokio::time::timeout(PATIENCE, vault.usage()).await.ok().and_then(|asked| asked.ok());
    let current = devices.iter().find(|d| d.current);
    let mut text = format!("Account   {}\nId        {}\n", clean(&identity.shown()), identity.account.hex());
    text += &format!("Devices   {active}, this one is \"{}\"\n", clean(current.map_or("", |d| &d.name)));
    text += &format!("Holds     {} in {}\n", counted(counts.messages, "message"), counted(counts.chats, "chat"));
    text += &match &usage {
        Some(usage) if usage.quota_bytes > 0 => {
            format!("Stored    {} of {}\n", size(usage.stored_bytes), size(usage.quota_bytes))
        }
        Some(usage) => format!("Stored    {}\n", size(usage.stored_bytes)),
        None => "Stored    unknown, the server does not answer\n".to_owned(),
    };
    text += if has_key { "Recovery  a key is set\n" } else { "Recovery  no key is set (chatkeep recovery new)\n" };
    let json = json!({
        "schema": "chatkeep.account/1",
        "account": identity.shown(),
        "id": identity.account.hex(),
        "server": identity.server,
        "device": { "id": vault.session.device.id().hex(), "name": current.map(|d| &d.name) },
        "devices": active,
        "chats": counts.chats,
        "messages": counts.messages,
        "usage": usage.map(|u| json!({ "stored_bytes": u.stored_bytes, "quota_bytes": u.quota_bytes })),
        "recovery": { "set": has_key },
        "kit_path": null,
        "created": false,
    });
    Ok(Outcome::new(json, text))
}

async fn delete(context: &Context, args: &Delete) -> Result<Outcome> {
    let mut writing = context.writing("account delete")?;
    let account = writing.vault.session.identity.shown();
    let devices = writing.vault.devices().iter().filter(|d| d.state == DeviceStanding::Active).count() as u64;
    let counts = writing.archive.counts()?;
    let what = format!(
        "the account {account}: {} cannot use it any more, and everything the server keeps of it goes within 72 hours",
        counted(devices, "device")
    );
    let here = format!(
        "What is on its devices stays there; this one has {} of them.",
        if counts.messages == 0 { "no messages".to_owned() } else { counted(counts.messages, "message") }
    );
    let more = json!({ "account": account, "devices": devices, "messages": counts.messages, "dry_run": args.dry_run });
    if args.really.as_deref() != Some(account.as_str()) {
        return Err(Problem::refused(format!("this would delete {}", clean(&what)))
            .hint(format!("nothing brings it back; if you mean it: --really {}", clean(&account)))
            .details(json!({ "devices": devices, "messages": counts.messages })));
    }
    if args.dry_run {
        let text = format!("Would delete {}. {here} Nothing changed.\n", clean(&what));
        return Ok(Outcome::new(changed("account-delete", false, more), text));
    }
    // Attachments that only the vault has would be lost with it.
    let elsewhere = counts.attachments_absent;
    if elsewhere > 0 {
        context.output.note(&format!(
            "{} attachments are in the vault and not on this device: `chatkeep restore` fetches them first.",
            count(elsewhere)
        ));
    }
    device::confirmed(context, &format!("Delete {}? {here}", clean(&what)))?;
    let secret = device::proof(context, &args.proof)?;
    writing.vault.end_account(&mut writing.archive, secret).await?;
    let text = format!("Deleted {}. {here}\nNext: chatkeep export, then chatkeep logout\n", clean(&account));
    Ok(Outcome::new(changed("account-delete", true, more), text))
}
