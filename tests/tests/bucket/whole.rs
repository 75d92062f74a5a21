//! An undamaged bucket gives everything back, to both readers alike.

use client::crypto::RecoveryKey;
use client::env::Env;
use client::error::Error;
use client::sync::RestoreOptions;
use client::vault::{Kept, Work};
use std::path::Path;
use tests::world::{PASSPHRASE, Place, by_passphrase, passphrase, refused};

use crate::reader;
use crate::service::Written;
use crate::written::{assert_same, exported};

pub async fn restored(
    place: &Place,
    bucket: &Path,
    key: &RecoveryKey,
) -> client::error::Result<(Kept, client::sync::FromBucket)> {
    let options = RestoreOptions::default();
    Kept::restore(&place.home, &place.keys, Env::system(), bucket, key, &options, &Work::quiet()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_readers_give_back_what_was_backed_up() {
    let written = Written::with_history().await;
    let expected = exported(&written.archive);
    let bucket = written.running.bucket().await;
    let place = Place::new();
    let (kept, got) = restored(&place, &bucket, &written.key).await.unwrap();
    assert!(got.is_whole(), "{got:?}");
    assert_eq!((got.account.as_str(), kept.shown().as_str()), ("ana", "ana"));
    let counts = written.archive.counts().unwrap();
    assert_eq!((got.messages, got.attachments), (counts.messages, counts.attachments));
    assert!(got.messages == 40 + 25 + 120 + 3 + 1 && got.attachments > 7, "{got:?}");
    assert_same(&exported(&kept.reader().unwrap()), &expected);

    let kit = place.dir.path().join("kit.txt");
    written.kit(&kit);
    let read = reader::read(&bucket, &kit);
    assert_eq!((read.exit, read.said.as_str()), (0, ""));
    assert_same(&read.files, &expected);
    assert!(reader::digest_holds(&bucket, &kit));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_goes_on_where_it_was_left_and_takes_in_what_is_newer() {
    let mut written = Written::with_history().await;
    let bucket = written.running.bucket().await;
    let place = Place::new();
    let options = RestoreOptions { media: client::sync::Media::Later };
    let (env, work) = (Env::system(), Work::quiet());
    let first = Kept::restore(&place.home, &place.keys, env, &bucket, &written.key, &options, &work);
    let (_, first) = first.await.unwrap();
    assert_eq!(first.attachments, 0);
    tests::history::import(&mut written.archive, 4, 0, 30, 3_000);
    written.backup().await;
    let bucket = written.running.bucket().await;
    let (kept, second) = restored(&place, &bucket, &written.key).await.unwrap();
    assert!(second.is_whole() && second.messages == first.messages + 30, "{second:?}");
    assert_same(&exported(&kept.reader().unwrap()), &exported(&written.archive));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_was_taken_away_is_told_from_an_account_without_a_backup() {
    let mut written = Written::start().await;
    let bucket = written.running.bucket().await;
    let (_, got) = restored(&Place::new(), &bucket, &written.key).await.unwrap();
    assert!(got.head_at_ms.is_none() && got.lost.is_empty() && !got.is_whole(), "{got:?}");
    tests::history::import(&mut written.archive, 1, 0, 10, 0);
    written.backup().await;
    let bucket = written.running.bucket().await;
    let head = format!("{}/head", written.vault.session.identity.account.address());
    std::fs::remove_file(bucket.join(&head)).unwrap();
    let (_, got) = restored(&Place::new(), &bucket, &written.key).await.unwrap();
    assert!(got.head_at_ms.is_none() && !got.is_whole(), "{got:?}");
    assert_eq!(
        got.lost.iter().map(|l| (l.object.as_str(), l.holds, l.reason)).collect::<Vec<_>>(),
        [(head.as_str(), "head", "missing")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_recovery_key_opens_it_over_the_rotation_and_the_old_one_no_more() {
    let mut written = Written::with_history().await;
    let secret = by_passphrase(PASSPHRASE);
    let (vault, archive) = (&mut written.vault, &mut written.archive);
    let new = vault.rotate_root(archive, secret, passphrase("eight herons fly by night"), true).await.unwrap().unwrap();
    let bucket = written.running.bucket().await;
    let old = std::mem::replace(&mut written.key, new);
    for backed_up in [false, true] {
        if backed_up {
            tests::history::import(&mut written.archive, 4, 0, 30, 0);
            written.backup().await;
            written.running.bucket().await;
        }
        let place = Place::new();
        let (kept, got) = restored(&place, &bucket, &written.key).await.unwrap();
        assert!(got.is_whole(), "{got:?}");
        let kit = place.dir.path().join("kit.txt");
        written.kit(&kit);
        let read = reader::read(&bucket, &kit);
        assert_eq!((read.exit, read.said.as_str()), (0, ""));
        assert_same(&read.files, &exported(&kept.reader().unwrap()));
    }
    let place = Place::new();
    assert!(matches!(refused(restored(&place, &bucket, &old).await), Error::WrongRecoveryKey));
    assert!(!place.home.dir().exists(), "nothing is written for a key that opens nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_readers_count_a_deletion_alike_before_and_after_its_purge() {
    let mut written = Written::with_history().await;
    for hours in [0, 25] {
        written.running.clock.pass(hours);
        let message = written.archive.export(None, None, None).unwrap().map(|message| message.unwrap().0);
        let message = message.into_iter().find(|message| !message.attachments.is_empty()).unwrap();
        let at = written.vault.session.env.now_ms();
        let deletion = client::merge::own_delete(&message, at, &format!("deletion {hours}"));
        written.archive.record(&message.chat, &deletion).unwrap();
        written.backup().await;
        written.backup().await;
        let left = written.archive.deletions_open(u64::MAX).unwrap().len();
        assert_eq!(left, 1, "the newest waits, the one before is purged");
        let bucket = written.running.bucket().await;
        let place = Place::new();
        let kit = place.dir.path().join("kit.txt");
        written.kit(&kit);
        assert!(reader::digest_holds(&bucket, &kit), "{hours}");
        let (kept, got) = restored(&place, &bucket, &written.key).await.unwrap();
        assert!(got.is_whole(), "{got:?}");
        assert_same(&exported(&kept.reader().unwrap()), &exported(&written.archive));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_readers_show_deleted_attachments_alike_before_and_after_their_bytes_go() {
    let mut written = Written::with_history().await;
    let all = written.archive.export(None, None, None).unwrap().map(|message| message.unwrap().0);
    let with_media: Vec<_> = all.filter(|m| m.attachments.iter().any(|a| a.hash.is_some())).collect();
    let sources: std::collections::BTreeSet<_> = with_media.iter().map(|m| m.chat.source.clone()).collect();
    let one_of_each =
        sources.iter().map(|source| with_media.iter().find(|m| m.chat.source == *source).unwrap().clone());
    let gone: Vec<_> = one_of_each.collect();
    let mut entropy = written.vault.session.env.entropy.clone();
    let now = written.vault.session.env.now_ms();
    let mut acting = client::archive::Acting { now, entropy: &mut entropy };
    let media = client::archive::Deleting::Media;
    assert_eq!(written.archive.delete_of(&gone, media, &mut acting).unwrap(), gone.len() as u64);
    let chat = written.archive.chat_id(&gone[0].chat);
    assert!(written.archive.mark_read(&chat, gone[0].time).unwrap());
    for hours in [0, 25] {
        written.running.clock.pass(hours);
        written.backup().await;
        let bucket = written.running.bucket().await;
        let place = Place::new();
        let kit = place.dir.path().join("kit.txt");
        written.kit(&kit);
        let (kept, got) = restored(&place, &bucket, &written.key).await.unwrap();
        assert!(got.is_whole(), "{got:?}");
        let expected = exported(&written.archive);
        assert_same(&exported(&kept.reader().unwrap()), &expected);
        let read = reader::read(&bucket, &kit);
        assert_eq!((read.exit, read.said.as_str()), (0, ""));
        assert_same(&read.files, &expected);
        assert!(reader::digest_holds(&bucket, &kit), "{hours}");
        let deleted =
            crate::written::lines(&expected).iter().filter(|line| line.contains(r#""state":"deleted""#)).count();
        assert_eq!(deleted, gone.len(), "it is told in the lines");
    }
}
