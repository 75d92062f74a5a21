//! Very large deletions, told while `sync --watch` runs: once each, and again when more was deleted.

use std::collections::BTreeMap;

use client::archive::{Archive, MASS_MIN, mass};
use client::ids::DeviceId;
use client::sync::News;
use client::vault::Vault;

use super::acts;
use crate::context::Context;
use crate::problem::Result;

/// Reads beside the exchange, by a connection of its own.
pub struct Alert {
    vault: Vault,
    archive: Archive,
    told: BTreeMap<Option<DeviceId>, u64>,
    /// Rows that came since it looked last.
    came: u64,
}

impl Alert {
    pub fn new(context: &Context) -> Result<Self> {
        let (vault, archive) = context.reading()?;
        Ok(Self { vault, archive, told: BTreeMap::new(), came: 0 })
    }

    /// Looks when the whole was compared, or when enough came that it could be very much. What fails here fails in the
    /// exchange as well, and is told there.
    pub fn hear(&mut self, context: &Context, news: &News<'_>) {
        match news {
            News::Level(_) => {}
            News::Came(rows) if self.came + rows < MASS_MIN => {
                self.came += rows;
                return;
            }
            News::Came(_) => {}
            _ => return,
        }
        self.came = 0;
        let Ok(deletions) = acts::deletions(context, &self.vault, &self.archive) else { return };
        for one in mass(&deletions) {
            let told = self.told.entry(one.device).or_default();
            if one.messages > *told {
                context.output.warn(&acts::mass_warning(&self.vault, &one));
            }
            *told = one.messages;
        }
    }
}
