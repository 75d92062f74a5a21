//! The log's tree: hashes of its subtrees, and the step that puts an entry at its end.

use proto::wire::header::{Leaf, Record};
use proto::wire::ids::{AccountId, DeviceId};
use proto::wire::tree::{Frontier, Hash, Subtrees, frontier, node, root};

use crate::meta::tables::{AccountRow, LogRow, Tables};
use crate::meta::{MetaError, NewRecord, Placed, Refused, Result};

/// Leaf hashes to a row; nodes are kept from the height of such a row up.
const ROW_HEIGHT: u32 = 6;
const ROW_LEAVES: u64 = 1 << ROW_HEIGHT;

/// Reads hashes of full subtrees from rows.
pub struct Stored<'t> {
    pub tables: &'t mut dyn Tables,
    pub account: AccountId,
}

impl Subtrees for Stored<'_> {
    type Error = MetaError;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash> {
        if height >= ROW_HEIGHT {
            let found = self.tables.node(&self.account, height, index)?;
            return found.ok_or(MetaError::Damaged("a tree node is missing"));
        }
        let first = index << height;
        let row = self.tables.leaf_hashes(&self.account, first / ROW_LEAVES)?;
        let (hashes, _) = row.as_chunks::<32>();
        let start = (first % ROW_LEAVES) as usize;
        let wanted = hashes.get(start..start + (1 << height)).ok_or(MetaError::Damaged("leaf hashes are missing"))?;
        Ok(fold(wanted))
    }
}

/// The root of a full subtree over its leaf hashes, whose number is a power of two.
fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => proto::wire::tree::EMPTY,
        [one] => *one,
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            node(&fold(left), &fold(right))
        }
    }
}

pub fn root_at(t: &mut dyn Tables, account: &AccountRow, size: u64) -> Result<Hash> {
    if size == account.frontier.size() {
        return Ok(account.frontier.root());
    }
    root(&mut Stored { tables: t, account: account.id }, size)
}

pub fn frontier_at(t: &mut dyn Tables, account: &AccountRow, size: u64) -> Result<Frontier> {
    if size == account.frontier.size() {
        return Ok(account.frontier.clone());
    }
    frontier(&mut Stored { tables: t, account: account.id }, size)
}

/// Holds what an author says it has seen to the log.
pub fn check_seen(t: &mut dyn Tables, account: &AccountRow, record: &Record) -> Result<()> {
    let header = &record.header;
    if header.seen_size > account.frontier.size() {
        return Err(Refused::BadRecord("it has seen more than there is").into());
    }
    if root_at(t, account, header.seen_size)? != header.seen_root {
        return Err(Refused::BadRecord("it has seen another log").into());
    }
    Ok(())
}

/// Puts a record that was accepted at the log's end. The caller saves the account's row.
pub fn place(
    t: &mut dyn Tables,
    account: &mut AccountRow,
    new: &NewRecord,
    author: Option<&DeviceId>,
    now_ms: u64,
) -> Result<Placed> {
    let index = account.frontier.size();
    let server_time_ms = now_ms.max(account.last_time_ms);
    let leaf = Leaf { record: new.record.clone(), server_time: server_time_ms };
    let row = LogRow {
        index,
        leaf: leaf.encode().to_vec().into(),
        body: new.body.clone(),
        erased: false,
        bytes_before: account.body_bytes,
        last_day: new.record.header.last_day,
    };
    t.add_entry(&account.id, &row, author.map(|d| (d, new.record.header.counter)))?;
    keep_hashes(t, account, leaf.hash())?;
    account.last_time_ms = server_time_ms;
    account.body_bytes += new.body.len() as u64;
    Ok(Placed { index, server_time_ms })
}

fn keep_hashes(t: &mut dyn Tables, account: &mut AccountRow, leaf: Hash) -> Result<()> {
    let index = account.frontier.size();
    let row = index / ROW_LEAVES;
    let mut hashes = if index.is_multiple_of(ROW_LEAVES) { Vec::new() } else { t.leaf_hashes(&account.id, row)? };
    if hashes.len() as u64 != (index % ROW_LEAVES) * 32 {
        return Err(MetaError::Damaged("leaf hashes are missing"));
    }
    hashes.extend_from_slice(&leaf);
    t.put_leaf_hashes(&account.id, row, &hashes)?;
    // Each subtree this leaf completes: its left half is the next hash of the frontier, smallest first.
    let mut carry = leaf;
    let completed = index.trailing_ones() as usize;
    for (height, left) in (1u32..).zip(account.frontier.hashes().iter().rev().take(completed)) {
        carry = node(left, &carry);
        if height >= ROW_HEIGHT {
            t.put_node(&account.id, height, index >> height, &carry)?;
        }
    }
    account.frontier.append(leaf);
    Ok(())
}
