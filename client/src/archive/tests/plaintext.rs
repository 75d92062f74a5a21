//! Nothing a person wrote stands in the home in any readable form: neither while the archive is open, nor after a kill.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::*;
use crate::archive::Query;
use crate::event::{Row, tag};
use crate::sources::{ChatInfo, Sink};

const CHILD: &str = "CHATKEEP_TEST_PLAINTEXT_HOME";

fn marker(kind: &str, i: usize) -> String {
    let hash = blake3::hash(format!("{kind} {i}").as_bytes()).to_hex();
    format!("{kind}{}", &hash[..24])
}

fn markers() -> Vec<String> {
    ["text", "name", "file", "media", "title", "label", "setting", "edit"]
        .iter()
        .flat_map(|kind| (0..25).map(|i| marker(kind, i)))
        .collect()
}

/// Writes markers through every door there is.
fn write(dir: &Path) -> crate::archive::Archive {
    let mut archive = create(dir);
    for c in 0..25 {
        let chat = if c % 2 == 0 { telegram(&marker("label", c)) } else { whatsapp(&marker("label", c)) };
        let mut sink = archive.import().unwrap();
        sink.chat(&chat, &ChatInfo { title: Some(marker("title", c)), shape: None }).unwrap();
        let content = marker("media", c).repeat(4000);
        sink.file("a file", &mut content.as_bytes()).unwrap();
        for i in 0..40 {
            let mut row =
                text(&format!("{c}/{i}"), START + i, &marker("name", c), &format!("{} ", marker("text", c)).repeat(9));
            row.set_attachments(&[present(&marker("file", c), content.as_bytes())]);
            sink.row(&chat, row).unwrap();
        }
        let mut long = text("long", START, "x", &format!("{} ", marker("text", c)).repeat(1900));
        long.fields.set(tag::EXTRA, marker("edit", c).repeat(900));
        sink.row(&chat, long).unwrap();
        sink.finish().unwrap();
        archive.commit(|k| k.set_setting(&marker("setting", c), Some(&marker("setting", c)))).unwrap();
    }
    // Sorts and searches that would spill to temporary files if they could.
    assert!(archive.search(&Query::parse(&marker("text", 3)), &Default::default(), 500).unwrap().total > 0);
    assert!(state(&archive).len() > 500);
    archive
}

/// Raw, UTF-16 in both orders, and base64 at each of its three alignments, without the ends that neighbours change.
fn forms(marker: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![marker.as_bytes().to_vec()];
    forms.push(marker.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(marker.encode_utf16().flat_map(u16::to_be_bytes).collect());
    for skip in 0..3 {
        let mut padded = vec![b'x'; skip];
        padded.extend_from_slice(marker.as_bytes());
        let encoded = base64(&padded);
        forms.push(encoded[4..encoded.len() / 4 * 4 - 4].to_vec());
    }
    forms.push(marker.to_ascii_uppercase().into_bytes());
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for three in bytes.chunks(3) {
        let n = three.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        out.extend((0..=three.len()).map(|i| LETTERS[(n >> (18 - 6 * i) & 63) as usize]));
    }
    out
}

/// Every file under a folder that holds one of the markers, and which.
fn leaks(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    // Looked up by their first eight bytes, so that one pass finds all.
    let mut by_head: std::collections::HashMap<[u8; 8], Vec<(String, Vec<u8>)>> = std::collections::HashMap::new();
    for marker in markers() {
        for form in forms(&marker) {
            by_head.entry(form[..8].try_into().unwrap()).or_default().push((marker.clone(), form));
        }
    }
    let mut begins = vec![false; 1 << 16];
    for head in by_head.keys() {
        begins[usize::from(u16::from_le_bytes([head[0], head[1]]))] = true;
    }
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let name = path.display().to_string();
            let bytes = fs::read(&path).unwrap();
            for at in 0..bytes.len().saturating_sub(7) {
                if !begins[usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))] {
                    continue;
                }
                let Some(candidates) = by_head.get(&bytes[at..at + 8]) else { continue };
                for (marker, form) in candidates {
                    if bytes[at..].starts_with(form) {
                        found.push(format!("{marker} in {name}"));
                    }
                }
            }
            assert!(!markers().iter().any(|m| name.contains(m.as_str())), "a marker names a file");
        }
    }
    found
}

#[test]
fn nothing_readable_while_open_and_after_a_kill() {
    if let Some(home) = std::env::var_os(CHILD) {
        let _open = write(Path::new(&home));
        fs::write(Path::new(&home).join("written"), b"1").unwrap();
        std::thread::sleep(Duration::from_secs(600));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // The search itself works: it finds a marker that somebody lays open.
    fs::write(
        dir.path().join("bait"),
        format!("..{}..", String::from_utf8(base64(marker("text", 7).as_bytes())).unwrap()),
    )
    .unwrap();
    assert_eq!(leaks(dir.path()).len(), 1);
    fs::remove_file(dir.path().join("bait")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "archive::tests::plaintext::nothing_readable_while_open_and_after_a_kill"])
        .env(CHILD, dir.path())
        .env("TMPDIR", dir.path())
        .env("SQLITE_TMPDIR", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(240);
    while !dir.path().join("written").exists() {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none(), "the child did not get through");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(dir.path().join("archive/archive.db-wal").exists());
    assert_eq!(leaks(dir.path()), Vec::<String>::new(), "while open");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(leaks(dir.path()), Vec::<String>::new(), "after a kill");
    let archive = reopen(dir.path());
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
    assert_eq!(archive.counts().unwrap().chats, 25);
    drop(archive);
    assert_eq!(leaks(dir.path()), Vec::<String>::new(), "after closing");
}

#[test]
fn no_error_repeats_what_a_row_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let mut row: Row = text("secret-native", START, "secret-name", "secret-text");
    row.fields.set(999, vec![0; 30_000]);
    let error = archive.commit(|c| c.add_row(&telegram("secret-chat"), &row)).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret"));
}
