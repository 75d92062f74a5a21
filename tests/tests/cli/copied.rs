//! A copied home, through the programs: told, and made a device of its own without losing anything.

use std::process::Command;

use tests::cli::{Machine, Site};

fn copy(site: &Site, of: &Machine, name: &str) -> Machine {
    let copied = site.machine(name);
    assert!(Command::new("cp").arg("-a").arg(&of.home).arg(&copied.home).status().unwrap().success());
    copied
}

#[test]
fn a_copied_home_is_told_and_signs_in_again_as_a_device_of_its_own() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 10, 0);
    laptop.run(&["backup"]).succeeds();
    let image = copy(&site, &laptop, "image");
    laptop.import(1, 10, 15, 0);
    laptop.run(&["backup"]).succeeds();
    image.import(2, 0, 5, 0);
    let told = image.run(&["backup"]).fails(13, "E_DEVICE_CLONED");
    assert!(told.stderr.contains("another machine runs with this device's keys (a restored disk image?)"), "{told:?}");
    assert!(told.stderr.contains("sign in again here"), "{told:?}");
    let warned = image.run(&["status", "--json"]).object()["warnings"].to_string();
    assert!(warned.contains("W_DEVICE_CLONED"), "{warned}");

    // Ending the copy does not end the device it was copied from.
    let second = copy(&site, &image, "second");
    second.run(&["logout", "--yes"]).succeeds();
    laptop.run(&["sync"]).succeeds();

    // What only the copy has is kept first; then it is a device like any other.
    let kit = kit.display().to_string();
    image.run(&["login", "--kit", &kit]).fails(17, "E_UNSAVED");
    let out = site.dir.path().join("kept").display().to_string();
    image.run(&["export", "--as", "jsonl", "--out", &out]).succeeds();
    image.run(&["login", "--kit", &kit, "--yes", "--device-name", "image"]).succeeds();
    image.run(&["import", &out]).succeeds();
    image.run(&["backup"]).succeeds();
    laptop.run(&["sync"]).succeeds();
    assert_eq!(laptop.listed(), image.listed());
    assert_eq!(laptop.listed().len(), 20);
}

#[test]
fn a_device_is_called_something_else_on_all_devices() {
    let site = Site::new();
    let (laptop, phone, _) = site.laptop_and_phone(5);
    laptop.run(&["sync"]).succeeds();
    let renamed = laptop.json(&["device", "rename", "phone", "living room"]);
    assert_eq!((&renamed["changed"], &renamed["device"]["name"]), (&true.into(), &"living room".into()));
    assert_eq!(laptop.json(&["device", "rename", "living room", "living room"])["changed"], false);
    laptop.run(&["device", "rename", "laptop", "living room"]).fails(17, "E_REFUSED");
    laptop.run(&["device", "rename", "laptop", " "]).fails(17, "E_REFUSED");
    laptop.run(&["device", "rename", "nobody", "x"]).fails(14, "E_NOT_FOUND");
    phone.run(&["sync"]).succeeds();
    let names = |of: &Machine| -> Vec<String> {
        let listed = of.json(&["device", "list"]);
        listed["devices"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&laptop), ["laptop", "living room"]);
    assert_eq!(names(&phone), names(&laptop));
    assert_eq!(phone.json(&["status"])["device"]["name"], "living room");
    // The newest name is in force, whoever gave it, and it is the one to say.
    phone.run(&["device", "rename", "living room", "shelf"]).succeeds();
    laptop.run(&["sync"]).succeeds();
    assert_eq!(names(&laptop), ["laptop", "shelf"]);
    let pass = laptop.passphrase.display().to_string();
    laptop.run(&["device", "revoke", "shelf", "--yes", "--passphrase-file", &pass]).succeeds();
}
