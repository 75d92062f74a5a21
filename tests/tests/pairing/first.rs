//! The way it goes: a code, three words, a device.

use client::error::Error;
use client::sync::{BackupOptions, RestoreOptions};
use client::vault::Work;
use tests::history::{import, listed};
use tests::world::{PASSPHRASE, Place, by_kit, by_passphrase, device, passphrase, refused};

use crate::pair::{Account, joins, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_joins_by_a_code_and_has_everything() {
    let mut account = Account::new().await;
    let mut archive = account.laptop.archive().unwrap();
    import(&mut archive, 1, 0, 40, 2_000);
    account.laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    drop(archive);

    let linking = account.laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(account.world.at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    let words = newcomer.check_words();
    assert_eq!((newcomer.name(), newcomer.platform()), ("phone", "linux"));
    let admitted = account.admit(newcomer).await.unwrap();
    let (joined, theirs) = phone.await.unwrap().unwrap();
    assert_eq!(theirs, words);

    let place = Place::new();
    let mut phone = place.install(joined);
    assert_eq!(phone.session.device.id(), admitted);
    assert_eq!(device(&account.laptop, "phone"), admitted);
    assert_eq!(phone.session.identity, account.laptop.session.identity);
    assert_eq!(phone.ring.roster(), account.laptop.ring.roster());
    let mut there = phone.archive().unwrap();
    let restored = phone.restore(&mut there, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    assert!(restored.is_whole() && restored.messages == 40, "{restored:?}");
    // It is a device like any other: it writes, and opens in the next process.
    import(&mut there, 2, 0, 5, 0);
    phone.backup(&mut there, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    drop(there);
    let again = place.open(&account.world).unwrap();
    assert_eq!(again.devices().len(), 2);
    let mut archive = account.laptop.archive().unwrap();
    account.laptop.sync(&mut archive, &Work::quiet()).await.unwrap();
    assert_eq!(listed(&archive), listed(&again.archive().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_without_a_person_and_a_secret() {
    let mut account = Account::new().await;
    // The person says that the words differ.
    let linking = account.laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(account.world.at(), said(&linking), "phone"));
    linking.meet(&Work::quiet()).await.unwrap().refuse().await;
    assert!(matches!(phone.await.unwrap(), Err(Error::PairingFailed)));

    // A wrong passphrase lets nobody in, and the phone hears of it.
    let linking = account.laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(account.world.at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    let mut archive = account.laptop.archive().unwrap();
    let wrong = by_passphrase("nine herons fold silver maps");
    let error = refused(account.laptop.admit(&mut archive, newcomer, &wrong).await);
    assert!(matches!(error, Error::WrongPassphrase { .. }), "{error}");
    assert!(matches!(phone.await.unwrap(), Err(Error::PairingFailed)));
    assert_eq!((account.laptop.devices().len(), account.laptop.ring.roster().version), (1, 1));
    assert_eq!(
        account.world.login("ana", by_passphrase(PASSPHRASE), "tablet").await.unwrap().identity().name.as_str(),
        "ana"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recovery_key_lets_a_device_in_too_and_a_roster_that_moves_is_signed_again() {
    let world = tests::world::World::new();
    let (place, other) = (Place::new(), Place::new());
    let (joined, kit) = world.register("ana", "laptop").await;
    let mut laptop = place.install(joined);
    let mut tablet = other.install(world.login("ana", by_passphrase(PASSPHRASE), "tablet").await.unwrap());
    let linking = laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(world.at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    // Between the code and the answer another device changes the roster.
    let mut there = tablet.archive().unwrap();
    let new = passphrase("nine herons fold silver maps");
    tablet.change_passphrase(&mut there, by_kit(&kit), new).await.unwrap();
    let mut archive = laptop.archive().unwrap();
    laptop.admit(&mut archive, newcomer, &by_kit(&kit)).await.unwrap();
    let (joined, _) = phone.await.unwrap().unwrap();
    let phone = Place::new().install(joined);
    assert_eq!(phone.ring.roster().version, 4);
    assert_eq!(phone.devices().len(), 3);
}

/// A device that let another one in and was killed before it said so: the new one asks the service itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_let_in_and_not_told_finds_out() {
    let mut account = Account::new().await;
    let linking = account.laptop.link().await.unwrap();
    let between = crate::between::Between::before(&account.world).await;
    between.tells(|asked, answer| {
        // That it has joined is the fourth thing the laptop says.
        if asked.received == 3 {
            answer.message.clear();
        }
    });
    let phone = tokio::spawn(joins(between.at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    account.admit(newcomer).await.unwrap();
    between.ends();
    let (joined, _) = phone.await.unwrap().unwrap();
    assert_eq!(joined.identity().account, account.laptop.session.identity.account);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_in_use_is_not_taken_over() {
    let mut account = Account::new().await;
    let linking = account.laptop.link().await.unwrap();
    let phone = tokio::spawn(joins(account.world.at(), said(&linking), "phone"));
    let newcomer = linking.meet(&Work::quiet()).await.unwrap();
    account.admit(newcomer).await.unwrap();
    let (joined, _) = phone.await.unwrap().unwrap();
    let error = refused(joined.install(&account.place.home, &account.place.keys));
    assert_eq!(error.exit(), 15);
}
