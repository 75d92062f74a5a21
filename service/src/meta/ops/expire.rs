//! Last days: what has one leaves after it, head or no head.

use proto::wire::ids::AccountId;

use super::pack;
use crate::meta::Result;
use crate::meta::tables::{DroppedBy, Tables};

/// Packs, and bodies, of one transaction.
const STEP: usize = 256;

/// Makes packs due whose last day is over, and erases bodies; true when none are left.
pub fn step(t: &mut dyn Tables, id: &AccountId, now_ms: u64) -> Result<bool> {
    let Some(mut account) = t.account(id)? else { return Ok(true) };
    let packs = t.packs_past(id, now_ms, STEP)?;
    let bodies = t.bodies_past(id, now_ms, STEP)?;
    let all = packs.len() < STEP && bodies.len() < STEP;
    for mut row in packs {
        if row.is_pinned() {
            pack::subtract(&mut account.live_bytes, row.bytes())?;
        }
        row.due_ms = Some(now_ms);
        // What a head had dropped waits for nobody's agreement any more, and for no brake.
        row.dropped = row.dropped.map(|by| DroppedBy { braked: false, purged: true, ..by });
        t.put_pack(id, &row)?;
    }
    for index in bodies {
        t.erase_body(id, index)?;
    }
    t.put_account(&account)?;
    Ok(all)
}
