//! The second reader, `tests/interop/reader`, as a program.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::written::{Files, files};

/// How the reader ended, what it said, and what it wrote.
pub struct Read {
    pub exit: i32,
    pub said: String,
    pub files: Files,
}

/// Reads a bucket with the key in a kit.
pub fn read(bucket: &Path, kit: &Path) -> Read {
    let out = tempfile::tempdir().unwrap();
    let written = out.path().join("out");
    let mut command = reader();
    command.arg(bucket).arg("--recovery-key-file").arg(kit).arg("--out").arg(&written);
    let ended = command.output().unwrap();
    let files = if written.is_dir() { files(&written) } else { Files::new() };
    Read { exit: ended.status.code().unwrap(), said: String::from_utf8_lossy(&ended.stderr).into_owned(), files }
}

/// Compares the rows with the digest in the head.
pub fn digest_holds(bucket: &Path, kit: &Path) -> bool {
    let ended = reader().arg("digest").arg(bucket).arg("--recovery-key-file").arg(kit).output().unwrap();
    print!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    ended.status.success()
}

fn reader() -> Command {
    let python = std::env::var_os("CHATKEEP_TEST_READER");
    let python = python.expect("CHATKEEP_TEST_READER names a Python with the reader's packages; ./test makes one");
    let mut command = Command::new(python);
    command.current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop")).args(["-m", "reader"]);
    command
}
