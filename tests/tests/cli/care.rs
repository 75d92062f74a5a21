//! Snapshots named and forgotten, and restores proven.

use serde_json::Value;
use tests::cli::{Machine, Site};

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
    let mut packs: Vec<_> = Vec::new();
    for account in std::fs::read_dir(site.dir.path().join("service/objects")).unwrap() {
        let account = account.unwrap().path();
        if account.is_dir() {
            packs.extend(std::fs::read_dir(account).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()));
        }
    }
    let largest = packs.iter().max_by_key(|p| std::fs::metadata(p).unwrap().len()).expect("packs are stored");
    std::fs::remove_file(largest).unwrap();
    // The structure is whole: only the restore itself sees that attachments are gone.
    assert_eq!(laptop.run(&["check"]).exit, 0);
    let check = laptop.run(&["check", "--restore-test", "--json"]);
    assert_eq!((check.exit, &check.object()["ok"]), (4, &false.into()), "{check:?}");
    assert_eq!(laptop.json(&["status"])["last_proven_at"], Value::Null);
}
