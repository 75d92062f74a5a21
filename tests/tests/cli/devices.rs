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
    assert_eq!(names(&laptop.json(&["device", "list"]))[1], "null \"revoked\"");
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
