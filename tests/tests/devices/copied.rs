//! A home that was copied, or came back from a disk image: two machines with the keys of one device.

use std::sync::Arc;

use client::archive::{Archive, Note};
use client::error::Error;
use client::remote::{Network, ServerAddress};
use client::sync::BackupOptions;
use client::vault::{Vault, Work};
use tests::history::{import, listed};
use tests::world::{PASSPHRASE, Place, World, by_passphrase, reached_by, refused};

async fn backup(vault: &mut Vault, archive: &mut Archive) -> client::error::Result<client::sync::Backup> {
    vault.backup(archive, &BackupOptions::default(), &Work::quiet()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_that_write_one_is_told_and_stops_for_good() {
    let world = World::new();
    let place = Place::new();
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = place.install(joined);
    let mut archive = laptop.archive().unwrap();
    import(&mut archive, 1, 0, 20, 0);
    backup(&mut laptop, &mut archive).await.unwrap();
    drop((archive, laptop));

    let elsewhere = place.copied();
    let (mut laptop, mut copied) = (place.open(&world).unwrap(), elsewhere.open(&world).unwrap());
    let (mut one, mut two) = (laptop.archive().unwrap(), copied.archive().unwrap());
    // As long as only one of them writes, nothing tells them apart.
    copied.sync(&mut two, &Work::quiet()).await.unwrap();
    import(&mut one, 1, 20, 30, 0);
    import(&mut two, 2, 0, 5, 0);
    backup(&mut laptop, &mut one).await.unwrap();
    let error = refused(backup(&mut copied, &mut two).await);
    assert_eq!((error.code(), error.exit()), ("E_DEVICE_CLONED", 13), "{error}");
    assert!(two.note(Note::Cloned).unwrap().is_some());
    // What it has stays, and whatever runs there next is told the same.
    assert_eq!(listed(&two).len(), 25);
    assert!(matches!(refused(copied.sync(&mut two, &Work::quiet()).await), Error::DeviceCloned));
    let restored = copied.restore(&mut two, &client::sync::RestoreOptions::default(), &Work::quiet()).await;
    assert!(matches!(refused(restored), Error::DeviceCloned));
    // It knows that by itself: nothing is asked of the server.
    let nowhere = Network::new(ServerAddress::parse("http://127.0.0.1:1").unwrap(), None);
    let mut offline = Vault::open(&elsewhere.home, &elsewhere.keys, reached_by(Arc::new(nowhere))).unwrap();
    assert!(matches!(refused(offline.sync(&mut two, &Work::quiet()).await), Error::DeviceCloned));
    // The other goes on, and nothing of the copy is in the log.
    import(&mut one, 1, 30, 32, 0);
    backup(&mut laptop, &mut one).await.unwrap();
    let third = Place::new();
    let mut fresh = third.install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
    let mut there = fresh.archive().unwrap();
    fresh.restore(&mut there, &client::sync::RestoreOptions::default(), &Work::quiet()).await.unwrap();
    assert_eq!(listed(&there), listed(&one));
    assert_eq!(listed(&there).len(), 32);
}

/// Both at the same moment: the service takes one record of a number, and whoever was refused finds the other.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_that_write_at_once_exactly_one_is_told() {
    let world = World::new();
    let mut place = Place::new();
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = place.install(joined);
    let mut archive = laptop.archive().unwrap();
    import(&mut archive, 1, 0, 5, 0);
    backup(&mut laptop, &mut archive).await.unwrap();
    drop((archive, laptop));
    for turn in 0..tests::times(3, 20) {
        let homes = [place.copied(), place.copied()];
        let work = |n: usize| {
            let mut vault = homes[n].open(&world).unwrap();
            async move {
                let mut archive = vault.archive().unwrap();
                import(&mut archive, 10 + turn, n as u64 * 10, n as u64 * 10 + 5, 0);
                backup(&mut vault, &mut archive).await.map(|_| ())
            }
        };
        let ended = tokio::join!(work(0), work(1));
        let [first, second] = homes;
        // The one that goes on is copied next.
        place = match ended {
            (Ok(()), Err(Error::DeviceCloned)) => first,
            (Err(Error::DeviceCloned), Ok(())) => second,
            other => panic!("{other:?}"),
        };
    }
}
