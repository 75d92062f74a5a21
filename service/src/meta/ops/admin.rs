//! What operators see and change.

use proto::wire::ids::{AccountId, PackId};
use proto::wire::slot::AccountName;

use super::read;
use crate::meta::tables::{AccountRow, Tables};
use crate::meta::{DeviceFacts, Invite, PackFacts, Refused, Result, User, UserChange};

/// Whether an invite admits somebody now.
pub fn usable(invite: &Invite, now_ms: u64) -> bool {
    !invite.revoked && invite.uses_left > 0 && now_ms < invite.expires_ms
}

pub fn invite_usable(t: &mut dyn Tables, hash: &[u8; 32], now_ms: u64) -> Result<bool> {
    Ok(t.invite(hash)?.is_some_and(|invite| usable(&invite, now_ms)))
}

pub fn invite_revoke(t: &mut dyn Tables, hash: &[u8; 32]) -> Result<bool> {
    let Some(mut invite) = t.invite(hash)? else { return Ok(false) };
    invite.revoked = true;
    t.put_invite(&invite)?;
    Ok(true)
}

pub fn users(t: &mut dyn Tables, after: Option<&AccountName>, limit: usize) -> Result<Vec<User>> {
    let rows = t.accounts_after(after, limit)?;
    rows.into_iter().map(|row| user_of(t, row)).collect()
}

pub fn user(t: &mut dyn Tables, name: &AccountName) -> Result<Option<User>> {
    t.account_named(name)?.map(|row| user_of(t, row)).transpose()
}

fn user_of(t: &mut dyn Tables, row: AccountRow) -> Result<User> {
    let devices = t.devices(&row.id)?.iter().filter(|d| d.active).count();
    Ok(User {
        usage: read::usage(&row),
        account: row.id,
        created_ms: row.created_ms,
        suspended: row.suspended,
        ended: row.ended,
        log_size: row.frontier.size(),
        devices: devices as u32,
        last_append_ms: row.last_time_ms,
        name: row.name,
    })
}

pub fn user_devices(t: &mut dyn Tables, account: &AccountId) -> Result<Vec<DeviceFacts>> {
    let rows = t.devices(account)?;
    let facts = rows.into_iter().map(|d| DeviceFacts {
        id: d.id,
        active: d.active,
        counter: d.counter,
        seen_size: d.seen_size,
        agreed: d.agreed,
        last_append_ms: d.last_time_ms,
    });
    Ok(facts.collect())
}

pub fn user_change(t: &mut dyn Tables, name: &AccountName, change: UserChange) -> Result<()> {
    let mut row = t.account_named(name)?.ok_or(Refused::UnknownAccount)?;
    match change {
        UserChange::Suspend => row.suspended = true,
        UserChange::Resume => row.suspended = false,
        UserChange::Quota(bytes) => row.quota_bytes = bytes,
        UserChange::Delete => row.ended = true,
    }
    t.put_account(&row)
}

pub fn packs_after(t: &mut dyn Tables, after: Option<(AccountId, PackId)>, limit: usize) -> Result<Vec<PackFacts>> {
    let rows = t.packs_after(after, limit)?;
    let facts = rows.into_iter().map(|(account, p)| PackFacts { account, id: p.id, class: p.class, whole: p.whole });
    Ok(facts.collect())
}
