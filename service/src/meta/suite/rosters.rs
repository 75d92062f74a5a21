//! Who may write.

use proto::wire::header::{FLAG_LAST, RecordKind};
use proto::wire::roster::{DeviceState, SlotKind};

use super::author::{Author, T0, refusal};
use super::heads::mirrored;
use crate::meta::{Meta, MirrorObject, RecoverySlot, Refused, SlotBytes, UserChange};

/// An account with two devices.
async fn two(store: &dyn Meta) -> Author {
    let mut author = Author::register(store, 1).await;
    let next = author.joining(1);
    let roster = author.sign_roster(next, Some(1), None);
    author.append_roster(store, roster, vec![]).await;
    author
}

pub async fn a_joining_device_ends_old_tokens(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let old = author.caller(0);
    let next = author.joining(1);
    assert_eq!(store.device_access(&author.account, &author.devices[1].id).await.unwrap(), None);
    let unproved = author.sign_roster(next.clone(), None, None);
    assert!(matches!(refusal(store.append_roster(unproved, vec![], T0).await), Refused::BadRecord(_)));
    let roster = author.sign_roster(next, Some(1), None);
    let placed = author.append_roster(store, roster.clone(), vec![]).await;
    // Verbatim again: the old answer. Another of this version: the roster has moved.
    let again = store.append_roster(roster, vec![], T0 + 9).await.unwrap();
    assert_eq!((again.placed[0], again.grew), (placed, false));
    let mut other = author.roster.clone();
    other.epoch += 1;
    let other = author.sign_roster(other, None, None);
    assert_eq!(refusal(store.append_roster(other, vec![], T0).await), Refused::RosterMoved);

    assert_eq!(refusal(store.log_size(&old).await), Refused::TokenOld);
    let access = store.device_access(&author.account, &old.device).await.unwrap().unwrap();
    assert_eq!((access.generation, access.suspended), (author.generation, false));
    assert_eq!(access.verifying_key, author.devices[0].key.verifying_key().to_bytes());
    for device in [0, 1] {
        author.append(store, device, author.empty(device), T0).await;
    }
    // The account was made with room for three devices.
    let third = author.joining(1);
    let roster = author.sign_roster(third, Some(2), None);
    author.append_roster(store, roster, vec![]).await;
    let fourth = author.joining(1);
    let roster = author.sign_roster(fourth, Some(3), None);
    assert_eq!(refusal(store.append_roster(roster, vec![], T0).await), Refused::DevicesFull);
}

pub async fn a_revoked_device_is_gone(store: &dyn Meta) {
    let mut author = two(store).await;
    author.append(store, 1, author.empty(1), T0).await;
    let revoked = author.caller(1);
    let mut next = author.next_roster();
    let at_version = next.version;
    let id = author.devices[1].id;
    for device in next.devices.iter_mut().filter(|d| d.id == id) {
        device.state = DeviceState::Revoked { at_version };
    }
    // Without a new epoch the device could read on.
    let same_epoch = author.sign_roster(next.clone(), None, None);
    assert!(matches!(refusal(store.append_roster(same_epoch, vec![], T0).await), Refused::BadRecord(_)));
    next.epoch += 1;
    let roster = author.sign_roster(next, None, None);
    author.append_roster(store, roster, vec![]).await;
    assert_eq!(refusal(store.log_size(&revoked).await), Refused::DeviceGone);
    assert_eq!(store.device_access(&author.account, &id).await.unwrap(), None);
    // Even with a token of the new generation it cannot write.
    let fresh = author.caller(1);
    assert_eq!(refusal(store.append(&fresh, vec![author.empty(1)], T0).await), Refused::DeviceGone);
    let facts = store.user_devices(&author.account).await.unwrap();
    assert_eq!(facts.iter().filter(|d| d.active).count(), 1);
}

pub async fn a_leaving_device_is_gone_at_once(store: &dyn Meta) {
    let mut author = two(store).await;
    let mut draft = author.draft(1, RecordKind::Events, &[], 0);
    draft.header.flags = FLAG_LAST;
    let last = author.sign(1, draft);
    // Nothing follows it, not even in its own batch.
    let mut after = author.draft(1, RecordKind::Events, &[], 0);
    (after.header.counter, after.header.previous) = (2, last.record.digest());
    let after = author.sign(1, after);
    let both = store.append(&author.caller(1), vec![last.clone(), after], T0).await;
    assert_eq!(refusal(both), Refused::DeviceGone);
    author.append(store, 1, last, T0).await;
    let id = author.devices[1].id;
    assert_eq!(store.device_access(&author.account, &id).await.unwrap(), None);
    assert_eq!(refusal(store.log_size(&author.caller(1)).await), Refused::DeviceGone);
    assert_eq!(refusal(store.log_size(&author.caller(0)).await), Refused::TokenOld);
    author.generation += 1;
    // A roster that still lists it as active does not bring it back.
    let next = author.next_roster();
    let roster = author.sign_roster(next, None, None);
    author.append_roster(store, roster, vec![]).await;
    assert_eq!(store.device_access(&author.account, &id).await.unwrap(), None);
    author.append(store, 0, author.empty(0), T0).await;
}

