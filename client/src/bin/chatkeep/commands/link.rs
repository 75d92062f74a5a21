//! `device link`: this device lets a new one in.

use client::crypto::passphrase::Passphrase;
use client::vault::{Secret, Vault, Work};
use serde_json::json;

use super::accounts::again;
use super::device::proof;
use crate::args::devices::Link;
use crate::context::{Context, Writing};
use crate::interrupt::Before;
use crate::output::{Outcome, changed, to_terminal};
use crate::problem::{Problem, Result};
use crate::secrets;
use crate::terminal::clean;

pub async fn run(context: &Context, args: &Link) -> Result<Outcome> {
    // Three words that a program compares protect nobody.
    if !context.output.may_ask() {
        return Err(Problem::refused("somebody has to compare three words, and there is no terminal to ask on")
            .hint("a machine without one joins with `chatkeep login`, by passphrase or kit"));
    }
    let vault = context.vault()?;
    let secret = proof(context, &args.proof)?;
    proved(&vault, &secret).await?;
    let linking = vault.link().await?;
    // A code that nobody waits for any more must not stay good for ten minutes.
    let _closing = Before::exit(linking.closing());
    let server = &vault.session.identity.server;
    to_terminal(&format!(
        "Pairing code: {}   (one use, expires in 10 minutes; on the other device: chatkeep join {server})\n",
        *linking.code()
    ));
    let work = Work::new(|_| {}, context.cancel.clone());
    let newcomer = linking.meet(&work).await?;
    let (name, platform) = (newcomer.name().to_owned(), newcomer.platform().to_owned());
    let words = newcomer.check_words().join(" · ");
    let question = format!(
        "\"{}\" ({}) wants to join. Same three words on both screens?  {words} ",
        clean(&name),
        clean(&platform)
    );
    // `--yes` does not answer this: nobody would have looked.
    if !matches!(context.output.confirm(&question, false), Ok(true)) {
        newcomer.refuse().await;
        return Err(Problem::refused("nothing was changed").hint("if the words differed, somebody is in between"));
    }
    let mut writing = match context.writing("device link") {
        Ok(writing) => writing,
        Err(problem) => {
            newcomer.refuse().await;
            return Err(problem);
        }
    };
    let Writing { vault, archive, .. } = &mut writing;
    let id = vault.admit(archive, newcomer, &secret).await?;
    let more = json!({ "device": { "id": id.hex(), "name": name, "platform": platform } });
    Ok(Outcome::new(changed("device-link", true, more), format!("Linked \"{}\".\n", clean(&name))))
}

/// Proves the secret before a code is shown: a typing error is told now, not after two people have compared words.
async fn proved(vault: &Vault, secret: &Secret) -> Result<()> {
    match secret {
        Secret::Passphrase(passphrase) => {
            let same: Passphrase = secrets::again(passphrase)?;
            Ok(vault.check_passphrase(same).await?)
        }
        Secret::Recovery(key) => Ok(vault.check_recovery(again(key)?).await?),
    }
}
