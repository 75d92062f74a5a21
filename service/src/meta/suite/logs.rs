//! Accounts and their logs.

use proto::wire::events::EventsClear;
use proto::wire::header::{FLAG_LAST, Leaf, RecordKind, body_hash, leaf_hash};
use proto::wire::ids::DeviceId;
use proto::wire::roster::SlotKind;
use proto::wire::tree::{Frontier, verify_consistency, verify_inclusion};

use super::author::{Author, T0, naive_root, refusal};
use crate::meta::{Meta, OpenQuery, PullQuery, Refused};

pub async fn registering_again_is_answered_alike(store: &dyn Meta) {
    let mut author = Author::new(1);
    let new = author.new_account();
    let placed = store.create_account(new.clone(), T0).await.unwrap();
    assert_eq!((placed.index, placed.server_time_ms), (0, T0));
    assert_eq!(store.create_account(new, T0 + 5000).await.unwrap(), placed);
}

pub async fn a_name_belongs_to_one_account(store: &dyn Meta) {
    let mut first = Author::register(store, 1).await;
    let mut second = Author::new(2);
    second.name = first.name.clone();
    let refused = refusal(store.create_account(second.new_account(), T0).await);
    assert_eq!(refused, Refused::NameTaken);
    // The same keys under a second name would be one account with two names.
    first.name = proto::wire::slot::AccountName::new("other").unwrap();
    first.leaves.clear();
    let refused = refusal(store.create_account(first.new_account(), T0).await);
    assert!(matches!(refused, Refused::BadRecord(_)));
    assert_eq!(store.credentials(&first.name).await.unwrap(), None);
    // Nobody may take the name of another's recovery slot: all lie in one folder of the bucket.
    let mut third = Author::new(3);
    let mut new = third.new_account();
    new.slots[1].slot_name = Author::new(1).slot(SlotKind::Recovery, 1).0.slot_name;
    assert!(matches!(refusal(store.create_account(new, T0).await), Refused::BadRecord(_)));
}

pub async fn a_sign_in_proves_what_it_shows(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    for _ in 0..5 {
        author.append(store, 0, author.empty(0), T0).await;
    }
    let head = author.head(0, &author.next_head());
    author.append(store, 0, head, T0).await;
    author.append(store, 0, author.empty(0), T0).await;
    let found = store.credentials(&author.name).await.unwrap().unwrap();
    assert_eq!(found.account, author.account);
    assert_eq!(found.opaque, Some(author.slot(SlotKind::Passphrase, 1).0.credential));
    assert_eq!(found.recovery, Some([1; 32]));
    for kind in [SlotKind::Passphrase, SlotKind::Recovery] {
        let answer = store.sign_in(&author.account, kind).await.unwrap();
        assert_eq!(answer.slot, author.slot(kind, 1).0.slot);
        let (size, root) = (answer.log.size(), answer.log.root());
        assert_eq!((size, root), (8, naive_root(&author.leaves)));
        let [roster] = &answer.rosters[..] else { panic!("one roster") };
        assert!(verify_inclusion(0, &leaf_hash(&roster.leaf), size, &root, &answer.roster_proof));
        let head = answer.head.unwrap();
        assert_eq!(head.index, 6);
        assert!(verify_inclusion(6, &leaf_hash(&head.leaf), size, &root, &answer.head_proof));
        assert_eq!((answer.incarnation, answer.suspended), (1, false));
    }
}

pub async fn a_repeated_append_changes_nothing(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let first = author.events(0, &EventsClear::default());
    let done = author.append(store, 0, first.clone(), T0 + 10).await;
    assert!(done.grew);
    let second = author.empty(0);
    // The second travels with the first again, as after a lost answer.
    let both = store.append(&author.caller(0), vec![first.clone(), second.clone()], T0 + 20).await.unwrap();
    assert_eq!(both.placed[0], done.placed[0]);
    assert_eq!((both.placed[1].index, both.size, both.grew), (2, 3, true));
    author.know(&second, both.placed[1]);
    // Whatever changed since: even with a token that the roster has overtaken.
    let mut old = author.caller(0);
    old.generation = 0;
    let again = store.append(&old, vec![first, second], T0 + 30).await.unwrap();
    assert_eq!((again.placed, again.size, again.grew), (both.placed, 3, false));
    assert_eq!(refusal(store.append(&old, vec![author.empty(0)], T0).await), Refused::TokenOld);
}

pub async fn a_record_must_follow_its_authors_last(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    author.append(store, 0, author.empty(0), T0).await;
    let caller = author.caller(0);

    let mut used = author.draft(0, RecordKind::Events, &[], 0);
    used.header.counter = 1;
    let refused = refusal(store.append(&caller, vec![author.sign(0, used)], T0).await);
    assert_eq!(refused, Refused::Equivocation { last_counter: 1 });

    for counter in [3, u64::MAX] {
        let mut gap = author.draft(0, RecordKind::Events, &[], 0);
        gap.header.counter = counter;
        let refused = refusal(store.append(&caller, vec![author.sign(0, gap)], T0).await);
        assert_eq!(refused, Refused::CounterGap { last_counter: 1 });
    }

    let mut other = author.draft(0, RecordKind::Events, &[], 0);
    other.header.previous[7] ^= 1;
    let refused = refusal(store.append(&caller, vec![author.sign(0, other)], T0).await);
    assert!(matches!(refused, Refused::BadRecord(_)));
    assert_eq!(store.log_size(&caller).await.unwrap(), 2);
}

