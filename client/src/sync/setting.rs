//! Settings of the account that every device has alike: rows of the vault's own chat (`docs/format.md` §3.6).

use std::collections::BTreeMap;

use crate::archive::Archive;
use crate::crypto::draw;
use crate::env::Env;
use crate::error::Result;
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::EventId;

/// A value, and since when it is in force.
pub(super) struct Setting {
    pub since: i64,
    pub value: String,
}

/// What is in force of every name with a prefix, by the rest of the name.
pub(super) fn in_force(archive: &Archive, prefix: &str) -> Result<BTreeMap<String, Setting>> {
    let mut found: BTreeMap<String, (EventId, Setting)> = BTreeMap::new();
    for stored in archive.vault_rows(Kind::SETTING)? {
        let row = stored.row()?;
        let Some(name) = row.fields.text(tag::SETTING).and_then(|name| name.strip_prefix(prefix)) else { continue };
        let this = Setting { since: row.time, value: row.body().unwrap_or_default().to_owned() };
        let newer = found.get(name).is_none_or(|(id, before)| (before.since, *id) < (this.since, stored.key.id));
        if newer {
            found.insert(name.to_owned(), (stored.key.id, this));
        }
    }
    Ok(found.into_iter().map(|(name, (_, setting))| (name, setting)).collect())
}

/// Sets names to values, each after what it replaces.
pub(super) fn set(archive: &mut Archive, env: &Env, settings: &[(String, String, Option<i64>)]) -> Result<()> {
    let row = |(name, value, since): &(String, String, Option<i64>)| {
        let native: [u8; 16] = draw(&mut env.entropy.clone());
        let native: String = native.iter().map(|byte| format!("{byte:02x}")).collect();
        let after = since.map_or(i64::MIN, |since| since.saturating_add(1));
        let mut row = Row::new(Kind::SETTING, env.now_ms().max(after), native);
        row.fields.set(tag::SETTING, name.as_bytes()).set(tag::BODY, value.as_bytes());
        row
    };
    let rows: Vec<Row> = settings.iter().map(row).collect();
    archive.commit(|commit| {
        for row in &rows {
            commit.add_row(&Chat::vault(), row)?;
        }
        Ok(())
    })?;
    Ok(())
}
