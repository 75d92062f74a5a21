//! Trimming: bodies that a confirmed head and its front page cover may go (`docs/design.md` §5). Leaves and rosters stay.

use proto::wire::header::{Leaf, RecordKind};
use proto::wire::ids::AccountId;

use super::sweep;
use crate::meta::tables::{AccountRow, Tables};
use crate::meta::{MetaError, Result};

/// Entries looked at in one transaction, and bytes of them read.
const STEP_ENTRIES: usize = 512;
const STEP_BYTES: usize = 4 << 20;

/// Notes how far bodies may go once the newest head is confirmed. Asked after each batch: agreement comes with records.
pub fn confirm(t: &mut dyn Tables, account: &mut AccountRow, now_ms: u64) -> Result<()> {
    let Some(head) = &account.head else { return Ok(()) };
    let covered = head.covered_size.min(head.front_size);
    if covered > account.trim_to && sweep::is_confirmed(t, &account.id, head.generation, head.author, now_ms)? {
        account.trim_to = covered;
    }
    Ok(())
}

/// Erases the next bodies that may go; true when none are left.
pub fn step(t: &mut dyn Tables, id: &AccountId) -> Result<bool> {
    let Some(mut account) = t.account(id)?.filter(|a| !a.ended && a.trimmed < a.trim_to) else { return Ok(true) };
    let rows = t.entries(id, account.trimmed, STEP_ENTRIES, STEP_BYTES)?;
    if rows.is_empty() {
        return Err(MetaError::Damaged("a log entry is missing"));
    }
    let newest = account.head.as_ref().map(|h| h.index);
    for row in rows.into_iter().take_while(|row| row.index < account.trim_to) {
        account.trimmed = row.index + 1;
        if row.erased || row.body.is_empty() || Some(row.index) == newest {
            continue;
        }
        let leaf = Leaf::decode(&row.leaf).map_err(|_| MetaError::Damaged("a log entry cannot be read"))?;
        if leaf.record.header.kind != RecordKind::Roster {
            t.erase_body(id, row.index)?;
            account.gone_below = account.gone_below.max(account.trimmed);
        }
    }
    t.put_account(&account)?;
    Ok(account.trimmed >= account.trim_to)
}
