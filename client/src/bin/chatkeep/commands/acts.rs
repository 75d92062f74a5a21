//! What commands that do something to messages share: when it was done, sending it at once, and what waits to go.

use std::collections::BTreeMap;
use std::time::Duration;

use client::archive::{Acting, Archive, Deletion, Mass, mass};
use client::env::SharedEntropy;
use client::sync::{act_clock, server_clock};
use client::vault::{Vault, Work};
use serde_json::{Value, json};

use crate::context::{Context, Writing};
use crate::problem::{Result, Warning};
use crate::terminal::{clean, counted, moment, rfc3339};

const DAY_MS: i64 = 24 * 3_600_000;

/// The moment of an act, and randomness for it.
pub fn acting<'a>(context: &Context, archive: &Archive, entropy: &'a mut SharedEntropy) -> Result<Acting<'a>> {
    Ok(Acting { now: act_clock(archive, context.now_ms())?, entropy })
}

/// Sends what was done at once if the server can be reached; else the next sync does. Answers whether it is sent.
pub async fn send(context: &Context, writing: &mut Writing) -> Result<bool> {
    let work = Work::quiet().max_wait(Duration::ZERO);
    match writing.vault.sync(&mut writing.archive, &work).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_retryable() => {
            context.output.note("Not sent yet; the next sync or backup sends it.");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// The deletions in force whose messages have not gone yet.
pub fn deletions(context: &Context, vault: &Vault, archive: &Archive) -> Result<Vec<Deletion>> {
    let now = server_clock(archive, context.now_ms())?;
    Ok(archive.deletions(now, &vault.session.device.id())?)
}

/// What goes for good on one day.
#[derive(Default)]
pub struct Waiting {
    pub until: i64,
    pub messages: u64,
    /// Messages that lose their attachments alone.
    pub media: u64,
}

impl Waiting {
    pub fn says(&self) -> String {
        let media = format!("the attachments of {}", counted(self.media, "message"));
        match (self.messages, self.media) {
            (messages, 0) => counted(messages, "message"),
            (0, _) => media,
            (messages, _) => format!("{} and {media}", counted(messages, "message")),
        }
    }
}

/// How much goes for good, and by when, day by day.
pub fn waiting(deletions: &[Deletion]) -> Vec<Waiting> {
    let mut days: BTreeMap<i64, Waiting> = BTreeMap::new();
    for deletion in deletions {
        let day = days.entry(deletion.until.div_euclid(DAY_MS)).or_default();
        day.until = day.until.max(deletion.until);
        if deletion.is_media() {
            day.media += deletion.messages;
        } else {
            day.messages += deletion.messages;
        }
    }
    days.into_values().collect()
}

pub fn waiting_json(deletions: &[Deletion]) -> Vec<Value> {
    let days = waiting(deletions).into_iter();
    days.map(|d| json!({ "until": rfc3339(d.until), "messages": d.messages, "media_of": d.media })).collect()
}

/// What is told of very many deletions at once, device by device.
pub fn mass_warnings(vault: &Vault, deletions: &[Deletion]) -> Vec<Warning> {
    mass(deletions).iter().map(|one| mass_warning(vault, one)).collect()
}

pub fn mass_warning(vault: &Vault, mass: &Mass) -> Warning {
    let devices = vault.devices();
    let device = mass.device.and_then(|id| devices.iter().find(|d| d.id == id));
    let (whose, hint) = match device {
        Some(device) if device.current => ("this device".to_owned(), "`chatkeep undelete --since today`".to_owned()),
        Some(device) if !device.name.is_empty() => {
            let name = format!("\"{}\"", clean(&device.name));
            let revoke = format!("not you? `chatkeep device revoke {name}`, then `chatkeep undelete --since today`");
            (name, revoke)
        }
        _ => ("another device".to_owned(), "not you? `chatkeep device list`, then `chatkeep undelete`".to_owned()),
    };
    let stay = if mass.permitted { "with the passphrase; they go for good" } else { "they go for good" };
    let message = format!(
        "{} were deleted on {whose} since {}; {stay} from {} on",
        counted(mass.messages, "message"),
        moment(mass.since),
        moment(mass.until)
    );
    Warning::new("W_MASS_DELETE", message).hint(hint)
}
