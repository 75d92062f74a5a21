//! A photo that one device uses again while another purges the only message that had it.

use std::io::Cursor;
use std::time::Duration;

use client::archive::Archive;
use client::env::Hands;
use client::event::{Attachment, Presence, Role};
use client::sources::Sink as _;
use client::vault::{Vault, Where};
use tests::history::{chat, import, listed, message, photo_bytes};
use tests::jitter::{Draw, Jittery};
use tests::timed::{Device, Timed};
use tests::times;
use tests::world::{PASSPHRASE, by_passphrase, label, name, register_at};

use crate::gone::delete;

/// Imports one message with a photo that another message may have too.
fn bring(archive: &mut Archive, n: u64, photo: Vec<u8>) {
    let mut import = archive.import().unwrap();
    let taken = import.file("a photo", &mut Cursor::new(photo)).unwrap();
    let mut row = message(n, &format!("the photo again {n}"));
    row.set_attachments(&[Attachment {
        name: Some("again.jpg".to_owned()),
        mime: None,
        size: Some(taken.bytes),
        role: Role::Photo,
        presence: Presence::Present,
        hash: Some(taken.hash),
        source_ref: None,
        rest: Default::default(),
    }]);
    import.row(&chat(2), row).unwrap();
    import.finish().unwrap();
}

async fn race(seed: u64) -> bool {
    let timed = Timed::new();
    let draw = Draw::new(seed << 32);
    let at = || -> Where {
        let mut at = timed.at();
        at.connector = Jittery::new(timed.world.service.service.clone(), draw.clone());
        at.env.hands = Hands::Own;
        at
    };
    let (joined, _) = register_at(at(), "ana", "laptop").await.unwrap();
    let mut laptop = Device::install(joined);
    import(&mut laptop.archive, 1, 10, 11, 3_000);
    import(&mut laptop.archive, 1, 20, 21, 3_000);
    laptop.backup().await;
    let joined = Vault::login(at(), name("ana"), by_passphrase(PASSPHRASE), label("phone")).await.unwrap();
    let mut phone = Device::install(joined);
    assert!(phone.restore().await.is_whole());
    delete(&mut laptop.archive, "message 10 of chat 1", timed.now());
    laptop.sync().await;
    phone.sync().await;
    timed.wait(25);
    bring(&mut phone.archive, 77, photo_bytes(1, 10, 3_000));
    let (first, second) = (draw.below(200), draw.below(200));
    let purge = async {
        tokio::time::sleep(Duration::from_millis(first)).await;
        laptop.sync().await
    };
    let use_again = async {
        tokio::time::sleep(Duration::from_millis(second)).await;
        phone.sync().await
    };
    let (_, _) = tokio::join!(purge, use_again);
    for _ in 0..2 {
        laptop.sync().await;
        phone.sync().await;
    }
    timed.wait(3);
    timed.sweep().await;
    let joined = Vault::login(at(), name("ana"), by_passphrase(PASSPHRASE), label("tablet")).await.unwrap();
    let mut fresh = Device::install(joined);
    let restored = fresh.restore().await;
    assert!(restored.is_whole() && restored.missing.is_empty(), "seed {seed}: {restored:?}");
    assert_eq!(listed(&fresh.archive), listed(&phone.archive), "seed {seed}");
    assert_eq!(listed(&fresh.archive).len(), 2);

    phone.archive.counts().unwrap().waiting == 0
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn no_photo_is_lost_to_a_purge_of_that_moment() {
    for seed in 0..times(100, 1_000) as u64 {
        assert!(race(seed).await, "seed {seed}: the photo waits");
    }
}
