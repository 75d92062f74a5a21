//! What a record, batch or roster claims, held to what is there.

use ed25519_dalek::{Signer as _, SigningKey};
use proto::wire::context::{purpose, signed_bytes};
use proto::wire::events::{EventsClear, Permit};
use proto::wire::header::{Header, RecordKind};
use proto::wire::ids::{AccountId, PackId};

use super::author::{Author, T0, refusal};
use crate::meta::{Meta, NewRecord, Refused};

/// Records of one device, each on the one before, that all have seen the same log.
fn chain(author: &mut Author, count: usize, clear: &EventsClear, body_len: usize) -> Vec<NewRecord> {
    let (counter, digest) = (author.devices[0].counter, author.devices[0].digest);
    let clear = if body_len == 0 { Vec::new() } else { clear.encode() };
    let mut batch = Vec::new();
    for _ in 0..count {
        let new = author.sign(0, author.draft(0, RecordKind::Events, &clear, body_len));
        author.devices[0].counter += 1;
        author.devices[0].digest = new.record.digest();
        batch.push(new);
    }
    (author.devices[0].counter, author.devices[0].digest) = (counter, digest);
    batch
}

pub async fn a_batch_has_limits(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let caller = author.caller(0);
    let none = EventsClear::default();
    let packs = |n: u16| EventsClear {
        packs: (0..n).map(|i| PackId([[0; 14].as_slice(), &i.to_be_bytes()].concat().try_into().unwrap())).collect(),
        permit: None,
    };
    // 64 records; 1 MiB, headers included; 400 packs.
    for (count, clear, body_len) in [(65, &none, 0), (16, &none, 64 << 10), (2, &packs(201), 4096)] {
        let refused = refusal(store.append(&caller, chain(&mut author, count, clear, body_len), T0).await);
        assert!(matches!(refused, Refused::BadRecord(_)), "{count} records: {refused:?}");
    }
    let refused = refusal(store.append(&caller, chain(&mut author, 2, &packs(200), 4096), T0).await);
    assert!(matches!(refused, Refused::PackGone(_)));
    assert_eq!(store.log_size(&caller).await.unwrap(), 1);
    for (count, body_len) in [(64, 0), (15, 64 << 10)] {
        let batch = chain(&mut author, count, &none, body_len);
        let done = store.append(&caller, batch.clone(), T0).await.unwrap();
        batch.iter().zip(done.placed).for_each(|(new, placed)| author.know(new, placed));
    }
}

fn permit(key: &SigningKey, account: &AccountId, roster_version: u64) -> EventsClear {
    permit_for(key, account, roster_version, 1 << 30, 20_000)
}

pub fn permit_for(
    key: &SigningKey,
    account: &AccountId,
    roster_version: u64,
    bytes: u64,
    last_day: u32,
) -> EventsClear {
    let mut permit = Permit { roster_version, purpose: Permit::MASS_DELETION, bytes, last_day, signature: [0; 64] };
    permit.signature = key.sign(&signed_bytes(purpose::PERMIT, &[&permit.message(account)])).to_bytes();
    EventsClear { packs: Vec::new(), permit: Some(permit) }
}

pub async fn a_permit_is_the_current_roots(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let stranger = Author::register(store, 2).await;
    for refused in [
        permit(&author.devices[0].key, &author.account, 1),
        permit(stranger.root_key(), &author.account, 1),
        permit(author.root_key(), &stranger.account, 1),
        permit(author.root_key(), &author.account, 0),
        permit(author.root_key(), &author.account, 2),
    ] {
        let refused = refusal(store.append(&author.caller(0), vec![author.events(0, &refused)], T0).await);
        assert_eq!(refused, Refused::BadRecord("its permit does not hold"));
    }
    let first = permit(author.root_key(), &author.account, 1);
    author.append(store, 0, author.events(0, &first), T0).await;
    let roster = author.sign_roster(author.next_roster(), None, None);
    author.append_roster(store, roster, vec![]).await;
    let refused = refusal(store.append(&author.caller(0), vec![author.events(0, &first)], T0).await);
    assert_eq!(refused, Refused::BadRecord("its permit does not hold"), "a permit ends with its roster");
}

pub async fn agreement_is_never_taken_back(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    for _ in 0..2 {
        author.append(store, 0, author.head(0, &author.next_head()), T0).await;
    }
    let agreeing = |author: &Author, agreed| {
        let mut draft = author.draft(0, RecordKind::Events, &[], 0);
        draft.header.agreed = agreed;
        author.sign(0, draft)
    };
    author.append(store, 0, agreeing(&author, 2), T0).await;
    for agreed in [0, 1, 3] {
        let refused = refusal(store.append(&author.caller(0), vec![agreeing(&author, agreed)], T0).await);
        assert!(matches!(refused, Refused::BadRecord(_)), "{agreed}");
    }
    author.append(store, 0, agreeing(&author, 2), T0).await;
}

pub async fn a_roster_is_of_its_log(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    author.append(store, 0, author.empty(0), T0).await;
    let good = author.sign_roster(author.next_roster(), None, None);
    let changed = |change: fn(&mut Header)| {
        let mut new = good.clone();
        change(&mut new.record.header);
        new.record.header_bytes = new.record.header.encode();
        let signed = signed_bytes(purpose::ROSTER, &[&new.record.header_bytes]);
        new.record.signature = author.root_key().sign(&signed).to_bytes();
        new
    };
    for bad in [
        changed(|h| h.incarnation = 2),
        changed(|h| h.seen_size = 3),
        changed(|h| h.seen_size = 1),
        changed(|h| h.seen_root[9] ^= 1),
    ] {
        assert!(matches!(refusal(store.append_roster(bad, vec![], T0).await), Refused::BadRecord(_)));
    }
    store.append_roster(good, vec![], T0).await.unwrap();
}
