//! A service whose disk fills: it acknowledges nothing it could not keep, answers readers all the same, and goes on once
//! there is room. The disk is a real file system of a few megabytes.

use std::sync::Arc;

use client::archive::Archive;
use client::error::Error;
use client::home::{FileKeys, Home};
use client::remote::{Network, ServerAddress};
use client::sync::{BackupOptions, CheckLevel, RestoreOptions};
use client::vault::{Vault, Where, Work};
use tests::history::{chat, import, listed, message};
use tests::program::Program;
use tests::world::{PASSPHRASE, by_passphrase, label, name, reached_by, register_at};

const DISK_BYTES: u64 = 24 << 20;

fn at(service: &Program) -> Where {
    let address = ServerAddress::parse(&format!("http://{}", service.address)).unwrap();
    reached_by(Arc::new(Network::new(address, None)))
}

fn refused<T>(what: &str, done: Result<T, Error>) {
    match done {
        Ok(_) => panic!("{what} was acknowledged on a full disk"),
        Err(error) => assert_eq!(error.code(), "E_SERVER", "{what}: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_on_a_full_disk_readers_go_on_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let service = Program::on_a_disk_of(DISK_BYTES, &dir.path().join("state"));
    let home = |device: &str| Home::at(&dir.path().join(device));
    let keys = |home: &Home| FileKeys::new(&home.key_path());
    let (laptop, phone) = (home("laptop"), home("phone"));
    let joined = register_at(at(&service), "ana", "laptop").await.unwrap().0;
    let mut laptop = joined.install(&laptop, &keys(&laptop)).unwrap();
    let mut here = laptop.archive().unwrap();
    let quiet = Work::quiet();
    let work = quiet.clone().max_wait(std::time::Duration::ZERO);
    import(&mut here, 1, 0, 400, 10);
    laptop.backup(&mut here, &BackupOptions::default(), &quiet).await.unwrap();
    let joined = Vault::login(at(&service), name("ana"), by_passphrase(PASSPHRASE), label("phone")).await.unwrap();
    let mut phone = joined.install(&phone, &keys(&phone)).unwrap();
    let mut there = phone.archive().unwrap();
    let rows = |archive: &Archive| listed(archive);

    let filler = service.fill();
    // What waits here is more than the pages that the database has left.
    import(&mut here, 2, 0, 3_000, 200);
    for round in 0..3 {
        here.record(&chat(1), &message(1_000 + round, "written while there is no room")).unwrap();
        refused("a backup", laptop.backup(&mut here, &BackupOptions::default(), &work).await);
        refused("a sync", laptop.sync(&mut here, &work).await);
    }
    let known = rows(&here);
    let restored = phone.restore(&mut there, &RestoreOptions::default(), &work).await.unwrap();
    assert!(restored.is_whole(), "a reader has all that was acknowledged: {restored:?}");
    let before = rows(&there);
    assert!(before.len() >= 400 && before.iter().all(|line| known.contains(line)));
    let third = Vault::login(at(&service), name("ana"), by_passphrase(PASSPHRASE), label("tablet")).await;
    refused("a sign-in", third.map(drop));

    filler.empty();
    laptop.backup(&mut here, &BackupOptions::default(), &quiet).await.unwrap();
    phone.restore(&mut there, &RestoreOptions::default(), &quiet).await.unwrap();
    phone.sync(&mut there, &quiet).await.unwrap();
    assert_eq!(rows(&here), known, "what was written meanwhile is still here");
    assert_eq!(rows(&there), known, "and there");
    let checked = phone.check(&mut there, CheckLevel::Contents { percent: 100 }, &quiet).await.unwrap();
    assert!(checked.ok, "{checked:?}");
}