pub async fn slots_come_with_their_roster(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let (bytes, said) = author.slot(SlotKind::Passphrase, 2);
    let mut next = author.next_roster();
    next.slots[0] = said;
    let roster = author.sign_roster(next, None, None);
    let mut wrong_slot = bytes.clone();
    wrong_slot.slot = author.slot(SlotKind::Passphrase, 3).0.slot;
    // The same place in clear, and other sealed bytes.
    let mut other_slot = bytes.clone();
    let mut sealed = other_slot.slot.to_vec();
    *sealed.last_mut().unwrap() ^= 1;
    other_slot.slot = sealed.into();
    let mut wrong_credential = bytes.clone();
    wrong_credential.credential = author.slot(SlotKind::Passphrase, 3).0.credential;
    let mut other_record = bytes.clone();
    let mut record = other_record.credential.to_vec();
    *record.last_mut().unwrap() ^= 1;
    other_record.credential = record.into();
    let mut named = bytes.clone();
    named.slot_name = Some([1; 16]);
    let recovery = author.slot(SlotKind::Recovery, 1).0;
    for given in [
        vec![],
        vec![wrong_slot],
        vec![other_slot],
        vec![wrong_credential],
        vec![other_record],
        vec![named],
        vec![recovery.clone()],
        vec![bytes.clone(), recovery.clone()],
    ] {
        let refused = refusal(store.append_roster(roster.clone(), given, T0).await);
        assert!(matches!(refused, Refused::BadRecord(_)));
    }
    // A slot that says another name, root or generation than its place, though the roster names its bytes.
    for (at, byte) in [(2, 0), (34, 9), (38, 9), (44, b'z')] {
        let mut slot = bytes.slot.to_vec();
        slot[at] = byte;
        let mut next = author.next_roster();
        let (_, mut said) = author.slot(SlotKind::Passphrase, 2);
        said.slot_digest = proto::wire::slot::slot_digest(&slot);
        next.slots[0] = said;
        let roster = author.sign_roster(next, None, None);
        let given = SlotBytes { slot: slot.into(), ..bytes.clone() };
        let refused = refusal(store.append_roster(roster, vec![given], T0).await);
        assert_eq!(refused, Refused::BadRecord("a slot is not the one its roster names"), "{at}");
    }
    assert_eq!(store.log_size(&author.caller(0)).await.unwrap(), 1);
    author.append_roster(store, roster, vec![bytes.clone()]).await;
    assert_eq!(store.slots(&author.caller(0)).await.unwrap(), [bytes.clone(), recovery]);
    assert_eq!(store.credentials(&author.name).await.unwrap().unwrap().opaque, Some(bytes.credential));
}

pub async fn a_rotation_is_mirrored_in_order(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let account = author.account;
    let first: Vec<_> = store.mirror_jobs(&account, 99).await.unwrap().into_iter().map(|j| j.object).collect();
    let old_name = author.slot(SlotKind::Recovery, 1).0.slot_name.unwrap();
    use MirrorObject::{EraseRecoverySlot, Opaque, PassphraseSlot, Roster, Rotation};
    let recovery = |name, generation| MirrorObject::RecoverySlot(RecoverySlot { name, generation });
    assert_eq!(first, [PassphraseSlot, Opaque, recovery(old_name, 1), Roster]);
    assert_eq!(store.mirror_since().await.unwrap(), Some(T0));
    let held = store.mirror_jobs(&account, 1).await.unwrap().remove(0);
    assert_eq!(held.content, Some(author.slot(SlotKind::Passphrase, 1).0.slot));
    mirrored(store).await;
    // A roster waits already: the rotation goes before it all the same.
    let next = author.next_roster();
    let waiting = author.sign_roster(next, None, None);
    author.append_roster(store, waiting, vec![]).await;

    let rotation = author.rotation(None);
    let (without_consent, slots) = (author.sign_roster(rotation.roster.clone(), None, None), rotation.slots.clone());
    assert!(matches!(refusal(store.append_roster(without_consent, slots.clone(), T0).await), Refused::BadRecord(_)));
    let new_name = slots[1].slot_name.unwrap();
    author.rotate(store, rotation, T0 + 5).await;

    let jobs = store.mirror_jobs(&account, 99).await.unwrap();
    let order: Vec<_> = jobs.iter().map(|j| j.object.clone()).collect();
    let old = EraseRecoverySlot(RecoverySlot { name: old_name, generation: 1 });
    assert_eq!(order, [PassphraseSlot, Opaque, recovery(new_name, 2), Rotation(2), Roster, old]);
    assert_eq!(jobs[5].content, None);
    assert_eq!(jobs[3].content, jobs[4].content);
    assert_eq!(jobs[4].content.as_ref().unwrap()[..8], 2u64.to_le_bytes());
    // What changed while it was being written is written again.
    let next = author.next_roster();
    let roster = author.sign_roster(next, None, None);
    author.append_roster(store, roster, vec![]).await;
    for job in &jobs {
        store.mirror_done(job).await.unwrap();
    }
    let left = store.mirror_jobs(&account, 99).await.unwrap();
    assert_eq!(left.iter().map(|j| j.object.clone()).collect::<Vec<_>>(), [Roster]);
    assert_eq!(left[0].content.as_ref().unwrap()[..8], 3u64.to_le_bytes());
    let answer = store.sign_in(&author.account, SlotKind::Recovery).await.unwrap();
    assert_eq!(answer.rosters.iter().map(|e| e.index).collect::<Vec<_>>(), [2, 3]);
}

