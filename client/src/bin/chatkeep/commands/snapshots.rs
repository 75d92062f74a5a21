//! Snapshots by what people call them, and by the rules of keeping.

use client::archive::Archive;
use client::error::Error;
use client::sync::{Snapshot, snapshots};

use crate::problem::{Problem, Result};

const PREFIX_MIN: usize = 4;

/// All complete snapshots, newest first.
pub fn complete(archive: &Archive) -> Result<Vec<Snapshot>> {
    let mut all = snapshots(archive)?;
    all.retain(|s| s.index.is_some());
    Ok(all)
}

/// The snapshot that an id, the beginning of one, or `latest` names.
pub fn find<'a>(all: &'a [Snapshot], given: &str) -> Result<&'a Snapshot> {
    let none = || Problem::not_found(format!("no snapshot starts with \"{given}\"")).hint("`chatkeep log` lists them");
    if given == "latest" {
        return all.first().ok_or_else(|| Problem::not_found("there is no snapshot yet").hint("`chatkeep backup`"));
    }
    let prefix = given.to_ascii_lowercase();
    if prefix.len() < PREFIX_MIN || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(none());
    }
    let found: Vec<&Snapshot> = all.iter().filter(|s| s.id.hex().starts_with(&prefix)).collect();
    match found.as_slice() {
        [] => Err(none()),
        [one] => Ok(one),
        many => {
            let candidates = many.iter().map(|s| s.id.hex()).collect();
            Err(Error::Ambiguous { given: given.to_owned(), what: "snapshots", candidates }.into())
        }
    }
}
