//! Snapshots whose names are hidden from lists: settings of the account.

use super::setting::{in_force, set};
use crate::archive::Archive;
use crate::env::Env;
use crate::error::Result;
use crate::ids::EventId;

const PREFIX: &str = "hidden/";
const HIDDEN: &str = "true";

/// The snapshots that lists leave out.
pub fn hidden(archive: &Archive) -> Result<Vec<EventId>> {
    let all = in_force(archive, PREFIX)?;
    Ok(all.iter().filter(|(_, setting)| setting.value == HIDDEN).filter_map(|(id, _)| EventId::from_hex(id)).collect())
}

/// The snapshots that somebody has shown again by hand.
pub(super) fn shown_again(archive: &Archive) -> Result<Vec<EventId>> {
    let all = in_force(archive, PREFIX)?;
    Ok(all.iter().filter(|(_, setting)| setting.value != HIDDEN).filter_map(|(id, _)| EventId::from_hex(id)).collect())
}

/// Hides snapshots, or shows them again; those that are so already are left. Answers how many changed.
pub fn set_hidden(archive: &mut Archive, env: &Env, snapshots: &[EventId], hide: bool) -> Result<u64> {
    let known = in_force(archive, PREFIX)?;
    let mut settings = Vec::new();
    for id in snapshots.iter().map(EventId::hex) {
        let before = known.get(&id);
        if before.is_some_and(|setting| setting.value == HIDDEN) != hide {
            settings.push((format!("{PREFIX}{id}"), hide.to_string(), before.map(|setting| setting.since)));
        }
    }
    set(archive, env, &settings)?;
    Ok(settings.len() as u64)
}
