//! `kill -9` of a device and of the service at any moment: the next run completes, and nothing acknowledged is lost.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::time::Duration;

use tests::program::{Program, acting, ended};
use tests::times;

const ACTING: &str = env!("CARGO_BIN_EXE_acting");

/// A random length between none and a little more than an act takes.
fn moment(n: usize) -> Duration {
    let random = blake3::hash(format!("{n} {}", std::process::id()).as_bytes());
    let part = u64::from(u16::from_le_bytes([random.as_bytes()[0], random.as_bytes()[1]]));
    Duration::from_millis(part * 1_200 / 65_536)
}

/// Packs in the service's folder.
fn packs(data_dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![data_dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map_while(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
                found.insert(name);
            }
        }
    }
    found
}

#[test]
fn killed_anywhere_and_run_again_everything_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (data_dir, one, two) = (dir.path().join("state"), dir.path().join("one"), dir.path().join("two"));
    let temporary = dir.path().join("temporary");
    let mut service = Program::start(&data_dir, None);
    let address = service.address;
    let start = |home: &Path, act: &[&str]| acting(Path::new(ACTING), home, address, &temporary, act);
    let done = |home: &Path, act: &[&str]| ended(start(home, act), &act.join(" "));
    done(&one, &["register", "laptop"]);
    done(&two, &["login", "phone"]);
    let mut expected = 0;
    for n in 0..times(4, 20) {
        let (from, to) = ((n * 1_000).to_string(), (n * 1_000 + 400).to_string());
        let import = ["import", &(n % 3).to_string(), &from, &to, "60000"];
        for act in [&import[..], &["backup", "night"], &["check"]] {
            let mut child = start(&one, act);
            std::thread::sleep(moment(n));
            child.kill().unwrap();
            child.wait().unwrap();
            let before = packs(&data_dir);
            done(&one, act);
            if act[0] == "check" {
                assert_eq!(packs(&data_dir), before, "a check sends nothing");
            }
        }
        expected += 400;
        let settled = packs(&data_dir);
        done(&one, &["backup", "night"]);
        assert_eq!(packs(&data_dir), settled, "what is acknowledged is not sent again");
        let mut child = start(&two, &["restore"]);
        std::thread::sleep(moment(n + 7));
        child.kill().unwrap();
        child.wait().unwrap();
        // The service dies while a device writes; the device goes on when it is back.
        done(&one, &["import", "9", &from, &(n * 1_000 + 50).to_string(), "30000"]);
        expected += 50;
        let child = start(&one, &["backup", "night"]);
        std::thread::sleep(moment(n + 13));
        service.kill();
        service = Program::start(&data_dir, Some(address));
        // Whatever became of it, the next one completes.
        drop(child.wait_with_output().unwrap());
        done(&one, &["backup", "night"]);
        done(&two, &["restore"]);
        let (here, there) = (done(&one, &["list"]), done(&two, &["list"]));
        assert_eq!(here.lines().count(), expected);
        assert!(!here.contains(" absent") && here == there, "round {n}: both show the same");
        done(&one, &["check"]);
    }
}

#[test]
fn events_that_were_kept_reach_every_device_whoever_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (data_dir, temporary) = (dir.path().join("state"), dir.path().join("temporary"));
    let homes = [dir.path().join("one"), dir.path().join("two")];
    let mut service = Program::start(&data_dir, None);
    let address = service.address;
    let start = |home: &Path, act: &[&str]| acting(Path::new(ACTING), home, address, &temporary, act);
    let done = |home: &Path, act: &[&str]| ended(start(home, act), &act.join(" "));
    done(&homes[0], &["register", "laptop"]);
    done(&homes[1], &["login", "phone"]);
    let mut kept = BTreeSet::new();
    let begun = std::time::Instant::now();
    // At full size for ten minutes, however many rounds that are.
    for n in (0..).take_while(|n| *n < 4 || (times(0, 1) > 0 && begun.elapsed() < Duration::from_secs(600))) {
        let from = (n * 10_000).to_string();
        let chats = ["1", "2"];
        let mut children = [0, 1].map(|i| start(&homes[i], &["record", chats[i], &from]));
        let mut said = children.each_mut().map(|child| BufReader::new(child.stdout.take().unwrap()));
        let mut lines = [String::new(), String::new()];
        for (said, lines) in said.iter_mut().zip(&mut lines) {
            while lines.lines().count() < 10 {
                assert!(said.read_line(lines).unwrap() > 0, "round {n}: it goes on until it is killed");
            }
        }
        std::thread::sleep(moment(n));
        if n % 2 == 1 {
            service.kill();
            std::thread::sleep(moment(n + 3));
            service = Program::start(&data_dir, Some(address));
            std::thread::sleep(moment(n + 5));
        }
        for (i, child) in children.iter_mut().enumerate() {
            child.kill().unwrap();
            child.wait().unwrap();
            said[i].read_to_string(&mut lines[i]).unwrap();
            let chat = chats[i];
            // The last line may have been cut off.
            let whole = lines[i].split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            kept.extend(whole.map(|number| format!("chat{chat} message {number}")));
        }
        for home in [&homes[0], &homes[1], &homes[0]] {
            done(home, &["sync"]);
        }
        let lists = homes.each_ref().map(|home| done(home, &["list"]));
        assert!(lists[0] == lists[1], "round {n}: both show the same");
        let shown = |line: &str| {
            let (chat, text) = (line.split(' ').next()?, line.split('"').nth(1)?);
            Some(format!("{chat} {text}"))
        };
        let here: BTreeSet<String> = lists[0].lines().filter_map(shown).collect();
        assert_eq!(here.len(), lists[0].lines().count(), "none is doubled");
        let lost: Vec<_> = kept.difference(&here).collect();
        assert!(lost.is_empty(), "round {n}: {lost:?}");
    }
    done(&homes[0], &["check"]);
}
