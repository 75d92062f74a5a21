//! `kill -9` of a device and of the service at any moment: the next run completes, and nothing acknowledged is lost.

use std::collections::BTreeSet;
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
