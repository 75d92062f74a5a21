//! A new root on its way into the bucket: wherever the service is lost meanwhile, a recovery key opens what is there.

use client::crypto::RecoveryKey;
use tests::history::import;
use tests::world::{PASSPHRASE, Place, by_kit, by_passphrase, passphrase, refused};

use crate::reader;
use crate::service::Written;
use crate::stopping::Left;
use crate::whole::restored;
use crate::written::{Files, exported};

const NEW_PASSPHRASE: &str = "eight herons fly by night";

#[tokio::test(flavor = "multi_thread")]
async fn with_the_recovery_key_kept_it_opens_the_bucket_after_every_single_job() {
    let mut written = backed_up().await;
    let before = exported(&written.archive);
    let secret = by_kit(&written.key);
    let (vault, archive) = (&mut written.vault, &mut written.archive);
    let none = vault.rotate_root(archive, secret, passphrase(NEW_PASSPHRASE), false).await.unwrap();
    assert!(none.is_none());
    let after = one_more_backup(&mut written).await;
    let mut stops = 0;
    let mut seen_after = false;
    while !next_stop(&written, stops).await {
        let found = opened(&written, &written.key).await.unwrap_or_else(|why| panic!("after stop {stops}: {why}"));
        assert!(found == before && !seen_after || found == after, "after stop {stops}");
        seen_after |= found == after;
        stops += 1;
    }
    // Passphrase slot, OPAQUE object, recovery slot, rotation, roster, head, erasure: each twice.
    assert!(stops >= 12 && seen_after, "{stops}");
    assert!(opened(&written, &written.key).await.unwrap() == after);
    assert_eq!(slots(&written), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_new_recovery_key_the_old_one_opens_the_bucket_until_the_new_one_does() {
    let mut written = backed_up().await;
    let before = exported(&written.archive);
    let secret = by_passphrase(PASSPHRASE);
    let (vault, archive) = (&mut written.vault, &mut written.archive);
    let new = vault.rotate_root(archive, secret, passphrase(NEW_PASSPHRASE), true).await.unwrap().unwrap();
    let after = one_more_backup(&mut written).await;
    let (mut stops, mut by_new) = (0, 0);
    while !next_stop(&written, stops).await {
        let (old, new) = (opened(&written, &written.key).await, opened(&written, &new).await);
        let case = format!("after stop {stops}: {:?} {:?}", old.as_ref().err(), new.as_ref().err());
        assert!(old.is_ok() != new.is_ok(), "{case}");
        assert!(new.is_ok() || by_new == 0, "{case}");
        by_new += usize::from(new.is_ok());
        let found = old.or(new).unwrap();
        assert!(found == before || found == after, "{case}");
        stops += 1;
    }
    assert!(stops >= 12 && by_new >= 3 && stops - by_new >= 6, "{stops} {by_new}");
    assert!(opened(&written, &new).await.unwrap() == after);
    assert!(opened(&written, &written.key).await.is_err());
    assert_eq!(slots(&written), 1);
}

async fn backed_up() -> Written {
    let mut written = Written::start().await;
    import(&mut written.archive, 1, 0, 20, 2_000);
    written.backup().await;
    written.running.bucket().await;
    written
}

async fn one_more_backup(written: &mut Written) -> Files {
    import(&mut written.archive, 2, 0, 10, 0);
    written.backup().await;
    exported(&written.archive)
}

/// Loses the service after one more change; every other time before its queue is told. True when nothing is left to do.
async fn next_stop(written: &Written, stops: usize) -> bool {
    let left = if stops.is_multiple_of(2) { Left::OneUntold } else { Left::One };
    written.running.mirror_until(left).await
}

/// What both readers make of the bucket with a key: the same, and everything its head names; or why neither opens it.
async fn opened(written: &Written, key: &RecoveryKey) -> Result<Files, String> {
    let (place, bucket) = (Place::new(), written.running.folder());
    let kit = place.dir.path().join("kit.txt");
    std::fs::write(&kit, format!("Recovery key:\n{}\n", *key.text())).unwrap();
    let read = reader::read(&bucket, &kit);
    match restored(&place, &bucket, key).await {
        Ok((kept, got)) => {
            assert!(got.is_whole(), "{got:?}");
            assert_eq!((read.exit, read.said.as_str()), (0, ""));
            let files = exported(&kept.reader().unwrap());
            assert!(files == read.files, "the readers differ");
            Ok(files)
        }
        error => {
            let error = refused(error);
            assert!([4, 12].contains(&read.exit), "{} {}", read.exit, read.said);
            assert_eq!(error.exit() == 12, read.exit == 12, "{error}: {}", read.said);
            assert!(!place.home.dir().exists());
            Err(format!("{error}: {}", read.said))
        }
    }
}

fn slots(written: &Written) -> usize {
    std::fs::read_dir(written.running.folder().join("slots")).unwrap().count()
}
