//! Setting a device up in its home, whatever happens in between.

use std::sync::atomic::{AtomicUsize, Ordering};

use client::error::Error;
use client::home::{Home, KeyError, KeyStore, MemoryKeys};
use client::vault::Vault;
use zeroize::Zeroizing;

use tests::world::{PASSPHRASE, Place, World, by_passphrase, refused};

/// A key store whose process is killed before the n-th secret is stored.
struct Killed<'a> {
    keys: &'a dyn KeyStore,
    left: AtomicUsize,
}

impl KeyStore for Killed<'_> {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        self.keys.load(name)
    }

    fn store(&self, name: &str, secret: &[u8]) -> Result<(), KeyError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(KeyError::Store("killed".to_owned()));
        }
        self.keys.store(name, secret)
    }

    fn erase(&self, name: &str) -> Result<(), KeyError> {
        self.keys.erase(name)
    }
}

#[tokio::test]
async fn a_set_up_that_was_killed_can_be_repeated_in_the_same_home() {
    let world = World::new();
    world.register("ana", "laptop").await;
    for stores in 0..3 {
        let place = Place::new();
        let killed = Killed { keys: &place.keys, left: AtomicUsize::new(stores) };
        let joined = world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap();
        refused(joined.install(&place.home, &killed));
        assert!(place.home.archive_dir().exists(), "the archive comes before the keys");
        assert!(matches!(refused(place.open(&world)), Error::NotSetUp));
        Vault::check_free(&place.home, &place.keys).unwrap();
        let joined = world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap();
        let id = place.install(joined).session.device.id();
        assert_eq!(place.open(&world).unwrap().session.device.id(), id);
    }
}

/// Killed while the archive was being made: a folder and a file without tables.
#[tokio::test]
async fn an_archive_that_was_never_finished_is_made_anew() {
    let world = World::new();
    let place = Place::new();
    std::fs::create_dir_all(place.home.archive_dir()).unwrap();
    std::fs::write(place.home.archive_dir().join("archive.db"), []).unwrap();
    place.install(world.register("ana", "laptop").await.0);
    place.open(&world).unwrap();
}

#[tokio::test]
async fn an_existing_set_up_is_never_overwritten() {
    let world = World::new();
    let place = Place::new();
    let id = place.install(world.register("ana", "laptop").await.0).session.device.id();
    let before = place.files();
    let joined = world.register("bob", "desktop").await.0;
    let error = refused(joined.install(&place.home, &place.keys));
    assert_eq!(error.to_string(), "an account is already set up here: ana@vault.test");
    assert!(matches!(refused(Vault::check_free(&place.home, &place.keys)), Error::AlreadySetUp { .. }));
    assert_eq!(place.files(), before);
    assert_eq!(place.open(&world).unwrap().session.device.id(), id);
}

#[tokio::test]
async fn erasing_takes_everything_or_leaves_an_archive_nobody_overwrites() {
    let world = World::new();
    let place = Place::new();
    place.install(world.register("ana", "laptop").await.0);
    Vault::erase(&place.home, &place.keys, true).unwrap();
    assert!(matches!(refused(place.open(&world)), Error::NotSetUp));
    assert!(matches!(refused(Vault::check_free(&place.home, &place.keys)), Error::ArchiveKept { .. }));
    assert!(place.home.archive_dir().join("archive.db").exists());
    Vault::erase(&place.home, &place.keys, false).unwrap();
    assert!(!place.home.archive_dir().exists() && !place.home.key_path().exists());
    let joined = world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap();
    place.install(joined);
    place.open(&world).unwrap();
}

#[tokio::test]
async fn a_home_opens_with_its_own_keys_alone() {
    let world = World::new();
    let (one, other) = (Place::new(), Place::new());
    one.install(world.register("ana", "laptop").await.0);
    other.install(world.register("bob", "desktop").await.0);
    let mixed = MemoryKeys::default();
    for (name, place) in [("identity", &one), ("device", &one), ("archive", &other)] {
        mixed.store(name, &place.keys.load(name).unwrap().unwrap()).unwrap();
    }
    assert!(matches!(refused(Vault::open(&one.home, &mixed, world.at())), Error::Archive(_)));
    mixed.store("archive", &one.keys.load("archive").unwrap().unwrap()).unwrap();
    assert!(Vault::open(&one.home, &mixed, world.at()).is_ok());
    mixed.store("device", &other.keys.load("device").unwrap().unwrap()).unwrap();
    assert!(matches!(refused(Vault::open(&one.home, &mixed, world.at())), Error::Archive(_)));
    mixed.store("device", b"short").unwrap();
    assert!(matches!(refused(Vault::open(&one.home, &mixed, world.at())), Error::Archive(_)));
    mixed.store("device", &one.keys.load("device").unwrap().unwrap()).unwrap();
    assert!(Vault::open(&one.home, &mixed, world.at()).is_ok());
    mixed.store("identity", &other.keys.load("identity").unwrap().unwrap()).unwrap();
    assert!(matches!(refused(Vault::open(&one.home, &mixed, world.at())), Error::Archive(_)));
    let nowhere = Home::at(&one.dir.path().join("nowhere"));
    assert!(matches!(refused(Vault::open(&nowhere, &one.keys, world.at())), Error::Archive(_)));
}
