//! Secrets: where they come from, what is refused, and where they never are.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tests::cli::{Ended, Site};
use tests::world::PASSPHRASE;

#[test]
fn a_wrong_passphrase_is_told_as_such_and_leaves_nothing_behind() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let phone = site.machine("phone").with("CHATKEEP_PASSPHRASE", "eight otters paint slowly");
    let account = laptop.account();
    let told = phone.run(&["login", &account]).fails(12, "E_WRONG_PASSPHRASE");
    assert!(told.stderr.contains(&format!("that passphrase does not open {account}\n")), "{told:?}");
    assert!(!phone.home.exists(), "a failed sign-in touches nothing");
    // A name that does not exist is answered alike.
    let other = format!("nobody@{}", phone.server);
    phone.run(&["login", &other]).fails(12, "E_WRONG_PASSPHRASE");
}

#[test]
fn a_mistyped_recovery_key_is_a_typo_before_any_connection() {
    let mut site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let text = std::fs::read_to_string(&kit).unwrap();
    let key = text.lines().find(|l| l.starts_with("CK1-")).unwrap().to_owned();
    let (at, old) = key.char_indices().nth(9).unwrap();
    let wrong = format!("{}{}{}", &key[..at], if old == '7' { '8' } else { '7' }, &key[at + 1..]);
    site.program.kill();
    let phone = site.machine("phone").with("CHATKEEP_RECOVERY_KEY", &wrong);
    phone.run(&["login", &laptop.account(), "--recovery"]).fails(12, "E_RECOVERY_KEY_TYPO");
    // Written small, with spaces and look-alikes, the right one goes as far as the server, which is away.
    let spoken = key.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
    let phone = site.machine("phone").with("CHATKEEP_RECOVERY_KEY", &spoken);
    phone.run(&["login", &laptop.account(), "--recovery"]).fails(20, "E_UNREACHABLE");
    assert!(!phone.home.exists());
}

#[test]
fn without_a_source_nothing_hangs() {
    let site = Site::new();
    let machine = site.machine("laptop");
    let begun = Instant::now();
    let account = machine.account();
    let told = machine.run(&["register", &account, "--no-recovery-key"]).fails(2, "E_INPUT_REQUIRED");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(told.stderr.contains("CHATKEEP_PASSPHRASE_FILE") && told.stderr.contains("--passphrase-file"), "{told:?}");
    machine.run(&["login", &account, "--recovery"]).fails(2, "E_INPUT_REQUIRED");
    // Nor is a kit ever left out by mistake.
    let machine = machine.with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    machine.run(&["register", &account]).fails(2, "E_INPUT_REQUIRED");
    // Empty is missing, not wrong.
    std::fs::write(&machine.passphrase, "\n").unwrap();
    let file = machine.passphrase.display().to_string();
    machine.run(&["login", &account, "--passphrase-file", &file]).fails(2, "E_INPUT_REQUIRED");
    assert!(!machine.home.exists());
}

#[test]
fn the_first_source_wins() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let right = laptop.passphrase.display().to_string();
    let wrong = site.dir.path().join("wrong");
    std::fs::write(&wrong, "not this one, surely").unwrap();
    let wrong = wrong.display().to_string();
    let check = ["passphrase", "check"];
    let credentials = site.dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::copy(&laptop.passphrase, credentials.join("chatkeep-passphrase")).unwrap();
    let machine = laptop.with("CHATKEEP_PASSPHRASE", "not this one, surely");
    machine.run(&check).fails(12, "E_WRONG_PASSPHRASE");
    let machine = machine.with("CREDENTIALS_DIRECTORY", &credentials.display().to_string());
    machine.run(&check).succeeds();
    let machine = machine.with("CHATKEEP_PASSPHRASE_COMMAND", &format!("cat '{wrong}'"));
    machine.run(&check).fails(12, "E_WRONG_PASSPHRASE");
    let machine = machine.with("CHATKEEP_PASSPHRASE_FILE", &right);
    machine.run(&check).succeeds();
    machine
        .run(&["passphrase", "check", "--passphrase-command", "printf 'not this one, surely'"])
        .fails(12, "E_WRONG_PASSPHRASE");
    machine.run(&["passphrase", "check", "--passphrase-file", &right, "--passphrase-command", "false"]).succeeds();
    let mut child =
        machine.command(&["passphrase", "check", "--passphrase-file", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSPHRASE}\n").as_bytes()).unwrap();
    Ended::of(child).succeeds();
}

