//! `passphrase`: changing it, and trying whether it is the right one.

use client::crypto::RecoveryKey;
use client::crypto::passphrase::Passphrase as Text;
use client::error::Error;
use client::vault::Secret;
use serde_json::json;

use super::device::proof;
use super::register::show;
use crate::args::devices::{Change, Passphrase};
use crate::args::secret::PassphraseFrom;
use crate::context::{Context, Writing};
use crate::kit::{Owner, Reserved};
use crate::output::{Outcome, changed, to_terminal};
use crate::problem::{Problem, Result};
use crate::secrets::{self, Chosen};

pub async fn run(context: &Context, command: &Passphrase) -> Result<Outcome> {
    match command {
        Passphrase::Change(args) => change(context, args).await,
        Passphrase::Check(from) => check(context, from).await,
    }
}

async fn check(context: &Context, from: &PassphraseFrom) -> Result<Outcome> {
    let vault = context.vault()?;
    let passphrase = secrets::passphrase(&context.output, from)?;
    vault.check_passphrase(passphrase).await?;
    let account = vault.session.identity.shown();
    let json = json!({ "schema": "chatkeep.passphrase-check/1", "account": account, "ok": true });
    Ok(Outcome::new(json, format!("This passphrase opens {account}.\n")))
}

async fn change(context: &Context, args: &Change) -> Result<Outcome> {
    let mut writing = context.writing("passphrase change")?;
    let (identity, has_key) = {
        use proto::wire::roster::SlotKind;
        let vault = &writing.vault;
        (vault.session.identity.clone(), vault.ring.roster().slot(SlotKind::Recovery).is_some())
    };
    let secret = proof(context, &args.proof)?;
    // With the passphrase alone the recovery key's slot cannot be made anew for the old key: it gets a new one.
    let new_key = args.leaked && has_key && matches!(secret, Secret::Passphrase(_));
    if new_key && args.kit.is_none() {
        return Err(Problem::new("E_INPUT_REQUIRED", 2, "a place for the kit of the new recovery key is needed")
            .hint("pass --kit FILE, or give the recovery key instead of the passphrase to keep it"));
    }
    let make = || Text::generate(&mut context.env.entropy.clone());
    let chosen = secrets::new_passphrase(&context.output, &args.new_passphrase, make)?;
    if let Chosen::Made(passphrase) = &chosen {
        to_terminal(&format!("Your passphrase:   {}\n", passphrase.text()));
    }
    let new = chosen.into_inner();
    let account = identity.shown();
    if !args.leaked {
        writing.vault.change_passphrase(&mut writing.archive, secret, new).await?;
        let more = json!({ "account": account, "leaked": false, "kit_path": null });
        let text = format!("The new passphrase opens {account}. Other devices stay signed in.\n");
        return Ok(Outcome::new(changed("passphrase-change", true, more), text));
    }
    let mut kit = match &args.kit {
        Some(path) => Some(Reserved::new(path)?),
        None => None,
    };
    let asks_new = kit.is_some();
    let owner = Owner { account: &account, server: &identity.server, made_ms: context.now_ms() };
    let Writing { vault, archive, .. } = &mut writing;
    let keep = |key: &RecoveryKey| match &mut kit {
        Some(kit) => kit.fill(&owner, key),
        // Somebody gave the account a recovery key after this began, and it has no place here.
        None => Err(Error::Refused("the account has a recovery key now: pass --kit FILE for its new one".to_owned())),
    };
    let rotated = vault.rotate_root_keeping(archive, secret, new, asks_new, keep).await;
    let key = match &mut kit {
        Some(kit) => kit.settle(rotated)?,
        None => rotated?,
    };
    if let (Some(kit), Some(key)) = (&kit, &key) {
        show(context, key, kit.path())?;
    }
    let path = kit.as_ref().map(|k| k.path().display().to_string());
    let more = json!({ "account": account, "leaked": true, "kit_path": path });
    let old = if key.is_some() {
        "The old passphrase and the old kit open nothing any more."
    } else {
        "The old passphrase opens nothing any more."
    };
    let text = format!("{account} has a new root. {old}\nWhat somebody has copied before stays with them.\n");
    Ok(Outcome::new(changed("passphrase-change", true, more), text))
}
