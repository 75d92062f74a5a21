//! `log`: snapshots, newest first. Works offline.

use client::sync::hidden;
use serde_json::json;

use super::{device, snapshots};
use crate::args::daily::Log;
use crate::context::Context;
use crate::output::Outcome;
use crate::problem::Result;
use crate::terminal::{clean, counted, moment, rfc3339, size};

pub fn run(context: &Context, args: &Log) -> Result<Outcome> {
    let archive = context.archive()?;
    // A kept archive has no device beside it, and knows none by name.
    let devices = context.vault().ok().map(|vault| vault.devices_named(&archive)).transpose()?.unwrap_or_default();
    let only = args.device.as_deref().map(|given| device::find(&devices, given)).transpose()?;
    let hidden = hidden(&archive)?;
    let mut all = snapshots::complete(&archive)?;
    let total = all.len();
    all.retain(|s| args.all || !hidden.contains(&s.id));
    let left_out = total - all.len();
    all.retain(|s| only.as_ref().is_none_or(|d| s.device == Some(d.id)));
    all.retain(|s| args.label.as_ref().is_none_or(|l| s.labels.contains(l)));
    all.truncate(args.limit.unwrap_or(usize::MAX));
    let name = |id| devices.iter().find(|d| Some(d.id) == id).map(|d| d.name.clone()).unwrap_or_default();
    let mut text = String::new();
    for snapshot in &all {
        let labels = snapshot.labels.iter().map(|l| format!("  [{}]", clean(l))).collect::<String>();
        let forgotten = if hidden.contains(&snapshot.id) { "  (forgotten)" } else { "" };
        text += &format!(
            "{}  {}  {}  {} in {}, {}{labels}{forgotten}\n",
            snapshot.id.short(),
            moment(snapshot.at_ms),
            clean(&name(snapshot.device)),
            counted(snapshot.messages, "message"),
            counted(snapshot.chats, "chat"),
            size(snapshot.logical_bytes),
        );
    }
    if all.is_empty() {
        text += "No snapshots. Next: chatkeep backup\n";
    }
    if left_out > 0 {
        context.output.note(&format!("{left_out} forgotten; --all shows them."));
    }
    let list: Vec<_> = all
        .iter()
        .map(|s| {
            json!({
                "id": s.id.hex(),
                "at": rfc3339(s.at_ms),
                "device": s.device.map(|id| json!({ "id": id.hex(), "name": name(Some(id)) })),
                "labels": s.labels,
                "chats": s.chats,
                "messages": s.messages,
                "logical_bytes": s.logical_bytes,
                "added_bytes": s.added_bytes,
                "hidden": hidden.contains(&s.id),
            })
        })
        .collect();
    Ok(Outcome::new(json!({ "schema": "chatkeep.log/1", "snapshots": list }), text))
}