#[test]
fn weak_passphrases_existing_kits_and_second_accounts_are_refused() {
    let site = Site::new();
    let kit = site.dir.path().join("kit.txt");
    let kit_text = kit.display().to_string();
    let weak = site.machine("laptop").with("CHATKEEP_PASSPHRASE", "password1234");
    let account = weak.account();
    weak.run(&["register", &account, "--kit", &kit_text]).fails(17, "E_REFUSED");
    assert!(!kit.exists() && !weak.home.exists());
    std::fs::write(&kit, "mine").unwrap();
    let machine = site.machine("laptop").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    machine.run(&["register", &account, "--kit", &kit_text]).fails(15, "E_TARGET_NOT_EMPTY");
    assert_eq!(std::fs::read_to_string(&kit).unwrap(), "mine");
    std::fs::remove_file(&kit).unwrap();
    machine.run(&["register", &account, "--kit", &kit_text]).succeeds();
    for file in [kit.clone(), kit.with_extension("svg"), machine.home.join("device.key")] {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    assert_eq!(std::fs::metadata(&machine.home).unwrap().permissions().mode() & 0o777, 0o700);
    let other = site.dir.path().join("other.txt").display().to_string();
    machine.run(&["register", &account, "--kit", &other]).fails(15, "E_TARGET_NOT_EMPTY");
    let second = site.machine("second").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    second.run(&["register", &account, "--kit", &other]).fails(15, "E_NAME_TAKEN");
    assert!(!std::path::Path::new(&other).exists(), "the kit of an account that never was");
}

#[test]
fn no_secret_is_in_any_output_or_list_of_processes() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 5, 0);
    let kit_text = std::fs::read_to_string(&kit).unwrap();
    let key = kit_text.lines().find(|l| l.starts_with("CK1-")).unwrap();
    let pass = laptop.passphrase.display().to_string();
    let kit = kit.display().to_string();
    let verbose = laptop.with("CHATKEEP_LOG", "trace");
    for args in [
        &["backup"][..],
        &["doctor", "--share"],
        &["doctor", "--json"],
        &["status", "--json"],
        &["passphrase", "check", "--passphrase-file", &pass],
        &["recovery", "check", "--recovery-key-file", &kit],
        &["config", "show", "--origin"],
    ] {
        let ended = verbose.run(args).succeeds();
        for secret in [PASSPHRASE, key, &key[4..9]] {
            assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{args:?}: {ended:?}");
        }
    }
    let shared = verbose.run(&["doctor", "--share"]).succeeds().stdout;
    assert!(!shared.contains("ana@") && !shared.contains("127.0.0.1"), "a report names nobody: {shared}");
    let log = site.program.log.lock().unwrap().clone();
    assert!(!log.contains(PASSPHRASE) && !log.contains(key));
}

#[test]
fn a_kit_that_cannot_be_written_makes_no_account() {
    let site = Site::new();
    let machine = site.machine("laptop").with("CHATKEEP_PASSPHRASE", PASSPHRASE);
    let kit = site.dir.path().join("kit.txt").display().to_string();
    let account = machine.account();
    let register = ["register", &account, "--kit", &kit];
    // As on a full disk: files can be made, and nothing can be written to them.
    let full = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", full, "sh"]).arg(tests::cli::chatkeep()).args(register).env_clear();
    command.envs(machine.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let told = Ended::of(command.spawn().unwrap()).fails(32, "E_DISK_FULL");
    assert!(told.stderr.contains("kit.txt"), "{told:?}");
    assert!(!machine.home.exists() && !std::path::Path::new(&kit).exists());
    machine.run(&register).succeeds();
}
