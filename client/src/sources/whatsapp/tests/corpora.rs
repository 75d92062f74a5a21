//! Real exports, compared with what is known of them and with a counter that shares no code with us.
//!
//! The samples are read in place, where `CHATKEEP_CORPORA` says; without it one line tells that nothing ran.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use serde_json::{Value, json};
use sha2_010::{Digest, Sha256};

use super::support::{Got, Memory, import};
use crate::merge::{Class, Line};
use crate::sources::{Answers, DateOrder, ImportError};

fn corpora() -> Option<PathBuf> {
    static TOLD: Once = Once::new();
    let folder = std::env::var_os("CHATKEEP_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        // Written past the harness's capture: a suite that did not run says so.
        TOLD.call_once(|| {
            let _ = writeln!(std::io::stderr(), "CHATKEEP_CORPORA is not set: WhatsApp samples were not read");
        });
    }
    folder
}

/// The one sample whose dates can be read in two ways.
const ASKS: &str = "french-format-test.txt";

fn load(path: &Path) -> Memory {
    let name = |p: &Path| p.file_name().unwrap().to_string_lossy().into_owned();
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        return entries.iter().fold(Memory::default(), |m, p| m.with(&name(p), fs::read(p).unwrap()));
    }
    if path.extension().is_some_and(|e| e == "zip") {
        let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
        let mut files = Memory::default();
        for at in 0..archive.len() {
            let mut entry = archive.by_index(at).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let name = entry.name().unwrap().into_owned();
            files = files.with(&name, bytes);
        }
        return files;
    }
    Memory::one(&name(path), fs::read(path).unwrap())
}

fn read(path: &Path) -> Got {
    let files = load(path);
    let got = import(&files, &Answers::default());
    if !path.ends_with(ASKS) {
        return got.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    assert!(matches!(got.err(), Some(ImportError::Undecided { .. })), "{ASKS} fits two orders");
    import(&files, &Answers { date_order: Some(DateOrder::Dmy), ..Answers::default() }).unwrap()
}

/// The line's entry in the counter's hash: time, sender, shown text.
fn entry(line: &Line) -> Vec<u8> {
    let at = chrono::DateTime::from_timestamp_millis(line.unit).unwrap().format("%Y-%m-%dT%H:%M");
    let seconds = line.seconds.map(|s| format!(":{s:02}")).unwrap_or_default();
    let sender = line.sender.as_deref().unwrap_or("");
    format!("{at}{seconds}\0{sender}\0{}\n", line.row.body().unwrap_or("")).into_bytes()
}

fn counts(got: &Got) -> Value {
    let r = &got.reading.report;
    let mut entries: Vec<Vec<u8>> = got.lines.iter().map(entry).collect();
    entries.sort();
    let hash: String = Sha256::digest(entries.concat()).iter().map(|b| format!("{b:02x}")).collect();
    json!({
        "messages": r.messages, "system": r.system, "participants": r.participants,
        "attachments": r.present + r.omitted + r.missing, "present": r.present,
        "edited": r.edited, "deleted": r.deleted, "body_hash": hash,
    })
}

#[test]
fn pairs_hold_what_they_are_known_to_hold() {
    let Some(corpora) = corpora() else { return };
    let expected: Value = serde_json::from_slice(&fs::read(corpora.join("pairs/expected.json")).unwrap()).unwrap();
    let known = expected.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("whatsapp/"));
    let mut compared = 0;
    for (name, known) in known {
        let counts = counts(&read(&corpora.join("pairs").join(name)));
        for what in ["messages", "system", "participants", "attachments", "edited", "deleted"] {
            assert_eq!(counts[what], known[what], "{name}: {what}");
        }
        compared += 1;
    }
    assert_eq!(compared, 8);
}

#[test]
fn an_independent_counter_agrees_on_every_sample() {
    let Some(corpora) = corpora() else { return };
    let counter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/count_whatsapp.py");
    let mut paths = Vec::new();
    for folder in ["locales", "date-orders", "lorem"] {
        paths.extend(fs::read_dir(corpora.join("whatsapp").join(folder)).unwrap().map(|e| e.unwrap().path()));
    }
    for sample in ["ios-private-chat", "android-private-chat", "timelinize-ios-markers", "chat-analytics-2A_5M.txt"] {
        paths.push(corpora.join("whatsapp").join(sample));
    }
    paths.extend(fs::read_dir(corpora.join("pairs/whatsapp")).unwrap().map(|e| e.unwrap().path()));
    for path in &paths {
        let answer: &[&str] = if path.ends_with(ASKS) { &["--date-order", "dmy"] } else { &[] };
        let run = Command::new("python3").arg(&counter).arg(path).args(answer).output().unwrap();
        assert!(run.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&run.stderr));
        let theirs: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(counts(&read(path)), theirs, "{}", path.display());
    }
    assert_eq!(paths.len(), 25);
}

/// The same people, minutes and texts under both systems, and a longer export holds the shorter one.
#[test]
fn identities_agree_between_exports_of_one_chat() {
    let Some(corpora) = corpora() else { return };
    let read = |name: &str| read(&corpora.join("pairs/whatsapp").join(name)).lines;
    let key = |l: &Line| (l.unit, l.sender.clone(), l.class, l.normal.clone());
    let plain = |lines: &[Line]| {
        let mut keys: Vec<_> =
            lines.iter().filter(|l| l.class == Class::Plain && l.sender.is_some()).map(key).collect();
        keys.retain(|k| !k.3.contains("-WA"));
        keys.sort();
        keys
    };
    let (ios, android) = (read("ios-us.v1.zip"), read("android-gb.v1.zip"));
    assert!(plain(&ios).len() > 300);
    for (name, other) in [("gb", android), ("de", read("ios-de.v1.zip")), ("us", read("android-us.v1.zip"))] {
        let differing = plain(&ios).into_iter().zip(plain(&other)).find(|(a, b)| a != b);
        assert_eq!(differing, None, "{name}");
        assert_eq!(plain(&ios).len(), plain(&other).len(), "{name}");
    }

    let later: Vec<_> = read("ios-us.v2.zip").iter().map(key).collect();
    let gone = ios.iter().filter(|l| !later.contains(&key(l))).count();
    assert_eq!(gone, 9, "five were edited and four deleted since");
}
