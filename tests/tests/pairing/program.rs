//! The programs as two people use them: each on a terminal of its own, played by Python's standard library.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::cli::{Machine, Site, chatkeep};

/// Runs `device link` and `join` side by side. Of the code that is shown `typed` is made, and `answer` is what is said
/// about the words.
const PLAYER: &str = r#"
import json, os, pty, re, select, sys, time
program, laptop_home, phone_home, server, passphrase, typed, answer = sys.argv[1:8]

def begin(home, *args):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(CHATKEEP_HOME=home, HOME=home, TERM="dumb")
        os.execv(program, [program, *args])
    return {"pid": pid, "fd": fd, "seen": "", "open": True}

def read(one):
    try:
        data = os.read(one["fd"], 4096)
    except OSError:
        data = b""
    one["open"] = bool(data)
    one["seen"] += data.decode("utf-8", "replace")

def until(one, pattern):
    while True:
        found = re.search(pattern, one["seen"])
        if found or not one["open"]:
            return found
        others = [o for o in both if o["open"]]
        ready, _, _ = select.select([o["fd"] for o in others], [], [], 60)
        if not ready:
            sys.exit("nothing happens: " + repr([o["seen"] for o in both]))
        for o in others:
            if o["fd"] in ready:
                read(o)

def say(one, text):
    # The question is there a moment before the terminal stops echoing.
    time.sleep(0.2)
    os.write(one["fd"], (text + "\n").encode())

laptop = begin(laptop_home, "device", "link")
both = [laptop]
until(laptop, "Passphrase: ")
say(laptop, passphrase)
code = until(laptop, r"Pairing code: (\S+)").group(1)
number, *words = code.split("-")
if typed == "interrupt":
    # Ctrl-C, as the terminal gives it.
    os.write(laptop["fd"], b"\x03")
    until(laptop, "(?!)")
    laptop["exit"] = os.waitstatus_to_exitcode(os.waitpid(laptop["pid"], 0)[1])
phone = begin(phone_home, "join", server, "--device-name", "phone")
both.append(phone)
until(phone, "Pairing code: ")
if typed == "typo":
    say(phone, "-".join([number, words[0] + "q", *words[1:]]))
    until(phone, "Nothing was sent")
    say(phone, code.upper().replace("-", " "))
elif typed == "wrong":
    say(phone, "-".join([number, *words[:2], "zoo" if words[2] != "zoo" else "zero"]))
else:
    say(phone, code)
found = until(laptop, r'"(.*)" \((.*)\) wants to join\. .*screens\?  (.*?) +\[y/N\] ')
theirs = until(phone, r"Check words: (.*)   \(") if found else None
if found:
    say(laptop, answer)
for one in both:
    until(one, "(?!)")
    if "exit" in one:
        continue
    one["exit"] = os.waitstatus_to_exitcode(os.waitpid(one["pid"], 0)[1])
print(json.dumps({
    "laptop": laptop["exit"], "phone": phone["exit"], "told": laptop["seen"], "phone_told": phone["seen"],
    "asked": found and found.group(1, 2, 3), "words": theirs and theirs.group(1), "code": code,
}))
"#;

fn play(laptop: &Machine, phone: &Machine, typed: &str, answer: &str) -> Value {
    let pass = std::fs::read_to_string(&laptop.passphrase).unwrap();
    let server = laptop.server.to_string();
    let mut command = Command::new("python3");
    command.args(["-c", PLAYER]).arg(chatkeep()).arg(&laptop.home).arg(&phone.home);
    command.args([&server, pass.trim_end(), typed, answer]).stdin(Stdio::null());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {told}"))
}

fn nothing_there(home: &Path) -> bool {
    !home.join("device.key").exists() && !home.join("archive").exists()
}

