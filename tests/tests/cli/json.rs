//! With `--json`, every command: stdout one object with its schema, stderr nothing but JSON.

use serde_json::Value;
use tests::cli::{Ended, Site};

fn stderr_is_json(ended: &Ended) {
    for line in ended.stderr.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ended:?}"));
        assert!(value["schema"].as_str().is_some_and(|s| s.starts_with("chatkeep.")), "{ended:?}");
    }
}

#[test]
fn every_command_answers_one_object() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 12, 9_000);
    let phone = site.joined("phone", &kit);
    let [pass, kit] = [&laptop.passphrase, &kit].map(|p| p.display().to_string());
    let out = site.dir.path().join("man").display().to_string();
    let new_kit = site.dir.path().join("kit-2.txt").display().to_string();
    let snapshot = laptop.json(&["backup"])["snapshot"].as_str().unwrap().to_owned();
    let commands: [(&[&str], &str); 25] = [
        (&["backup", "--dry-run"], "chatkeep.backup/1"),
        (&["restore"], "chatkeep.restore/1"),
        (&["restore", "--dry-run"], "chatkeep.restore/1"),
        (&["sync"], "chatkeep.sync/1"),
        (&["status"], "chatkeep.status/1"),
        (&["log", "--all", "-n", "3"], "chatkeep.log/1"),
        (&["device", "list"], "chatkeep.devices/1"),
        (&["device", "revoke", "phone", "--dry-run"], "chatkeep.device-revoke/1"),
        (&["passphrase", "check", "--passphrase-file", &pass], "chatkeep.passphrase-check/1"),
        (&["recovery", "check", "--recovery-key-file", &kit], "chatkeep.recovery-check/1"),
        (&["recovery", "new", "--kit", &new_kit, "--passphrase-file", &pass], "chatkeep.recovery-new/1"),
        (&["check"], "chatkeep.check/1"),
        (&["check", "--read-data=50%"], "chatkeep.check/1"),
        (&["check", "--restore-test"], "chatkeep.check/1"),
        (&["forget", &snapshot, "--dry-run"], "chatkeep.forget/1"),
        (&["unforget", &snapshot], "chatkeep.unforget/1"),
        (&["doctor"], "chatkeep.doctor/1"),
        (&["config", "path"], "chatkeep.config-path/1"),
        (&["config", "show", "--origin"], "chatkeep.config/1"),
        (&["config", "set", "status.stale_after", "3d"], "chatkeep.config-set/1"),
        (&["config", "get", "status.stale_after"], "chatkeep.config-get/1"),
        (&["completions", "bash"], "chatkeep.completions/1"),
        (&["man", "--out", &out], "chatkeep.man/1"),
        (&["explain", "E_QUOTA"], "chatkeep.explain/1"),
        (&["logout", "--dry-run"], "chatkeep.logout/1"),
    ];
    for (args, schema) in commands {
        // Before the command and after it, and by variable.
        let ended = laptop.run(&[args, &["--json", "--progress", "lines"]].concat());
        assert!(matches!(ended.exit, 0 | 3), "{args:?}: {ended:?}");
        assert_eq!(ended.object()["schema"], schema, "{args:?}");
        stderr_is_json(&ended);
    }
    assert_eq!(laptop.run(&["--json", "status"]).succeeds().object()["schema"], "chatkeep.status/1");
    let phone = phone.with("CHATKEEP_JSON", "1");
    assert_eq!(phone.run(&["status"]).succeeds().object()["schema"], "chatkeep.status/1");
    assert_eq!(phone.run(&["--version"]).succeeds().stdout.lines().count(), 1);
}

#[test]
fn every_failure_is_one_object_on_stderr() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let nobody = site.machine("nobody");
    let account = laptop.account();
    let failures: [(&tests::cli::Machine, &[&str], i32, &str); 8] = [
        (&nobody, &["status"], 10, "E_NOT_SET_UP"),
        (&nobody, &["login", &account], 2, "E_INPUT_REQUIRED"),
        (&nobody, &["frobnicate"], 2, "E_USAGE"),
        (&nobody, &[], 2, "E_USAGE"),
        (&nobody, &["backup", "--lable"], 2, "E_USAGE"),
        (&nobody, &["forget"], 2, "E_USAGE"),
        (&laptop, &["unforget", "abcd"], 14, "E_NOT_FOUND"),
        (&laptop, &["login", &account], 15, "E_TARGET_NOT_EMPTY"),
    ];
    for (machine, args, exit, code) in failures {
        let ended = machine.run(&[args, &["--json"]].concat()).fails(exit, code);
        stderr_is_json(&ended);
        let error = ended.error();
        assert_eq!((&error["schema"], &error["exit"]), (&"chatkeep.error/1".into(), &exit.into()), "{args:?}");
        assert_eq!(error["retryable"], false);
        assert!(error["hints"].as_array().is_some_and(|h| !h.is_empty()), "{error}");
    }
}
