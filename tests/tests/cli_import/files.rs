//! Exports as apps write them, small.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::cli::Ended;

/// Lines of a WhatsApp chat, a minute each; the day cannot be a month.
pub fn lines(range: std::ops::Range<usize>) -> String {
    let names = ["Mum", "Ana", "Ben"];
    let line = |i: usize| format!("[13/05/2024, {:02}:{:02}:00] {}: line {i}\n", 8 + i / 60, i % 60, names[i % 3]);
    range.map(line).collect()
}

/// One Telegram chat.
pub fn telegram(messages: std::ops::Range<usize>) -> String {
    let one = |i: usize| {
        let at = 1_715_587_200 + i * 60;
        format!(
            r#"{{"id":{i},"type":"message","date":"2024-05-13T08:00:00","date_unixtime":"{at}","from":"Bea","from_id":"user1","text":"text {i}"}}"#
        )
    };
    let list: Vec<String> = messages.map(one).collect();
    format!(r#"{{"name":"Bea","type":"personal_chat","id":7,"messages":[{}]}}"#, list.join(","))
}

pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A family's export with a photo.
pub fn family(range: std::ops::Range<usize>) -> Vec<u8> {
    let text = lines(range) + "[13/05/2024, 20:00:00] Ana: \u{200e}<attached: 00000009-PHOTO.jpg>\n";
    zip(&[("_chat.txt", text.as_bytes()), ("00000009-PHOTO.jpg", b"a jpeg")])
}

pub fn write(path: PathBuf, content: impl AsRef<[u8]>) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

/// The lines of an answer, each one an object.
pub fn objects(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ended:?}"))).collect()
}

/// Every file below a folder with its content.
pub fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut list, mut waiting) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
                list.push((name, fs::read(entry.path()).unwrap()));
            }
        }
    }
    list.sort();
    list
}
