//! A photo that one device uses again while another purges the only message that had it.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::time::Duration;

use client::archive::Archive;
use client::env::Hands;
use client::event::{Attachment, Presence, Role};
use client::sources::Sink as _;
use client::vault::{Vault, Where};
use proto::wire::head::{DropReason, HeadClear};
use proto::wire::header::{Leaf, RecordKind};
use service::meta::{Entry, Meta as _};
use tests::history::{chat, import, listed, message, photo_bytes};
use tests::jitter::{Draw, Jittery};
use tests::strata::{Stored, caller};
use tests::timed::{Device, Timed};
use tests::times;
use tests::world::{PASSPHRASE, by_passphrase, label, name, register_at};

use crate::gone::delete;

/// A message with a photo that another message has too: its bytes are here, or known only by their hash.
pub fn bring(archive: &mut Archive, n: u64, photo: &[u8], has_bytes: bool) {
    let mut import = archive.import().unwrap();
    let (hash, bytes) = (*blake3::hash(photo).as_bytes(), photo.len() as u64);
    if has_bytes {
        import.file("a photo", &mut Cursor::new(photo)).unwrap();
    }
    let mut row = message(n, &text(n));
    row.set_attachments(&[Attachment {
        name: Some("again.jpg".to_owned()),
        mime: None,
        size: Some(bytes),
        role: Role::Photo,
        presence: Presence::Present,
        hash: Some(hash),
        source_ref: None,
        rest: Default::default(),
    }]);
    import.row(&chat(2), row).unwrap();
    import.finish().unwrap();
}

fn text(n: u64) -> String {
    format!("the photo again, {n}.")
}

/// Whether the phone's message was in the log before the head that purged: then the purge had to know of it.
async fn came_first(timed: &Timed, phone: &Device, before: u64) -> bool {
    let stored = Stored::of(&timed.world, &phone.vault).await;
    let me = phone.vault.session.device.id();
    let since = || stored.entries.iter().filter(|(_, entry)| entry.index >= before);
    let mine = since().find(|(leaf, entry)| {
        leaf.record.header.device == me && leaf.record.header.kind == RecordKind::Events && !entry.body.is_empty()
    });
    let purges = |(leaf, entry): &&(Leaf, Entry)| {
        let head = leaf.record.header.kind == RecordKind::Head;
        let clear = leaf.record.split_body(&entry.body).ok().filter(|_| head);
        let clear = clear.and_then(|(clear, _)| HeadClear::decode(clear).ok());
        clear.is_some_and(|clear| clear.drops.iter().any(|drop| drop.reason == DropReason::Purged))
    };
    let purge = since().find(purges).map(|(_, entry)| entry.index);
    mine.is_some_and(|(_, entry)| purge.is_none_or(|purge| entry.index < purge))
}

/// A device has the photo that the phone's message of this number names.
pub fn holds(device: &Device, n: u64, photo: &[u8]) {
    let hash = blake3::hash(photo).to_hex().to_string();
    let lines = listed(&device.archive);
    let line = lines.iter().find(|line| line.contains(&text(n))).unwrap();
    assert!(line.ends_with(&hash), "message {n}: {line}");
}

/// Seeds of one account, so that not each pays for signing in.
const ROUNDS: u64 = 25;

/// In each round another photo: the tablet, which has no photos, purges the message that brought it while the phone
/// names it again.
async fn race(seeds: std::ops::Range<u64>) {
    let timed = Timed::new();
    let draw = Draw::new(seeds.start << 32);
    let at = || -> Where {
        let mut at = timed.at();
        at.connector = Jittery::new(timed.world.service.service.clone(), draw.clone());
        at.env.hands = Hands::Own;
        at
    };
    let (joined, _) = register_at(at(), "ana", "laptop").await.unwrap();
    let mut laptop = Device::install(joined);
    import(&mut laptop.archive, 1, 5, 6, 0);
    laptop.backup().await;
    let joined = Vault::login(at(), name("ana"), by_passphrase(PASSPHRASE), label("phone")).await.unwrap();
    let mut phone = Device::install(joined);
    assert!(phone.restore().await.is_whole());
    let joined = Vault::login(at(), name("ana"), by_passphrase(PASSPHRASE), label("tablet")).await.unwrap();
    let mut tablet = Device::install(joined);
    tablet.sync().await;
    let (mut kept, mut orders) = (BTreeSet::new(), [0; 2]);
    for seed in seeds.clone() {
        let n = seed * 20 + 10;
        import(&mut laptop.archive, 1, n, n + 1, 3_000);
        import(&mut laptop.archive, 1, n + 10, n + 11, 3_000);
        laptop.sync().await;
        delete(&mut laptop.archive, &format!("message {n} of chat 1"), timed.now());
        laptop.backup().await;
        phone.sync().await;
        tablet.sync().await;
        timed.wait(25);
        let has_bytes = seed % 2 == 0;
        bring(&mut phone.archive, n, &photo_bytes(1, n, 3_000), has_bytes);
        let before = timed.world.meta.log_size(&caller(&timed.world, &phone.vault).await).await.unwrap();
        let (first, second) = (draw.below(100), draw.below(6_000));
        let purge = async {
            tokio::time::sleep(Duration::from_millis(first)).await;
            tablet.sync().await
        };
        let use_again = async {
            tokio::time::sleep(Duration::from_millis(second)).await;
            phone.sync().await
        };
        let (_, _) = tokio::join!(purge, use_again);
        let first = came_first(&timed, &phone, before).await;
        orders[usize::from(first)] += 1;
        if has_bytes || first {
            kept.insert(n);
        }
        tablet.sync().await;
        phone.sync().await;
        phone.restore().await;
        if has_bytes || first {
            holds(&phone, n, &photo_bytes(1, n, 3_000));
        }
        assert_eq!(phone.archive.counts().unwrap().waiting, 0, "seed {seed}: the photo waits");
    }
    timed.wait(3);
    timed.sweep().await;
    let joined = Vault::login(at(), name("ana"), by_passphrase(PASSPHRASE), label("fresh")).await.unwrap();
    let mut fresh = Device::install(joined);
    fresh.restore().await;
    let lines = listed(&fresh.archive);
    assert_eq!(lines.len() as u64, 1 + 2 * (seeds.end - seeds.start));
    for n in kept {
        holds(&fresh, n, &photo_bytes(1, n, 3_000));
    }
    assert!(orders[0] > 0 && orders[1] > 0, "{orders:?}: both came first");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn no_photo_is_lost_to_a_purge_of_that_moment() {
    for first in (0..times(100, 1_000) as u64).step_by(ROUNDS as usize) {
        race(first..first + ROUNDS).await;
    }
}
