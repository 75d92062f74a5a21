//! Mailboxes of pairings.

use super::author::{Author, T0, refusal};
use crate::meta::{Letter, Meta, Refused};

const TEN_MINUTES: u64 = 600_000;
const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

fn letter(received: u32, sent: u32, message: &'static [u8]) -> Letter {
    Letter { received, sent, message: message.into(), close: false }
}

fn closing() -> Letter {
    Letter { close: true, ..Letter::default() }
}

pub async fn two_sides_leave_each_other_messages(store: &dyn Meta) {
    let author = Author::register(store, 1).await;
    let number = store.open_mailbox(&author.caller(0), OLD, [7; 32], T0).await.unwrap();
    assert!((100..1000).contains(&number));
    let turn = |key, letter| store.use_mailbox(number, key, letter, T0 + 1);
    assert_eq!(turn(OLD, letter(0, 0, b"first")).await.unwrap(), &b""[..]);
    // The first key that comes has the other side; a second one has nothing, and learns nothing.
    assert_eq!(store.look_mailbox(number, NEW, 0, T0 + 1).await.unwrap(), None);
    assert_eq!(turn(NEW, letter(0, 0, b"")).await.unwrap(), &b"first"[..]);
    assert_eq!(refusal(turn([3; 32], letter(0, 0, b"")).await), Refused::NoMailbox);
    assert_eq!(store.look_mailbox(number, [3; 32], 0, T0 + 1).await.unwrap(), None);
    assert_eq!(turn(NEW, letter(1, 0, b"second")).await.unwrap(), &b""[..]);
    assert_eq!(turn(NEW, letter(1, 0, b"second")).await.unwrap(), &b""[..], "sent again for want of an answer");
    assert_eq!(refusal(turn(NEW, letter(1, 0, b"another")).await), Refused::NoMailbox);
    assert_eq!(refusal(turn(NEW, letter(1, 2, b"later")).await), Refused::NoMailbox);
    assert_eq!(store.look_mailbox(number, OLD, 0, T0 + 1).await.unwrap().unwrap(), &b"second"[..]);
    assert_eq!(store.look_mailbox(number, OLD, 1, T0 + 1).await.unwrap().unwrap(), &b""[..]);
    // Closed by either side it is gone for both.
    turn(NEW, closing()).await.unwrap();
    assert_eq!(refusal(turn(OLD, letter(0, 1, b"")).await), Refused::NoMailbox);
    assert_eq!(store.look_mailbox(number, OLD, 0, T0 + 1).await.unwrap(), None);
}

pub async fn a_mailbox_is_open_for_ten_minutes(store: &dyn Meta) {
    let author = Author::register(store, 1).await;
    let number = store.open_mailbox(&author.caller(0), OLD, [7; 32], T0).await.unwrap();
    let at = |now| store.use_mailbox(number, OLD, Letter::default(), now);
    at(T0 + TEN_MINUTES - 1).await.unwrap();
    assert_eq!(refusal(at(T0 + TEN_MINUTES).await), Refused::NoMailbox);
    assert_eq!(store.look_mailbox(number, OLD, 0, T0 + TEN_MINUTES).await.unwrap(), None);
    // Looking into it does not make it last, and cleaning up takes it away.
    store.drop_expired(T0 + TEN_MINUTES).await.unwrap();
    assert_eq!(refusal(at(T0).await), Refused::NoMailbox);
}

pub async fn an_account_has_few_mailboxes_and_messages_have_a_length(store: &dyn Meta) {
    let (author, other) = (Author::register(store, 1).await, Author::register(store, 2).await);
    let mut numbers = Vec::new();
    for n in 0..5u8 {
        numbers.push(store.open_mailbox(&author.caller(0), [n; 32], [n; 32], T0 + u64::from(n)).await.unwrap());
    }
    let theirs = store.open_mailbox(&other.caller(0), [9; 32], [9; 32], T0).await.unwrap();
    let mut open = Vec::new();
    for (n, number) in (0..).zip(&numbers) {
        open.push(store.use_mailbox(*number, [n; 32], Letter::default(), T0 + 9).await.is_ok());
    }
    assert_eq!(open, [false, false, true, true, true], "the oldest went");
    assert!(store.look_mailbox(theirs, [9; 32], 0, T0 + 9).await.unwrap().is_some());

    let long = |bytes: usize| Letter { message: vec![0; bytes].into(), ..Letter::default() };
    let turn = |key, letter| store.use_mailbox(theirs, key, letter, T0 + 9);
    assert_eq!(refusal(turn([9; 32], long((68 << 10) + 1)).await), Refused::LetterTooLong);
    turn([9; 32], long(68 << 10)).await.unwrap();
    assert_eq!(refusal(turn(NEW, long((4 << 10) + 1)).await), Refused::LetterTooLong);
    turn(NEW, long(4 << 10)).await.unwrap();
    for sent in 1..16 {
        turn(NEW, Letter { sent, ..long(10 + sent as usize) }).await.unwrap();
    }
    assert_eq!(refusal(turn(NEW, Letter { sent: 16, ..long(9) }).await), Refused::NoMailbox, "no end of messages");
}

pub async fn only_a_device_of_an_account_opens_a_mailbox(store: &dyn Meta) {
    let mut author = Author::register(store, 1).await;
    let caller = author.caller(0);
    let next = author.joining(1);
    let roster = author.sign_roster(next, Some(1), None);
    author.append_roster(store, roster, vec![]).await;
    assert_eq!(refusal(store.open_mailbox(&caller, OLD, [7; 32], T0).await), Refused::TokenOld);
    let stranger = crate::meta::Caller { account: proto::wire::ids::AccountId([9; 32]), ..caller };
    assert_eq!(refusal(store.open_mailbox(&stranger, OLD, [7; 32], T0).await), Refused::UnknownAccount);
}
