//! What a sign-in needs and what it is given.

use proto::wire::ids::AccountId;
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;

use super::{gate, read};
use crate::meta::tables::Tables;
use crate::meta::{Credentials, MetaError, Refused, Result, SignIn};

pub const SLOT_KINDS: [SlotKind; 2] = [SlotKind::Passphrase, SlotKind::Recovery];

pub fn credentials(t: &mut dyn Tables, name: &AccountName) -> Result<Option<Credentials>> {
    let Some(account) = t.account_named(name)?.filter(|a| !a.ended) else { return Ok(None) };
    let opaque = t.slot(&account.id, SlotKind::Passphrase)?.map(|s| s.credential);
    let recovery = match t.slot(&account.id, SlotKind::Recovery)? {
        Some(slot) => {
            Some(slot.credential[..].try_into().map_err(|_| MetaError::Damaged("a recovery key has no length"))?)
        }
        None => None,
    };
    Ok(Some(Credentials { account: account.id, opaque, recovery }))
}

pub fn sign_in(t: &mut dyn Tables, id: &AccountId, kind: SlotKind) -> Result<SignIn> {
    let account = gate::present(t, id)?;
    let slot = t.slot(id, kind)?.ok_or(Refused::UnknownAccount)?;
    let (head, head_proof) = read::head(t, &account, account.head.as_ref())?;
    Ok(SignIn {
        slot: slot.slot,
        account: account.id,
        rosters: read::rosters(t, &account, 0)?,
        roster_proof: read::inclusion(t, &account, account.roster_index)?,
        head,
        head_proof,
        incarnation: account.incarnation,
        suspended: account.suspended,
        log: account.frontier,
    })
}
