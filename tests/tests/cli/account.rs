//! The account as a whole: what it is, and that nothing is left of it when it was deleted.

use std::path::Path;
use std::time::Duration;

use tests::cli::Site;

/// Every file under a folder.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path().display().to_string()),
        }
    }
    found
}

#[test]
fn a_deleted_account_is_gone_for_every_device_and_from_the_server() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let pass = laptop.passphrase.display().to_string();
    let export = site.dir.path().join("one.jsonl");
    std::fs::write(&export, r#"{"id":"1","chat":"c","sender":"ana","ts":"2024-01-01T00:00:00Z","text":"hello"}"#)
        .unwrap();
    laptop.run(&["backup", export.to_str().unwrap(), "--format", "jsonl"]).succeeds();
    let phone = site.machine("phone");
    phone.run(&["login", &laptop.account(), "--passphrase-file", &pass]).succeeds();
    laptop.run(&["sync"]).succeeds();
    let shown = laptop.json(&["account", "show"]);
    assert_eq!((&shown["account"], &shown["devices"]), (&laptop.account().as_str().into(), &2.into()));
    assert!(shown["usage"]["stored_bytes"].as_u64().unwrap() > 0 && shown["recovery"]["set"] == true, "{shown}");

    let account = laptop.account();
    let delete = ["account", "delete", "--passphrase-file", &pass, "--yes"];
    laptop.run(&delete).fails(17, "E_REFUSED");
    laptop.run(&[&delete[..], &["--really", "ana"]].concat()).fails(17, "E_REFUSED");
    let really = [&delete[..], &["--really", &account]].concat();
    assert_eq!(laptop.json(&[&really[..], &["--dry-run"]].concat())["changed"], false);
    let wrong = site.dir.path().join("wrong");
    std::fs::write(&wrong, "seven wrong words are not the passphrase\n").unwrap();
    let guessed = ["account", "delete", "--passphrase-file", wrong.to_str().unwrap(), "--yes", "--really", &account];
    laptop.run(&guessed).fails(12, "E_WRONG_PASSPHRASE");
    phone.run(&["sync"]).succeeds();
    assert_eq!(laptop.json(&really)["changed"], true);

    for machine in [&laptop, &phone] {
        machine.run(&["sync"]).fails(13, "E_ACCOUNT_DELETED");
    }
    let third = site.machine("third");
    third.run(&["login", &account, "--passphrase-file", &pass]).fails(12, "E_WRONG_PASSPHRASE");
    assert!(laptop.run(&["search", "hello"]).succeeds().stdout.contains("hello"), "what is here stays readable");
    let told = laptop.run(&["status", "--strict"]);
    assert!(told.exit == 3 && told.stdout.contains("was deleted"), "{told:?}");

    // The service sweeps once a minute: objects first, then rows.
    let objects = site.dir.path().join("service/objects");
    let until = std::time::Instant::now() + Duration::from_secs(200);
    while !files(&objects).is_empty() {
        assert!(std::time::Instant::now() < until, "{:?} are left", files(&objects));
        std::thread::sleep(Duration::from_millis(500));
    }
    // The name is free again, for whoever comes.
    let again = site.machine("again");
    again.run(&["register", &account, "--no-recovery-key", "--passphrase-file", &pass]).succeeds();
    for machine in [&laptop, &phone] {
        machine.run(&["logout", "--yes"]).succeeds();
        assert!(!machine.home.join("archive").exists());
    }
}
