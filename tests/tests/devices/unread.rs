//! A new device writes nothing before it has read what was there: it would fold away what it does not know.

use client::sync::BackupOptions;
use client::vault::{Vault, Work};
use client::{archive::Archive, error::Error};
use tests::history::{import, listed};
use tests::strata::{Stored, spoil};
use tests::world::{PASSPHRASE, Place, World, by_passphrase, refused};

async fn backup(vault: &mut Vault, archive: &mut Archive) -> client::error::Result<client::sync::Backup> {
    vault.backup(archive, &BackupOptions::default(), &Work::quiet()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_writes_nothing_before_it_has_read_everything() {
    let world = World::new();
    let places = [Place::new(), Place::new()];
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = places[0].install(joined);
    let mut one = laptop.archive().unwrap();
    import(&mut one, 1, 0, 60, 0);
    backup(&mut laptop, &mut one).await.unwrap();

    let mut phone = places[1].install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
    let mut two = phone.archive().unwrap();
    // It may take messages in at once; they wait here.
    import(&mut two, 2, 0, 10, 0);
    let before = Stored::of(&world, &laptop).await;
    let runs: Vec<_> = before.open(&laptop.ring).runs(client::pack::Family::Messages).map(|run| run.pack.id).collect();
    assert!(!runs.is_empty());
    for run in &runs {
        spoil(&world, &before.account, *run, None).await;
    }
    for _ in 0..2 {
        let error = refused(backup(&mut phone, &mut two).await);
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        let error = refused(phone.sync(&mut two, &Work::quiet()).await);
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
    let after = Stored::of(&world, &laptop).await;
    let own = phone.session.device.id();
    assert!(after.entries.iter().all(|(leaf, _)| leaf.record.header.device != own), "it wrote before it had read");
    assert_eq!(after.entries.len(), before.entries.len());

    // With the history there it reads first, then writes, in one go.
    for run in &runs {
        spoil(&world, &before.account, *run, Some(&before.packs[run])).await;
    }
    let done = backup(&mut phone, &mut two).await.unwrap();
    assert_eq!((done.messages, done.disagreed), (70, false));
    laptop.sync(&mut one, &Work::quiet()).await.unwrap();
    assert_eq!(listed(&one), listed(&two));
    assert_eq!(listed(&one).len(), 70);
}
