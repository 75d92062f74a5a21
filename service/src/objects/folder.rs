//! Objects as files of one folder tree.
//!
//! A file appears under its name only when its bytes are durable: written beside, synced, linked (a link never
//! replaces), and the directory synced. What a crash leaves beside is removed at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::memory::checked;
use super::{Content, Found, ObjectError, ObjectName, Objects, Result};

/// Pieces a file is read in.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces between a reader or sender and the disk.
const PIECES_WAITING: usize = 2;
/// Where files lie until they are whole.
const UNFINISHED: &str = ".unfinished";

/// A store in a folder of the local disk.
pub struct Folder {
    place: Arc<Place>,
}

struct Place {
    root: PathBuf,
    /// Tells unfinished files of this process apart.
    next: AtomicU64,
}

impl Folder {
    /// Opens the folder, made for its owner alone if it is not there, and removes what an earlier process left unfinished.
    pub async fn open(root: &Path) -> Result<Self> {
        let place = Place { root: root.to_owned(), next: AtomicU64::new(0) };
        let place = blocking(move || {
            match fs::remove_dir_all(place.root.join(UNFINISHED)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(storage(e)),
                _ => {}
            }
            make_dir(&place.root.join(UNFINISHED))?;
            Ok(place)
        })
        .await?;
        Ok(Self { place: Arc::new(place) })
    }

    async fn run<R: Send + 'static>(&self, work: impl FnOnce(&Place) -> Result<R> + Send + 'static) -> Result<R> {
        let place = self.place.clone();
        blocking(move || work(&place)).await
    }
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(|e| ObjectError::Storage(Box::new(e)))?
}

fn storage(e: io::Error) -> ObjectError {
    match e.kind() {
        io::ErrorKind::NotFound => ObjectError::NotFound,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ObjectError::Full,
        _ => ObjectError::Storage(Box::new(e)),
    }
}

fn make_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(storage)
}

fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(storage)
}

/// A file on its way; whatever happens, it does not outlive this value beside the finished ones.
struct Unfinished {
    file: File,
    path: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // A file that cannot be removed now is removed at the next start.
        drop(fs::remove_file(&self.path));
    }
}

impl Place {
    fn path(&self, name: &ObjectName) -> PathBuf {
        self.root.join(name.folder()).join(name.leaf())
    }

    fn begin(&self) -> Result<Unfinished> {
        let path = self.root.join(UNFINISHED).join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        Ok(Unfinished { file: file.map_err(storage)?, path })
    }

    /// The object's directory, durable itself.
    fn directory(&self, name: &ObjectName) -> Result<PathBuf> {
        let directory = self.root.join(name.folder());
        if !directory.is_dir() {
            make_dir(&directory)?;
            sync_dir(&self.root)?;
        }
        Ok(directory)
    }

    fn replace(&self, name: &ObjectName, content: &[u8]) -> Result<()> {
        let mut unfinished = self.begin()?;
        unfinished.file.write_all(content).and_then(|()| unfinished.file.sync_all()).map_err(storage)?;
        let directory = self.directory(name)?;
        fs::rename(&unfinished.path, self.path(name)).map_err(storage)?;
        sync_dir(&directory)
    }

    fn finish(&self, name: &ObjectName, mut unfinished: Unfinished) -> Result<()> {
        unfinished.file.sync_all().map_err(storage)?;
        let directory = self.directory(name)?;
        match fs::hard_link(&unfinished.path, self.path(name)) {
            Ok(()) => {}
            // An upload that was kept but not noted before a crash comes again: the same bytes are no error.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let mut kept = File::open(self.path(name)).map_err(storage)?;
                if !same_content(&mut unfinished.file, &mut kept).map_err(storage)? {
                    return Err(ObjectError::Conflict);
                }
            }
            Err(e) => return Err(storage(e)),
        }
        sync_dir(&directory)
    }

    /// What is left for us: the blocks an unprivileged process may use.
    fn free_bytes(&self) -> Result<u64> {
        let about = rustix::fs::statvfs(&self.root).map_err(|e| storage(e.into()))?;
        Ok(about.f_bavail.saturating_mul(about.f_frsize))
    }

    fn open(&self, name: &ObjectName) -> Result<(File, u64)> {
        let file = File::open(self.path(name)).map_err(storage)?;
        let length = file.metadata().map_err(storage)?.len();
        Ok((file, length))
    }

    fn list(&self, folder: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<Found>> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(storage)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(storage)?;
            let leaf = entry.file_name();
            let Some(name) = leaf.to_str().and_then(|leaf| ObjectName::parse(&format!("{folder}/{leaf}"))) else {
                continue;
            };
            if after.is_none_or(|after| name > *after) {
                let bytes = entry.metadata().map_err(storage)?.len();
                found.push(Found { name, bytes });
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.truncate(limit);
        Ok(found)
    }
}

