//! Between rows and values. What a row holds is checked like bytes from outside: a damaged file must not panic us.

use std::sync::Arc;

use bytes::Bytes;
use proto::wire::ids::{AccountId, DeviceId, PackId};
use proto::wire::ladder::Class;
use proto::wire::roster::SlotKind;
use proto::wire::slot::AccountName;
use proto::wire::tree::Frontier;
use rusqlite::{ErrorCode, Row};

use crate::meta::tables::{
    AccountRow, BrakeRow, DeviceRow, DroppedBy, HeadRow, LogRow, MirrorRow, PackRow, PermitRow, RosterRow,
};
use crate::meta::{Invite, MetaError, MirrorObject, RecoverySlot, Result, SlotBytes};

/// Turns SQLite's error into ours.
pub fn failed(e: rusqlite::Error) -> MetaError {
    match e.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => MetaError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            MetaError::Damaged("SQLite finds its file damaged")
        }
        _ => MetaError::Database(Arc::new(e)),
    }
}

const DAMAGED: MetaError = MetaError::Damaged("a row holds what it cannot");

/// SQLite's integers are signed; nothing we count comes near the end of them.
pub fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub fn number(row: &Row<'_>, column: &str) -> Result<u64> {
    u64::try_from(row.get::<_, i64>(column).map_err(failed)?).map_err(|_| DAMAGED)
}

fn small<T: TryFrom<u64>>(row: &Row<'_>, column: &str) -> Result<T> {
    T::try_from(number(row, column)?).map_err(|_| DAMAGED)
}

fn optional(row: &Row<'_>, column: &str) -> Result<Option<u64>> {
    let value: Option<i64> = row.get(column).map_err(failed)?;
    value.map(|v| u64::try_from(v).map_err(|_| DAMAGED)).transpose()
}

fn flag(row: &Row<'_>, column: &str) -> Result<bool> {
    row.get(column).map_err(failed)
}

fn blob(row: &Row<'_>, column: &str) -> Result<Bytes> {
    Ok(row.get::<_, Vec<u8>>(column).map_err(failed)?.into())
}

pub fn array<const N: usize>(row: &Row<'_>, column: &str) -> Result<[u8; N]> {
    row.get::<_, Vec<u8>>(column).map_err(failed)?.try_into().map_err(|_| DAMAGED)
}

fn optional_array<const N: usize>(row: &Row<'_>, column: &str) -> Result<Option<[u8; N]>> {
    let value: Option<Vec<u8>> = row.get(column).map_err(failed)?;
    value.map(|v| v.try_into().map_err(|_| DAMAGED)).transpose()
}

pub fn account(row: &Row<'_>) -> Result<AccountRow> {
    let frontier = blob(row, "frontier")?;
    let (hashes, rest) = frontier.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(DAMAGED);
    }
    Ok(AccountRow {
        id: AccountId(array(row, "id")?),
        name: name(row)?,
        created_ms: number(row, "created_ms")?,
        suspended: flag(row, "suspended")?,
        ended: flag(row, "ended")?,
        incarnation: small(row, "incarnation")?,
        frontier: Frontier::from_parts(number(row, "size")?, hashes.to_vec()).map_err(|_| DAMAGED)?,
        last_time_ms: number(row, "last_time_ms")?,
        body_bytes: number(row, "body_bytes")?,
        generation: number(row, "generation")?,
        roster_version: number(row, "roster_version")?,
        roster_index: number(row, "roster_index")?,
        head: head(row)?,
        quota_bytes: number(row, "quota_bytes")?,
        used_bytes: number(row, "used_bytes")?,
        devices_max: small(row, "devices_max")?,
        live_bytes: number(row, "live_bytes")?,
        brake: BrakeRow { since_ms: number(row, "brake_since_ms")?, bytes: number(row, "brake_bytes")? },
        trim_to: number(row, "trim_to")?,
        trimmed: number(row, "trimmed")?,
        gone_below: number(row, "gone_below")?,
    })
}

fn name(row: &Row<'_>) -> Result<AccountName> {
    AccountName::new(&row.get::<_, String>("name").map_err(failed)?).ok_or(DAMAGED)
}

fn head(row: &Row<'_>) -> Result<Option<HeadRow>> {
    let Some(generation) = optional(row, "head_generation")? else { return Ok(None) };
    Ok(Some(HeadRow {
        generation,
        author: DeviceId(array(row, "head_author")?),
        index: number(row, "head_index")?,
        digest: array(row, "head_digest")?,
        covered_size: number(row, "covered_size")?,
        covered_bytes: number(row, "covered_bytes")?,
        front_size: number(row, "front_size")?,
        front_page: optional_array(row, "front_page")?.map(PackId),
    }))
}

pub fn device(row: &Row<'_>) -> Result<DeviceRow> {
    Ok(DeviceRow {
        id: DeviceId(array(row, "id")?),
        active: flag(row, "active")?,
        counter: number(row, "counter")?,
        digest: array(row, "digest")?,
        seen_size: number(row, "seen_size")?,
        agreed: number(row, "agreed")?,
        last_time_ms: number(row, "last_time_ms")?,
        staged_bytes: number(row, "staged_bytes")?,
    })
}

