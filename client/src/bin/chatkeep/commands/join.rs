//! `join`: this new device joins with a pairing code.

use client::vault::{Vault, Work};
use serde_json::json;

use super::accounts::{answer, label};
use crate::args::account::Join;
use crate::context::Context;
use crate::interrupt::Before;
use crate::output::{Outcome, to_terminal};
use crate::problem::{Problem, Result};
use crate::secrets;
use crate::terminal::clean;

pub async fn run(context: &Context, args: &Join) -> Result<Outcome> {
    let (home, keys) = (context.home(), context.keys());
    Vault::check_free(&home, &*keys)?;
    let configured = context.settings.value("server").map(str::to_owned);
    let server = args.address.clone().or(configured).ok_or_else(|| {
        Problem::usage("which server?")
            .hint("the other device shows the whole command, such as: chatkeep join vault.example.org")
    })?;
    let at = context.at(&server)?;
    // What is no code is told before anything is sent.
    let code = secrets::pairing_code(&context.output, &args.code)?;
    let work = Work::new(|_| {}, context.cancel.clone());
    let joining = Vault::join(at, code, label(context, args.device_name.as_ref()), &work).await?;
    let closing = Before::exit(joining.closing());
    show(context, &joining.check_words());
    // Nothing is written before the other device has let this one in and everything is verified.
    let joined = joining.finish(&work).await?;
    drop(closing);
    let lock = context.lock("join")?;
    let vault = joined.install(&home, &*keys)?;
    let answer = answer(&vault, None, false);
    let shown = vault.session.identity.shown();
    let device = vault.devices().into_iter().find(|d| d.current).map(|d| d.name).unwrap_or_default();
    drop((vault, lock));
    context.tell_key_place();
    let text = format!("Joined {shown}. This device: \"{}\".\nNext: chatkeep restore\n", clean(&device));
    Ok(Outcome::new(answer, text))
}

/// Shows the words where the person looks, or tells a program that shows them.
fn show(context: &Context, words: &[&str]) {
    if context.output.may_ask() {
        let words = words.join(" · ");
        to_terminal(&format!("Check words: {words}   (the other device shows three too: they must be the same)\n"));
    } else if context.output.json {
        eprintln!("{}", json!({ "schema": "chatkeep.pairing/1", "check_words": words }));
    } else {
        eprintln!("Check words: {}", words.join(" · "));
    }
}
