//! The main job with markers in it, between real programs, and then a search of everything they left.

use std::path::Path;
use std::time::Duration;

use tests::program::{Program, acting, ended};
use tests::times;

use crate::proxy::before;
use crate::searcher::Searcher;

const ACTING: &str = env!("CARGO_BIN_EXE_acting");

/// Random letters and digits that no other text holds.
fn markers(count: usize) -> Vec<String> {
    let mut random = vec![0; count * 20];
    client::crypto::Entropy::fill(&mut client::env::SystemEntropy, &mut random);
    let letters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    random
        .chunks(20)
        .map(|c| c.iter().map(|b| char::from(letters[usize::from(*b) % letters.len()])).collect())
        .collect()
}

/// Every file below a folder with its bytes as they are now; one that goes meanwhile is passed over.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok) {
        let path = entry.path();
        found.push((format!("name of {}", path.display()), path.display().to_string().into_bytes()));
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

fn nothing_in(searcher: &Searcher, folder: &Path, deep: bool) -> usize {
    let mut found = Vec::new();
    files(folder, &mut found);
    for (name, bytes) in &found {
        let at = if deep { searcher.find(bytes) } else { searcher.plain(bytes) };
        assert!(at.is_none(), "a marker at {at:?} of {name}");
    }
    found.len()
}

#[test]
fn no_marker_is_anywhere_but_in_the_hands_of_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (data_dir, homes) = (dir.path().join("state"), dir.path().join("homes"));
    let (one, two, temporary) = (homes.join("one"), homes.join("two"), homes.join("temporary"));
    let all = markers(times(60, 1_000) + 2);
    let (own, marked) = all.split_at(2);
    let list = dir.path().join("markers");
    std::fs::write(&list, marked.join("\n")).unwrap();
    let searcher = Searcher::new(&all);
    let service = Program::start(&data_dir, None);
    let (address, wires) = before(service.address);
    std::fs::create_dir_all(&homes).unwrap();
    let start = |home: &Path, act: &[&str]| acting(Path::new(ACTING), home, address, &temporary, act);
    // Two labels that are markers too: the device's name and the snapshot's label.
    ended(start(&one, &["register", &own[0]]), "register");
    for act in [&["marked", list.to_str().unwrap()][..], &["backup", &own[1]]] {
        // Killed once on its way, then let through while its files are looked at as they change.
        let mut killed = start(&one, act);
        std::thread::sleep(Duration::from_millis(250));
        killed.kill().unwrap();
        killed.wait().unwrap();
        nothing_in(&searcher, &homes, false);
        let mut child = start(&one, act);
        while child.try_wait().unwrap().is_none() {
            nothing_in(&searcher, &homes, false);
        }
        ended(child, act[0]);
    }
    ended(start(&two, &["login", "phone"]), "login");
    ended(start(&two, &["restore"]), "restore");
    // What the owner sees holds the texts: they were there to be found.
    let shown = ended(start(&two, &["list"]), "list");
    assert!(marked.chunks_exact(5).all(|five| shown.contains(&five[0]) && shown.contains(&five[1])));
    assert!(nothing_in(&searcher, &homes, true) > 10);
    assert!(nothing_in(&searcher, &data_dir, true) > 10);
    for (bytes, way) in wires.iter().zip(["to the service", "from the service"]) {
        let bytes = bytes.lock().unwrap();
        assert!(bytes.len() > 10_000);
        assert_eq!(searcher.find(&bytes), None, "{way}");
    }
    let (log, metrics) = (service.log.lock().unwrap(), service.metrics());
    assert!(log.len() > 100 && metrics.len() > 100);
    assert_eq!((searcher.find(log.as_bytes()), searcher.find(metrics.as_bytes())), (None, None));
}
