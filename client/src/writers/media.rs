//! Attachments as files, named by their content.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{Contents, Missing, Totals, WriteError};
use crate::event::{Attachment, Presence};

const FOLDER: &str = "media";

/// Writes each content once.
pub struct Media<'a> {
    contents: Option<&'a dyn Contents>,
    out: PathBuf,
    /// Size of each file by its name; nothing for one that could not be written.
    known: HashMap<String, Option<u64>>,
}

impl<'a> Media<'a> {
    pub fn new(contents: Option<&'a dyn Contents>, out: &Path) -> Self {
        Self { contents, out: out.to_path_buf(), known: HashMap::new() }
    }

    /// Writes an attachment's bytes; answers the path inside the export and the size.
    pub fn write(
        &mut self,
        message: &str,
        attachment: &Attachment,
        totals: &mut Totals,
    ) -> Result<Option<(String, u64)>, WriteError> {
        let (Some(contents), Some(hash)) = (self.contents, attachment.hash) else { return Ok(None) };
        if attachment.presence != Presence::Present {
            return Ok(None);
        }
        let path = format!("{FOLDER}/{}.{}", blake3::Hash::from_bytes(hash).to_hex(), ending(attachment));
        let known = match self.known.get(&path) {
            Some(known) => *known,
            None => {
                let size = match self.copy(contents, attachment, &hash, &path)? {
                    Ok(size) => {
                        totals.attachments += 1;
                        totals.bytes += size;
                        Some(size)
                    }
                    Err(reason) => {
                        let attachment = attachment.name.clone().unwrap_or_else(|| path.clone());
                        totals.missing.push(Missing { message: message.to_owned(), attachment, reason });
                        None
                    }
                };
                self.known.insert(path.clone(), size);
                size
            }
        };
        Ok(known.map(|size| (path, size)))
    }

    /// Copies and compares with the hash; the inner error is about this content alone.
    fn copy(
        &self,
        contents: &dyn Contents,
        attachment: &Attachment,
        hash: &[u8; 32],
        path: &str,
    ) -> Result<Result<u64, String>, WriteError> {
        let mut content = match contents.open(attachment) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(Err("not on this device".into())),
            Err(e) => return Ok(Err(format!("cannot be read: {e}"))),
        };
        fs::create_dir_all(self.out.join(FOLDER))?;
        let target = self.out.join(path);
        let mut file = File::create_new(&target)?;
        let mut hasher = blake3::Hasher::new();
        let (mut buf, mut size) = (vec![0; 64 << 10], 0u64);
        let problem = loop {
            let n = match content.read(&mut buf) {
                Ok(0) => break (hasher.finalize() != *hash).then(|| "is not what its hash says".to_owned()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => break Some(format!("cannot be read: {e}")),
            };
            let piece = buf.get(..n).unwrap_or_default();
            hasher.update(piece);
            file.write_all(piece)?;
            size += n as u64;
        };
        match problem {
            Some(problem) => {
                drop(file);
                fs::remove_file(&target)?;
                Ok(Err(problem))
            }
            None => Ok(Ok(size)),
        }
    }
}

/// The file's ending: from its name where that is a plain one, else from its kind.
fn ending(attachment: &Attachment) -> String {
    const ENDING_CHARS_MAX: usize = 8;
    let of_name = attachment.name.as_deref().and_then(|n| n.rsplit_once('.')).map(|(_, e)| e.to_ascii_lowercase());
    let plain = |e: &String| (1..=ENDING_CHARS_MAX).contains(&e.len()) && e.chars().all(|c| c.is_ascii_alphanumeric());
    if let Some(ending) = of_name.filter(plain) {
        return ending;
    }
    let known = match attachment.mime.as_deref().unwrap_or_default() {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "video/mp4" => "mp4",
        "audio/ogg" => "ogg",
        "audio/mpeg" => "mp3",
        "audio/mp4" => "m4a",
        "application/pdf" => "pdf",
        "text/vcard" | "text/x-vcard" => "vcf",
        "text/plain" => "txt",
        _ => "bin",
    };
    known.to_owned()
}
