//! From paths to exports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::glob::{Glob, any};
use crate::error::{Error, Result};
use crate::sources::ImportError;
use crate::sources::export::find_exports;

/// Something that may be an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    pub path: PathBuf,
    /// As the person wrote it, or the path below the folder they named.
    pub shown: String,
    /// The person named this very thing.
    pub named: bool,
}

/// Lists what to read, each thing once, in the order named.
pub(super) fn candidates(paths: &[PathBuf], exclude: &[Glob]) -> Result<Vec<Candidate>> {
    let (mut list, mut met) = (Vec::new(), BTreeSet::new());
    for named in paths {
        let path = named.canonicalize().map_err(|e| not_there(named, e))?;
        let found = if path.is_dir() { find_exports(&path).map_err(|e| failed(named, e))? } else { vec![path.clone()] };
        if found.is_empty() {
            let reason = format!("there is no export in {}", super::shown(named));
            return Err(Error::Import(ImportError::Unreadable(reason)));
        }
        for one in found {
            let below = one.strip_prefix(&path).unwrap_or(Path::new(""));
            let is_named = below.as_os_str().is_empty();
            if !is_named && any(exclude, &below.to_string_lossy()) {
                continue;
            }
            let shown = super::shown(&if is_named { named.clone() } else { named.join(below) });
            if met.insert(one.clone()) {
                list.push(Candidate { path: one, shown, named: is_named });
            }
        }
    }
    Ok(list)
}

fn not_there(path: &Path, e: std::io::Error) -> Error {
    if e.kind() == std::io::ErrorKind::NotFound {
        return Error::NotFound(format!("there is nothing at {}", super::shown(path)));
    }
    Error::io(path, e)
}

fn failed(path: &Path, e: ImportError) -> Error {
    match e {
        ImportError::Io(e) => Error::io(path, e),
        other => Error::Import(other),
    }
}
