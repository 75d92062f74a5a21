//! The main job.

use tests::cli::Site;
use tests::world::PASSPHRASE;

#[test]
fn what_one_machine_backs_up_is_on_a_new_one() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 40, 30_000);
    laptop.import(2, 0, 25, 0);
    let first = laptop.json(&["backup", "--label", "one"]);
    assert_eq!((&first["created"], &first["messages"], &first["chats"]), (&true.into(), &65.into(), &2.into()));
    assert_eq!((&first["attachments_new"], &first["attachments_waiting"]), (&4.into(), &0.into()));
    assert!(first["uploaded_bytes"].as_u64().unwrap() > 120_000, "{first}");
    let second = laptop.json(&["backup"]);
    assert_eq!((&second["created"], &second["snapshot"]), (&false.into(), &first["snapshot"]));
    assert!(second["uploaded_bytes"].as_u64().unwrap() < 1_000, "{second}");

    let phone = site.joined("phone", &kit);
    let restored = phone.json(&["restore"]);
    assert_eq!((&restored["messages"], &restored["attachments"]), (&65.into(), &4.into()));
    assert_eq!((&restored["snapshot"], &restored["verified"]), (&first["snapshot"], &true.into()));
    assert_eq!(phone.listed(), laptop.listed());

    let log = phone.json(&["log"]);
    let [snapshot] = &log["snapshots"].as_array().unwrap()[..] else { panic!("{log}") };
    assert_eq!((&snapshot["id"], &snapshot["device"]["name"]), (&first["snapshot"], &"laptop".into()));
    assert_eq!(snapshot["labels"], serde_json::json!(["one"]));
}

#[test]
fn the_passphrase_alone_gets_in_and_media_can_come_later() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 30, 20_000);
    laptop.run(&["backup"]).succeeds();
    let phone = site.machine("phone").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    phone.run(&["login", &laptop.account()]).succeeds();
    let text = phone.json(&["restore", "--media", "later"]);
    assert_eq!((&text["messages"], &text["attachments"]), (&30.into(), &0.into()));
    assert_eq!(phone.json(&["restore"])["attachments"], 3);
    assert_eq!(phone.listed(), laptop.listed());
}

#[test]
fn two_machines_converge() {
    let site = Site::new();
    let (laptop, phone, _) = site.laptop_and_phone(20);
    laptop.import(1, 20, 40, 0);
    phone.import(2, 0, 30, 5_000);
    let (one, two) = (laptop.start(&["backup", "--json"]), phone.start(&["backup", "--json"]));
    // Whoever comes second may find that the other's snapshot holds all of both already.
    let made = [one, two].map(|child| tests::cli::Ended::of(child).succeeds().object()["created"] == true);
    assert!(made.contains(&true));
    assert_eq!(laptop.json(&["sync"])["schema"], "chatkeep.sync/1");
    phone.run(&["sync"]).succeeds();
    laptop.run(&["restore"]).succeeds();
    assert_eq!(laptop.listed(), phone.listed());
    assert_eq!(laptop.listed().len(), 70);
}

/// The texts of the first steps, as people see them.
#[test]
fn each_first_step_names_the_next() {
    let site = Site::new();
    let machine = site.machine("laptop").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    let account = machine.account();
    let told = machine.run(&["register", &account, "--no-recovery-key", "--device-name", "ana-laptop"]).succeeds();
    assert!(told.stdout.contains(&format!("Account {account} is ready. This device: \"ana-laptop\".")), "{told:?}");
    assert!(told.stdout.ends_with("Next: chatkeep backup PATH-TO-EXPORT\n"), "{told:?}");
    assert_eq!(told.stderr, "");
    let status = machine.run(&["status"]).succeeds();
    assert!(status.stdout.starts_with("Nothing is protected yet."), "{status:?}");
    machine.import(1, 0, 3, 0);
    let backup = machine.run(&["backup"]).succeeds();
    assert!(backup.stdout.contains("\nSnapshot  ") && backup.stdout.contains("  complete in "), "{backup:?}");
    let status = machine.run(&["status"]).succeeds();
    assert!(status.stdout.starts_with("Protected up to ") && status.stdout.contains("(just now)."), "{status:?}");
}
