//! Snapshots named and forgotten, and restores proven.

use std::path::PathBuf;

use serde_json::Value;
use tests::cli::{Ended, Machine, Site};

fn backups(machine: &Machine, many: u64) -> Vec<String> {
    let one = |n: u64| {
        machine.import(1, n * 5, n * 5 + 5, 0);
        let label = if n.is_multiple_of(2) { "even" } else { "odd" };
        machine.json(&["backup", "--label", label])["snapshot"].as_str().unwrap().to_owned()
    };
    (0..many).map(one).collect()
}

fn shown(machine: &Machine, args: &[&str]) -> Vec<String> {
    let log = machine.json(&[&["log"], args].concat());
    log["snapshots"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn forgotten_snapshots_are_hidden_everywhere_and_come_back() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let mut ids = backups(&laptop, 4);
    ids.reverse();
    assert_eq!(shown(&laptop, &[]), ids, "newest first");
    assert_eq!(shown(&laptop, &["--label", "odd"]).len(), 2);
    assert_eq!(shown(&laptop, &["-n", "1"]), ids[..1]);

    laptop.run(&["forget"]).fails(2, "E_USAGE");
    let plan = laptop.json(&["forget", "--keep-last", "3", "--dry-run"]);
    assert_eq!((&plan["dry_run"], &plan["hide"]), (&true.into(), &serde_json::json!([ids[3]])));
    assert_eq!(shown(&laptop, &[]).len(), 4, "a plan changes nothing");
    laptop.run(&["forget", "--keep-last", "3"]).fails(17, "E_REFUSED");
    laptop.run(&["forget", "--keep-last", "3", "--yes"]).succeeds();
    laptop.run(&["forget", &ids[2][..6], "--yes"]).succeeds();
    assert_eq!(shown(&laptop, &[]), ids[..2]);
    assert_eq!(shown(&laptop, &["--all"]), ids);

    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]).succeeds();
    assert_eq!(shown(&phone, &[]), ids[..2], "the other device hides the same");
    phone.run(&["unforget", &ids[3]]).succeeds();
    laptop.run(&["sync"]).succeeds();
    assert_eq!(shown(&laptop, &[]), [&ids[0], &ids[1], &ids[3]].map(String::clone));
    assert_eq!(laptop.json(&["backup"])["created"], false, "what is hidden is no change of the history");
}

#[test]
fn the_last_snapshot_needs_the_accounts_name() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let ids = backups(&laptop, 2);
    let told = laptop.run(&["forget", &ids[0], &ids[1], "--yes"]).fails(17, "E_REFUSED");
    assert!(told.stderr.contains("this would remove every snapshot (2 of 2)\n"), "{told:?}");
    laptop.run(&["forget", "--keep-last", "0", "--yes", "--really", "bob"]).fails(17, "E_REFUSED");
    assert_eq!(shown(&laptop, &[]).len(), 2);
    laptop.run(&["forget", "--keep-last", "0", "--yes", "--really", "ana"]).succeeds();
    assert!(shown(&laptop, &[]).is_empty());
    laptop.run(&["unforget", "latest"]).succeeds();
    assert_eq!(shown(&laptop, &[]), ids[1..]);
}

#[test]
fn a_proven_restore_is_remembered_and_leaves_nothing_behind() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 60, 30_000);
    laptop.run(&["backup"]).succeeds();
    assert_eq!(laptop.json(&["status"])["last_proven_at"], Value::Null);
    let before = std::fs::read_dir(&laptop.home).unwrap().count();
    let check = laptop.json(&["check", "--restore-test"]);
    assert_eq!((&check["level"], &check["ok"]), (&"restore".into(), &true.into()), "{check}");
    assert_eq!(std::fs::read_dir(&laptop.home).unwrap().count(), before);
    assert!(laptop.json(&["status"])["last_proven_at"].is_string());
    assert!(laptop.run(&["status"]).stdout.contains("Last proven restore: 20"));
}

