//! On a terminal: what is asked, shown and confirmed. Python's standard library plays the terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use tests::cli::{Site, chatkeep};

/// Runs the program on a terminal and answers its questions in turn; `GROUPS` stands for the two groups it asks for.
const PLAYER: &str = r#"
import os, pty, re, sys, time
program, answers = sys.argv[1:].copy(), []
cut = program.index("--answers")
program, answers = program[:cut], program[cut + 1:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(program[0], program)
seen, told = "", 0
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data.decode("utf-8", "replace")
    question = answers[0].split("=>", 1) if answers else None
    if question and question[0] in seen[told:]:
        answer = question[1]
        if answer == "GROUPS":
            key = re.search(r"CK1((?:-[0-9A-Z]{5}){7})", seen).group(1).split("-")[1:]
            a, b = re.search(r"groups (\d) and (\d)", seen[told:]).groups()
            answer = (key[int(a) - 1] + " " + key[int(b) - 1]).lower()
        told = len(seen)
        answers.pop(0)
        time.sleep(0.1)
        os.write(fd, (answer + "\n").encode())
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen)
sys.exit(os.waitstatus_to_exitcode(status) if not answers else 99)
"#;

pub fn play(home: &Path, args: &[&str], answers: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new("python3");
    command.args(["-c", PLAYER]).arg(chatkeep()).args(args).arg("--answers").args(answers);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm");
    command.env("CHATKEEP_HOME", home).env("HOME", home).stdin(Stdio::null());
    command.envs(environment.iter().copied()).current_dir(home.parent().unwrap());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), told)
}

#[test]
fn a_passphrase_is_made_and_the_recovery_key_confirmed_and_a_lost_device_put_out() {
    let site = Site::new();
    let laptop = site.machine("laptop");
    let account = laptop.account();
    let kit = site.dir.path().join("kit.txt").display().to_string();
    let register = ["register", &account, "--kit", &kit, "--device-name", "laptop"];
    let (exit, told) = play(&laptop.home, &register, &["make one for me)=>", "Type groups=>GROUPS"], &[]);
    assert_eq!(exit, 0, "{told}");
    let made = told.split("Your passphrase:").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
    assert_eq!(made.split(' ').count(), 7, "{told}");
    let laptop = laptop.with("CHATKEEP_PASSPHRASE", made);
    laptop.run(&["passphrase", "check"]).succeeds();

    // The laptop is lost: the kit gets in, ends it, and sets a new passphrase.
    let phone = site.machine("phone");
    let answers = [
        "Which one is lost?=>laptop",
        "Choose a new passphrase=>y",
        "make one for me)=>four green kettles whistle",
        "once more=>four green kettles whistle",
    ];
    let (exit, told) = play(&phone.home, &["login", "--kit", &kit, "--device-name", "phone"], &answers, &[]);
    assert_eq!(exit, 0, "{told}");
    assert!(!told.contains("kettles"), "what is typed is not shown: {told}");
    laptop.run(&["sync"]).fails(13, "E_DEVICE_REVOKED");
    phone.with("CHATKEEP_PASSPHRASE", "four green kettles whistle").run(&["passphrase", "check"]).succeeds();
}

#[test]
fn destructive_acts_ask_and_no_means_no() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    site.joined("phone", &kit);
    laptop.run(&["sync"]).succeeds();
    let (exit, told) = play(&laptop.home, &["device", "revoke", "phone"], &["for good?=>n"], &[]);
    assert_eq!(exit, 17, "{told}");
    assert_eq!(laptop.json(&["device", "list"])["devices"][1]["state"], "active");
    // Without leave to ask nothing is asked, terminal or not.
    let (exit, told) = play(&laptop.home, &["device", "revoke", "phone", "--no-input"], &[], &[]);
    assert_eq!(exit, 17, "{told}");
}

#[test]
fn an_import_asks_what_only_the_person_knows_and_no_message_steers_the_terminal() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let export = site.dir.path().join("Family.txt");
    let lines = (10..40).map(|i| format!("[03/05/2024, 08:{i}:00] Ana: line {i} \u{1b}]0;mine\u{7}\u{202e}\n"));
    std::fs::write(&export, lines.collect::<String>()).unwrap();
    let export = export.display().to_string();
    let (exit, told) = play(&laptop.home, &["import", &export], &["dmy or mdy?=>mdy"], &[]);
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("30 messages (30 new)"), "{told}");
    let (exit, told) = play(&laptop.home, &["show", "Family", "-n", "2"], &[], &[]);
    assert_eq!(exit, 0, "{told}");
    assert!(told.contains("2024-03-05 08:39  Ana  line 39 ]0;mine "), "{told:?}");
    assert!(!told.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{told:?}");
}

#[test]
fn a_recovery_key_is_left_out_only_on_purpose() {
    let site = Site::new();
    let laptop = site.machine("laptop");
    let account = laptop.account();
    let pass = laptop.passphrase.display().to_string();
    let register = ["register", &account, "--passphrase-file", &pass];
    // "none" is asked about once more; no leads back, and an empty answer is the usual place.
    let answers =
        ["Write the recovery kit to=>none", "No recovery key?=>", "Write the recovery kit to=>", "Type groups=>GROUPS"];
    let (exit, told) = play(&laptop.home, &register, &answers, &[]);
    assert_eq!(exit, 0, "{told}");
    let kit = site.dir.path().join("chatkeep-kit-ana.txt");
    assert!(std::fs::read_to_string(&kit).unwrap().contains("CK1-"));
    assert_eq!(laptop.json(&["status"])["recovery"]["set"], true);

    let other = site.machine("other");
    let account = format!("bob@{}", other.server);
    let register = ["register", &account, "--passphrase-file", &pass];
    let answers = ["Write the recovery kit to=>none", "No recovery key?=>y"];
    let (exit, told) = play(&other.home, &register, &answers, &[]);
    assert_eq!(exit, 0, "{told}");
    assert_eq!(other.json(&["status"])["recovery"]["set"], false);
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let site = Site::new();
    let nobody = site.machine("nobody");
    let red = "\u{1b}[31merror[E_NOT_SET_UP]:\u{1b}[0m";
    let shown = |flags: &[&str], environment: &[(&str, &str)]| {
        play(&nobody.home, &[&["status"], flags].concat(), &[], environment).1
    };
    assert!(shown(&[], &[]).contains(red), "{:?}", shown(&[], &[]));
    for (flags, environment) in
        [(&[][..], &[("NO_COLOR", "1")][..]), (&[], &[("TERM", "dumb")]), (&["--color", "never"], &[])]
    {
        let told = shown(flags, environment);
        assert!(
            told.contains("error[E_NOT_SET_UP]: ") && !told.contains('\u{1b}'),
            "{flags:?} {environment:?}: {told:?}"
        );
    }
    assert!(shown(&["--color", "always"], &[("NO_COLOR", "1")]).contains(red), "a flag wins over a variable");
    assert!(!nobody.run(&["status"]).stderr.contains('\u{1b}'), "stderr is no terminal");
    assert!(nobody.run(&["status", "--color", "always"]).stderr.contains(red));
}