fn same_content(a: &mut File, b: &mut File) -> io::Result<bool> {
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    a.seek(SeekFrom::Start(0))?;
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        Read::by_ref(a).take(PIECE_BYTES as u64).read_to_end(&mut left)?;
        Read::by_ref(b).take(PIECE_BYTES as u64).read_to_end(&mut right)?;
        if left != right || left.is_empty() {
            return Ok(left == right);
        }
    }
}

/// Writes pieces as they come; gives the file when the sender is done and the length is right.
fn receive(mut unfinished: Unfinished, length: u64, mut pieces: mpsc::Receiver<Bytes>) -> Result<Unfinished> {
    let mut received = 0u64;
    while let Some(piece) = pieces.blocking_recv() {
        received += piece.len() as u64;
        if received > length {
            return Err(ObjectError::WrongLength);
        }
        unfinished.file.write_all(&piece).map_err(storage)?;
    }
    if received == length { Ok(unfinished) } else { Err(ObjectError::WrongLength) }
}

fn send(mut file: File, range: Range<u64>, pieces: mpsc::Sender<io::Result<Bytes>>) {
    let mut left = range.end - range.start;
    while left > 0 {
        let mut piece = vec![0; left.min(PIECE_BYTES as u64) as usize];
        left -= piece.len() as u64;
        let piece = file.read_exact(&mut piece).map(|()| Bytes::from(piece));
        let failed = piece.is_err();
        // A reader that went away ends the reading.
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

#[async_trait]
impl Objects for Folder {
    async fn put(&self, name: &ObjectName, content: Bytes) -> Result<()> {
        let name = name.clone();
        self.run(move |place| place.replace(&name, &content)).await
    }

    async fn put_stream(&self, name: &ObjectName, length: u64, mut content: Content) -> Result<()> {
        let name = name.clone();
        let (pieces, received) = mpsc::channel(PIECES_WAITING);
        // Tells "all pieces came" from "the sender's stream broke off": both close the channel.
        let (whole, is_whole) = tokio::sync::oneshot::channel();
        let writing = self.run(move |place| {
            let unfinished = receive(place.begin()?, length, received)?;
            match is_whole.blocking_recv() {
                Ok(()) => place.finish(&name, unfinished),
                Err(_) => Err(ObjectError::WrongLength),
            }
        });
        let feeding = async move {
            while let Some(piece) = content.next().await {
                let piece = piece.map_err(ObjectError::Interrupted)?;
                if pieces.send(piece).await.is_err() {
                    // The writer ended early and says why.
                    return Ok(());
                }
            }
            // A writer that ended early says why itself.
            let _ended = whole.send(());
            Ok(())
        };
        let (written, fed) = tokio::join!(writing, feeding);
        fed.and(written)
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Content> {
        let name = name.clone();
        let (file, range) = self
            .run(move |place| {
                let (mut file, length) = place.open(&name)?;
                let range = checked(range, length)?;
                file.seek(SeekFrom::Start(range.start)).map_err(storage)?;
                Ok((file, range))
            })
            .await?;
        let (pieces, receiver) = mpsc::channel(PIECES_WAITING);
        tokio::task::spawn_blocking(move || send(file, range, pieces));
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    async fn length(&self, name: &ObjectName) -> Result<u64> {
        let name = name.clone();
        self.run(move |place| place.open(&name).map(|(_, length)| length)).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        let name = name.clone();
        let deleted = self.run(move |place| {
            fs::remove_file(place.path(&name)).map_err(storage)?;
            sync_dir(&place.root.join(name.folder()))
        });
        match deleted.await {
            Err(ObjectError::NotFound) => Ok(()),
            other => other,
        }
    }

    async fn list(&self, folder: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<Found>> {
        let (folder, after) = (folder.to_owned(), after.cloned());
        self.run(move |place| place.list(&folder, after.as_ref(), limit)).await
    }

    async fn free_bytes(&self) -> Result<Option<u64>> {
        self.run(|place| place.free_bytes().map(Some)).await
    }

    /// Proves that a file can still be made durable here.
    async fn ready(&self) -> Result<()> {
        self.run(|place| {
            let mut unfinished = place.begin()?;
            unfinished.file.write_all(b"ready").and_then(|()| unfinished.file.sync_all()).map_err(storage)
        })
        .await
    }
}