pub async fn a_record_must_fit_the_log(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    author.append(store, 0, author.empty(0), T0).await;
    let stranger = Author::register(store, 2).await;
    let caller = author.caller(0);
    let draft = || author.draft(0, RecordKind::Events, &EventsClear::default().encode(), 256);

    let mut bad = Vec::new();
    let mut each = |change: &dyn Fn(&mut super::author::Draft)| {
        let mut changed = draft();
        change(&mut changed);
        bad.push(author.sign(0, changed));
    };
    each(&|d| d.header.account = stranger.account);
    each(&|d| d.header.device = DeviceId([9; 32]));
    each(&|d| d.header.incarnation = 2);
    each(&|d| d.header.seen_size = 3);
    each(&|d| d.header.seen_root[0] ^= 1);
    each(&|d| d.header.seen_size = 1);
    each(&|d| d.header.agreed = 1);
    each(&|d| d.header.flags = FLAG_LAST);
    each(&|d| d.header.body_hash[0] ^= 1);
    each(&|d| d.header.clear_len = 2);
    each(&|d| d.header.kind = RecordKind::Roster);
    each(&|d| d.body = d.body.slice(..128));
    // A sign of life that brings a body all the same.
    each(&|d| (d.header.clear_len, d.header.body_len, d.header.body_hash) = (0, 0, body_hash(&[])));
    let mut forged = author.sign(0, draft());
    forged.record.signature[5] ^= 1;
    bad.push(forged);
    for (at, record) in bad.into_iter().enumerate() {
        let refused = refusal(store.append(&caller, vec![record], T0).await);
        assert!(matches!(refused, Refused::BadRecord(_)), "{at}: {refused:?}");
    }
    for version in [0, 2] {
        let mut stale = draft();
        stale.header.roster_version = version;
        let refused = refusal(store.append(&caller, vec![author.sign(0, stale)], T0).await);
        assert_eq!(refused, Refused::RosterMoved);
    }
    assert!(matches!(refusal(store.append(&caller, vec![], T0).await), Refused::BadRecord(_)));
    assert_eq!(store.log_size(&caller).await.unwrap(), 2);
    // An older view of the log is no fault: the author was away.
    let mut away = draft();
    away.header.seen_size = 1;
    away.header.seen_root = author.root_at(1);
    store.append(&caller, vec![author.sign(0, away)], T0).await.unwrap();
}

pub async fn a_batch_is_kept_whole_or_not_at_all(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let caller = author.caller(0);
    let first = author.events(0, &EventsClear::default());
    author.devices[0].counter += 1;
    author.devices[0].digest = first.record.digest();
    let lost = EventsClear { packs: vec![proto::wire::ids::PackId([8; 16])], permit: None };
    let second = author.events(0, &lost);
    let refused = refusal(store.append(&caller, vec![first.clone(), second], T0).await);
    assert_eq!(refused, Refused::PackGone(lost.packs));
    assert_eq!(store.log_size(&caller).await.unwrap(), 1);
    let good = author.events(0, &EventsClear::default());
    let done = store.append(&caller, vec![first, good], T0).await.unwrap();
    assert_eq!((done.size, done.placed.len()), (3, 2));
}

pub async fn server_time_never_falls(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let mut times = Vec::new();
    for now in [T0 + 100, 0, T0 + 50, T0 + 101] {
        times.push(author.append(store, 0, author.empty(0), now).await.placed[0].server_time_ms);
    }
    assert_eq!(times, [T0 + 100, T0 + 100, T0 + 100, T0 + 101]);
    let pulled = store.pull(&author.caller(0), pull(0), 0).await.unwrap();
    assert_eq!(pulled.server_time_ms, T0 + 101);
}

fn pull(from: u64) -> PullQuery {
    PullQuery { from, known_size: from, headers_only: false, past_gaps: false, bytes_max: 1 << 20 }
}

