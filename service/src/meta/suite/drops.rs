//! What becomes of dropped packs and covered bodies: purges, the brake, permits, trimming.

use proto::wire::head::{Drop, DropReason, HeadClear};
use proto::wire::header::RecordKind;
use proto::wire::ids::PackId;

use super::author::{Author, T0, refusal};
use super::claims::permit_for;
use super::heads::{add, drop_of, mirrored};
use super::packs::{HOUR, pack, relying, store_pack};
use crate::meta::{BRAKED_MS, Meta, NewRecord, OpenQuery, PullQuery, Refused, Trimmed};

const DAY: u64 = 24 * HOUR;

fn purged(id: u8) -> Drop {
    Drop { reason: DropReason::Purged, ..drop_of(id) }
}

fn with(author: &Author, change: impl FnOnce(&mut HeadClear)) -> NewRecord {
    let mut clear = author.next_head();
    change(&mut clear);
    author.head(0, &clear)
}

async fn commit(store: &dyn Meta, author: &mut Author, now: u64, change: impl FnOnce(&mut HeadClear)) {
    let new = with(author, change);
    author.append(store, 0, new, now).await;
}

/// An account whose head holds packs 1.. of these classes.
async fn holding(store: &dyn Meta, classes: &[u8]) -> Author {
    let mut author = Author::register(store, 1).await;
    let ids: Vec<(u8, u8)> = (1..).zip(classes.iter().copied()).collect();
    for (id, class) in &ids {
        store_pack(store, &author, 0, pack(*id, *class), T0).await;
    }
    commit(store, &mut author, T0, |h| h.adds = ids.iter().map(|(id, class)| add(*id, *class)).collect()).await;
    author
}

/// From when on a pack is gone for every check, in hours from now on.
async fn gone_after(store: &dyn Meta, author: &Author, id: u8, now: u64) -> Option<u64> {
    for hours in 0..15 * 24 {
        if store.readable_pack(&author.caller(0), PackId([id; 16]), now + hours * HOUR).await.is_err() {
            return Some(hours);
        }
    }
    None
}

async fn sweepable(store: &dyn Meta, now: u64) -> usize {
    store.sweepable(now, None, 99).await.unwrap().packs.len()
}

pub async fn a_purge_goes_at_once(store: &dyn Meta) {
    let mut author = holding(store, &[16, 16, 16]).await;
    // Two pages, the first of them the front page: it shows texts, the other lists runs.
    commit(store, &mut author, T0, |h| h.pages = vec![PackId([2; 16]), PackId([3; 16])]).await;
    commit(store, &mut author, T0, |h| h.drops = vec![purged(1), purged(2), purged(3)]).await;
    for (id, hours) in [(1, 0), (2, 0), (3, 48)] {
        assert_eq!(gone_after(store, &author, id, T0).await, Some(hours), "pack {id}");
    }
    // Nobody has agreed with that head, and nobody needs to; but the bucket must have it.
    assert_eq!(sweepable(store, T0 + HOUR).await, 0);
    mirrored(store).await;
    assert_eq!(sweepable(store, T0 + HOUR - 1).await, 0);
    assert_eq!(sweepable(store, T0 + HOUR).await, 2);
    assert_eq!(sweepable(store, T0 + 3 * DAY).await, 2, "the page waits until a device agrees");
}

pub async fn a_purge_ends_the_wait_of_what_went_before(store: &dyn Meta) {
    let mut author = holding(store, &[16, 16, 16]).await;
    commit(store, &mut author, T0, |h| h.drops = vec![drop_of(1)]).await;
    assert_eq!(gone_after(store, &author, 1, T0).await, Some(48));
    commit(store, &mut author, T0 + HOUR, |h| h.drops = vec![purged(2)]).await;
    commit(store, &mut author, T0 + HOUR, |h| h.drops = vec![drop_of(3)]).await;
    for (id, hours) in [(1, 1), (2, 1), (3, 49)] {
        assert_eq!(gone_after(store, &author, id, T0).await, Some(hours), "pack {id}");
    }
    mirrored(store).await;
    assert_eq!(sweepable(store, T0 + 2 * HOUR).await, 2);
}

pub async fn the_brake_holds_what_is_too_much_for_a_day(store: &dyn Meta) {
    // Below 40 MiB: a day's part is less than 2 MiB.
    let mut author = holding(store, &[23, 23, 23, 23, 22, 20, 19, 20, 20]).await;
    let fortnight = BRAKED_MS / HOUR;
    commit(store, &mut author, T0, |h| h.drops = vec![purged(6)]).await;
    assert_eq!(gone_after(store, &author, 6, T0).await, Some(0));
    commit(store, &mut author, T0, |h| h.drops = vec![purged(5)]).await;
    assert_eq!(gone_after(store, &author, 5, T0).await, Some(fortnight), "one MiB and four are too much");
    // What was held does not count; a little more goes, and then no more that day.
    commit(store, &mut author, T0, |h| h.drops = vec![purged(7)]).await;
    assert_eq!(gone_after(store, &author, 7, T0).await, Some(0));
    commit(store, &mut author, T0 + DAY - 1, |h| h.drops = vec![purged(8)]).await;
    assert_eq!(gone_after(store, &author, 8, T0 + DAY - 1).await, Some(fortnight));
    commit(store, &mut author, T0 + DAY, |h| h.drops = vec![purged(9)]).await;
    assert_eq!(gone_after(store, &author, 9, T0 + DAY).await, Some(0), "another day");
    // Until then a head may take it back.
    commit(store, &mut author, T0 + BRAKED_MS - 1, |h| h.adds = vec![add(5, 22)]).await;
    assert_eq!(gone_after(store, &author, 5, T0 + BRAKED_MS).await, None);
    let late = with(&author, |h| h.adds = vec![add(8, 20)]);
    let at = T0 + DAY + BRAKED_MS;
    assert_eq!(
        refusal(store.append(&author.caller(0), vec![late], at).await),
        Refused::PackGone(vec![PackId([8; 16])])
    );
    // What a head writes anew in the place of what it drops is not gone.
    store_pack(store, &author, 0, pack(10, 23), at).await;
    commit(store, &mut author, at, |h| (h.adds, h.drops) = (vec![add(10, 23)], vec![purged(1)])).await;
    assert_eq!(gone_after(store, &author, 1, at).await, Some(0));
}

