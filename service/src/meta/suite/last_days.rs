//! What has a last day: gone after it without anybody's doing, and there until then.

use proto::wire::events::EventsClear;
use proto::wire::head::Add;
use proto::wire::header::RecordKind;
use proto::wire::ids::PackId;
use proto::wire::last_day::DAY_MS;

use super::author::{Author, T0, refusal};
use super::heads::{add, drop_of, mirrored};
use super::packs::{HOUR, pack, store_pack};
use crate::meta::{Meta, NewPack, NewRecord, PullQuery, Refused};

const TODAY: u32 = (T0 / DAY_MS) as u32;
/// When today is over.
const OVER: u64 = (TODAY as u64 + 1) * DAY_MS;

fn timed(author: &Author, kind: RecordKind, clear: &[u8], last_day: u32) -> NewRecord {
    let mut draft = author.draft(0, kind, clear, 256);
    draft.header.last_day = last_day;
    author.sign(0, draft)
}

fn timed_pack(id: u8, last_day: u32) -> NewPack {
    NewPack { last_day, ..pack(id, 16) }
}

fn timed_add(id: u8, last_day: u32) -> Add {
    Add { last_day, ..add(id, 16) }
}

async fn bodies(store: &dyn Meta, author: &Author, now: u64) -> Vec<bool> {
    let query = PullQuery { from: 1, known_size: 0, headers_only: false, past_gaps: false, bytes_max: 1 << 20 };
    let pulled = store.pull(&author.caller(0), query, now).await.unwrap();
    assert!(pulled.trimmed.is_none(), "nothing that was to be read on with has gone");
    for entry in &pulled.entries {
        assert_eq!(entry.erased, entry.body.is_empty());
    }
    pulled.entries.iter().map(|entry| !entry.erased).collect()
}

async fn expire(store: &dyn Meta, now: u64) -> usize {
    let accounts = store.expiring(now, 9).await.unwrap();
    for account in &accounts {
        while !store.expire_step(account, now).await.unwrap() {}
    }
    accounts.len()
}

pub async fn a_body_goes_after_its_last_day(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let clear = EventsClear::default().encode();
    for day in [TODAY, 0, TODAY + 1] {
        let new = timed(&author, RecordKind::Events, &clear, day);
        author.append(store, 0, new, T0).await;
    }
    assert_eq!(bodies(store, &author, OVER - 1).await, [true, true, true]);
    assert_eq!(expire(store, OVER - 1).await, 0);
    // Gone for every reader at once, and from the store with the next sweep.
    assert_eq!(bodies(store, &author, OVER).await, [false, true, true]);
    assert_eq!(bodies(store, &author, OVER - 1).await, [true, true, true]);
    assert_eq!(expire(store, OVER).await, 1);
    assert_eq!(bodies(store, &author, OVER - 1).await, [false, true, true], "no clock brings it back");
    assert_eq!(expire(store, OVER).await, 0);
    assert_eq!(bodies(store, &author, OVER + DAY_MS).await, [false, true, false]);
}

pub async fn a_pack_goes_after_its_last_day_head_or_no_head(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    for (id, day) in [(1, TODAY), (2, 0), (3, TODAY), (4, TODAY)] {
        store_pack(store, &author, 0, timed_pack(id, day), T0).await;
    }
    let mut clear = author.next_head();
    clear.adds = vec![timed_add(1, TODAY), timed_add(2, 0), timed_add(3, TODAY)];
    author.append(store, 0, author.head(0, &clear), T0).await;
    let mut clear = author.next_head();
    clear.drops = vec![drop_of(3)];
    author.append(store, 0, author.head(0, &clear), T0).await;
    mirrored(store).await;
    let caller = author.caller(0);
    let readable = async |id: u8, now| store.readable_pack(&caller, PackId([id; 16]), now).await.is_ok();
    for id in [1, 2, 3, 4] {
        assert!(readable(id, OVER - 1).await, "pack {id}");
    }
    for (id, is) in [(1, false), (2, true), (3, false), (4, false)] {
        assert_eq!(readable(id, OVER).await, is, "pack {id}");
    }
    assert_eq!(expire(store, OVER).await, 1);
    let due = store.sweepable(OVER + HOUR, None, 9).await.unwrap().packs;
    let ids: Vec<PackId> = due.iter().map(|pack| pack.id).collect();
    assert_eq!(ids, [1, 3, 4].map(|id| PackId([id; 16])), "also what a head had dropped, and what was only staged");
    let used = async || store.user(&author.name).await.unwrap().unwrap().usage.stored_bytes;
    let before = used().await;
    for pack in due {
        store.pack_swept(pack, OVER + HOUR).await.unwrap();
    }
    assert_eq!(before - used().await, 3 << 16, "its room is given back");
    assert_eq!(expire(store, OVER + HOUR).await, 0);
}

pub async fn a_head_says_the_last_day_of_its_packs_and_has_none(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    store_pack(store, &author, 0, timed_pack(1, TODAY), T0).await;
    let mut clear = author.next_head();
    clear.adds = vec![timed_add(1, 0)];
    let wrong = author.head(0, &clear);
    let refused = refusal(store.append(&author.caller(0), vec![wrong], T0).await);
    assert!(matches!(refused, Refused::HeadCondition(_)), "{refused:?}");
    clear.adds = vec![timed_add(1, TODAY)];
    let timed_head = timed(&author, RecordKind::Head, &clear.encode(), TODAY);
    let refused = refusal(store.append(&author.caller(0), vec![timed_head], T0).await);
    assert!(matches!(refused, Refused::BadRecord(_)), "{refused:?}");
    author.append(store, 0, author.head(0, &clear), T0).await;
}
