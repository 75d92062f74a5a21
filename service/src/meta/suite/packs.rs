//! Packs: rows before bytes, one due time.

use proto::wire::events::EventsClear;
use proto::wire::ids::PackId;
use proto::wire::ladder::Class;

use super::author::{Author, QUOTA, T0, refusal};
use crate::meta::{Meta, NewPack, Refused, Reserved};

pub const HOUR: u64 = 3_600_000;

pub fn pack(id: u8, class: u8) -> NewPack {
    NewPack { id: PackId([id; 16]), class: Class::new(class).unwrap(), last_day: 0 }
}

/// Reserves and stores a pack of a device.
pub async fn store_pack(store: &dyn Meta, author: &Author, device: usize, new: NewPack, now: u64) {
    assert_eq!(store.reserve_pack(&author.caller(device), new, now).await.unwrap(), Reserved::Send);
    store.pack_stored(&author.caller(device), new.id, now).await.unwrap();
}

pub fn relying(ids: &[u8]) -> EventsClear {
    EventsClear { packs: ids.iter().map(|id| PackId([*id; 16])).collect(), permit: None }
}

pub async fn a_pack_is_reserved_then_whole_then_pinned(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let caller = author.caller(0);
    let (id, gone) = (PackId([1; 16]), Refused::PackGone(vec![PackId([1; 16])]));
    let staged = async || store.staged(&caller, T0).await.unwrap().iter().map(|p| (p.id, p.whole)).collect::<Vec<_>>();

    assert_eq!(refusal(store.pack_stored(&caller, id, T0).await), gone);
    assert_eq!(store.reserve_pack(&caller, pack(1, 16), T0).await.unwrap(), Reserved::Send);
    assert_eq!(staged().await, [(id, false)]);
    // A row without bytes can be neither read nor relied on.
    assert_eq!(refusal(store.readable_pack(&caller, id, T0).await), Refused::UnknownPack);
    let relies = author.events(0, &relying(&[1]));
    assert_eq!(refusal(store.append(&caller, vec![relies.clone()], T0).await), gone);
    // An upload that broke off begins again; with other facts it is another pack.
    assert_eq!(store.reserve_pack(&caller, pack(1, 16), T0).await.unwrap(), Reserved::Send);
    assert_eq!(refusal(store.reserve_pack(&caller, pack(1, 17), T0).await), Refused::PackConflict);
    store.pack_stored(&caller, id, T0).await.unwrap();
    assert_eq!(store.reserve_pack(&caller, pack(1, 16), T0).await.unwrap(), Reserved::Already);
    assert_eq!(staged().await, [(id, true)]);
    assert_eq!(store.readable_pack(&caller, id, T0).await.unwrap().number(), 16);
    author.append(store, 0, relies, T0).await;
    assert_eq!(staged().await, []);
    // Pinned: never due.
    assert!(store.sweepable(T0 + 1000 * HOUR, None, 10).await.unwrap().packs.is_empty());
    store.readable_pack(&caller, id, T0 + 1000 * HOUR).await.unwrap();
    // Another account knows nothing of it.
    let other = Author::register(store, 2).await;
    assert_eq!(refusal(store.readable_pack(&other.caller(0), id, T0).await), Refused::UnknownPack);
    assert!(matches!(refusal(store.reserve_pack(&caller, pack(2, 13), T0).await), Refused::BadRecord(_)));
}

pub async fn room_is_charged_and_given_back(store: &dyn Meta) {
    let author = Author::register(store, 1).await;
    let caller = author.caller(0);
    let stored = async || store.user(&author.name).await.unwrap().unwrap().usage.stored_bytes;
    for id in 0..8 {
        store.reserve_pack(&caller, pack(id, 23), T0).await.unwrap();
        store.reserve_pack(&caller, pack(id, 23), T0).await.unwrap();
    }
    assert_eq!(stored().await, QUOTA);
    let refused = refusal(store.reserve_pack(&caller, pack(9, 16), T0).await);
    assert_eq!(refused, Refused::Quota { needed_bytes: 1 << 16, free_bytes: 0 });
    store.user_change(&author.name, crate::meta::UserChange::Quota(4 << 30)).await.unwrap();
    for id in 8..128 {
        store.reserve_pack(&caller, pack(id, 23), T0).await.unwrap();
    }
    let refused = refusal(store.reserve_pack(&caller, pack(200, 16), T0).await);
    assert_eq!(refused, Refused::StagedTooMuch { needed_bytes: 1 << 16, free_bytes: 0 });

    let later = T0 + 25 * HOUR;
    let page = store.sweepable(later, None, 100).await.unwrap();
    assert_eq!(page.packs.len(), 100);
    let rest = store.sweepable(later, page.next, 100).await.unwrap();
    assert_eq!((rest.packs.len(), rest.next), (28, None));
    for due in page.packs.iter().chain(&rest.packs) {
        store.pack_swept(*due, later).await.unwrap();
        store.pack_swept(*due, later).await.unwrap();
    }
    assert_eq!(stored().await, 0);
    assert_eq!(store.totals().await.unwrap().packs, 0);
    assert_eq!(store.reserve_pack(&caller, pack(200, 16), later).await.unwrap(), Reserved::Send);
}

pub async fn what_is_due_is_gone_for_every_check(store: &dyn Meta) {
    let author = Author::register(store, 1).await;
    let caller = author.caller(0);
    let id = PackId([1; 16]);
    let gone = Refused::PackGone(vec![id]);
    store_pack(store, &author, 0, pack(1, 16), T0).await;
    let due = T0 + 24 * HOUR;
    store.readable_pack(&caller, id, due - 1).await.unwrap();
    assert_eq!(refusal(store.readable_pack(&caller, id, due).await), Refused::UnknownPack);
    assert_eq!(refusal(store.append(&caller, vec![author.events(0, &relying(&[1]))], due).await), gone);
    assert_eq!(refusal(store.reserve_pack(&caller, pack(1, 16), due).await), gone);
    assert_eq!(store.staged(&caller, due).await.unwrap(), []);
    let mut head = author.next_head();
    head.adds = vec![proto::wire::head::Add { pack: id, class: Class::PACK, last_day: 0 }];
    assert_eq!(refusal(store.append(&caller, vec![author.head(0, &head)], due).await), gone);
    // It leaves storage an hour later, and not before it is due whoever says so.
    assert!(store.sweepable(due + HOUR - 1, None, 9).await.unwrap().packs.is_empty());
    let [swept] = store.sweepable(due + HOUR, None, 9).await.unwrap().packs[..] else { panic!("one pack") };
    assert_eq!((swept.account, swept.id), (author.account, id));
    store.pack_swept(swept, due - 1).await.unwrap();
    assert_eq!(store.packs_after(None, 9).await.unwrap().len(), 1);
    store.pack_swept(swept, due + HOUR).await.unwrap();
    assert_eq!(store.packs_after(None, 9).await.unwrap(), []);
}
