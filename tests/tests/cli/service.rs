//! `service`, with a service manager of our own that starts what the unit says: there is none where tests run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tests::cli::{Machine, Site};

/// Does what `systemctl --user` would: one unit, its command with its variables, alive until it is stopped.
const MANAGER: &str = r#"#!/bin/sh
cd "$STATE" && echo "$*" >>asked
[ "$1" = --user ] && shift
unit=$XDG_CONFIG_HOME/systemd/user/chatkeep-sync.service
alive() { [ -f pid ] && kill -0 "$(cat pid)" 2>/dev/null; }
end() { alive && kill "$(cat pid)"; rm -f pid; }
case $1 in
  daemon-reload) ;;
  enable) touch enabled ;;
  restart) end
    sed -n 's/^Environment=/export /p; s/^ExecStart=/exec /p' "$unit" >start
    sh start >/dev/null 2>said </dev/null & echo $! >pid ;;
  disable) end; rm -f enabled ;;
  is-active) alive ;;
  is-enabled) [ -f enabled ] ;;
  *) echo "no such request: $1" >&2; exit 1 ;;
esac
"#;

struct Managed<'a> {
    site: &'a Site,
    machine: Machine,
}

impl Drop for Managed<'_> {
    fn drop(&mut self) {
        self.machine.run(&["service", "uninstall"]);
    }
}

fn managed(site: &Site) -> Managed<'_> {
    let place = |name: &str| site.dir.path().join(name);
    let (programs, state, config) = (place("programs"), place("state"), place("config"));
    for dir in [&programs, &state, &config] {
        std::fs::create_dir_all(dir).unwrap();
    }
    let manager = programs.join("systemctl");
    std::fs::write(&manager, MANAGER).unwrap();
    std::fs::set_permissions(&manager, std::fs::Permissions::from_mode(0o755)).unwrap();
    let text = |path: &Path| path.display().to_string();
    let (machine, _) = site.registered("laptop");
    let machine = machine
        .with("PATH", &format!("{}:{}", text(&programs), std::env::var("PATH").unwrap()))
        .with("HOME", &text(&place("person")))
        .with("XDG_CONFIG_HOME", &text(&config))
        .with("STATE", &text(&state));
    Managed { site, machine }
}

#[test]
fn an_installed_service_stays_in_exchange_until_it_is_taken_away() {
    let site = Site::new();
    let managed = managed(&site);
    let machine = &managed.machine;
    let unit = managed.site.dir.path().join("config/systemd/user/chatkeep-sync.service");
    let standing = || {
        let ended = machine.run(&["service", "status", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        (told["installed"] == true, told["running"] == true, told["enabled"] == true)
    };
    assert_eq!(standing(), (false, false, false));
    let would = machine.json(&["service", "install", "--dry-run"]);
    assert!(would["changed"] == false && !unit.exists());
    let told = machine.json(&["service", "install"]);
    assert_eq!((&told["changed"], &told["running"]), (&true.into(), &true.into()));
    assert_eq!(standing(), (true, true, true));
    let until = Instant::now() + Duration::from_secs(60);
    while !machine.home.join("agent.sock").exists() {
        assert!(Instant::now() < until, "it is in exchange: {}", std::fs::read_to_string(&unit).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    // It gives the home away to a command that writes, and takes it back.
    let export = managed.site.dir.path().join("one.jsonl");
    std::fs::write(&export, r#"{"id":"1","chat":"c","sender":"ana","ts":"2024-01-01T00:00:00Z","text":"hello"}"#)
        .unwrap();
    machine.run(&["import", export.to_str().unwrap(), "--format", "jsonl"]).succeeds();
    assert_eq!(standing(), (true, true, true));
    assert_eq!(machine.json(&["service", "install"])["changed"], false, "what is there already is left alone");

    let told = machine.json(&["service", "uninstall"]);
    assert!(told["changed"] == true && !unit.exists());
    assert_eq!(standing(), (false, false, false));
    let until = Instant::now() + Duration::from_secs(60);
    while machine.run(&["sync"]).exit != 0 {
        assert!(Instant::now() < until, "nobody holds the home any more");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(machine.json(&["service", "uninstall"])["changed"], false);
}

#[test]
fn without_a_manager_or_an_account_it_says_so() {
    let site = Site::new();
    let person = site.dir.path().join("person").display().to_string();
    let nobody = site.machine("nobody").with("HOME", &person).with("PATH", "");
    nobody.run(&["service", "install"]).fails(10, "E_NOT_SET_UP");
    let (laptop, _) = site.registered("laptop");
    let laptop = laptop.with("HOME", &person).with("PATH", "");
    let told = laptop.run(&["service", "install"]);
    assert!(told.exit == 3 && told.stderr.contains("W_SERVICE") && told.stderr.contains("systemctl"), "{told:?}");
    let status = laptop.run(&["service", "status"]);
    assert!(status.exit == 3 && status.stdout.starts_with("Installed, and not running."), "{status:?}");
}
