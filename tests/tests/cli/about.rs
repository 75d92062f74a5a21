//! The program about itself.

use tests::cli::Site;

#[test]
fn settings_are_written_and_tell_where_they_come_from() {
    let site = Site::new();
    let machine = site.machine("laptop");
    let get = |key: &str| machine.json(&["config", "get", key]);
    assert_eq!(get("status.stale_after")["origin"], "default");
    machine.run(&["config", "set", "status.stale_after", "3d"]).succeeds();
    machine.run(&["config", "set", "max_wait", "5m", "--profile", "work"]).succeeds();
    assert_eq!((&get("status.stale_after")["value"], &get("max_wait")["value"]), (&"3d".into(), &"2m".into()));
    assert_eq!(get("status.stale_after")["origin"], "config.toml:2");
    let work = machine.json(&["--profile", "work", "config", "get", "max_wait"]);
    assert_eq!((&work["value"], &work["origin"]), (&"5m".into(), &"config.toml:5 [profile.work]".into()));
    assert_eq!(machine.json(&["config", "get", "max_wait", "--max-wait", "7s"])["origin"], "flag --max-wait");
    let machine = site.machine("laptop").with("CHATKEEP_PROGRESS", "lines");
    let shown = machine.run(&["config", "show", "--origin"]).succeeds();
    assert!(shown.stdout.contains("progress = lines  (CHATKEEP_PROGRESS)\n"), "{shown:?}");
    machine.run(&["config", "set", "status.stale_after", "soon"]).fails(2, "E_CONFIG");
    let told = machine.run(&["config", "set", "status.stale", "3d"]).fails(2, "E_CONFIG");
    assert!(told.stderr.contains("unknown key \"status.stale\""), "{told:?}");
}

#[test]
fn a_profile_is_an_account_of_its_own() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.run(&["--profile", "work", "status"]).fails(10, "E_NOT_SET_UP");
    let pass = laptop.passphrase.display().to_string();
    let bob = format!("bob@{}", laptop.server);
    let register = ["register", &bob, "--no-recovery-key", "--passphrase-file", &pass, "--profile", "work"];
    laptop.run(&register).succeeds();
    assert_eq!(laptop.json(&["status", "--profile", "work"])["account"], bob.as_str());
    assert_eq!(laptop.json(&["status"])["account"], laptop.account().as_str());
    laptop.run(&["status", "--profile", "../work"]).fails(2, "E_USAGE");
}

#[test]
fn help_completions_and_pages_come_from_one_definition() {
    let site = Site::new();
    let machine = site.machine("laptop");
    let long = machine.run(&["backup", "--help"]).succeeds().stdout;
    let short = machine.run(&["backup", "-h"]).succeeds().stdout;
    assert!(long.contains("Examples:\n  chatkeep backup") && !short.contains("Examples:"), "{short}");
    let listed = machine.run(&["--help"]).succeeds().stdout;
    assert!(listed.contains("\n  sync "), "{listed}");
    for absent in ["setup", "view", "watch"] {
        assert!(!listed.contains(&format!("\n  {absent} ")), "{absent} is not built and must not be listed");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(machine.run(&["completions", shell]).succeeds().stdout.contains("unforget"), "{shell}");
    }
    let out = site.dir.path().join("man");
    machine.run(&["man", "--out", out.to_str().unwrap()]).succeeds();
    let page = std::fs::read_to_string(out.join("chatkeep-device-revoke.1")).unwrap();
    assert!(page.contains("recovery\\-key\\-file") && page.contains("Examples:"), "{page}");
    let told = machine.run(&["explain", "e_fork"]).succeeds().stdout;
    assert!(told.starts_with("E_FORK (exit 31)\n"), "{told}");
    assert!(machine.run(&["--version"]).succeeds().stdout.starts_with("chatkeep 0."));
}
