//! The account's rule for snapshots, applied by whichever device comes along.

use tests::cli::{Machine, Site};

fn listed(machine: &Machine, all: bool) -> Vec<String> {
    let log = machine.json(if all { &["log", "--all"] } else { &["log"] });
    log["snapshots"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rule_hides_older_snapshots_on_every_device_and_never_the_newest() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let pass = laptop.passphrase.display().to_string();
    let back_up = |machine: &Machine, n: u64| {
        let export = site.dir.path().join(format!("{n}.jsonl"));
        let line =
            format!(r#"{{"id":"{n}","chat":"c","sender":"ana","ts":"2024-01-01T00:00:0{n}Z","text":"hello {n}"}}"#);
        std::fs::write(&export, line).unwrap();
        machine.run(&["backup", export.to_str().unwrap(), "--format", "jsonl"]).succeeds();
    };
    (0..4).for_each(|n| back_up(&laptop, n));
    assert_eq!(laptop.json(&["retention", "show"])["keep"], serde_json::Value::Null);
    laptop.run(&["retention", "set"]).fails(2, "E_USAGE");
    laptop.run(&["retention", "set", "--none", "--keep-last", "2"]).fails(2, "E_USAGE");
    laptop.run(&["retention", "set", "--keep-last", "0"]).fails(17, "E_REFUSED");
    let would = laptop.json(&["retention", "set", "--keep-last", "2", "--dry-run"]);
    assert_eq!((&would["changed"], &would["hides"], listed(&laptop, false).len()), (&false.into(), &2.into(), 4));
    let all = listed(&laptop, true);
    assert_eq!(laptop.json(&["retention", "set", "--keep-last", "2"])["hides"], 2);
    assert_eq!(listed(&laptop, false), all[..2]);
    assert_eq!(laptop.json(&["retention", "set", "--keep-last", "2"])["changed"], false);

    // Another device makes a backup: the rule holds there, and what it hides is hidden here.
    let phone = site.machine("phone");
    phone.run(&["login", &laptop.account(), "--passphrase-file", &pass]).succeeds();
    phone.run(&["restore"]).succeeds();
    assert_eq!(phone.json(&["retention", "show"])["keep"]["last"], 2);
    back_up(&phone, 5);
    assert_eq!(listed(&phone, false).len(), 2);
    laptop.run(&["sync"]).succeeds();
    assert_eq!((listed(&laptop, false), listed(&laptop, true).len()), (listed(&phone, false), 5));

    // What a person shows again stays shown.
    laptop.run(&["unforget", &all[3]]).succeeds();
    for machine in [&laptop, &phone, &laptop] {
        machine.run(&["sync"]).succeeds();
    }
    assert!(listed(&laptop, false).contains(&all[3]) && listed(&phone, false).contains(&all[3]));
    assert_eq!(laptop.json(&["retention", "set", "--keep-within", "1s"])["hides"], 1);
    let shown = listed(&laptop, false);
    assert!(shown.len() == 2 && shown.contains(&all[3]), "the newest is never hidden");
    assert_eq!(laptop.json(&["retention", "set", "--none"])["changed"], true);
    back_up(&laptop, 6);
    assert_eq!(listed(&laptop, false).len(), 3);
}
