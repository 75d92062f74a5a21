//! Real exports, compared with what is known of them and with a counter that shares no code with us.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2_010::{Digest, Sha256};

use super::*;
use crate::sources::export::open_path;
use crate::sources::natives::is_derived;

#[test]
fn samples_agree_with_an_independent_counter() {
    let Some(root) = std::env::var_os("CHATKEEP_CORPORA").map(PathBuf::from) else {
        // Written past the harness's capture: a suite that did not run says so.
        let _ = writeln!(std::io::stderr(), "CHATKEEP_CORPORA is not set: Telegram samples were not read");
        return;
    };
    let expected: Value = serde_json::from_slice(&fs::read(root.join("pairs/expected.json")).unwrap()).unwrap();
    let mut seen = 0;
    for folder in ["telegram", "pairs/telegram"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let ours = summary(&path);
            assert_eq!(ours, counted(&path), "{}", path.display());
            let key = format!("telegram/{}", path.file_name().unwrap().to_string_lossy());
            if let Some(known) = expected.get(key).and_then(Value::as_object) {
                // "deleted" is what these exports cannot show.
                for (name, value) in known.iter().filter(|(name, _)| *name != "deleted") {
                    assert_eq!(&ours[name], value, "{}: {name}", path.display());
                }
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2);
}

fn summary(path: &Path) -> Value {
    let opened = open_path(path).unwrap();
    let mut sink = Recorded::default();
    let reports = read(&*opened.files, &Answers::default(), &mut sink).unwrap();
    assert!(sink.skipped.is_empty() && opened.skipped.is_empty(), "{:?}", sink.skipped);
    let sum = |of: fn(&ChatReport) -> u64| reports.iter().map(of).sum::<u64>();
    let mut lines = Vec::new();
    for (_, row) in sink.rows.iter().filter(|(_, r)| matches!(r.kind, Kind::MESSAGE | Kind::POLL)) {
        let id = if is_derived(&row.native) { "" } else { &row.native };
        let time = row.sent_at().map(|_| row.time.to_string()).unwrap_or_default();
        let sender = row.sender().and_then(|s| s.native_id.or(s.name)).unwrap_or_default();
        lines.push([id, &time, &sender, row.body().unwrap_or_default()].join("\u{1f}"));
    }
    lines.sort();
    let hash: String = Sha256::digest(lines.join("\n")).iter().map(|b| format!("{b:02x}")).collect();
    serde_json::json!({
        "messages": sum(|r| r.messages), "system": sum(|r| r.system), "participants": sum(|r| r.participants),
        "attachments": sum(|r| r.present + r.omitted + r.missing), "attachments_with_bytes": sum(|r| r.present),
        "edited": sum(|r| r.edited), "reactions": sum(|r| r.reactions), "replies": sum(|r| r.replies), "body_hash": hash,
    })
}

fn counted(path: &Path) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/count_telegram.py");
    let output = Command::new("python3").arg(script).arg(path).output().expect("the samples are compared by python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
