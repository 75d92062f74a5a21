//! Where things lie: log, cache, and keys in the keyring of the operating system.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tests::cli::{Ended, Machine, Site, chatkeep};
use tests::world::PASSPHRASE;

/// A command of a machine whose folders are those of the desktop, and not one.
fn desktop(machine: &Machine, user: &Path, program: &Path, args: &[&str]) -> Command {
    let mut command = machine.command(&[]);
    let mut again = Command::new(program);
    again.args(args).env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
    again.env_remove("CHATKEEP_HOME").env("HOME", user).stdin(std::process::Stdio::null());
    again.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command.env_clear();
    again
}

#[test]
fn every_command_leaves_one_line_in_the_log_and_nobodys_name() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 5, 0);
    laptop.run(&["backup"]).succeeds();
    laptop.run(&["forget"]).fails(2, "E_USAGE");
    let path = laptop.home.join("chatkeep.log");
    let log = std::fs::read_to_string(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let of = |command: &str| log.lines().find(|l| l.contains(&format!("command=\"{command}\""))).unwrap_or_default();
    assert!(of("backup").contains("exit=0") && of("backup").contains("problem=\"none\""), "{log}");
    assert!(of("forget").contains("exit=2") && of("forget").contains("E_USAGE"), "{log}");
    let address = site.program.address.to_string();
    for name in ["ana", PASSPHRASE, address.as_str(), kit.to_str().unwrap(), "person 0"] {
        assert!(!log.contains(name), "{name}: {log}");
    }
    let failed = site.machine("phone").with("CHATKEEP_PASSPHRASE", "eight otters paint slowly");
    failed.run(&["login", &laptop.account()]).fails(12, "E_WRONG_PASSPHRASE");
    assert!(!failed.home.exists(), "a sign-in that fails leaves no log either");
}

#[test]
fn a_desktops_folders_are_used_where_no_home_is_named() {
    let site = Site::new();
    let user = site.dir.path().join("user");
    std::fs::create_dir(&user).unwrap();
    let laptop = site.machine("laptop").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    let laptop = laptop.with("XDG_STATE_HOME", &user.join("states").display().to_string());
    let run = |args: &[&str]| Ended::of(desktop(&laptop, &user, &chatkeep(), args).spawn().unwrap()).succeeds();
    let told = run(&["register", &laptop.account(), "--no-recovery-key"]);
    let key = user.join(".local/share/chatkeep/device.key");
    assert!(
        told.stderr.contains(&format!("No OS keyring here: this device's keys are in {}", key.display())),
        "{told:?}"
    );
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(user.join("states/chatkeep/chatkeep.log").is_file());
    let places = run(&["config", "path", "--json"]).object();
    assert_eq!(places["cache"], user.join(".cache/chatkeep").display().to_string());
    assert_eq!(places["path"], user.join(".config/chatkeep/config.toml").display().to_string());
    run(&["check", "--restore-test"]);
    assert!(!user.join(".cache/chatkeep").exists(), "what was needed for the proof is gone");
}

/// `gnome-keyring` plays the keyring on a bus of its own (`./test` installs both).
#[test]
fn keys_lie_in_the_keyring_of_the_operating_system_where_there_is_one() {
    let site = Site::new();
    let user = site.dir.path().join("user");
    let runtime = site.dir.path().join("run");
    for dir in [&user, &runtime] {
        std::fs::create_dir(dir).unwrap();
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let laptop = site.machine("laptop").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    let laptop = laptop.with("XDG_RUNTIME_DIR", &runtime.display().to_string());
    // Each call is a session of its own, in which the keyring is opened first.
    let script = "printf open-the-keyring | gnome-keyring-daemon --unlock --components=secrets >&2 && exec \"$@\"";
    let run = |args: &[&str]| {
        let program = chatkeep().display().to_string();
        let args = [&["--", "sh", "-c", script, "sh", &program][..], args].concat();
        let command = desktop(&laptop, &user, Path::new("dbus-run-session"), &args).spawn();
        Ended::of(command.expect("dbus-run-session is installed: apt-get install dbus gnome-keyring"))
    };
    let account = laptop.account();
    let told = run(&["register", &account, "--no-recovery-key"]);
    assert_eq!(told.exit, 0, "{told:?}");
    assert!(!told.stderr.contains("No OS keyring here"), "{told:?}");
    let data = user.join(".local/share/chatkeep");
    assert!(data.join("archive").is_dir() && !data.join("device.key").exists(), "no key lies in a file");
    let status = run(&["status", "--json"]);
    assert_eq!((status.exit, &status.object()["account"]), (0, &account.as_str().into()), "{status:?}");
    let keyring = run(&["doctor", "--json"]).object()["checks"].as_array().unwrap().clone();
    let keyring = keyring.iter().find(|c| c["name"] == "keyring").unwrap();
    assert_eq!((&keyring["result"], &keyring["detail"]), (&"ok".into(), &"the OS keyring".into()));
    // Locked, or out of reach, it is told as such; nothing looks as if it were not set up, and nothing is set up anew.
    let bare = |program: &Path, args: &[&str]| Ended::of(desktop(&laptop, &user, program, args).spawn().unwrap());
    let program = chatkeep().display().to_string();
    let locked = bare(Path::new("dbus-run-session"), &["--", &program, "status"]);
    assert!(locked.exit == 17 && locked.stderr.contains("error[E_REFUSED]: the keyring does not open: "), "{locked:?}");
    let register = ["register", &account, "--no-recovery-key"];
    for args in [&["status"][..], &register] {
        let told = bare(&chatkeep(), args).fails(17, "E_REFUSED");
        assert!(told.stderr.contains("the keyring does not open: this session has none\n"), "{told:?}");
    }
    assert!(data.join("archive").is_dir());
    let profile = ["--profile", "work", "status"];
    assert_eq!(run(&profile).exit, 10, "each home has entries of its own");
    assert_eq!(run(&["logout", "--yes"]).exit, 0);
    assert_eq!(run(&["status"]).exit, 10, "its keys are gone from the keyring");
}