#[test]
fn two_screens_show_the_same_words_and_the_phone_has_everything() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 25, 0);
    laptop.run(&["backup"]).succeeds();
    let phone = site.machine("phone");
    let played = play(&laptop, &phone, "typo", "y");
    assert_eq!((&played["laptop"], &played["phone"]), (&0.into(), &0.into()), "{played}");
    assert_eq!(played["asked"], serde_json::json!(["phone", std::env::consts::OS, played["words"]]), "{played}");
    let told = played["told"].as_str().unwrap();
    assert!(told.contains("one use, expires in 10 minutes") && told.contains("Linked \"phone\"."), "{told}");
    assert!(!told.contains("seven otters"), "what is typed is not shown: {told}");
    let told = played["phone_told"].as_str().unwrap();
    assert!(told.contains("Typing error: word 1 ") && told.contains("Next: chatkeep restore"), "{told}");
    assert_eq!(phone.json(&["restore"])["messages"], 25);
    let names = laptop.json(&["device", "list"]);
    assert_eq!(names["devices"][1]["name"], "phone", "{names}");
    // The service has logged neither the words nor the name.
    let log = site.program.log.lock().unwrap().clone();
    let code = played["code"].as_str().unwrap();
    assert!(!log.contains(code.split_once('-').unwrap().1) && !log.contains("phone"));
    assert!(site.program.metrics().contains("chatkeepd_pairings_total{outcome=\"joined\"} 1"));
}

#[test]
fn a_wrong_code_and_a_no_let_nobody_in_and_both_are_told() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let phone = site.machine("phone");
    let played = play(&laptop, &phone, "wrong", "y");
    assert_eq!((&played["laptop"], &played["phone"]), (&12.into(), &12.into()), "{played}");
    for told in ["told", "phone_told"] {
        let told = played[told].as_str().unwrap();
        assert!(told.contains("error[E_PAIRING_FAILED]: the pairing code was wrong or has expired"), "{told}");
        assert!(told.contains("codes work once: run `chatkeep device link` again"), "{told}");
    }
    let played = play(&laptop, &phone, "right", "n");
    assert_eq!((&played["laptop"], &played["phone"]), (&17.into(), &12.into()), "{played}");
    assert!(nothing_there(&phone.home));
    assert_eq!(laptop.json(&["device", "list"])["devices"].as_array().unwrap().len(), 1);
}

#[test]
fn an_interrupt_makes_the_code_worthless() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let phone = site.machine("phone");
    let played = play(&laptop, &phone, "interrupt", "y");
    // The newcomer is told at once, not when it has waited for ten minutes.
    assert_eq!((&played["laptop"], &played["phone"]), (&130.into(), &12.into()), "{played}");
    assert!(nothing_there(&phone.home));
}

#[test]
fn without_a_terminal_nobody_is_let_in_and_a_typing_error_reaches_no_server() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let pass = laptop.passphrase.display().to_string();
    let refused = laptop.run(&["device", "link", "--yes", "--passphrase-file", &pass]).fails(17, "E_REFUSED");
    assert!(refused.stderr.contains("somebody has to compare three words"), "{refused:?}");
    // The server is not there: what is told of the code was found here.
    let phone = site.machine("phone").with("CHATKEEP_PAIRING_CODE", "417-lamq-orbit-civil");
    let told = phone.run(&["join", "127.0.0.1:1"]).fails(12, "E_PAIRING_FAILED");
    assert!(told.stderr.contains("word 1 of the pairing code") && !told.stderr.contains("lamq"), "{told:?}");
    let phone = phone.with("CHATKEEP_PAIRING_CODE", "417-lamp-orbit-civil");
    phone.run(&["join", "127.0.0.1:1"]).fails(20, "E_UNREACHABLE");
    let server = laptop.server.to_string();
    let told = phone.run(&["join", &server, "--json"]).fails(12, "E_PAIRING_FAILED");
    assert_eq!(told.error()["retryable"], false, "{told:?}");
    site.machine("tablet").run(&["join", &server]).fails(2, "E_INPUT_REQUIRED");
    site.machine("tablet").run(&["join"]).fails(2, "E_USAGE");
    laptop.run(&["join", &server]).fails(15, "E_TARGET_NOT_EMPTY");
    assert!(nothing_there(&phone.home));
}
