//! Codes that are wrong, used up, mistyped or tried at random.

use std::sync::Arc;
use std::time::Duration;

use client::crypto::pairing::{NoCode, PairingCode};
use client::error::Error;
use client::vault::{Vault, Work};
use service::rpc::{Registration, Settings};
use service::testkit::InProcess;
use tests::world::{Pipes, Place, SERVER, label, reached_by, refused, register_at};

use crate::between::Between;
use crate::pair::{Account, code, joins, said, wrong};

async fn tried(account: &Account, code: PairingCode) -> Error {
    let (work, label) = (Work::quiet(), label("phone"));
    let joined = Vault::join(account.world.at(), code, label, &work);
    // Nobody waits for the ten minutes to end.
    refused(tokio::time::timeout(Duration::from_secs(30), joined).await.expect("the other side is told at once"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_ends_the_pairing_and_tells_who_made_it() {
    let account = Account::new().await;
    let linking = account.laptop.link().await.unwrap();
    let (right, wrong) = (said(&linking), wrong(&linking));
    let laptop = tokio::spawn(async move { linking.meet(&Work::quiet()).await.map(|_| ()) });
    assert!(matches!(tried(&account, wrong).await, Error::PairingFailed));
    let told = refused(laptop.await.unwrap());
    assert_eq!((told.code(), told.exit()), ("E_PAIRING_FAILED", 12));
    // One try: the right code is worth nothing any more.
    assert!(matches!(tried(&account, right).await, Error::PairingFailed));
    assert_eq!(account.laptop.devices().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_for_one_device() {
    let mut account = Account::new().await;
    let linking = account.laptop.link().await.unwrap();
    let (first, second) = (said(&linking), said(&linking));
    let phone = tokio::spawn(joins(account.world.at(), first, "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    // Somebody else with the same code comes too late, and disturbs nothing.
    assert!(matches!(tried(&account, second).await, Error::PairingFailed));
    account.admit(newcomer).await.unwrap();
    phone.await.unwrap().unwrap();
    assert_eq!(account.laptop.devices().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typing_error_is_told_before_anything_is_sent() {
    let account = Account::new().await;
    let between = Between::before(&account.world).await;
    for (text, why) in [("417-lamq-orbit-civil", NoCode::Word(1)), ("417 lamp orbit", NoCode::Form)] {
        let typo = PairingCode::parse(text).err().unwrap();
        assert_eq!(typo, why);
        let error = Error::from(typo);
        assert_eq!((error.code(), error.exit()), ("E_PAIRING_FAILED", 12));
    }
    assert_eq!(between.calls(), 0);
    // What is a code is sent: the number alone.
    let joined = Vault::join(between.at(), code("999-zoo-zoo-zoo"), label("phone"), &Work::quiet()).await;
    assert!(matches!(refused(joined), Error::PairingFailed));
    assert!(between.calls() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_holds_the_words() {
    let mut account = Account::new().await;
    let between = Between::before(&account.world).await;
    let sent = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = sent.clone();
    between.swaps(move |asked| kept.lock().unwrap().extend_from_slice(&asked.message));
    let linking = account.laptop.link().await.unwrap();
    let text = linking.code().to_string();
    let phone = tokio::spawn(joins(between.at(), said(&linking), "a phone of gold"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    account.admit(newcomer).await.unwrap();
    phone.await.unwrap().unwrap();
    let sent = sent.lock().unwrap().clone();
    assert!(sent.len() > 1500, "{}", sent.len());
    let words = text.split('-').skip(1).map(str::as_bytes).filter(|word| word.len() > 3);
    for word in words.chain([&b"a phone of gold"[..], b"linux"]) {
        assert!(!sent.windows(word.len()).any(|part| part == word), "{}", String::from_utf8_lossy(word));
    }
}

/// The same network's tries are counted, whether a number is in use or not; who is in a pairing already is not.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_not_tried_by_the_hundred() {
    let settings = Settings {
        server_name: SERVER.to_owned(),
        registration: Registration::Open,
        auth_per_minute: 10,
        ..Settings::default()
    };
    let service = Arc::new(InProcess::on_memory(settings));
    let at = || reached_by(Arc::new(Pipes(service.clone())));
    let place = Place::new();
    let laptop = place.install(register_at(at(), "ana", "laptop").await.unwrap().0);
    let linking = laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    let mut told = Vec::new();
    for number in 1..20 {
        let code = code(&format!("{number}-zoo-zoo-zoo"));
        told.push(refused(Vault::join(at(), code, label("stranger"), &Work::quiet()).await));
        if matches!(told.last(), Some(Error::Overloaded { .. })) {
            break;
        }
    }
    let (last, before) = told.split_last().unwrap();
    assert!(matches!(last, Error::Overloaded { .. }) && before.len() < 10, "{told:?}");
    assert!(before.iter().all(|e| matches!(e, Error::PairingFailed)), "{told:?}");
    newcomer.refuse().await;
    assert!(matches!(phone.await.unwrap(), Err(Error::PairingFailed)), "who is in a pairing is heard all the same");
}
