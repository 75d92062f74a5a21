//! Snapshots whose names are hidden from lists: setting rows of the vault's own chat (`docs/format.md` §3.6).

use std::collections::BTreeMap;

use crate::archive::Archive;
use crate::crypto::draw;
use crate::env::Env;
use crate::error::Result;
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::EventId;

const PREFIX: &str = "hidden/";

/// What is in force of each snapshot that was ever hidden, and since when.
fn in_force(archive: &Archive) -> Result<BTreeMap<EventId, (i64, bool)>> {
    let mut found: BTreeMap<EventId, (i64, EventId, bool)> = BTreeMap::new();
    for stored in archive.vault_rows(Kind::SETTING)? {
        let row = stored.row()?;
        let name = row.fields.text(tag::SETTING).and_then(|name| name.strip_prefix(PREFIX));
        let Some(snapshot) = name.and_then(EventId::from_hex) else { continue };
        let this = (row.time, stored.key.id, row.body() == Some("true"));
        let before = found.entry(snapshot).or_insert(this);
        if (before.0, before.1) < (this.0, this.1) {
            *before = this;
        }
    }
    Ok(found.into_iter().map(|(id, (time, _, hidden))| (id, (time, hidden))).collect())
}

/// The snapshots that lists leave out.
pub fn hidden(archive: &Archive) -> Result<Vec<EventId>> {
    Ok(in_force(archive)?.into_iter().filter(|(_, (_, hidden))| *hidden).map(|(id, _)| id).collect())
}

/// Hides snapshots, or shows them again; those that are so already are left. Answers how many changed.
pub fn set_hidden(archive: &mut Archive, env: &Env, snapshots: &[EventId], hide: bool) -> Result<u64> {
    let known = in_force(archive)?;
    let mut rows = Vec::new();
    for id in snapshots {
        let (since, is) = known.get(id).copied().unwrap_or((i64::MIN, false));
        if is == hide {
            continue;
        }
        let native: [u8; 16] = draw(&mut env.entropy.clone());
        let native: String = native.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut row = Row::new(Kind::SETTING, env.now_ms().max(since.saturating_add(1)), native);
        row.fields.set(tag::SETTING, format!("{PREFIX}{}", id.hex()).into_bytes());
        row.fields.set(tag::BODY, hide.to_string().into_bytes());
        rows.push(row);
    }
    archive.commit(|commit| {
        for row in &rows {
            commit.add_row(&Chat::vault(), row)?;
        }
        Ok(())
    })?;
    Ok(rows.len() as u64)
}
