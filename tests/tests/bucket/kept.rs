//! Archives without a device: readable, and never overwritten.

use client::archive::{Filters, Query};
use client::env::Env;
use client::error::Error;
use client::home::KeyStore as _;
use client::sync::snapshots;
use client::vault::{Kept, Vault};
use tests::world::{Place, refused, register_at};

use crate::service::Written;
use crate::whole::restored;
use crate::written::{assert_same, exported};

fn open(place: &Place) -> client::error::Result<Kept> {
    Kept::open(&place.home, &place.keys, Env::system())
}

/// All that reading commands do.
fn reads(kept: &Kept, written: &Written) {
    let archive = kept.reader().unwrap();
    assert_same(&exported(&archive), &exported(&written.archive));
    assert_eq!(archive.chats().unwrap().len(), written.archive.chats().unwrap().len());
    let found = archive.search(&Query::parse("\"put right\""), &Filters::default(), 50).unwrap();
    assert_eq!((found.total, found.index_complete), (12, true));
    assert_eq!(snapshots(&archive).unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_kept_at_signing_out_is_read_as_before() {
    let written = Written::with_history().await;
    let place = &written.place;
    assert!(matches!(refused(open(place)), Error::Refused(_)), "a device is set up");
    Vault::erase(&place.home, &place.keys, true).unwrap();
    assert!(matches!(refused(Vault::open(&place.home, &place.keys, written.running.at())), Error::NotSetUp));
    let kept = open(place).unwrap();
    assert_eq!(kept.shown(), "ana@vault.test");
    reads(&kept, &written);
    for gone in ["device", "identity"] {
        assert!(place.keys.load(gone).unwrap().is_none());
    }
    Vault::erase(&place.home, &place.keys, true).unwrap();
    reads(&open(place).unwrap(), &written);
    Vault::erase(&place.home, &place.keys, false).unwrap();
    assert!(matches!(refused(open(place)), Error::NotSetUp));
    Vault::check_free(&place.home, &place.keys).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_set_up_or_restored_over_what_is_kept_of_another_account() {
    let written = Written::with_history().await;
    let bucket = written.running.bucket().await;
    let place = Place::new();
    restored(&place, &bucket, &written.key).await.unwrap();
    let (joined, other) = register_at(written.running.at(), "bob", "desktop").await.unwrap();
    written.running.bucket().await;
    let error = refused(joined.install(&place.home, &place.keys));
    assert!(matches!(&error, Error::ArchiveKept { account, .. } if account == "ana"), "{error}");
    assert_eq!((error.code(), error.exit()), ("E_TARGET_NOT_EMPTY", 15));
    assert!(matches!(refused(restored(&place, &bucket, &other).await), Error::ArchiveKept { .. }));
    reads(&open(&place).unwrap(), &written);
    // Nor over a device.
    let error = refused(restored(&written.place, &bucket, &written.key).await);
    assert!(matches!(error, Error::AlreadySetUp { .. }), "{error}");
}

/// Killed between any two steps of signing out, either the device is there still or the archive is kept.
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_that_was_killed_loses_nothing() {
    for erased in 0..2 {
        let written = Written::with_history().await;
        let place = &written.place;
        let killed = Killed { keys: place, left: erased.into() };
        refused(Vault::erase(&place.home, &killed, true));
        match erased {
            0 => drop(Vault::open(&place.home, &place.keys, written.running.at()).unwrap()),
            _ => reads(&open(place).unwrap(), &written),
        }
        refused(Vault::check_free(&place.home, &place.keys));
        Vault::erase(&place.home, &place.keys, true).unwrap();
        reads(&open(place).unwrap(), &written);
    }
}

/// A key store whose process is killed before the n-th secret is erased.
struct Killed<'a> {
    keys: &'a Place,
    left: std::sync::atomic::AtomicUsize,
}

impl client::home::KeyStore for Killed<'_> {
    fn load(&self, name: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, client::home::KeyError> {
        self.keys.keys.load(name)
    }

    fn store(&self, name: &str, secret: &[u8]) -> Result<(), client::home::KeyError> {
        self.keys.keys.store(name, secret)
    }

    fn erase(&self, name: &str) -> Result<(), client::home::KeyError> {
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            return Err(client::home::KeyError::Store("killed".to_owned()));
        }
        self.keys.keys.erase(name)
    }
}