pub fn log(row: &Row<'_>) -> Result<LogRow> {
    Ok(LogRow {
        index: number(row, "idx")?,
        leaf: blob(row, "leaf")?,
        body: blob(row, "body")?,
        erased: flag(row, "erased")?,
        bytes_before: number(row, "bytes_before")?,
        last_day: small(row, "last_day")?,
    })
}

pub fn roster(row: &Row<'_>) -> Result<RosterRow> {
    let rotation = optional(row, "rotation")?.map(u32::try_from).transpose().map_err(|_| DAMAGED)?;
    Ok(RosterRow {
        version: number(row, "version")?,
        index: number(row, "idx")?,
        digest: array(row, "digest")?,
        rotation,
        content: blob(row, "content")?,
    })
}

pub fn slot(row: &Row<'_>) -> Result<SlotBytes> {
    Ok(SlotBytes {
        kind: SlotKind::new(small(row, "kind")?).map_err(|_| DAMAGED)?,
        slot: blob(row, "slot")?,
        credential: blob(row, "credential")?,
        slot_name: optional_array(row, "name")?,
    })
}

pub fn pack(row: &Row<'_>) -> Result<PackRow> {
    let dropped = match optional(row, "dropped_by")? {
        None => None,
        Some(generation) => Some(DroppedBy {
            generation,
            author: DeviceId(array(row, "dropper")?),
            braked: flag(row, "braked")?,
            purged: flag(row, "purged")?,
        }),
    };
    Ok(PackRow {
        id: PackId(array(row, "id")?),
        class: Class::new(small(row, "class")?).ok_or(DAMAGED)?,
        last_day: small(row, "last_day")?,
        device: DeviceId(array(row, "device")?),
        whole: flag(row, "whole")?,
        due_ms: optional(row, "due_ms")?,
        pin: optional(row, "pin")?,
        in_head: flag(row, "in_head")?,
        page: flag(row, "page")?,
        dropped,
    })
}

pub fn pack_of(row: &Row<'_>) -> Result<(AccountId, PackRow)> {
    Ok((AccountId(array(row, "account")?), pack(row)?))
}

pub fn permit(row: &Row<'_>) -> Result<PermitRow> {
    Ok(PermitRow {
        signature: array(row, "signature")?,
        roster_version: number(row, "roster_version")?,
        bytes_left: number(row, "bytes_left")?,
        last_day: small(row, "last_day")?,
    })
}

pub fn invite(row: &Row<'_>) -> Result<Invite> {
    Ok(Invite {
        hash: array(row, "hash")?,
        uses_left: small(row, "uses_left")?,
        expires_ms: number(row, "expires_ms")?,
        quota_bytes: optional(row, "quota_bytes")?,
        created_ms: number(row, "created_ms")?,
        revoked: flag(row, "revoked")?,
    })
}

/// A mirrored object as key: kinds in the order of the type, and what tells objects of one kind apart.
pub fn object_key(object: &MirrorObject) -> (u8, Vec<u8>) {
    match object {
        MirrorObject::PassphraseSlot => (1, Vec::new()),
        MirrorObject::Opaque => (2, Vec::new()),
        MirrorObject::RecoverySlot(slot) => (3, slot_key(slot)),
        MirrorObject::Rotation(generation) => (4, generation.to_be_bytes().to_vec()),
        MirrorObject::Roster => (5, Vec::new()),
        MirrorObject::Head => (6, Vec::new()),
        MirrorObject::EraseRecoverySlot(slot) => (7, slot_key(slot)),
    }
}

fn slot_key(slot: &RecoverySlot) -> Vec<u8> {
    [&slot.name[..], &slot.generation.to_be_bytes()].concat()
}

fn slot_of(row: &Row<'_>) -> Result<RecoverySlot> {
    let part: [u8; 20] = array(row, "part")?;
    let (name, generation) = part.split_first_chunk().ok_or(DAMAGED)?;
    let generation = u32::from_be_bytes(generation.try_into().map_err(|_| DAMAGED)?);
    Ok(RecoverySlot { name: *name, generation })
}

pub fn mirror(row: &Row<'_>) -> Result<MirrorRow> {
    let object = match number(row, "kind")? {
        1 => MirrorObject::PassphraseSlot,
        2 => MirrorObject::Opaque,
        3 => MirrorObject::RecoverySlot(slot_of(row)?),
        4 => MirrorObject::Rotation(u32::from_be_bytes(array(row, "part")?)),
        5 => MirrorObject::Roster,
        6 => MirrorObject::Head,
        7 => MirrorObject::EraseRecoverySlot(slot_of(row)?),
        _ => return Err(DAMAGED),
    };
    Ok(MirrorRow {
        account: AccountId(array(row, "account")?),
        object,
        since_ms: number(row, "since_ms")?,
        stamp: number(row, "stamp")?,
    })
}
