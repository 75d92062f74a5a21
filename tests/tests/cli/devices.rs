//! Lost devices and changed secrets.

use tests::cli::Site;
use tests::world::PASSPHRASE;

const NEW: &str = "four green kettles whistle";

#[test]
fn a_lost_device_is_put_out_and_keeps_only_what_it_had() {
    let site = Site::new();
    let (laptop, phone, _) = site.laptop_and_phone(10);
    laptop.run(&["sync"]).succeeds();
    let names = |list: &serde_json::Value| -> Vec<String> {
        list["devices"].as_array().unwrap().iter().map(|d| format!("{} {}", d["name"], d["state"])).collect()
    };
    let listed = laptop.json(&["device", "list"]);
    assert_eq!(names(&listed), ["\"laptop\" \"active\"", "\"phone\" \"active\""]);
    let id = listed["devices"][1]["id"].as_str().unwrap().to_owned();
    let pass = laptop.passphrase.display().to_string();
    laptop.run(&["device", "revoke", "phone", "--passphrase-file", &pass]).fails(17, "E_REFUSED");
    laptop.run(&["device", "revoke", "laptop", "--yes"]).fails(17, "E_REFUSED");
    laptop.run(&["device", "revoke", &id[..6], "--yes", "--passphrase-file", &pass]).succeeds();
    let gone = laptop.json(&["device", "list"]);
    assert_eq!(names(&gone)[1], "null \"revoked\"");
    let at = gone["devices"][1]["revoked_at"].as_str().expect("when it was put out").to_owned();
    assert!(
        listed["devices"][1]["revoked_at"].is_null()
            && at.as_str() >= listed["devices"][1]["added_at"].as_str().unwrap()
    );
    phone.import(2, 0, 5, 0);
    phone.run(&["backup"]).fails(13, "E_DEVICE_REVOKED");
    phone.run(&["restore"]).fails(13, "E_DEVICE_REVOKED");
    let status = phone.json(&["status"]);
    assert_eq!((&status["signed_in"], &status["messages"]), (&false.into(), &15.into()));
    assert_eq!(laptop.json(&["backup"])["messages"], 10);
}

#[test]
fn a_changed_passphrase_replaces_the_old_one_and_signs_nobody_out() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let phone = site.joined("phone", &kit);
    let pass = laptop.passphrase.display().to_string();
    let laptop = laptop.with("CHATKEEP_NEW_PASSPHRASE", NEW);
    laptop.run(&["passphrase", "change", "--passphrase-file", &pass]).succeeds();
    laptop.run(&["passphrase", "check", "--passphrase-file", &pass]).fails(12, "E_WRONG_PASSPHRASE");
    let laptop = laptop.with("CHATKEEP_PASSPHRASE", NEW);
    laptop.run(&["passphrase", "check"]).succeeds();
    phone.run(&["sync"]).succeeds();
    let kit = kit.display().to_string();
    laptop.run(&["recovery", "check", "--recovery-key-file", &kit]).succeeds();
    assert!(laptop.json(&["status"])["recovery"]["last_checked_at"].is_string());
}

#[test]
fn after_a_leak_neither_the_old_passphrase_nor_the_old_kit_opens_anything() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 10, 0);
    laptop.run(&["backup"]).succeeds();
    let laptop = laptop.with("CHATKEEP_NEW_PASSPHRASE", NEW).with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    laptop.run(&["passphrase", "change", "--leaked"]).fails(2, "E_INPUT_REQUIRED");
    let new_kit = site.dir.path().join("new-kit.txt");
    let new = new_kit.display().to_string();
    let changed = laptop.json(&["passphrase", "change", "--leaked", "--kit", &new]);
    assert_eq!((&changed["changed"], &changed["kit_path"]), (&true.into(), &new.as_str().into()));
    let old = kit.display().to_string();
    let thief = site.machine("thief").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    thief.run(&["login", &laptop.account()]).fails(12, "E_WRONG_PASSPHRASE");
    thief.run(&["login", "--kit", &old]).fails(12, "E_WRONG_RECOVERY_KEY");
    let phone = site.joined("phone", &new_kit);
    assert_eq!(phone.json(&["restore"])["messages"], 10);
}

#[test]
fn a_new_recovery_key_makes_the_old_kit_worthless() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let pass = laptop.passphrase.display().to_string();
    let [second, third] = ["second.txt", "third.txt"].map(|n| site.dir.path().join(n));
    let [first_text, second_text, third_text] = [&kit, &second, &third].map(|p| p.display().to_string());
    laptop.run(&["recovery", "new", "--kit", &second_text, "--passphrase-file", &pass]).succeeds();
    laptop.run(&["recovery", "check", "--recovery-key-file", &first_text]).fails(12, "E_WRONG_RECOVERY_KEY");
    laptop.run(&["recovery", "check", "--recovery-key-file", &second_text]).succeeds();
    laptop.run(&["passphrase", "check", "--passphrase-file", &pass]).succeeds();
    // The passphrase forgotten: the key alone makes a new one and a new passphrase.
    let by_key = ["recovery", "new", "--kit", &third_text, "--recovery-key-file", &second_text];
    laptop.run(&by_key).fails(2, "E_INPUT_REQUIRED");
    let laptop = laptop.with("CHATKEEP_NEW_PASSPHRASE", NEW);
    laptop.run(&by_key).succeeds();
    laptop.run(&["passphrase", "check", "--passphrase-file", &pass]).fails(12, "E_WRONG_PASSPHRASE");
    site.joined("phone", &third);
}

