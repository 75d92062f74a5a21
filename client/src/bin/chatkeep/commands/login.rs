//! `login`: this device joins an account.

use client::archive::Note;
use client::crypto::RecoveryKey;
use client::crypto::passphrase::Passphrase;
use client::error::Error;
use client::vault::{DeviceStanding, Secret, Vault};

use super::accounts::{again, answer, label, split};
use super::device::find;
use super::logout::all_saved;
use crate::args::account::Login;
use crate::args::secret::NewPassphraseFrom;
use crate::context::{Context, Writing};
use crate::kit;
use crate::output::{Outcome, to_terminal};
use crate::problem::{Problem, Result};
use crate::secrets::{self, Chosen};
use crate::terminal::clean;

pub async fn run(context: &Context, args: &Login) -> Result<Outcome> {
    let (account, key) = who(args)?;
    let (name, server) = split(&account)?;
    let home = context.home();
    let keys = context.keys();
    let at = context.at(&server)?;
    let before = before(context, &format!("{}@{}", name.as_str(), at.connector.server())).await?;
    let by_key = args.recovery || key.is_some();
    let (secret, key) = match key {
        Some(key) => (Secret::Recovery(again(&key)?), Some(key)),
        None if by_key => {
            let key = secrets::recovery_key(&context.output, &args.proof.recovery_key)?;
            (Secret::Recovery(again(&key)?), Some(key))
        }
        None => (Secret::Passphrase(secrets::passphrase(&context.output, &args.proof.passphrase)?), None),
    };
    let label = label(context, args.device_name.as_ref());
    // Nothing is written before the secret is proved and everything verified.
    let joined = Vault::login(at, name, secret, label).await?;
    let lock = context.lock("login")?;
    if before == Before::Gone {
        Vault::erase(&home, &*keys, false)?;
    }
    let vault = joined.install(&home, &*keys)?;
    let answer = answer(&vault, args.kit.as_deref(), false);
    let shown = vault.session.identity.shown();
    let device = vault.devices().into_iter().find(|d| d.current).map(|d| d.name).unwrap_or_default();
    drop((vault, lock));
    context.tell_key_place();
    if let Some(key) = key.filter(|_| context.output.may_ask()) {
        guide(context, &key).await?;
    }
    let text = format!("Signed in to {shown}. This device: \"{}\".\nNext: chatkeep restore\n", clean(&device));
    Ok(Outcome::new(answer, text))
}

/// What is in the home that this device is to be set up in.
#[derive(PartialEq, Eq)]
enum Before {
    Nothing,
    /// A device of the same account that has no access any more, or a copy of one that goes on elsewhere: the vault has
    /// all its archive holds.
    Gone,
}

/// Refuses a home that is in use. One whose device was removed from this very account is taken again, if nothing is
/// lost by that.
async fn before(context: &Context, account: &str) -> Result<Before> {
    let (home, keys) = (context.home(), context.keys());
    let Err(taken) = Vault::check_free(&home, &*keys) else { return Ok(Before::Nothing) };
    let same = Vault::identity(&*keys)?.is_some_and(|identity| identity.shown() == account);
    if !same {
        return Err(taken.into());
    }
    let (vault, archive) = context.reading()?;
    let is_copy = archive.note(Note::Cloned)?.is_some();
    if !is_copy && !matches!(vault.usage().await, Err(Error::DeviceRevoked { .. })) {
        return Err(taken.into());
    }
    if !context.settings.yes {
        all_saved(&archive.counts()?).map_err(|mut problem| {
            problem.hints = vec![
                "`chatkeep export --as jsonl --out DIR` keeps it; sign in with --yes, then `chatkeep import DIR`"
                    .to_owned(),
                "or sign in into another home: --profile NAME".to_owned(),
            ];
            problem
        })?;
    }
    Ok(Before::Gone)
}

/// Which account, and the recovery key if a kit file gives it.
fn who(args: &Login) -> Result<(String, Option<RecoveryKey>)> {
    let Some(path) = &args.kit else {
        let account = args.account.clone().ok_or_else(|| Problem::usage("an account is missing: NAME@SERVER"))?;
        return Ok((account, None));
    };
    let text =
        std::fs::read_to_string(path).map_err(|e| Problem::usage(format!("cannot read {}: {e}", path.display())))?;
    let text = zeroize::Zeroizing::new(text);
    let kit = kit::read(&text).ok_or_else(|| Problem::usage(format!("{} is not a recovery kit", path.display())))?;
    let key = secrets::parse_key(&kit.key)?;
    let named = kit.account;
    match &args.account {
        Some(given) if *given != named => Err(Problem::usage(format!("the kit is for {named}, not for {given}"))),
        _ => Ok((named, Some(key))),
    }
}

/// After a recovery: the lost device goes, and a new passphrase comes, while the key is at hand.
async fn guide(context: &Context, key: &RecoveryKey) -> Result<()> {
    let output = &context.output;
    let Writing { mut vault, mut archive, .. } = context.writing("login")?;
    let others: Vec<_> = vault
        .devices_named(&archive)?
        .into_iter()
        .filter(|d| d.state == DeviceStanding::Active && !d.current)
        .collect();
    to_terminal("Recovery key accepted.\n");
    if !others.is_empty() {
        to_terminal("Other devices of this account:\n");
        for device in &others {
            to_terminal(&format!("  {}  {} ({})\n", device.id.short(), clean(&device.name), clean(&device.platform)));
        }
        let lost = output.ask("Which one is lost? (its name or id; empty = none) ")?.unwrap_or_default();
        if !lost.trim().is_empty() {
            let device = find(&vault.devices_named(&archive)?, lost.trim())?;
            vault.revoke(&mut archive, &device.id, Secret::Recovery(again(key)?)).await?;
            output.note(&format!(
                "\"{}\" has no access any more. Copies it already holds stay there.",
                clean(&device.name)
            ));
        }
    }
    if output.confirm("Choose a new passphrase for this account?", true)? {
        let make = || Passphrase::generate(&mut context.env.entropy.clone());
        loop {
            let chosen = secrets::new_passphrase(output, &NewPassphraseFrom::default(), make)?;
            if let Chosen::Made(passphrase) = &chosen {
                to_terminal(&format!("Your passphrase:   {}\n", passphrase.text()));
            }
            let secret = Secret::Recovery(again(key)?);
            match vault.change_passphrase(&mut archive, secret, chosen.into_inner()).await {
                Err(Error::WeakPassphrase { reason }) => output.note(&format!("Too weak: {reason}.")),
                other => return other.map_err(Into::into),
            }
        }
    }
    Ok(())
}
