//! Domain types turned into messages.

use bytes::Bytes;
use proto::v1;
use proto::wire::tree::{Frontier, Hash};

use crate::meta::{Appended, Entry, Opened, Pulled, SignIn, SlotBytes};

pub fn hashes(list: &[Hash]) -> Vec<Bytes> {
    list.iter().map(|hash| Bytes::copy_from_slice(hash)).collect()
}

pub fn log(frontier: &Frontier) -> v1::LogState {
    v1::LogState { size: frontier.size(), frontier: hashes(frontier.hashes()) }
}

pub fn entry(entry: Entry) -> v1::Entry {
    let Entry { index, leaf, body, erased } = entry;
    v1::Entry { index, leaf, body, erased }
}

fn entries(list: Vec<Entry>) -> Vec<v1::Entry> {
    list.into_iter().map(entry).collect()
}

pub fn slot(bytes: SlotBytes) -> v1::SlotBytes {
    let SlotBytes { kind, slot, credential, slot_name } = bytes;
    let slot_name = slot_name.map(|name| Bytes::copy_from_slice(&name)).unwrap_or_default();
    v1::SlotBytes { kind: kind as u32, slot, credential, slot_name }
}

pub fn sign_in(answer: SignIn) -> v1::SignInAnswer {
    let SignIn { slot, account, rosters, roster_proof, head, head_proof, log: size, incarnation, suspended } = answer;
    v1::SignInAnswer {
        slot,
        account: Bytes::copy_from_slice(&account.0),
        rosters: entries(rosters),
        roster_proof: hashes(&roster_proof),
        head: head.map(entry),
        head_proof: hashes(&head_proof),
        log: Some(log(&size)),
        incarnation,
        suspended,
    }
}

pub fn appended(answer: Appended) -> v1::AppendResponse {
    let Appended { placed, size, grew: _ } = answer;
    let placed =
        placed.into_iter().map(|p| v1::append_response::Placed { index: p.index, server_time_ms: p.server_time_ms });
    v1::AppendResponse { placed: placed.collect(), size }
}

pub fn opened(answer: Opened, front_page_bytes: Bytes) -> v1::OpenResponse {
    let Opened {
        incarnation,
        log: size,
        consistency,
        continuity,
        rosters,
        roster_proof,
        head,
        head_proof,
        front_page: _,
        usage,
        tail,
        tail_from,
        last_counter,
        last_digest,
        server_time_ms,
    } = answer;
    v1::OpenResponse {
        incarnation,
        log: Some(log(&size)),
        consistency: hashes(&consistency),
        continuity,
        rosters: entries(rosters),
        roster_proof: hashes(&roster_proof),
        head: head.map(entry),
        head_proof: hashes(&head_proof),
        usage: Some(v1::Usage { stored_bytes: usage.stored_bytes, quota_bytes: usage.quota_bytes }),
        front_page: front_page_bytes,
        tail: entries(tail),
        tail_from: Some(log(&tail_from)),
        server_time_ms,
        last_counter,
        last_digest: Bytes::copy_from_slice(&last_digest),
    }
}

pub fn pulled(answer: Pulled) -> v1::PullResponse {
    let Pulled { entries: list, log: size, start, trimmed, consistency, continuity, server_time_ms } = answer;
    v1::PullResponse {
        entries: entries(list),
        log: Some(log(&size)),
        start: Some(log(&start)),
        consistency: hashes(&consistency),
        continuity,
        trimmed: trimmed.map(|head| v1::Trimmed { head_generation: head.generation, head_index: head.index }),
        server_time_ms,
    }
}
