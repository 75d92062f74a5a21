//! `backup PATH` leaves attachments where they lie; what it takes from there is what the messages mean, or nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tests::cli::{Ended, Machine, Site};

use crate::files::{content, zip};

/// Attachments of so many bytes, none like another.
fn photo(n: u8, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    blake3::Hasher::new().update(&[n]).finalize_xof().fill(&mut out);
    out
}

const PHOTOS: [(&str, u8, usize); 3] = [("one.jpg", 1, 70_000), ("two.jpg", 2, 300_000), ("long.mp4", 3, 5 << 20)];

fn lines() -> String {
    let line = |(n, (name, ..)): (usize, &(&str, u8, usize))| {
        let attachment = json!({"path": format!("media/{name}"), "name": name});
        let ts = format!("2024-05-13T08:0{n}:00Z");
        json!({"id": n.to_string(), "chat": "family", "ts": ts, "sender": "Ana", "text": "look", "attachments": [attachment]})
            .to_string()
    };
    PHOTOS.iter().enumerate().map(|one| line(one) + "\n").collect()
}

/// A folder with messages and their attachments.
fn folder(at: PathBuf) -> PathBuf {
    fs::create_dir_all(at.join("media")).unwrap();
    fs::write(at.join("messages.jsonl"), lines()).unwrap();
    for (name, n, bytes) in PHOTOS {
        fs::write(at.join("media").join(name), photo(n, bytes)).unwrap();
    }
    at
}

fn in_home(machine: &Machine) -> usize {
    let media = machine.home.join("data/archive/media");
    let media = if media.is_dir() { media } else { find(&machine.home, "media").expect("a media store") };
    content(&media).len()
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    entries
        .fold(None, |found, path| found.or_else(|| if path.ends_with(name) { Some(path) } else { find(&path, name) }))
}

/// The attachments a machine's export holds, by content.
fn exported(site: &Site, machine: &Machine, to: &str) -> (Ended, Vec<Vec<u8>>) {
    let out = site.dir.path().join(to);
    let shown = out.display().to_string();
    let ended = machine.run(&["export", "family", "--as", "jsonl", "--out", &shown, "--json"]);
    let mut files: Vec<Vec<u8>> =
        content(&out).into_iter().filter(|(name, _)| !name.ends_with(".jsonl")).map(|(_, bytes)| bytes).collect();
    files.sort();
    (ended, files)
}

fn all() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = PHOTOS.iter().map(|(_, n, bytes)| photo(*n, *bytes)).collect();
    files.sort();
    files
}

#[test]
fn nothing_is_copied_and_everything_can_be_read_as_long_as_the_export_stays_and_after() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let export = folder(site.dir.path().join("export"));
    let done = laptop.json(&["backup", &export.display().to_string()]);
    assert_eq!((&done["attachments_new"], &done["attachments_waiting"]), (&json!(3), &json!(0)), "{done}");
    assert_eq!(in_home(&laptop), 0);
    let (ended, files) = exported(&site, &laptop, "from-the-export");
    assert!(ended.exit == 0 && files == all(), "{ended:?}");
    // Again, and again with the export renamed: nothing to do, and nothing lost.
    let again = laptop.json(&["backup", &export.display().to_string()]);
    assert_eq!((&again["created"], &again["uploaded_bytes"]), (&json!(false), &json!(0)), "{again}");
    fs::rename(&export, site.dir.path().join("elsewhere")).unwrap();
    let (_, files) = exported(&site, &laptop, "without-the-export");
    assert!(files.is_empty());
    laptop.run(&["restore"]).succeeds();
    assert_eq!(in_home(&laptop), 3);
    let (ended, files) = exported(&site, &laptop, "from-the-home");
    assert!(ended.exit == 0 && files == all(), "{ended:?}");
    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]).succeeds();
    assert!(exported(&site, &phone, "on-the-phone").1 == all());
}

#[test]
fn an_import_after_a_backup_copies_and_a_backup_after_an_import_does_not_read_again() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let export = folder(site.dir.path().join("export")).display().to_string();
    laptop.run(&["backup", &export]).succeeds();
    assert_eq!(in_home(&laptop), 0);
    laptop.run(&["import", &export]).succeeds();
    assert_eq!(in_home(&laptop), 3);
    laptop.run(&["backup", &export]).succeeds();
    assert_eq!(in_home(&laptop), 3);
}

#[test]
fn a_file_that_changed_since_it_was_read_is_not_sent() {
    let mut site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let export = folder(site.dir.path().join("export"));
    let (address, path) = (site.program.address, export.display().to_string());
    // Read, and not sent: the server is away.
    site.program.kill();
    laptop.run(&["backup", &path, "--max-wait", "0s"]).fails(20, "E_UNREACHABLE");
    assert_eq!(laptop.json(&["status"])["attachments_waiting"], 3);
    fs::write(export.join("media/one.jpg"), photo(9, 70_000)).unwrap();
    let two = fs::read(export.join("media/two.jpg")).unwrap();
    fs::remove_file(export.join("media/two.jpg")).unwrap();
    site.restart();
    assert_eq!(site.program.address, address);
    let ended = laptop.run(&["backup"]);
    assert!(
        matches!(ended.exit, 0 | 3) && ended.stderr.contains("2 attachments") && ended.stderr.contains(&path),
        "{ended:?}"
    );
    assert_eq!(laptop.json(&["status"])["attachments_waiting"], 2);
    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]);
    assert!(exported(&site, &phone, "part").1 == [photo(3, 5 << 20)]);
    // What the messages mean is back in its place.
    fs::write(export.join("media/one.jpg"), photo(1, 70_000)).unwrap();
    fs::write(export.join("media/two.jpg"), two).unwrap();
    laptop.run(&["backup"]).succeeds();
    phone.run(&["restore"]).succeeds();
    assert!(exported(&site, &phone, "whole").1 == all());
}

#[test]
fn an_attachment_that_changed_in_its_export_is_not_shown_for_what_it_was() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let export = folder(site.dir.path().join("export"));
    laptop.run(&["backup", &export.display().to_string()]).succeeds();
    fs::write(export.join("media/two.jpg"), photo(9, 300_000)).unwrap();
    let (_, files) = exported(&site, &laptop, "out");
    let mut rest = vec![photo(1, 70_000), photo(3, 5 << 20)];
    rest.sort();
    assert!(files == rest, "{}", files.len());
}

#[test]
fn a_zip_is_read_where_it_lies_too() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let list: Vec<(String, Vec<u8>)> =
        PHOTOS.iter().map(|(name, n, bytes)| (format!("media/{name}"), photo(*n, *bytes))).collect();
    let text = lines();
    let mut files: Vec<(&str, &[u8])> = vec![("messages.jsonl", text.as_bytes())];
    files.extend(list.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let path = site.dir.path().join("export.zip");
    fs::write(&path, zip(&files)).unwrap();
    laptop.run(&["backup", &path.display().to_string()]).succeeds();
    assert_eq!(in_home(&laptop), 0);
    assert!(exported(&site, &laptop, "here").1 == all());
    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]).succeeds();
    assert!(exported(&site, &phone, "there").1 == all());
}
