//! Finds the exports in a folder of exports.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ENTRIES_MAX, ImportError, NAME_PARTS_MAX, too_many};

/// Files that make the folder they lie in one export.
const MAIN_FILES: [&str; 3] = ["result.json", "messages.jsonl", "_chat.txt"];
/// Endings of files that may be an export by themselves.
const ENDINGS: [&str; 4] = ["zip", "json", "jsonl", "txt"];

/// Lists what in `folder` may be an export, in order of path: folders with a main file, and files alone.
///
/// Whether each is one, its content tells when it is opened.
pub fn find_exports(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut waiting = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let Some(here) = list(&folder, depth, &mut seen)? else { continue };
        if here.files.iter().any(|f| MAIN_FILES.iter().any(|m| f.file_name().is_some_and(|n| n == *m))) {
            found.push(folder);
            continue;
        }
        let alone: Vec<&PathBuf> = here.files.iter().filter(|f| ENDINGS.contains(&ending(f).as_str())).collect();
        // One text with other files around it: a chat and its media, whatever the language of its name.
        if let [only] = alone[..]
            && ending(only) == "txt"
            && here.files.len() > 1
        {
            found.push(folder);
            continue;
        }
        found.extend(alone.into_iter().cloned());
        if depth < NAME_PARTS_MAX {
            waiting.extend(here.folders.into_iter().map(|f| (f, depth + 1)));
        }
    }
    found.sort();
    Ok(found)
}

struct Here {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

/// Lists one folder; links and hidden entries are left out. Nothing when a folder below the first cannot be read.
fn list(folder: &Path, depth: usize, seen: &mut usize) -> Result<Option<Here>, ImportError> {
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(_) if depth > 0 => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let mut here = Here { files: Vec::new(), folders: Vec::new() };
    for entry in entries {
        *seen += 1;
        if *seen > ENTRIES_MAX {
            return Err(too_many());
        }
        let kind = entry.file_type()?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            here.folders.push(entry.path());
        } else if kind.is_file() {
            here.files.push(entry.path());
        }
    }
    Ok(Some(here))
}

fn ending(path: &Path) -> String {
    path.extension().map_or_else(String::new, |e| e.to_string_lossy().to_ascii_lowercase())
}
