//! Who may call, how often, and what is good only once.

use proto::wire::ids::{AccountId, DeviceId};
use proto::wire::roster::Roster;

use crate::meta::tables::{AccountRow, GuessRow, Tables};
use crate::meta::{Caller, DeviceAccess, MetaError, Once, Refused, Result};

/// Guesses an account has when it is rested.
pub const GUESSES_MAX: u32 = 10;
/// One guess comes back each.
pub const GUESS_REFILL_MS: u64 = 10 * 60 * 1000;

/// The account, if it is there and has not ended.
pub fn present(t: &mut dyn Tables, id: &AccountId) -> Result<AccountRow> {
    let row = t.account(id)?.ok_or(Refused::UnknownAccount)?;
    if row.ended { Err(Refused::AccountEnded.into()) } else { Ok(row) }
}

/// The account of a caller whose token is as new as the roster.
pub fn admitted(t: &mut dyn Tables, caller: &Caller) -> Result<AccountRow> {
    let row = present(t, &caller.account)?;
    if row.suspended {
        return Err(Refused::Suspended.into());
    }
    if row.generation != caller.generation {
        let active = t.device(&caller.account, &caller.device)?.is_some_and(|d| d.active);
        return Err(if active { Refused::TokenOld } else { Refused::DeviceGone }.into());
    }
    Ok(row)
}

/// The roster that is current.
pub fn current_roster(t: &mut dyn Tables, account: &AccountRow) -> Result<Roster> {
    let row = t.roster(&account.id, account.roster_version)?.ok_or(MetaError::Damaged("an account has no roster"))?;
    Roster::decode(&row.content).map_err(|_| MetaError::Damaged("a roster cannot be read"))
}

/// None for a device that is none of the account's, or no more.
pub fn device_access(t: &mut dyn Tables, account: &AccountId, device: &DeviceId) -> Result<Option<DeviceAccess>> {
    let row = present(t, account)?;
    if !t.device(account, device)?.is_some_and(|d| d.active) {
        return Ok(None);
    }
    let roster = current_roster(t, &row)?;
    Ok(roster.active(device).map(|d| DeviceAccess {
        verifying_key: d.verifying_key,
        generation: row.generation,
        suspended: row.suspended,
    }))
}

/// Counts a guess, or says when the next is possible. A clock that goes back refills nothing.
pub fn spend_guess(t: &mut dyn Tables, key: &[u8; 32], now_ms: u64) -> Result<()> {
    let mut row = t.guess(key)?.unwrap_or(GuessRow { spent: 0, since_ms: now_ms });
    let refills = now_ms.saturating_sub(row.since_ms) / GUESS_REFILL_MS;
    row.spent = row.spent.saturating_sub(u32::try_from(refills).unwrap_or(u32::MAX));
    row.since_ms = if row.spent == 0 { row.since_ms.max(now_ms) } else { row.since_ms + refills * GUESS_REFILL_MS };
    if row.spent >= GUESSES_MAX {
        let waited = now_ms.saturating_sub(row.since_ms);
        return Err(Refused::GuessesSpent { retry_after_ms: GUESS_REFILL_MS.saturating_sub(waited) }.into());
    }
    row.spent += 1;
    t.put_guess(key, row)
}

pub fn take_once(t: &mut dyn Tables, kind: Once, id: &[u8; 32], now_ms: u64) -> Result<Option<Vec<u8>>> {
    Ok(t.take_once(kind, id)?.filter(|(_, until)| now_ms < *until).map(|(value, _)| value))
}

pub fn drop_expired(t: &mut dyn Tables, now_ms: u64) -> Result<()> {
    t.drop_before(now_ms, now_ms.saturating_sub(GUESS_REFILL_MS * u64::from(GUESSES_MAX)))
}
