//! Hostile and ordinary containers, made here by hand.

use std::fs;
use std::io::{Cursor, Write};

use tempfile::tempdir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn read(files: &dyn Files, path: &str) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    files.open(path)?.read_to_end(&mut out)?;
    Ok(out)
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn names(opened: &Opened) -> Vec<&str> {
    opened.files.list().iter().map(|e| e.path.as_str()).collect()
}

fn skipped(opened: &Opened) -> Vec<&str> {
    opened.skipped.iter().map(|(item, _)| item.as_str()).collect()
}

#[test]
fn a_zip_gives_its_safe_files_and_names_the_others() {
    let home = tempdir().unwrap();
    let path = home.path().join("e.zip");
    let mut bytes = zip(&[
        ("a/b.txt", b"hello"),
        ("xx/out.txt", b"bad"),
        ("C_/x.txt", b"bad"),
        ("t\u{1}.txt", b"bad"),
        ("c.json", b"{}"),
    ]);
    // The writer refuses such names, so they are patched in afterwards, in both places each stands.
    for (from, to) in [(b"xx/out.txt", b"../out.txt"), (b"C_/x.txt\0\0", b"C:/x.txt\0\0")] {
        let (from, to) = (&from[..8], &to[..8]);
        while let Some(at) = bytes.windows(8).position(|w| w == from) {
            bytes[at..at + 8].copy_from_slice(to);
        }
    }
    fs::write(&path, bytes).unwrap();
    let opened = open_path(&path).unwrap();
    assert_eq!(names(&opened), ["a/b.txt", "c.json"]);
    assert_eq!(opened.skipped.len(), 3, "{:?}", opened.skipped);
    assert_eq!(read(&*opened.files, "a/b.txt").unwrap(), b"hello");
    assert_eq!(read(&*opened.files, "../out.txt").unwrap_err().kind(), io::ErrorKind::NotFound);
    // Two at once.
    let mut one = opened.files.open("a/b.txt").unwrap();
    let mut start = [0; 2];
    one.read_exact(&mut start).unwrap();
    assert_eq!(read(&*opened.files, "c.json").unwrap(), b"{}");
    let mut rest = String::new();
    one.read_to_string(&mut rest).unwrap();
    assert_eq!((&start, rest.as_str()), (b"he", "llo"));
}

#[test]
fn a_zip_that_expands_too_far_is_refused() {
    let home = tempdir().unwrap();
    let path = home.path().join("bomb.zip");
    fs::write(&path, zip(&[("zeros", &vec![0; 64 << 20])])).unwrap();
    match open_path(&path) {
        Err(ImportError::Hostile(text)) => assert!(text.contains("bomb.zip") && text.contains("limit 200"), "{text}"),
        other => panic!("{:?}", other.map(|o| o.name)),
    }
    // Each of them is below the floor, and together they are not.
    let zeros = vec![0; 9 << 20];
    fs::write(&path, zip(&[("one", &zeros), ("two", &zeros)])).unwrap();
    assert!(matches!(open_path(&path).err(), Some(ImportError::Hostile(_))));
    // Below the floor the same ratio passes.
    fs::write(&path, zip(&[("zeros", &vec![0; 9 << 20])])).unwrap();
    assert_eq!(read(&*open_path(&path).unwrap().files, "zeros").unwrap().len(), 9 << 20);
}

#[test]
fn a_zip_that_lies_about_sizes_or_content_fails_while_read() {
    let home = tempdir().unwrap();
    let path = home.path().join("liar.zip");
    let honest = zip(&[("a.txt", &[b'x'; 1000])]);
    // The unpacked size stands at 24 behind the directory record's signature, the checksum at 16.
    let directory = honest.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let mut small = honest.clone();
    small[directory + 24..directory + 28].copy_from_slice(&10u32.to_le_bytes());
    fs::write(&path, small).unwrap();
    let error = read(&*open_path(&path).unwrap().files, "a.txt").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    let mut other = honest.clone();
    other[directory + 16] ^= 1;
    fs::write(&path, other).unwrap();
    assert_eq!(read(&*open_path(&path).unwrap().files, "a.txt").unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_zip_cut_anywhere_is_an_error_and_no_panic() {
    let home = tempdir().unwrap();
    let path = home.path().join("cut.zip");
    let whole = zip(&[("a.txt", b"some text some text some text"), ("b/c.txt", b"more")]);
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        if let Ok(opened) = open_path(&path) {
            for entry in opened.files.list() {
                let _ = read(&*opened.files, &entry.path);
            }
        }
    }
}

#[test]
fn a_folder_gives_its_plain_files_only() {
    let home = tempdir().unwrap();
    let root = home.path().join("export");
    fs::create_dir_all(root.join("photos")).unwrap();
    fs::write(root.join("result.json"), "{}").unwrap();
    fs::write(root.join("photos/p.jpg"), "jpg").unwrap();
    fs::write(home.path().join("secret"), "secret").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.path().join("secret"), root.join("link")).unwrap();
    let opened = open_path(&root).unwrap();
    assert_eq!(names(&opened), ["photos/p.jpg", "result.json"]);
    #[cfg(unix)]
    assert_eq!(skipped(&opened), ["link"]);
    assert_eq!(opened.name, "export");
    assert_eq!(read(&*opened.files, "photos/p.jpg").unwrap(), b"jpg");
    assert!(read(&*opened.files, "../secret").is_err());
    // The main file named alone brings its media along, and nothing else.
    fs::write(root.join("other.txt"), "x").unwrap();
    assert_eq!(names(&open_path(&root.join("result.json")).unwrap()), ["photos/p.jpg", "result.json"]);
    assert_eq!(names(&open_path(&root.join("other.txt")).unwrap()), ["other.txt"]);
    #[cfg(unix)]
    {
        // A file swapped for a link after the listing.
        fs::remove_file(root.join("photos/p.jpg")).unwrap();
        std::os::unix::fs::symlink(home.path().join("secret"), root.join("photos/p.jpg")).unwrap();
        assert!(read(&*opened.files, "photos/p.jpg").is_err());
    }
}

#[test]
fn a_file_that_grows_while_read_stops_at_its_listed_size() {
    let home = tempdir().unwrap();
    let path = home.path().join("a.txt");
    fs::write(&path, "12345").unwrap();
    let opened = open_path(&path).unwrap();
    fs::write(&path, "123456789").unwrap();
    assert_eq!(read(&*opened.files, "a.txt").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn exports_in_a_folder_are_found() {
    let home = tempdir().unwrap();
    for file in [
        "tg/result.json",
        "tg/photos/a.zip",
        "two/a.txt",
        "two/b.txt",
        "one/Chat mit Ana.txt",
        "one/IMG.jpg",
        "x.zip",
        "deep/er/y.jsonl",
        "z.pdf",
        ".h/k.zip",
    ] {
        let path = home.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let found = find_exports(home.path()).unwrap();
    let found: Vec<_> = found.iter().map(|p| p.strip_prefix(home.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(found, ["deep/er/y.jsonl", "one", "tg", "two/a.txt", "two/b.txt", "x.zip"]);
}
