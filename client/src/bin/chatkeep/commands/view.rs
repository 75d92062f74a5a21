//! The archive as it was at a snapshot: built sealed in a temporary place that goes away, for reading alone.

use client::archive::Archive;
use client::crypto::Entropy as _;
use client::sync::Snapshot;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::problem::{Problem, Result};
use crate::scratch::Scratch;

/// Goes away with this value.
pub struct View {
    pub archive: Archive,
    _place: Scratch,
}

/// Shows `archive` as it was at a snapshot.
pub fn at(context: &Context, archive: &Archive, snapshot: &Snapshot) -> Result<View> {
    let size = snapshot.index.ok_or_else(|| Problem::not_found("this snapshot is not in the vault yet"))?;
    let place = context.scratch("view-")?;
    let mut key = Zeroizing::new([0; 32]);
    context.env.entropy.clone().fill(&mut *key);
    let archive = archive.as_of(size, &place.path().join("view"), &key)?;
    Ok(View { archive, _place: place })
}
