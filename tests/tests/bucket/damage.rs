//! Every object of a bucket spoiled in turn: both readers say so, and restore the rest.

use std::fs;
use std::path::{Path, PathBuf};

use tests::world::Place;

use crate::reader;
use crate::service::Written;
use crate::whole::restored;
use crate::written::{Files, exported, lines};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Spoil {
    Remove,
    Flip,
    Truncate,
    Lengthen,
    Swap,
}

const ALL: [Spoil; 5] = [Spoil::Remove, Spoil::Flip, Spoil::Truncate, Spoil::Lengthen, Spoil::Swap];

impl Spoil {
    fn apply(self, path: &Path, other: &[u8]) {
        let mut bytes = fs::read(path).unwrap();
        match self {
            Self::Remove => return fs::remove_file(path).unwrap(),
            // In the first sealed piece, or in the signed header.
            Self::Flip => bytes[100] ^= 1,
            Self::Truncate => bytes.truncate(bytes.len() / 2),
            Self::Lengthen => bytes.push(0),
            Self::Swap => bytes = other.to_vec(),
        }
        fs::write(path, bytes).unwrap();
    }
}

/// In which ways the `at`th object is spoiled: in two, or in all where there is time.
fn spoils(at: usize) -> Vec<Spoil> {
    let turn = |n: usize| ALL[n % ALL.len()];
    (at..at + tests::times(2, ALL.len())).map(turn).collect()
}

fn objects(bucket: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(bucket).unwrap().map(|e| e.unwrap().path()) {
        // Where the service writes what is not finished yet.
        if folder.file_name().unwrap().to_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric()) {
            found.extend(fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()));
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_spoiled_in_turn_is_told_and_the_rest_restored() {
    let written = Written::with_history().await;
    let expected = exported(&written.archive);
    let bucket = written.running.bucket().await;
    let kit = written.place.dir.path().join("kit.txt");
    written.kit(&kit);
    let all = objects(&bucket);
    assert!(all.len() >= 12, "{all:?}");
    let (mut refused, mut in_part, mut without_effect) = (0, 0, 0);
    for (at, path) in all.iter().enumerate() {
        let name = path.strip_prefix(&bucket).unwrap().display().to_string();
        let whole = fs::read(path).unwrap();
        let other = fs::read(&all[(at + 1) % all.len()]).unwrap();
        for spoil in spoils(at) {
            spoil.apply(path, &other);
            let place = Place::new();
            let got = restored(&place, &bucket, &written.key).await;
            let read = reader::read(&bucket, &kit);
            let case = format!(
                "{name} {spoil:?}: {:?}; the second reader: {} {}",
                got.as_ref().map(|g| &g.1),
                read.exit,
                read.said
            );
            match got {
                Err(error) => {
                    assert!([12, 30].contains(&error.exit()), "{case}");
                    assert!(!place.home.dir().exists(), "{case}");
                    assert_ne!(read.exit, 0, "{case}");
                    refused += 1;
                }
                Ok((kept, got)) => {
                    let files = exported(&kept.reader().unwrap());
                    assert_eq!(
                        got.is_whole(),
                        files == expected && got.lost.is_empty() && got.head_at_ms.is_some(),
                        "{case}"
                    );
                    assert_eq!(got.is_whole(), read.exit == 0, "{case}");
                    assert_media_is_true(&files, &expected);
                    assert_media_is_true(&read.files, &expected);
                    if got.is_whole() {
                        assert!(files == expected && read.files == expected, "{case}");
                        without_effect += 1;
                    } else {
                        assert!(got.lost.is_empty() || got.lost.iter().any(|lost| name == lost.object), "{case}");
                        in_part += 1;
                    }
                    // Without a run its rows are missing, and nothing else.
                    let lost_rows: u64 = got.lost.iter().map(|lost| lost.rows).sum();
                    let there = lines(&files).len() as u64;
                    if got.head_at_ms.is_some() && got.lost.iter().all(|lost| lost.holds != "page") {
                        assert!(there + lost_rows >= lines(&expected).len() as u64, "{case}");
                    }
                }
            }
            fs::write(path, &whole).unwrap();
        }
    }
    println!("{refused} refused, {in_part} in part, {without_effect} without effect");
    // Slot and roster; the head and each pack it names; passphrase slot, OPAQUE record and packs that were let go.
    assert!(refused >= 4 && in_part >= 15 && without_effect >= 4, "{refused} {in_part} {without_effect}");
}

/// No attachment comes back with other bytes than it had.
fn assert_media_is_true(got: &Files, expected: &Files) {
    for (name, bytes) in got.iter().filter(|(name, _)| name.starts_with("media/")) {
        assert!(expected.get(name) == Some(bytes), "{name}");
    }
}
