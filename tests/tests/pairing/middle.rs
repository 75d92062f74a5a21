//! Somebody between the two devices: whatever is changed on the way ends the pairing, and one who has heard the code is
//! given away by the words. And a server that shows the new device another log than the old one knows.

use std::sync::{Arc, Mutex};

use client::archive::Note;
use client::crypto::pairing::{Paired, Pairing, PairingSide};
use client::env::SystemEntropy;
use client::error::Error;
use client::log::LogState;
use client::vault::{Vault, Work};
use service::meta::Meta as _;
use tests::world::{PASSPHRASE, by_passphrase, label, refused};
use tonic::codegen::Bytes;

use crate::between::Between;
use crate::pair::{Account, code, joins, said};

/// Changes one message of one side, lets everything else pass, and tells how both ends saw it.
async fn changed(from_phone: bool, message: u32) -> (Result<(), Error>, Result<(), Error>, usize) {
    let mut account = Account::new().await;
    let between = Between::before(&account.world).await;
    let flip = |bytes: &mut Bytes| {
        let mut changed = bytes.to_vec();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        *bytes = changed.into();
    };
    if from_phone {
        between.swaps(move |asked| {
            if asked.sent == message {
                flip(&mut asked.message);
            }
        });
    } else {
        between.tells(move |asked, answer| {
            if asked.received == message {
                flip(&mut answer.message);
            }
        });
    }
    let linking = account.laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(between.at(), said(&linking), "phone"));
    let laptop = match linking.meet(&Work::quiet()).await {
        Ok(newcomer) => account.admit(newcomer).await.map(|_| ()),
        Err(error) => Err(error),
    };
    let phone = phone.await.unwrap().map(|_| ());
    let id = account.laptop.session.identity.account;
    let devices = account.world.meta.user_devices(&id).await.unwrap();
    (laptop, phone, devices.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_message_ends_the_pairing_on_both_ends() {
    for (from_phone, message) in [(false, 0), (true, 0), (false, 1), (true, 1), (false, 2), (true, 2)] {
        let (laptop, phone, devices) = changed(from_phone, message).await;
        let said = format!("{from_phone} {message}: {laptop:?} {phone:?}");
        assert!(matches!(laptop, Err(Error::PairingFailed)) && matches!(phone, Err(Error::PairingFailed)), "{said}");
        assert_eq!(devices, 1, "{said}");
    }
    // That it has joined the phone asks the service itself.
    let (laptop, phone, devices) = changed(false, 3).await;
    assert!(laptop.is_ok() && phone.is_ok() && devices == 2, "{laptop:?} {phone:?}");
}

/// Plays the laptop to the phone and the phone to the laptop, with the right code.
#[derive(Default)]
struct Overhearer {
    to_phone: Option<Pairing>,
    with_phone: Option<Paired>,
    with_laptop: Option<Paired>,
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_overheard_the_code_is_given_away_by_the_words() {
    let account = Account::new().await;
    let between = Between::before(&account.world).await;
    let linking = account.laptop.link().await.unwrap();
    let text = linking.code().to_string();
    let start = move |side| Pairing::start(&code(&text), tests::world::SERVER, side, &mut SystemEntropy);
    let overhearer = Arc::new(Mutex::new(Overhearer::default()));
    let (heard, start_again) = (overhearer.clone(), start.clone());
    let laptops = Arc::new(Mutex::new(Bytes::new()));
    let laptops_message = laptops.clone();
    between.tells(move |asked, answer| {
        if answer.message.is_empty() {
            return;
        }
        let mut heard = heard.lock().unwrap();
        match asked.received {
            0 => {
                *laptops.lock().unwrap() = answer.message.clone();
                let ours = start(PairingSide::Old);
                answer.message = ours.message().to_vec().into();
                heard.to_phone = Some(ours);
            }
            1 => answer.message = heard.with_phone.as_ref().unwrap().confirmation().to_vec().into(),
            _ => {}
        }
    });
    let heard = overhearer.clone();
    between.swaps(move |asked| {
        if asked.message.is_empty() {
            return;
        }
        let mut heard = heard.lock().unwrap();
        match asked.sent {
            0 => {
                let paired = heard.to_phone.take().unwrap().finish(&asked.message[..33]).unwrap();
                assert!(paired.confirms(&asked.message[33..]));
                heard.with_phone = Some(paired);
                let ours = start_again(PairingSide::New);
                let message = *ours.message();
                let paired = ours.finish(&laptops_message.lock().unwrap()).unwrap();
                asked.message = [&message[..], &paired.confirmation()].concat().into();
                heard.with_laptop = Some(paired);
            }
            1 => {
                let hello = heard.with_phone.as_ref().unwrap().open(0, &asked.message).unwrap();
                asked.message = heard.with_laptop.as_ref().unwrap().seal(0, &hello, &mut SystemEntropy).into();
            }
            _ => {}
        }
    });
    let phone_code = said(&linking);
    let at = between.at();
    let phone = tokio::spawn(async move { Vault::join(at, phone_code, label("phone"), &Work::quiet()).await });
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    let joining = phone.await.unwrap().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(newcomer.name(), "phone", "all else looks as it should");
    assert_ne!(newcomer.check_words(), joining.check_words());
    newcomer.refuse().await;
    assert!(matches!(refused(joining.finish(&Work::quiet()).await), Error::PairingFailed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_forked_between_the_two_devices_is_caught_by_the_new_one() {
    let mut account = Account::new().await;
    // Others have joined since: the log that is shown is longer than the one the laptop knows.
    for name in ["tablet", "watch"] {
        account.world.login("ana", by_passphrase(PASSPHRASE), name).await.unwrap();
    }
    // What the laptop has seen beyond its first record is not what the log holds.
    let mut archive = account.laptop.archive().unwrap();
    let mut state = LogState::decode(&archive.note(Note::Log).unwrap().unwrap()).unwrap();
    state.frontier.append([7; 32]);
    archive.commit(|c| c.set_note(Note::Log, Some(&state.encode()))).unwrap();
    drop(archive);
    let linking = account.laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(account.world.at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    account.admit(newcomer).await.unwrap();
    let error = phone.await.unwrap().map(|_| ()).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_FORK", 31), "{error}");
}
