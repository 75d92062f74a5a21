//! What goes wrong is told with its own code, and does no harm.

use std::time::{Duration, Instant};

use tests::cli::{Ended, Site};

use crate::interrupts::uploading;

#[test]
fn a_server_that_is_away_is_told_at_once_and_reading_goes_on() {
    let mut site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 10, 0);
    laptop.run(&["backup"]).succeeds();
    laptop.import(1, 10, 14, 0);
    site.program.kill();
    let begun = Instant::now();
    let told = laptop.run(&["backup"]).fails(20, "E_UNREACHABLE");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let head = format!("error[E_UNREACHABLE]: cannot reach {} (connection refused)\n", laptop.server);
    assert!(told.stderr.contains(&head), "{told:?}");
    let status = laptop.json(&["status"]);
    assert_eq!((&status["reachable"], &status["unsaved_messages"]), (&false.into(), &4.into()));
    assert_eq!(laptop.json(&["log"])["snapshots"].as_array().unwrap().len(), 1);
    let plan = laptop.json(&["backup", "--dry-run"]);
    assert_eq!((&plan["dry_run"], &plan["messages"]), (&true.into(), &14.into()));
    let strict = laptop.run(&["status", "--strict"]);
    assert_eq!(strict.exit, 3, "{strict:?}");
    laptop.run(&["logout"]).fails(17, "E_UNSAVED");
    site.restart();
    assert_eq!(laptop.json(&["backup"])["created"], true);
}

#[test]
fn damage_is_30_on_restore_and_4_on_check_and_never_a_wrong_passphrase() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 40, 200_000);
    laptop.run(&["backup"]).succeeds();
    // The largest pack is one of attachments: those of text are padded to 64 KiB.
    let mut packs = Vec::new();
    walk(&site.dir.path().join("service"), &mut packs);
    packs.retain(|p| p.file_name().is_some_and(|n| n.len() == 32));
    packs.sort_by_key(|p| std::fs::metadata(p).unwrap().len());
    let pack = packs.last().expect("a pack is stored");
    let mut bytes = std::fs::read(pack).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(pack, bytes).unwrap();

    let check = laptop.run(&["check", "--read-data", "--json"]);
    assert_eq!(check.exit, 4, "{check:?}");
    let found = check.object();
    assert_eq!(found["problems"][0]["object"], pack.file_name().unwrap().to_str().unwrap());
    assert_eq!((&found["ok"], &found["problems"][0]["repairable"]), (&false.into(), &true.into()));
    let phone = site.joined("phone", &kit);
    let told = phone.run(&["restore"]).fails(30, "E_DAMAGED");
    assert!(told.stderr.contains("your passphrase is correct"), "{told:?}");
    assert_eq!(phone.listed().len(), 40, "everything else is restored");
    laptop.run(&["backup"]).succeeds();
    assert_eq!(laptop.json(&["check", "--read-data"])["ok"], true, "a device that has the media repairs it");
}

fn walk(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

#[test]
fn a_second_writer_is_told_who_the_first_is_and_readers_go_on() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 40, 400_000);
    let mut first = uploading(&laptop);
    let told = laptop.run(&["sync"]).fails(11, "E_BUSY");
    let holder = format!("another chatkeep (pid {}, backup) is using this archive", first.id());
    assert!(told.stderr.contains(&holder), "{told:?}");
    laptop.run(&["status"]).succeeds();
    laptop.run(&["log"]).succeeds();
    first.kill().unwrap();
    Ended::of(first);
    // The lock ends with its holder, however that ended.
    laptop.run(&["backup"]).succeeds();
}

#[test]
fn a_fault_in_the_configuration_has_its_line() {
    let site = Site::new();
    let machine = site.machine("laptop");
    std::fs::create_dir(&machine.home).unwrap();
    std::fs::write(machine.home.join("config.toml"), "\n\n[sync]\n\n\n\nintervall = \"1m\"\n").unwrap();
    let told = machine.run(&["status"]).fails(2, "E_CONFIG");
    assert!(told.stderr.contains("config.toml:7: unknown key \"intervall\" in [sync]\n"), "{told:?}");
    assert!(told.stderr.contains("did you mean \"interval\"?"), "{told:?}");
    let error = machine.run(&["status", "--json"]).fails(2, "E_CONFIG").error();
    assert_eq!((&error["schema"], &error["details"]["line"]), (&"chatkeep.error/1".into(), &7.into()));
}

