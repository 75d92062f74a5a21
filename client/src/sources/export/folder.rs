//! A folder as an export.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{ENTRIES_MAX, FileEntry, Files, ImportError, Limited, NAME_PARTS_MAX, checked_name, index_of, too_many};

/// A main file with the folders its media lies in: someone who names the file means the export around it.
const MAIN_FILES: [(&str, &[&str]); 2] = [
    (
        "result.json",
        &["photos", "files", "voice_messages", "video_files", "round_video_messages", "stickers", "contacts", "chats"],
    ),
    ("messages.jsonl", &["media"]),
];

type Skipped = Vec<(String, String)>;

pub struct Folder {
    root: PathBuf,
    list: Vec<FileEntry>,
}

impl Folder {
    pub fn open(root: &Path) -> Result<(Self, Skipped), ImportError> {
        Self::walk(root, |_, _| true)
    }

    /// Opens a known main file together with the media folders beside it; nothing when there are none.
    pub fn beside(main: &Path) -> Result<Option<(Self, Skipped)>, ImportError> {
        let known = MAIN_FILES.iter().find(|(name, _)| main.file_name() == Some(OsStr::new(name)));
        let (Some((name, folders)), Some(root)) = (known, main.parent()) else { return Ok(None) };
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        if !folders.iter().any(|f| root.join(f).is_dir()) {
            return Ok(None);
        }
        Self::walk(root, |first, is_folder| if is_folder { folders.contains(&first) } else { first == *name }).map(Some)
    }

    /// Lists the folder. `wanted` decides about the entries of the root itself.
    fn walk(root: &Path, wanted: impl Fn(&str, bool) -> bool) -> Result<(Self, Skipped), ImportError> {
        let (mut list, mut skipped) = (Vec::new(), Vec::new());
        let mut waiting = vec![(root.to_path_buf(), String::new(), 0)];
        let mut seen = 0;
        while let Some((folder, prefix, depth)) = waiting.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) if depth > 0 => {
                    skipped.push((prefix, format!("cannot be listed: {e}")));
                    continue;
                }
                Err(e) => return Err(e.into()),
            };
            for entry in entries {
                let entry = entry?;
                seen += 1;
                if seen > ENTRIES_MAX {
                    return Err(too_many());
                }
                let os_name = entry.file_name();
                let shown = format!("{prefix}{}", os_name.to_string_lossy());
                let kind = entry.file_type()?;
                let Some(name) = os_name.to_str() else {
                    skipped.push((shown, "the name is not valid text".into()));
                    continue;
                };
                if depth == 0 && !wanted(name, kind.is_dir()) {
                    continue;
                }
                if kind.is_symlink() {
                    skipped.push((shown, "a symbolic link".into()));
                } else if kind.is_dir() && depth >= NAME_PARTS_MAX - 1 {
                    skipped.push((shown, "the folder is nested too deep".into()));
                } else if kind.is_dir() {
                    waiting.push((entry.path(), format!("{shown}/"), depth + 1));
                } else if !kind.is_file() {
                    skipped.push((shown, "not a regular file".into()));
                } else {
                    // A backslash would change its meaning on the way, so the name must already be in its one form.
                    match checked_name(&shown) {
                        Ok(path) if path == shown => list.push(FileEntry { path, bytes: entry.metadata()?.len() }),
                        Ok(_) => skipped.push((shown, "the name holds a backslash".into())),
                        Err(reason) => skipped.push((shown, reason.into())),
                    }
                }
            }
        }
        list.sort_by(|a, b| a.path.cmp(&b.path));
        skipped.sort();
        Ok((Self { root: root.into(), list }, skipped))
    }
}

impl Files for Folder {
    fn list(&self) -> &[FileEntry] {
        &self.list
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send>> {
        let bytes = index_of(&self.list, path).map(|i| self.list.get(i).map_or(0, |e| e.bytes))?;
        Ok(Box::new(Limited { inner: plain_file(&self.root, path)?, left: bytes }))
    }
}

/// Opens a file that the folder held when it was listed.
pub fn open_member(root: &Path, path: &str) -> io::Result<Box<dyn Read + Send>> {
    if checked_name(path).ok().as_deref() != Some(path) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Box::new(plain_file(root, path)?))
}

fn plain_file(root: &Path, path: &str) -> io::Result<File> {
    let real = root.join(path);
    // It was a plain file when listed; if it became a link since, it may point anywhere.
    if !fs::symlink_metadata(&real)?.is_file() {
        return Err(io::Error::other("no longer a regular file"));
    }
    File::open(real)
}
