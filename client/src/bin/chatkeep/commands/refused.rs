//! What an import brought that the owner has deleted: how much of it, and on which device it was deleted.

use std::collections::BTreeSet;

use client::import::Report;
use serde_json::{Value, json};

use super::acts;
use crate::context::{Context, Writing};
use crate::problem::Result;
use crate::terminal::{clean, count};

/// Adds to an import's answer what was refused, and who deleted it where that is known.
pub fn tell(
    context: &Context,
    writing: &Writing,
    report: &Report,
    sources: &mut [Value],
    text: &mut String,
) -> Result<()> {
    let refused: u64 = report.sources.iter().map(|s| s.refused).sum();
    if refused == 0 {
        return Ok(());
    }
    let deletions = acts::deletions(context, &writing.vault, &writing.archive)?;
    let devices = writing.vault.devices();
    let mut all = BTreeSet::new();
    for (source, told) in report.sources.iter().zip(sources).filter(|(source, _)| source.refused > 0) {
        let of_chat = deletions.iter().filter(|d| d.key.chat.hex() == source.chat_id).filter_map(|d| d.device);
        let ids: BTreeSet<_> = of_chat.collect();
        let names = devices.iter().filter(|d| ids.contains(&d.id) && !d.name.is_empty()).map(|d| d.name.clone());
        let names: BTreeSet<String> = names.collect();
        if let Some(told) = told.as_object_mut() {
            told.insert("refused_by".to_owned(), json!(names));
        }
        all.extend(names);
    }
    let who: Vec<String> = all.iter().map(|name| format!("\"{}\"", clean(name))).collect();
    let who = if who.is_empty() { "another device".to_owned() } else { who.join(", ") };
    let it = if refused == 1 { "it" } else { "them" };
    *text += &format!("          {} refused, since {who} deleted {it}\n", count(refused));
    Ok(())
}
