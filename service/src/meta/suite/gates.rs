//! Guesses, single-use values, invites, and what operators change.

use super::author::{Author, T0, refusal};
use crate::meta::{Invite, Meta, Once, Refused, UserChange};

const TEN_MINUTES: u64 = 600_000;

pub async fn guesses_come_back_one_by_one(store: &dyn Meta) {
    let (key, other) = ([1; 32], [2; 32]);
    for _ in 0..10 {
        store.spend_guess(key, T0).await.unwrap();
    }
    let refused = refusal(store.spend_guess(key, T0 + 1000).await);
    assert_eq!(refused, Refused::GuessesSpent { retry_after_ms: TEN_MINUTES - 1000 });
    store.spend_guess(other, T0).await.unwrap();
    // A clock that goes back gives nothing back, and a refused try costs nothing.
    refusal(store.spend_guess(key, T0 - TEN_MINUTES).await);
    let soon = T0 + TEN_MINUTES - 1;
    assert_eq!(refusal(store.spend_guess(key, soon).await), Refused::GuessesSpent { retry_after_ms: 1 });
    store.spend_guess(key, T0 + TEN_MINUTES).await.unwrap();
    let refused = refusal(store.spend_guess(key, T0 + TEN_MINUTES).await);
    assert_eq!(refused, Refused::GuessesSpent { retry_after_ms: TEN_MINUTES });
    // Cleaning up forgets only who is rested.
    store.drop_expired(T0 + 2 * TEN_MINUTES - 1).await.unwrap();
    refusal(store.spend_guess(key, T0 + 2 * TEN_MINUTES - 1).await);
    for _ in 0..3 {
        store.spend_guess(key, T0 + 4 * TEN_MINUTES).await.unwrap();
    }
    refusal(store.spend_guess(key, T0 + 4 * TEN_MINUTES).await);
    store.drop_expired(T0 + 40 * TEN_MINUTES).await.unwrap();
    for _ in 0..10 {
        store.spend_guess(key, T0 + 40 * TEN_MINUTES).await.unwrap();
    }
    refusal(store.spend_guess(key, T0 + 40 * TEN_MINUTES).await);
}

pub async fn single_use_values_are_taken_once(store: &dyn Meta) {
    let put = |kind, id| store.put_once(kind, id, vec![7, 8], T0 + 60_000);
    put(Once::Nonce, [1; 32]).await.unwrap();
    assert_eq!(store.take_once(Once::Login, [1; 32], T0).await.unwrap(), None);
    assert_eq!(store.take_once(Once::Nonce, [1; 32], T0).await.unwrap(), Some(vec![7, 8]));
    assert_eq!(store.take_once(Once::Nonce, [1; 32], T0).await.unwrap(), None);
    put(Once::Login, [2; 32]).await.unwrap();
    assert_eq!(store.take_once(Once::Login, [2; 32], T0 + 60_000).await.unwrap(), None);
    put(Once::Login, [3; 32]).await.unwrap();
    store.drop_expired(T0 + 59_999).await.unwrap();
    assert_eq!(store.take_once(Once::Login, [3; 32], T0).await.unwrap(), Some(vec![7, 8]));
    put(Once::Login, [4; 32]).await.unwrap();
    store.drop_expired(T0 + 60_000).await.unwrap();
    assert_eq!(store.take_once(Once::Login, [4; 32], T0).await.unwrap(), None);
}

