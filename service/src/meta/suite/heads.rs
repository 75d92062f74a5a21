//! When a head is committed.

use proto::wire::head::{Add, Drop, DropReason, HeadClear};
use proto::wire::ids::PackId;
use proto::wire::ladder::Class;

use super::author::{Author, T0, refusal};
use super::packs::{HOUR, pack, relying, store_pack};
use crate::meta::{Meta, MirrorObject, OpenQuery, PullQuery, Refused};

pub fn add(id: u8, class: u8) -> Add {
    Add { pack: PackId([id; 16]), class: Class::new(class).unwrap(), last_day: 0 }
}

pub fn drop_of(id: u8) -> Drop {
    Drop { pack: PackId([id; 16]), reason: DropReason::Merged }
}

async fn refused(store: &dyn Meta, author: &Author, clear: &HeadClear) -> Refused {
    refusal(store.append(&author.caller(0), vec![author.head(0, clear)], T0).await)
}

pub async fn a_head_stands_on_the_last_one(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    author.append(store, 0, author.empty(0), T0).await;
    let good = author.next_head();
    let moved = |change: &dyn Fn(&mut HeadClear)| {
        let mut clear = author.next_head();
        change(&mut clear);
        clear
    };
    // A head that has no parent is the first, and only it.
    for clear in [moved(&|h| h.generation = 2), moved(&|h| h.parent[0] = 1)] {
        assert!(matches!(refused(store, &author, &clear).await, Refused::BadRecord(_)));
    }
    let orphan = moved(&|h| (h.generation, h.parent) = (2, [1; 32]));
    assert_eq!(refused(store, &author, &orphan).await, Refused::HeadMoved);
    for clear in [moved(&|h| h.covered_size = 3), moved(&|h| h.covered_root[0] ^= 1), moved(&|h| h.covered_size = 1)] {
        assert!(matches!(refused(store, &author, &clear).await, Refused::HeadCondition(_)));
    }
    author.append(store, 0, author.head(0, &good), T0).await;
    // The same generation again, now by another record: the race is lost.
    assert_eq!(refused(store, &author, &good).await, Refused::HeadMoved);
    let mut other_parent = author.next_head();
    other_parent.parent[0] ^= 1;
    let mut too_new = author.next_head();
    too_new.generation += 1;
    for clear in [other_parent, too_new] {
        assert_eq!(refused(store, &author, &clear).await, Refused::HeadMoved);
    }
    let mut shorter = author.next_head();
    shorter.covered_size = 1;
    shorter.covered_root = author.root_at(1);
    assert!(matches!(refused(store, &author, &shorter).await, Refused::HeadCondition(_)));
    // A head that covers no more than its parent is one that merges.
    let mut same = author.next_head();
    same.covered_size = 2;
    same.covered_root = author.root_at(2);
    author.append(store, 0, author.head(0, &same), T0).await;
    // A head without a body names nothing.
    let bare = author.sign(0, author.draft(0, proto::wire::header::RecordKind::Head, &[], 0));
    assert!(matches!(refusal(store.append(&author.caller(0), vec![bare], T0).await), Refused::BadRecord(_)));
}

pub async fn a_head_names_only_what_is_there(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let caller = author.caller(0);
    for id in 1..=4 {
        store_pack(store, &author, 0, pack(id, 16), T0).await;
    }
    store.reserve_pack(&caller, pack(5, 16), T0).await.unwrap();
    author.append(store, 0, author.events(0, &relying(&[3])), T0).await;

    let with = |change: &dyn Fn(&mut HeadClear)| {
        let mut clear = author.next_head();
        change(&mut clear);
        clear
    };
    for (clear, id) in [
        (with(&|h| h.adds = vec![add(1, 16), add(9, 16)]), 9),
        (with(&|h| h.adds = vec![add(5, 16)]), 5),
        (with(&|h| h.pages = vec![PackId([8; 16])]), 8),
        (with(&|h| h.drops = vec![drop_of(7)]), 7),
    ] {
        assert_eq!(refused(store, &author, &clear).await, Refused::PackGone(vec![PackId([id; 16])]));
    }
    for clear in [
        with(&|h| h.adds = vec![add(1, 17)]),
        with(&|h| (h.adds, h.drops) = (vec![add(1, 16)], vec![drop_of(1)])),
        with(&|h| (h.pages, h.drops) = (vec![PackId([1; 16])], vec![drop_of(1)])),
        with(&|h| (h.covered_size, h.covered_root, h.drops) = (1, author.root_at(1), vec![drop_of(3)])),
    ] {
        assert!(matches!(refused(store, &author, &clear).await, Refused::HeadCondition(_)));
    }
    // Nothing of the refused heads was kept.
    assert_eq!(store.staged(&caller, T0).await.unwrap().len(), 4);

    let clear = with(&|h| {
        h.pages = vec![PackId([1; 16]), PackId([2; 16])];
        h.adds = vec![add(1, 16), add(2, 16), add(4, 16)];
        h.drops = vec![drop_of(3)];
    });
    author.append(store, 0, author.head(0, &clear), T0).await;
    assert_eq!(store.staged(&caller, T0).await.unwrap().len(), 1);
    let opened = store.open(&caller, OpenQuery::default(), T0).await.unwrap();
    assert_eq!(opened.front_page, Some((PackId([1; 16]), Class::PACK)));
    // Kept packs are never due; the dropped one goes in 48 h, and until then a record can rely on it again.
    store.readable_pack(&caller, PackId([4; 16]), T0 + 999 * HOUR).await.unwrap();
    store.readable_pack(&caller, PackId([3; 16]), T0 + 48 * HOUR - 1).await.unwrap();
    assert_eq!(refusal(store.readable_pack(&caller, PackId([3; 16]), T0 + 48 * HOUR).await), Refused::UnknownPack);
    author.append(store, 0, author.events(0, &relying(&[3])), T0).await;
    store.readable_pack(&caller, PackId([3; 16]), T0 + 48 * HOUR).await.unwrap();
    // The mirror holds the whole head, its index first, and the frontier just after it last.
    let jobs = store.mirror_jobs(&author.account, 99).await.unwrap();
    let job = jobs.iter().find(|j| j.object == MirrorObject::Head).unwrap();
    let content = job.content.as_ref().unwrap();
    assert_eq!(content[..8], 2u64.to_le_bytes());
    assert_eq!(content[content.len() - 32 * 2..][..32], author.root_at(2));
    assert_eq!(content[content.len() - 32..], author.leaves[2]);
}

