//! An archive written out as files, and folders compared byte for byte.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use client::archive::Archive;
use client::event::Attachment;
use client::writers::{Contents, write_jsonl};

struct Media<'a>(&'a Archive);

impl Contents for Media<'_> {
    fn open(&self, attachment: &Attachment) -> io::Result<Option<Box<dyn Read + '_>>> {
        let found = self.0.attachment(attachment).map_err(io::Error::other)?;
        Ok(found.map(|content| Box::new(content) as Box<dyn Read>))
    }
}

/// Every file by its path in the folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What an archive exports.
pub fn exported(archive: &Archive) -> Files {
    let out = tempfile::tempdir().unwrap();
    let messages = archive.export(None, None, None).unwrap().map(|m| m.map_err(Into::into));
    write_jsonl(messages, Some(&Media(archive)), out.path()).unwrap();
    files(out.path())
}

pub fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match path.is_dir() {
            true => found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes))),
            false => drop(found.insert(name, std::fs::read(&path).unwrap())),
        }
    }
    found
}

/// The lines of `messages.jsonl`.
pub fn lines(files: &Files) -> Vec<String> {
    let text = files.get("messages.jsonl").map_or("", |bytes| std::str::from_utf8(bytes).unwrap());
    text.lines().map(str::to_owned).collect()
}

/// Says where two exports differ.
pub fn assert_same(got: &Files, expected: &Files) {
    for (a, b) in lines(got).iter().zip(&lines(expected)) {
        assert_eq!(a, b);
    }
    assert_eq!(lines(got).len(), lines(expected).len());
    assert!(got.keys().eq(expected.keys()), "{:?} {:?}", got.keys(), expected.keys());
    for (name, bytes) in got {
        assert!(expected.get(name) == Some(bytes), "{name} differs");
    }
}