#[test]
fn nothing_set_up_unknown_words_and_missing_things_have_their_codes() {
    let site = Site::new();
    let nobody = site.machine("nobody");
    for args in [&["status"][..], &["backup"], &["log"], &["check"], &["device", "list"]] {
        let told = nobody.run(args).fails(10, "E_NOT_SET_UP");
        assert!(told.stderr.contains("no account is set up on this device\n"), "{told:?}");
    }
    assert!(!nobody.home.exists());
    let told = nobody.run(&["backup", "--lable", "x"]).fails(2, "E_USAGE");
    assert!(
        told.stderr.contains("unknown flag \"--lable\" for backup\n") && told.stderr.contains("did you mean --label?"),
        "{told:?}"
    );
    let told = nobody.run(&["bakcup"]).fails(2, "E_USAGE");
    assert!(told.stderr.contains("did you mean backup?"), "{told:?}");
    let (laptop, _) = site.registered("laptop");
    let told = laptop.run(&["forget", "3f9b"]).fails(14, "E_NOT_FOUND");
    assert!(told.stderr.contains("no snapshot starts with \"3f9b\"\n"), "{told:?}");
    laptop.run(&["device", "revoke", "nobody", "--yes"]).fails(14, "E_NOT_FOUND");
    laptop.run(&["explain", "E_NOTHING"]).fails(14, "E_NOT_FOUND");
}

#[test]
fn a_certificate_nobody_vouches_for_is_refused_and_a_private_authority_can_be_named() {
    let site = Site::with_tls();
    let url = format!("https://{}", site.program.address);
    let pass = site.machine("laptop").passphrase.display().to_string();
    let laptop = site.machine("laptop").with("CHATKEEP_SERVER", &url);
    let account = laptop.account();
    let register = ["register", &account, "--no-recovery-key", "--passphrase-file", &pass];
    let told = laptop.run(&register).fails(18, "E_TLS");
    assert!(told.stderr.contains("presented a certificate this device does not trust\n"), "{told:?}");
    assert!(!laptop.home.exists());
    let ca = site.dir.path().join("ca.pem").display().to_string();
    let laptop = laptop.with("CHATKEEP_CA_FILE", &ca);
    laptop.run(&register).succeeds();
    laptop.import(1, 0, 5, 0);
    assert_eq!(laptop.json(&["backup"])["created"], true);
}

#[test]
fn a_full_vault_is_told_with_its_totals_and_the_text_is_saved() {
    let site = Site::with(&["quota.account_bytes=1MiB"]);
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 40, 400_000);
    let told = laptop.run(&["backup", "--json"]).fails(16, "E_QUOTA").error();
    let details = &told["details"];
    assert_eq!((&details["needed_bytes"], &details["quota_bytes"]), (&2_097_152.into(), &1_048_576.into()), "{told}");
    assert_eq!((&details["unsaved_messages"], &details["attachments_waiting"]), (&0.into(), &4.into()), "{told}");
    let message = told["message"].as_str().unwrap();
    assert!(
        message.starts_with("this backup needs 2.0 MiB but ") && message.ends_with(" of 1.0 MiB is free"),
        "{message}"
    );
    laptop.run(&["logout"]).fails(17, "E_UNSAVED");
}

#[test]
fn a_restore_that_the_disk_has_no_room_for_fetches_nothing() {
    let mut site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 40, 30_000);
    laptop.run(&["backup"]).succeeds();
    let phone = site.joined("phone", &kit);
    site.program.kill();
    // The vault says that it holds more than any disk has.
    let database = rusqlite::Connection::open(site.dir.path().join("service/chatkeepd.db")).unwrap();
    assert_eq!(database.execute("UPDATE account SET used_bytes = 1 << 60", []).unwrap(), 1);
    drop(database);
    site.restart();
    let told = phone.run(&["restore"]).fails(32, "E_DISK_FULL");
    assert!(told.stderr.contains("restore needs 1024.0 PiB, ") && told.stderr.contains("`--media later`"), "{told:?}");
    assert!(phone.listed().is_empty());
    phone.run(&["restore", "--media", "later"]).succeeds();
    assert_eq!(phone.json(&["status"])["messages"], 40);
}

#[test]
fn settings_that_wait_are_no_unsaved_messages() {
    let mut site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 10, 0);
    let first = laptop.json(&["backup"])["snapshot"].as_str().unwrap().to_owned();
    laptop.import(1, 10, 13, 0);
    laptop.run(&["backup"]).succeeds();
    site.program.kill();
    laptop.run(&["forget", &first, "--yes"]).succeeds();
    let status = laptop.json(&["status"]);
    assert_eq!(status["unsaved_messages"], 0, "{status}");
    assert!(status["warnings"].as_array().unwrap().iter().all(|w| w["code"] != "W_UNSAVED"), "{status}");
    laptop.import(1, 13, 15, 0);
    assert_eq!(laptop.json(&["status"])["unsaved_messages"], 2);
}