#[test]
fn a_restore_that_loses_something_is_no_proof() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 40, 200_000);
    laptop.run(&["backup"]).succeeds();
    std::fs::remove_file(largest(&site.packs())).unwrap();
    // The structure is whole: only the restore itself sees that attachments are gone.
    assert_eq!(laptop.run(&["check"]).exit, 0);
    let check = laptop.run(&["check", "--restore-test", "--json"]);
    assert_eq!((check.exit, &check.object()["ok"]), (4, &false.into()), "{check:?}");
    assert_eq!(laptop.json(&["status"])["last_proven_at"], Value::Null);
}

fn largest(packs: &[PathBuf]) -> &PathBuf {
    packs.iter().max_by_key(|p| std::fs::metadata(p).unwrap().len()).expect("packs are stored")
}

fn damage(pack: &PathBuf) -> String {
    let mut bytes = std::fs::read(pack).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(pack, bytes).unwrap();
    pack.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn damage_names_every_snapshot_it_touches_and_no_other() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let backup = || laptop.json(&["backup"])["snapshot"].as_str().unwrap().to_owned();
    laptop.import(1, 0, 20, 200_000);
    let first = backup();
    let early = site.packs();
    laptop.import(1, 20, 21, 0);
    let second = backup();
    let before = site.packs();
    laptop.import(1, 30, 31, 700_000);
    let third = backup();
    let late: Vec<PathBuf> = site.packs().into_iter().filter(|p| !before.contains(p)).collect();
    let (early, late) = (damage(largest(&early)), damage(largest(&late)));
    let check = laptop.run(&["check", "--read-data", "--json"]);
    assert_eq!(check.exit, 4, "{check:?}");
    let touched = |object: &str| {
        let check = check.object();
        let problem = check["problems"].as_array().unwrap().iter().find(|p| p["object"] == object).cloned();
        problem.unwrap_or_else(|| panic!("{object}: {check}"))["snapshots"].clone()
    };
    assert_eq!(touched(&late), serde_json::json!([third]));
    assert_eq!(touched(&early), serde_json::json!([third, second, first]));
}

#[test]
fn a_lost_long_text_is_told_with_its_message() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let mut text = "needle ".to_owned();
    // Words that no compression makes short.
    text.extend(tests::history::photo_bytes(1, 1, 150_000).iter().map(|byte| format!("{byte:02x}")));
    let line = serde_json::json!({
        "id": "1", "chat": "letters", "sender": "Ana", "ts": "2024-06-11T08:02:00.000Z", "text": text,
    });
    let export = site.dir.path().join("messages.jsonl");
    std::fs::write(&export, format!("{line}\n")).unwrap();
    laptop.run(&["backup", export.to_str().unwrap()]).succeeds();
    let found = laptop.run(&["search", "needle", "--json"]).succeeds();
    let message: Value = serde_json::from_str(found.stdout.lines().next().unwrap()).unwrap();
    std::fs::remove_file(largest(&site.packs())).unwrap();
    let check = laptop.run(&["check", "--read-data", "--json"]).object();
    assert_eq!(
        (&check["problems"][0]["holds"], &check["problems"][0]["messages_affected"]),
        (&"attachments".into(), &1.into())
    );
    let phone = site.joined("phone", &kit);
    let told: Ended = phone.run(&["restore", "--json"]).fails(30, "E_DAMAGED");
    let missing = &told.error()["details"]["missing"];
    assert_eq!(
        (&missing[0]["message"], &missing[0]["attachment"]),
        (&message["id"], &"a long text".into()),
        "{told:?}"
    );
}

#[test]
fn doctor_tells_name_certificate_and_index_apart() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let found = |args: &[&str], name: &str| {
        let report = laptop.json(&[&["doctor"], args].concat());
        let line = report["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).cloned();
        line.map(|l| (l["result"].clone(), l["detail"].as_str().unwrap_or_default().to_owned()))
    };
    for name in ["config", "clock", "disk", "keyring", "dns", "tls", "server", "auth", "archive", "index"] {
        assert_eq!(found(&[], name).map(|l| l.0), Some("ok".into()), "{name}");
    }
    let (result, detail) = found(&["--server", "vault.invalid"], "dns").unwrap();
    assert_eq!((result, detail.as_str()), ("fail".into(), "the server's name has no address"));
}
