//! Work that is stopped, politely or not, goes on where it was.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tests::cli::{Ended, Machine, Site};

/// Starts a slow backup and waits until it has begun to upload.
pub fn uploading(machine: &Machine) -> Child {
    uploading_with(machine, &[]).0
}

/// As [`uploading`], with further flags; and every line it tells on stderr, as they come.
pub fn uploading_with(machine: &Machine, flags: &[&str]) -> (Child, Arc<Mutex<Vec<Value>>>) {
    let slow = ["backup", "--limit-upload", "200KiB/s", "--progress", "json", "--json", "--progress-interval", "1s"];
    let mut child = machine.command(&[&slow, flags].concat()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    while lines.next().expect("it tells its progress")["phase"] != "upload" {}
    let told: Arc<Mutex<Vec<Value>>> = Arc::default();
    // What it says later must not fill the pipe.
    let kept = told.clone();
    std::thread::spawn(move || lines.for_each(|line| kept.lock().unwrap().push(line)));
    (child, told)
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn stopped(name: &str, exit: i32) {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 80, 400_000);
    let child = uploading(&laptop);
    signal(&child, name);
    assert_eq!(Ended::of(child).exit, exit);
    let rest = laptop.json(&["backup"]);
    assert_eq!((&rest["created"], &rest["attachments_waiting"]), (&true.into(), &0.into()));
    // What was acknowledged is not sent again: of 3.2 MB, the padding of some packs aside, nothing goes twice.
    let stored = laptop.json(&["status"])["usage"]["stored_bytes"].as_u64().unwrap();
    assert!(stored < 5_000_000, "{stored}");
    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]).succeeds();
    assert_eq!(phone.listed(), laptop.listed());
}

#[test]
fn an_interrupt_keeps_what_was_done() {
    stopped("-INT", 130);
}

#[test]
fn a_termination_keeps_what_was_done() {
    stopped("-TERM", 143);
}

#[test]
fn a_kill_loses_nothing() {
    stopped("-KILL", -9);
}

#[test]
fn progress_is_told_when_asked_for() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 40, 400_000);
    let mut child = laptop
        .command(&["backup", "--limit-upload", "200KiB/s", "--progress", "lines", "--progress-interval", "1s"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|l| l.starts_with("backup: upload, ")), "a line each second");
    signal(&child, "-TERM");
    lines.for_each(drop);
    Ended::of(child);
    let quiet = laptop.start(&["backup", "--limit-upload", "200KiB/s"]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    signal(&quiet, "-USR1");
    std::thread::sleep(std::time::Duration::from_millis(500));
    signal(&quiet, "-TERM");
    let ended = Ended::of(quiet);
    let told: Vec<&str> = ended.stderr.lines().filter(|l| l.starts_with("backup: ")).collect();
    assert_eq!(told.len(), 1, "nothing unless a signal asks: {ended:?}");
}