#[test]
fn logging_out_takes_everything_unless_it_is_to_be_kept() {
    let site = Site::new();
    let (laptop, phone, kit) = site.laptop_and_phone(10);
    phone.run(&["logout", "--dry-run"]).succeeds();
    phone.run(&["logout", "--keep-archive"]).succeeds();
    phone.run(&["backup"]).fails(10, "E_NOT_SET_UP");
    assert_eq!(phone.json(&["log"])["snapshots"].as_array().unwrap().len(), 1, "what was kept can be read");
    let kit = kit.display().to_string();
    phone.run(&["login", "--kit", &kit]).fails(15, "E_TARGET_NOT_EMPTY");
    phone.run(&["logout"]).fails(17, "E_REFUSED");
    phone.run(&["logout", "--yes"]).succeeds();
    phone.run(&["log"]).fails(10, "E_NOT_SET_UP");
    phone.run(&["login", "--kit", &kit]).succeeds();

    laptop.import(1, 10, 12, 0);
    laptop.run(&["logout"]).fails(17, "E_UNSAVED");
    laptop.run(&["logout", "--yes"]).succeeds();
    assert!(!laptop.home.join("archive").exists() && !laptop.home.join("device.key").exists());
}

#[test]
fn devices_are_listed_with_when_they_were_last_seen_and_when_they_went() {
    let site = Site::new();
    let (laptop, phone, kit) = site.laptop_and_phone(10);
    let tablet = site.joined("tablet", &kit);
    tablet.run(&["restore"]).succeeds();
    laptop.run(&["sync"]).succeeds();
    let times = |of: &str| -> Vec<(Option<String>, Option<String>)> {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let listed = laptop.json(&["device", "list"]);
        let one = |d: &serde_json::Value| (text(&d["last_seen_at"]), text(&d["revoked_at"]));
        assert_eq!(listed["devices"].as_array().unwrap().len(), 3, "{of}: {listed}");
        listed["devices"].as_array().unwrap().iter().map(one).collect()
    };
    let before = times("before");
    assert!(before.iter().all(|(_, gone)| gone.is_none()), "{before:?}");
    phone.import(2, 0, 5, 0);
    phone.run(&["backup"]).succeeds();
    tablet.run(&["logout"]).succeeds();
    laptop.run(&["sync"]).succeeds();
    let after = times("after");
    assert!(after[0].0.is_some(), "{after:?}");
    assert!(after[1].0 > before[1].0, "the phone has written since: {before:?} {after:?}");
    assert!(after[2].1.is_some() && after[1].1.is_none(), "the tablet has left: {after:?}");
    let words = laptop.run(&["device", "list"]).succeeds().stdout;
    let day = |at: &Option<String>| at.as_ref().unwrap()[..10].to_owned();
    assert!(words.lines().nth(1).unwrap().ends_with(&format!("seen {}", day(&after[1].0))), "{words}");
    assert!(words.lines().nth(2).unwrap().ends_with(&format!("left on {}", day(&after[2].1))), "{words}");
}

#[test]
fn a_device_that_was_put_out_signs_in_again_and_loses_nothing() {
    let site = Site::new();
    let (laptop, phone, kit) = site.laptop_and_phone(10);
    laptop.run(&["sync"]).succeeds();
    let [pass, kit] = [&laptop.passphrase, &kit].map(|p| p.display().to_string());
    let account = laptop.account();
    let login = ["login", &account, "--passphrase-file", &pass, "--device-name", "phone"];
    phone.run(&login).fails(15, "E_TARGET_NOT_EMPTY");
    laptop.run(&["device", "revoke", "phone", "--yes", "--passphrase-file", &pass]).succeeds();
    let told = phone.run(&["sync"]).fails(13, "E_DEVICE_REVOKED");
    assert!(told.stderr.contains(&format!("sign in again with `chatkeep login {account}`")), "{told:?}");
    // A wrong secret takes nothing away.
    let wrong = site.dir.path().join("wrong");
    std::fs::write(&wrong, "eight otters paint slowly").unwrap();
    let by_wrong = ["login", &account, "--passphrase-file", wrong.to_str().unwrap()];
    phone.run(&by_wrong).fails(12, "E_WRONG_PASSPHRASE");
    assert_eq!(phone.listed().len(), 10);
    let other = format!("bob@{}", phone.server);
    phone.run(&["login", &other, "--passphrase-file", &pass]).fails(15, "E_TARGET_NOT_EMPTY");
    phone.run(&login).succeeds();
    assert_eq!(phone.json(&["restore"])["messages"], 10);

    // What only this device has is kept first.
    laptop.run(&["sync"]).succeeds();
    laptop.run(&["device", "revoke", "phone", "--yes", "--passphrase-file", &pass]).succeeds();
    phone.import(1, 10, 15, 0);
    let told = phone.run(&["login", "--kit", &kit]).fails(17, "E_UNSAVED");
    assert!(told.stderr.contains("5 messages on this device are not backed up yet"), "{told:?}");
    assert!(told.stderr.contains("`chatkeep export --as jsonl --out DIR` keeps it"), "{told:?}");
    let before = phone.listed();
    let out = site.dir.path().join("kept").display().to_string();
    phone.run(&["export", "--as", "jsonl", "--out", &out]).succeeds();
    phone.run(&["login", "--kit", &kit, "--yes"]).succeeds();
    phone.run(&["import", &out]).succeeds();
    phone.run(&["backup"]).succeeds();
    assert_eq!(phone.listed(), before);
    laptop.run(&["sync"]).succeeds();
    assert_eq!(laptop.listed(), before);
}