pub async fn every_page_proves_that_it_continues(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    // Past two rows of leaf hashes, so that stored nodes are used too.
    while author.leaves.len() < 131 {
        author.append(store, 0, author.empty(0), T0).await;
    }
    let caller = author.caller(0);
    let all = naive_root(&author.leaves);
    for from in 0..=131u64 {
        let query = PullQuery { bytes_max: 3 * 284, ..pull(from) };
        let page = store.pull(&caller, query, T0).await.unwrap();
        assert_eq!((page.log.size(), page.log.root(), page.continuity), (131, all, true));
        assert_eq!(page.start.root(), author.root_at(from as usize));
        assert!(verify_consistency(from, &page.start.root(), 131, &all, &page.consistency), "{from}");
        // The first entry is the roster, whose body fills a page alone.
        assert_eq!(page.entries.len() as u64, if from == 0 { 1 } else { 3.min(131 - from) });
        let mut frontier: Frontier = page.start;
        for (at, entry) in (from..).zip(&page.entries) {
            assert_eq!((entry.index, entry.erased), (at, false));
            frontier.append(leaf_hash(&entry.leaf));
        }
        assert_eq!(frontier.root(), author.root_at(from as usize + page.entries.len()));
    }
    assert_eq!(refusal(store.pull(&caller, pull(132), T0).await), Refused::OutOfRange);
    let ahead = store.pull(&caller, PullQuery { known_size: 500, ..pull(0) }, T0).await.unwrap();
    assert!(!ahead.continuity && ahead.consistency.is_empty());
    // One entry is given even if it is larger than the page.
    assert_eq!(store.pull(&caller, PullQuery { bytes_max: 1, ..pull(7) }, T0).await.unwrap().entries.len(), 1);
    let bare = store
        .pull(&caller, PullQuery { headers_only: true, past_gaps: false, bytes_max: 284, ..pull(0) }, T0)
        .await
        .unwrap();
    assert_eq!((bare.entries.len(), bare.entries[0].body.len()), (1, 0));
}

pub async fn open_tells_what_is_new(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let caller = author.caller(0);
    for _ in 0..3 {
        author.append(store, 0, author.events(0, &EventsClear::default()), T0).await;
    }
    let fresh = store.open(&caller, OpenQuery::default(), T0).await.unwrap();
    assert!(!fresh.continuity, "a device that knows no incarnation knows no log");
    assert_eq!((fresh.rosters.len(), fresh.head.is_none(), fresh.tail.len()), (1, true, 4));
    assert_eq!((fresh.tail_from.size(), fresh.incarnation, fresh.last_counter), (0, 1, 3));
    assert_eq!(fresh.last_digest, author.devices[0].digest);
    assert_eq!((fresh.usage.stored_bytes, fresh.usage.quota_bytes), (0, super::author::QUOTA));

    let mut clear = author.next_head();
    clear.front_size = 2;
    author.append(store, 0, author.head(0, &clear), T0).await;
    author.append(store, 0, author.empty(0), T0).await;
    let known = OpenQuery { known_size: 1, known_incarnation: 1, known_head: 0, known_roster: 1 };
    let opened = store.open(&caller, known, T0).await.unwrap();
    assert!(opened.continuity && opened.rosters.is_empty() && opened.roster_proof.is_empty());
    let (size, root) = (opened.log.size(), opened.log.root());
    assert_eq!((size, root), (6, naive_root(&author.leaves)));
    assert!(verify_consistency(1, &author.root_at(1), size, &root, &opened.consistency));
    let head = opened.head.unwrap();
    assert!(verify_inclusion(4, &leaf_hash(&head.leaf), size, &root, &opened.head_proof));
    assert_eq!(Leaf::decode(&head.leaf).unwrap().record.header.kind, RecordKind::Head);
    // The tail begins where the front page ends, not where the device was.
    assert_eq!((opened.tail_from.size(), opened.tail_from.root()), (2, author.root_at(2)));
    assert_eq!(opened.tail.iter().map(|e| e.index).collect::<Vec<_>>(), [2, 3, 4, 5]);
    let known = OpenQuery { known_size: 5, known_head: 1, ..known };
    let opened = store.open(&caller, known, T0).await.unwrap();
    assert!(opened.head.is_none() && opened.head_proof.is_empty());
    assert_eq!(opened.tail.iter().map(|e| e.index).collect::<Vec<_>>(), [5]);
    let other = OpenQuery { known_incarnation: 2, ..known };
    assert!(!store.open(&caller, other, T0).await.unwrap().continuity);
}

pub async fn a_tail_has_an_end(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let clear = EventsClear::default().encode();
    let full = |author: &Author| author.sign(0, author.draft(0, RecordKind::Events, &clear, 64 << 10));
    // 72 MiB without a pack; the roster's own body counts too.
    let mut refused = None;
    for _ in 0..1200 {
        let new = full(&author);
        match store.append(&author.caller(0), vec![new.clone()], T0).await {
            Ok(done) => author.know(&new, done.placed[0]),
            Err(e) => {
                refused = Some(refusal::<()>(Err(e)));
                break;
            }
        }
    }
    assert!(matches!(refused, Some(Refused::Quota { needed_bytes: 65536, free_bytes }) if free_bytes < 65536));
    assert_eq!(author.leaves.len() - 1, (72 << 20) / (64 << 10) - 1);
    // Signs of life and heads are never refused; a head that covers the tail makes room.
    author.append(store, 0, author.empty(0), T0).await;
    author.append(store, 0, author.head(0, &author.next_head()), T0).await;
    author.append(store, 0, full(&author), T0).await;
}