pub async fn a_drop_waits_for_another_device(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let next = author.joining(1);
    let roster = author.sign_roster(next, Some(1), None);
    author.append_roster(store, roster, vec![]).await;
    author.append(store, 1, author.empty(1), T0).await;
    store_pack(store, &author, 0, pack(1, 16), T0).await;
    let mut clear = author.next_head();
    clear.adds = vec![add(1, 16)];
    author.append(store, 0, author.head(0, &clear), T0).await;
    let mut clear = author.next_head();
    clear.drops = vec![drop_of(1)];
    author.append(store, 0, author.head(0, &clear), T0).await;

    let at = T0 + 50 * HOUR;
    let sweepable = async |now| store.sweepable(now, None, 9).await.unwrap().packs.len();
    assert_eq!(sweepable(at).await, 0, "nobody has agreed with the head that dropped it");
    // Its author's own word is not enough while another device speaks.
    let agreeing = |author: &Author, device| {
        let mut draft = author.draft(device, proto::wire::header::RecordKind::Events, &[], 0);
        draft.header.agreed = 2;
        author.sign(device, draft)
    };
    author.append(store, 0, agreeing(&author, 0), T0).await;
    assert_eq!(sweepable(at).await, 0);
    mirrored(store).await;
    assert_eq!(sweepable(at).await, 0);
    assert_eq!(sweepable(T0 + 8 * 24 * HOUR).await, 1, "for 7 days no other has spoken");
    author.append(store, 1, agreeing(&author, 1), T0).await;
    assert_eq!(sweepable(at).await, 1);
    // And not before the head is in the bucket.
    author
        .append(
            store,
            0,
            {
                let mut draft =
                    author.draft(0, proto::wire::header::RecordKind::Head, &author.next_head().encode(), 256);
                draft.header.agreed = 2;
                author.sign(0, draft)
            },
            T0,
        )
        .await;
    assert_eq!(sweepable(at).await, 0);
    mirrored(store).await;
    assert_eq!(sweepable(at).await, 1);
}

/// Does all mirror work at once.
pub async fn mirrored(store: &dyn Meta) {
    for account in store.mirror_accounts(None, 999).await.unwrap() {
        for job in store.mirror_jobs(&account, 999).await.unwrap() {
            store.mirror_done(&job).await.unwrap();
        }
    }
    assert_eq!(store.mirror_since().await.unwrap(), None);
}

pub async fn a_head_erases_what_it_covers(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    for _ in 0..2 {
        author.append(store, 0, author.events(0, &relying(&[])), T0).await;
    }
    let mut clear = author.next_head();
    for bad in [0, 3] {
        clear.erase = vec![bad];
        assert!(matches!(refused(store, &author, &clear).await, Refused::HeadCondition(_)));
    }
    clear.erase = vec![2];
    author.append(store, 0, author.head(0, &clear), T0).await;
    let pull = async |from, headers_only| {
        let query = PullQuery { from, known_size: 0, headers_only, past_gaps: false, bytes_max: 1 << 20 };
        store.pull(&author.caller(0), query, T0).await.unwrap()
    };
    let erased: Vec<bool> = pull(0, true).await.entries.iter().map(|e| e.erased).collect();
    assert_eq!(erased, [false, false, true, false]);
    let page = pull(3, false).await;
    assert!(page.trimmed.is_none() && !page.entries[0].body.is_empty());
    assert_eq!(page.log.root(), author.root_at(4), "erasing a body leaves every proof as it is");
    // Who has not read it yet reads the head instead, and is not told what came after as if nothing were missing.
    let page = pull(1, false).await;
    assert_eq!((page.entries.len(), page.trimmed.map(|head| head.index)), (0, Some(3)));
}
