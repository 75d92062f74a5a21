//! The main job: back up here, have it all on another device.

use client::sync::{BackupOptions, RestoreOptions};
use client::vault::Work;
use tests::history::{import, listed};
use tests::world::{PASSPHRASE, Place, World, by_kit, by_passphrase};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_on_a_new_device_by_passphrase_and_by_kit() {
    let world = World::new();
    let places = [Place::new(), Place::new(), Place::new()];
    let (joined, kit) = world.register("ana", "laptop").await;
    let mut laptop = places[0].install(joined);
    let mut archive = laptop.archive().unwrap();
    import(&mut archive, 1, 0, 40, 5_000);
    import(&mut archive, 2, 0, 25, 0);
    let backup = laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    assert!(backup.created);
    assert_eq!((backup.chats, backup.messages, backup.attachments_new, backup.attachments_waiting), (2, 65, 4, 0));
    let again = laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    assert_eq!((again.created, again.snapshot, again.uploaded_bytes), (false, backup.snapshot, 0));
    let expected = listed(&archive);
    assert_eq!(expected.len(), 65);

    for (place, secret) in [(&places[1], by_passphrase(PASSPHRASE)), (&places[2], by_kit(&kit))] {
        let mut phone = place.install(world.login("ana", secret, "phone").await.unwrap());
        let mut there = phone.archive().unwrap();
        let restored = phone.restore(&mut there, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
        assert_eq!((restored.messages, restored.attachments, restored.snapshot), (65, 4, backup.snapshot));
        assert!(restored.is_whole(), "{restored:?}");
        assert_eq!(listed(&there), expected);
        assert_eq!(there.digest().unwrap().hash(), archive.digest().unwrap().hash());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_import_and_what_follows_it_arrive() {
    let world = World::new();
    let places = [Place::new(), Place::new()];
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = places[0].install(joined);
    let mut archive = laptop.archive().unwrap();
    for chat in 0..4 {
        import(&mut archive, chat, 0, 3_000, 0);
    }
    laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    for day in 1..=20 {
        import(&mut archive, day % 4, 2_900 + day as u64 * 20, 2_950 + day as u64 * 20, 2_000);
        let backup = laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
        assert!(backup.created);
    }
    let mut phone = places[1].install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
    let mut there = phone.archive().unwrap();
    let restored = phone.restore(&mut there, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    assert!(restored.is_whole(), "{restored:?}");
    assert_eq!(listed(&there), listed(&archive));
    assert_eq!(there.digest().unwrap().hash(), archive.digest().unwrap().hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_take_turns() {
    let world = World::new();
    let places = [Place::new(), Place::new()];
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = places[0].install(joined);
    let mut one = laptop.archive().unwrap();
    import(&mut one, 1, 0, 30, 1_000);
    laptop.backup(&mut one, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    let mut phone = places[1].install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
    let mut two = phone.archive().unwrap();
    phone.restore(&mut two, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    for turn in 0..10 {
        let (vault, archive) = if turn % 2 == 0 { (&mut phone, &mut two) } else { (&mut laptop, &mut one) };
        import(archive, turn, 0, 20, 500);
        let backup = vault.backup(archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
        assert!(backup.created && !backup.disagreed, "turn {turn}: {backup:?}");
    }
    laptop.sync(&mut one, &Work::quiet()).await.unwrap();
    let synced = phone.sync(&mut two, &Work::quiet()).await.unwrap();
    assert!(!synced.disagreed);
    assert_eq!(one.digest().unwrap().hash(), two.digest().unwrap().hash());
    laptop.restore(&mut one, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    phone.restore(&mut two, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    assert_eq!(listed(&one), listed(&two));
    assert_eq!(listed(&one).len(), 30 + 9 * 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_command_signs_in_with_the_token_of_the_last() {
    let world = World::new();
    let place = Place::new();
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = place.install(joined);
    let mut archive = laptop.archive().unwrap();
    import(&mut archive, 1, 0, 5, 0);
    laptop.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    let token = laptop.session.held().expect("a token").bytes;
    drop((laptop, archive));
    let mut again = place.open(&world).unwrap();
    let mut archive = again.archive().unwrap();
    assert!(again.session.held().is_none());
    again.sync(&mut archive, &Work::quiet()).await.unwrap();
    assert_eq!(again.session.held().expect("a token").bytes, token);
}
