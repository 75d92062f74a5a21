//! The workspace's files, and the part of a source file that is code.

use std::path::{Path, PathBuf};

/// A text file; its path is relative to the workspace, with `/` between the parts.
pub struct File {
    pub path: String,
    pub text: String,
}

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_path_buf()
}

pub fn rust_files() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

/// Every text file people write: no build results, no lock file, no binary.
pub fn files() -> Vec<File> {
    let (root, mut found) = (workspace(), Vec::new());
    walk(&root, &root, &mut found);
    assert!(found.len() > 40, "the walk sees the workspace");
    found
}

fn walk(root: &Path, dir: &Path, found: &mut Vec<File>) {
    const LEFT_OUT: [&str; 5] = [".git", "target", "dist", "__pycache__", "Cargo.lock"];
    let entries = std::fs::read_dir(dir).unwrap_or_else(|why| panic!("{}: {why}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.sort();
    for path in paths {
        if path.file_name().is_some_and(|name| LEFT_OUT.iter().any(|out| name == *out)) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let relative = path.strip_prefix(root).expect("the walk stays inside");
            let path = relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
            found.push(File { path, text });
        }
    }
}

/// A file's code: without comments, and without the tests at its end.
pub fn production(text: &str) -> String {
    let tests = concat!("#[cfg(", "test)]\nmod ");
    let end = text.match_indices(tests).map(|(at, _)| at).find(|at| inline_module(&text[*at..])).unwrap_or(text.len());
    code(&text[..end])
}

fn inline_module(text: &str) -> bool {
    text.lines().nth(1).is_some_and(|line| line.trim_end().ends_with('{'))
}

/// A file without its line comments.
pub fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(before, _)| before));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a file is test code as a whole.
pub fn is_test(path: &str) -> bool {
    let inner = path.split_once('/').map_or(path, |(_, inner)| inner);
    path.starts_with("tests/")
        || path.starts_with("benches/")
        || inner.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
}

#[test]
fn code_is_what_is_neither_comment_nor_test() {
    let text = "use a;\n// use b;\nlet c = 1; // d\n#[cfg(test)]\nmod e;\n#[cfg(test)]\nmod tests {\n    use f;\n}\n";
    assert_eq!(production(text), "use a;\n\nlet c = 1; \n#[cfg(test)]\nmod e;");
    assert!(is_test("client/src/log/tests/x.rs") && is_test("tests/tests/a.rs") && is_test("client/src/log/tests.rs"));
    assert!(!is_test("client/src/log/mod.rs") && !is_test("service/src/testkit.rs"));
}
