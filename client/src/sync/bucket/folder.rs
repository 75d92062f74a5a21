//! A bucket as a folder: what a service with folder storage keeps, or a copy of any bucket on a disk.
//!
//! Whoever had the folder may have put anything there: only plain files are opened, and no more is read than an object
//! can have.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use proto::wire::limits::PACK_BYTES_MAX;

use crate::error::Result;
use crate::ids::{AccountId, PackId};
use crate::sync::packs::{NoPack, Packs, Part};
use crate::vault::Work;

/// A folder with one folder per account and one of recovery slots.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A whole object of at most so many bytes.
    pub fn read(&self, name: &str, max: usize) -> Result<Vec<u8>, NoPack> {
        let (file, length) = self.open(name)?;
        if length > max as u64 {
            return Err(NoPack::Long);
        }
        read_exactly(file, length)
    }

    /// Names in a folder that begin so.
    pub fn leaves(&self, folder: &str, prefix: &str) -> Result<Vec<String>, NoPack> {
        let mut found = Vec::new();
        for entry in self.root.join(folder).read_dir().map_err(reason)? {
            let name = entry.map_err(reason)?.file_name();
            found.extend(name.to_str().filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        Ok(found)
    }

    /// Whether any pack of an account is there.
    pub fn holds_packs(&self, account: &AccountId) -> Result<bool> {
        match self.leaves(&account.address(), "") {
            Ok(leaves) => Ok(leaves.iter().any(|leaf| PackId::from_hex(leaf).is_some())),
            Err(no) => no.reason().map(|_| false),
        }
    }

    fn read_part(&self, name: &str, offset: u64, length: u64) -> Result<Vec<u8>, NoPack> {
        let (mut file, whole) = self.open(name)?;
        let there = whole.saturating_sub(offset).min(length).min(PACK_BYTES_MAX as u64 + 1);
        file.seek(SeekFrom::Start(offset)).map_err(reason)?;
        read_exactly(file, there)
    }

    fn open(&self, name: &str) -> Result<(File, u64), NoPack> {
        let path = self.root.join(name);
        // Opening a pipe would wait for whoever writes to it.
        let known = path.metadata().map_err(reason)?;
        if !known.is_file() {
            return Err(NoPack::Unreadable);
        }
        Ok((File::open(&path).map_err(reason)?, known.len()))
    }
}

fn read_exactly(file: File, length: u64) -> Result<Vec<u8>, NoPack> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(|_| NoPack::Long)?);
    file.take(length).read_to_end(&mut bytes).map_err(reason)?;
    Ok(bytes)
}

fn reason(e: io::Error) -> NoPack {
    match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NoPack::Missing,
        _ => NoPack::Unreadable,
    }
}

/// The packs of one account in a folder.
pub(super) struct FolderPacks<'a> {
    pub folder: &'a Folder,
    pub address: &'a str,
    pub work: &'a Work,
}

#[async_trait]
impl Packs for FolderPacks<'_> {
    async fn read(&self, id: PackId, part: Part) -> Result<Vec<u8>, NoPack> {
        let name = format!("{}/{}", self.address, id.hex());
        let bytes = match part {
            // Of one that something was added to, as much as shows that; what is sealed inside it can still be opened.
            Part::Whole => self.folder.read_part(&name, 0, PACK_BYTES_MAX as u64 + 1)?,
            Part::Range { offset, length } => self.folder.read_part(&name, offset, length)?,
        };
        self.work.received(bytes.len() as u64);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proto::wire::ladder::Class;

    use super::*;

    #[tokio::test]
    async fn a_pack_longer_than_any_is_read_for_what_it_holds_and_is_not_whole() {
        let dir = tempfile::tempdir().unwrap();
        let id = PackId::from_hex(&"ab".repeat(16)).unwrap();
        std::fs::create_dir(dir.path().join("of")).unwrap();
        let file = File::create(dir.path().join("of").join(id.hex())).unwrap();
        file.set_len(PACK_BYTES_MAX as u64 + 70_000).unwrap();
        let folder = Folder::at(dir.path());
        let packs = FolderPacks { folder: &folder, address: "of", work: &Work::quiet() };
        assert_eq!(packs.read(id, Part::Whole).await.unwrap().len(), PACK_BYTES_MAX + 1);
        let most = Class::of_length(PACK_BYTES_MAX).unwrap();
        assert!(matches!(packs.get(id, most).await, Err(NoPack::Long)));
    }
}