pub async fn an_invite_admits_as_often_as_it_says(store: &dyn Meta) {
    let invite = |hash, uses_left| Invite {
        hash: [hash; 32],
        uses_left,
        expires_ms: T0 + 1000,
        quota_bytes: Some(123),
        created_ms: T0,
        revoked: false,
    };
    let register = async |seed: u8, hash: u8, now: u64| {
        let mut new = Author::new(seed).new_account();
        new.invite = Some([hash; 32]);
        store.create_account(new, now).await
    };
    store.invite_create(invite(1, 2)).await.unwrap();
    store.invite_create(invite(2, 2)).await.unwrap();
    assert!(store.invite_usable([1; 32], T0).await.unwrap() && !store.invite_usable([9; 32], T0).await.unwrap());
    let first = register(1, 1, T0).await.unwrap();
    assert_eq!(register(1, 1, T0).await.unwrap(), first, "a repeated registration takes no second use");
    assert_eq!(store.user(&Author::new(1).name).await.unwrap().unwrap().usage.quota_bytes, 123);
    register(2, 1, T0).await.unwrap();
    assert_eq!(refusal(register(3, 1, T0).await), Refused::InviteInvalid);
    assert_eq!(refusal(register(3, 9, T0).await), Refused::InviteInvalid);
    assert_eq!(refusal(register(3, 2, T0 + 1000).await), Refused::InviteInvalid);
    assert!(store.invite_revoke([2; 32]).await.unwrap() && !store.invite_revoke([9; 32]).await.unwrap());
    assert_eq!(refusal(register(3, 2, T0).await), Refused::InviteInvalid);
    assert!(!store.invite_usable([2; 32], T0).await.unwrap());
    let listed = store.invites().await.unwrap();
    assert_eq!(listed.iter().map(|i| (i.uses_left, i.revoked)).collect::<Vec<_>>(), [(0, false), (2, true)]);
    assert_eq!(store.user(&Author::new(3).name).await.unwrap(), None);
}

pub async fn a_suspended_account_waits_and_a_deleted_one_goes(store: &dyn Meta) {
    let author = Author::register(store, 1).await;
    let other = Author::register(store, 2).await;
    let caller = author.caller(0);
    let change = |change| store.user_change(&author.name, change);
    change(UserChange::Suspend).await.unwrap();
    assert_eq!(refusal(store.log_size(&caller).await), Refused::Suspended);
    assert_eq!(refusal(store.append(&caller, vec![author.empty(0)], T0).await), Refused::Suspended);
    let roster = author.sign_roster(author.next_roster(), None, None);
    assert_eq!(refusal(store.append_roster(roster, vec![], T0).await), Refused::Suspended);
    assert!(store.device_access(&author.account, &caller.device).await.unwrap().unwrap().suspended);
    assert!(store.sign_in(&author.account, proto::wire::roster::SlotKind::Recovery).await.unwrap().suspended);
    change(UserChange::Resume).await.unwrap();
    change(UserChange::Quota(77)).await.unwrap();
    assert_eq!(store.log_size(&caller).await.unwrap(), 1);
    let listed = store.users(None, 1).await.unwrap();
    assert_eq!((&listed[0].name, listed[0].usage.quota_bytes, listed[0].devices), (&author.name, 77, 1));
    assert_eq!(store.users(Some(&author.name), 9).await.unwrap().len(), 1);
    assert_eq!(store.totals().await.unwrap().accounts, 2);

    change(UserChange::Delete).await.unwrap();
    assert_eq!(refusal(store.log_size(&caller).await), Refused::AccountEnded);
    assert_eq!(store.credentials(&author.name).await.unwrap(), None);
    assert_eq!(refusal(store.device_access(&author.account, &caller.device).await), Refused::AccountEnded);
    assert_eq!(store.deleting(9).await.unwrap(), [author.account]);
    assert_eq!(store.deleting_slots(&author.account).await.unwrap().len(), 1);
    let left = store.mirror_jobs(&author.account, 99).await.unwrap();
    assert!(!left.is_empty() && left.iter().all(|j| j.content.is_none()));
    assert!(!store.delete_step(&other.account).await.unwrap(), "an account that lives is not touched");
    assert!(store.delete_step(&author.account).await.unwrap());
    assert_eq!(store.deleting(9).await.unwrap(), []);
    assert_eq!(store.mirror_jobs(&author.account, 99).await.unwrap(), []);
    assert_eq!(store.mirror_accounts(None, 9).await.unwrap(), [other.account]);
    assert_eq!(refusal(store.log_size(&caller).await), Refused::UnknownAccount);
    assert_eq!(store.log_size(&other.caller(0)).await.unwrap(), 1);
    // The name is free again.
    Author::register(store, 1).await;
}
