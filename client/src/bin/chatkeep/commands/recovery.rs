//! `recovery`: a new recovery key, and trying the one at hand.

use client::archive::Note;
use client::crypto::RecoveryKey;
use client::crypto::passphrase::Passphrase;
use client::vault::Secret;
use serde_json::json;

use super::register::show;
use crate::args::devices::{New, Recovery};
use crate::args::secret::RecoveryKeyFrom;
use crate::context::{Context, Writing};
use crate::kit::{Owner, Reserved};
use crate::output::{Outcome, changed, to_terminal};
use crate::problem::Result;
use crate::secrets::{self, Chosen};

pub async fn run(context: &Context, command: &Recovery) -> Result<Outcome> {
    match command {
        Recovery::New(args) => new(context, args).await,
        Recovery::Check(from) => check(context, from).await,
    }
}

async fn check(context: &Context, from: &RecoveryKeyFrom) -> Result<Outcome> {
    context.identity()?;
    // A typo is told before anything is opened or sent.
    let key = secrets::recovery_key(&context.output, from)?;
    let mut writing = context.writing("recovery check")?;
    writing.vault.check_recovery(key).await?;
    let now = context.now_ms();
    writing.archive.commit(|c| c.set_note(Note::LastRecoveryCheck, Some(&now.to_le_bytes())))?;
    let account = writing.vault.session.identity.shown();
    let json = json!({ "schema": "chatkeep.recovery-check/1", "account": account, "ok": true });
    Ok(Outcome::new(json, format!("This recovery key opens {account}.\n")))
}

/// A new key needs a new root, because the old key opens the old one; so the passphrase is given anew as well.
async fn new(context: &Context, args: &New) -> Result<Outcome> {
    let mut writing = context.writing("recovery new")?;
    let identity = writing.vault.session.identity.clone();
    let account = identity.shown();
    let old_key = match secrets::given_passphrase(&args.proof.passphrase)? {
        Some(_) => None,
        None => secrets::given_recovery_key(&args.proof.recovery_key)?,
    };
    let (secret, passphrase) = match old_key {
        Some(key) => {
            let make = || Passphrase::generate(&mut context.env.entropy.clone());
            let chosen = secrets::new_passphrase(&context.output, &args.new_passphrase, make)?;
            if let Chosen::Made(passphrase) = &chosen {
                to_terminal(&format!("Your passphrase:   {}\n", passphrase.text()));
            }
            (Secret::Recovery(key), chosen.into_inner())
        }
        None => {
            let passphrase = secrets::passphrase(&context.output, &args.proof.passphrase)?;
            (Secret::Passphrase(secrets::again(&passphrase)?), passphrase)
        }
    };
    let mut kit = Reserved::new(&args.kit)?;
    let owner = Owner { account: &account, server: &identity.server, made_ms: context.now_ms() };
    let Writing { vault, archive, .. } = &mut writing;
    let keep = |key: &RecoveryKey| kit.fill(&owner, key);
    let rotated = vault.rotate_root_keeping(archive, secret, passphrase, true, keep).await;
    if let Some(key) = kit.settle(rotated)? {
        show(context, &key, kit.path())?;
    }
    let more = json!({ "account": account, "kit_path": kit.path().display().to_string() });
    let text = format!(
        "The new recovery key of {account} is in {}. The old kit opens nothing any more: destroy it.\n",
        kit.path().display()
    );
    Ok(Outcome::new(changed("recovery-new", true, more), text))
}