pub async fn a_slot_replaced_before_it_was_mirrored_is_erased_too(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    mirrored(store).await;
    let name = author.slot(SlotKind::Recovery, 1).0.slot_name;
    for _ in 0..2 {
        let rotation = author.rotation(name);
        author.rotate(store, rotation, T0).await;
    }
    let jobs = store.mirror_jobs(&author.account, 99).await.unwrap();
    let slots = jobs.into_iter().filter_map(|job| match job.object {
        MirrorObject::RecoverySlot(slot) => Some((slot.generation, job.content.is_some())),
        MirrorObject::EraseRecoverySlot(slot) => Some((slot.generation, job.content.is_some())),
        _ => None,
    });
    assert_eq!(slots.collect::<Vec<_>>(), [(3, true), (1, false), (2, false)]);
    // A deletion erases what may be there, whether it was ever written or not.
    store.user_change(&author.name, UserChange::Delete).await.unwrap();
    let all = store.deleting_slots(&author.account).await.unwrap();
    assert_eq!(all.iter().map(|s| (Some(s.name), s.generation)).collect::<Vec<_>>(), [(name, 3), (name, 1), (name, 2)]);
}

pub async fn mirror_work_is_told_account_by_account(store: &dyn Meta) {
    let mut accounts = Vec::new();
    for seed in 1..=5 {
        accounts.push(Author::register(store, seed).await.account);
    }
    accounts.sort();
    assert_eq!(store.mirror_accounts(None, 2).await.unwrap(), accounts[..2]);
    assert_eq!(store.mirror_accounts(Some(accounts[1]), 9).await.unwrap(), accounts[2..]);
    for job in store.mirror_jobs(&accounts[3], 9).await.unwrap() {
        assert_eq!(job.account, accounts[3]);
        store.mirror_done(&job).await.unwrap();
    }
    assert_eq!(store.mirror_accounts(Some(accounts[1]), 9).await.unwrap(), [accounts[2], accounts[4]]);
}

pub async fn an_ended_account_goes_in_steps(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    while author.leaves.len() < 1100 {
        let mut batch = Vec::new();
        let (size, root) = (author.leaves.len() as u64, author.root_at(author.leaves.len()));
        for _ in 0..50 {
            let mut draft = author.draft(0, RecordKind::Events, &[], 0);
            (draft.header.seen_size, draft.header.seen_root) = (size, root);
            let new = author.sign(0, draft);
            author.devices[0].counter += 1;
            author.devices[0].digest = new.record.digest();
            batch.push(new);
        }
        let done = store.append(&author.caller(0), batch.clone(), T0).await.unwrap();
        for (new, placed) in batch.iter().zip(done.placed) {
            author.know(new, placed);
        }
    }
    let mut next = author.next_roster();
    next.ended = true;
    let roster = author.sign_roster(next, None, None);
    author.append_roster(store, roster, vec![]).await;
    assert_eq!(refusal(store.log_size(&author.caller(0)).await), Refused::AccountEnded);
    assert_eq!(store.deleting(9).await.unwrap(), [author.account]);
    assert!(!store.delete_step(&author.account).await.unwrap());
    assert_eq!(refusal(store.log_size(&author.caller(0)).await), Refused::AccountEnded);
    assert!(store.delete_step(&author.account).await.unwrap());
    assert_eq!(store.deleting(9).await.unwrap(), []);
    assert_eq!(store.user(&author.name).await.unwrap(), None);
}