pub async fn no_purge_ends_a_brake(store: &dyn Meta) {
    let mut author = holding(store, &[23, 23, 16]).await;
    commit(store, &mut author, T0, |h| h.drops = vec![drop_of(1)]).await;
    commit(store, &mut author, T0, |h| h.drops = vec![purged(3)]).await;
    assert_eq!(gone_after(store, &author, 1, T0).await, Some(BRAKED_MS / HOUR));
    commit(store, &mut author, T0, |h| h.drops = vec![purged(1)]).await;
    assert_eq!(gone_after(store, &author, 1, T0).await, Some(BRAKED_MS / HOUR), "dropped again, and held still");
}

pub async fn a_permit_lifts_the_brake_once(store: &dyn Meta) {
    let mut author = holding(store, &[23, 23, 23]).await;
    let today = (T0 / DAY) as u32;
    let over = permit_for(author.root_key(), &author.account, 1, 1 << 40, today - 1);
    let good = permit_for(author.root_key(), &author.account, 1, 12 << 20, today + 1);
    author.append(store, 0, author.events(0, &over), T0).await;
    author.append(store, 0, author.events(0, &good), T0).await;
    commit(store, &mut author, T0, |h| h.drops = vec![purged(1)]).await;
    assert_eq!(gone_after(store, &author, 1, T0).await, Some(0));
    // Four MiB are left of it, however often it is sent.
    author.append(store, 0, author.events(0, &good), T0).await;
    commit(store, &mut author, T0, |h| h.drops = vec![purged(2)]).await;
    assert_eq!(gone_after(store, &author, 2, T0).await, Some(BRAKED_MS / HOUR));
    // It ends with its roster.
    let next = permit_for(author.root_key(), &author.account, 1, 1 << 40, today + 1);
    author.append(store, 0, author.events(0, &next), T0).await;
    let roster = author.sign_roster(author.next_roster(), None, None);
    author.append_roster(store, roster, vec![]).await;
    commit(store, &mut author, T0, |h| h.drops = vec![purged(3)]).await;
    assert_eq!(gone_after(store, &author, 3, T0).await, Some(BRAKED_MS / HOUR));
}

pub async fn bodies_go_when_a_head_is_confirmed(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let next = author.joining(1);
    let roster = author.sign_roster(next, Some(1), None);
    author.append_roster(store, roster, vec![]).await;
    author.append(store, 1, author.empty(1), T0).await;
    for _ in 0..3 {
        author.append(store, 0, author.events(0, &relying(&[])), T0).await;
    }
    let covered = author.leaves.len() as u64;
    commit(store, &mut author, T0, |h| h.front_size = covered - 1).await;
    let agreeing = |author: &Author, device| {
        let mut draft = author.draft(device, RecordKind::Events, &[], 0);
        draft.header.agreed = 1;
        author.sign(device, draft)
    };
    author.append(store, 0, agreeing(&author, 0), T0).await;
    assert_eq!(store.trimming(9).await.unwrap(), []);
    author.append(store, 1, agreeing(&author, 1), T0).await;
    assert_eq!(store.trimming(9).await.unwrap(), [author.account]);
    while !store.trim_step(&author.account).await.unwrap() {}
    assert_eq!(store.trimming(9).await.unwrap(), []);

    let pull = async |from| {
        let query = PullQuery { from, known_size: 0, headers_only: false, past_gaps: false, bytes_max: 1 << 20 };
        store.pull(&author.caller(0), query, T0).await.unwrap()
    };
    let page = pull(0).await;
    assert_eq!((page.trimmed, page.entries.len()), (Some(Trimmed { generation: 1, index: covered }), 0));
    // Below the front page's size bodies have gone, above it they are there; rosters and the head stay.
    let page = pull(covered - 1).await;
    assert_eq!(page.trimmed, None);
    assert!(page.entries.iter().all(|e| !e.erased));
    assert!(!page.entries[0].body.is_empty() && !page.entries[1].body.is_empty());
    assert_eq!(page.log.root(), author.root_at(author.leaves.len()), "every proof holds as before");
    let opened = store.open(&author.caller(0), OpenQuery::default(), T0).await.unwrap();
    assert!(opened.rosters.iter().all(|e| !e.body.is_empty()));
    assert_eq!(opened.tail.first().map(|e| e.index), Some(covered - 1));
}
