//! The brake: what leaves storage in one day is bounded, unless the root consented. So whoever holds a device and no
//! secret cannot make an account's history go before its owner has had two weeks to notice.

use proto::wire::events::Permit;
use proto::wire::head::DropReason;
use proto::wire::last_day::{DAY_MS, is_past};

use crate::meta::tables::{AccountRow, BrakeRow, PackRow, PermitRow, Tables};
use crate::meta::{Refused, Result};

/// Drops above the brake are due after this.
pub const BRAKED_MS: u64 = 14 * DAY_MS;
/// Of the live bytes one part of so many may go in a day.
const SHARE: u64 = 20;
/// So much may always go in a day, or an ordinary deletion in a small account would wait.
pub const BRAKE_LEAST_BYTES: u64 = 1 << 20;
/// Eight runs that are mostly padding make one of the same length: a merge leaves an eighth at least.
const MERGED_TO: u64 = 8;
/// Permits of an account that are not past their last day. Each took the root's signature.
const PERMITS_MAX: usize = 256;

/// What a head takes from the live bytes and what it adds to them.
#[derive(Clone, Copy, Default)]
pub struct Change {
    added: u64,
    dropped: u64,
    merged: u64,
}

impl Change {
    pub fn adding(added: u64) -> Self {
        Self { added, ..Self::default() }
    }

    /// Counts a pack that a head drops. One past its last day goes by itself, and one that nothing pins is not live.
    pub fn drop(&mut self, row: &PackRow, reason: DropReason, now_ms: u64) {
        if !row.is_pinned() || is_past(row.last_day, now_ms) {
            return;
        }
        self.dropped += row.bytes();
        if reason == DropReason::Merged {
            self.merged += row.bytes();
        }
    }

    fn net(&self) -> u64 {
        let padding = self.merged.min(self.added.saturating_mul(MERGED_TO - 1));
        self.dropped.saturating_sub(self.added.saturating_add(padding))
    }
}

/// Whether a head's drops are held: they and those of the day are above the brake, and no permit covers them.
pub fn holds(t: &mut dyn Tables, account: &mut AccountRow, change: Change, now_ms: u64) -> Result<bool> {
    let net = change.net();
    if net == 0 {
        return Ok(false);
    }
    if now_ms.saturating_sub(account.brake.since_ms) >= DAY_MS {
        account.brake = BrakeRow { since_ms: now_ms, bytes: 0 };
    }
    let allowed = (account.live_bytes / SHARE).max(BRAKE_LEAST_BYTES);
    if account.brake.bytes + net <= allowed {
        account.brake.bytes += net;
        return Ok(false);
    }
    Ok(!permitted(t, account, net, now_ms)?)
}

/// Takes the bytes from a permit of the current roster that has so many left.
fn permitted(t: &mut dyn Tables, account: &AccountRow, bytes: u64, now_ms: u64) -> Result<bool> {
    let covers = |p: &PermitRow| {
        p.bytes_left >= bytes && !is_past(p.last_day, now_ms) && p.roster_version == account.roster_version
    };
    let Some(mut permit) = t.permits(&account.id)?.into_iter().find(covers) else { return Ok(false) };
    permit.bytes_left -= bytes;
    t.put_permit(&account.id, &permit)?;
    Ok(true)
}

/// Notes a permit whose signature was verified. Sent again it gives nothing more.
pub fn grant(t: &mut dyn Tables, account: &AccountRow, permit: &Permit, now_ms: u64) -> Result<()> {
    if is_past(permit.last_day, now_ms) {
        return Ok(());
    }
    let mut known = 0;
    for old in t.permits(&account.id)? {
        if is_past(old.last_day, now_ms) {
            t.remove_permit(&account.id, &old.signature)?;
        } else if old.signature == permit.signature {
            return Ok(());
        } else {
            known += 1;
        }
    }
    if known >= PERMITS_MAX {
        return Err(Refused::BadRecord("the account has too many permits").into());
    }
    let Permit { roster_version, bytes: bytes_left, last_day, signature, .. } = *permit;
    t.put_permit(&account.id, &PermitRow { signature, roster_version, bytes_left, last_day })
}
