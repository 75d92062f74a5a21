//! Diagnoses: on stderr when asked for, and what every command came to in `chatkeep.log` of the state folder.
//!
//! The file names no account, chat or path, and is only written where a home is: a sign-in that fails leaves nothing.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::Settings;

pub const FILE: &str = "chatkeep.log";
/// Above this it is put aside, in place of the one put aside before.
const BYTES_MAX: u64 = 1 << 20;
/// What goes into the file, whatever is shown: other crates' events could name what they carry.
const KEPT: &str = "off,client=info,chatkeep=info";

pub fn begin(settings: &Settings, verbose: u8, quiet: bool) {
    let shown = match (settings.value("log"), verbose) {
        // With JSON there are none: stderr then holds JSON lines only.
        _ if settings.json || quiet => "off".to_owned(),
        (Some(filter), _) => filter.to_owned(),
        (None, 0) => "off".to_owned(),
        (None, 1) => "client=info".to_owned(),
        (None, _) => "client=debug".to_owned(),
    };
    let file = LogFile { home: settings.places.home.clone(), folder: settings.places.state.clone() };
    let on_stderr = fmt::layer().with_writer(io::stderr).with_filter(EnvFilter::new(shown));
    let in_file = fmt::layer().with_writer(file).with_ansi(false).with_filter(EnvFilter::new(KEPT));
    // A second one is a mistake of ours, and no reason to stop.
    let _ = tracing_subscriber::registry().with(on_stderr).with(in_file).try_init();
}

/// Opened anew for each line: there are few, and the home may come or go meanwhile.
struct LogFile {
    home: PathBuf,
    folder: PathBuf,
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Box<dyn Write>;

    fn make_writer(&'a self) -> Self::Writer {
        if !self.home.is_dir() {
            return Box::new(io::sink());
        }
        // A log that cannot be written must not keep anybody from a backup.
        open(&self.folder).map_or_else(|_| Box::new(io::sink()) as _, |file| Box::new(file) as _)
    }
}

fn open(folder: &Path) -> io::Result<std::fs::File> {
    client::home::private_dir(folder)?;
    let path = folder.join(FILE);
    if std::fs::metadata(&path).is_ok_and(|facts| facts.len() > BYTES_MAX) {
        std::fs::rename(&path, path.with_extension("log.1"))?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_put_aside_and_none_is_made_without_a_home() {
        let dir = tempfile::tempdir().unwrap();
        let file = LogFile { home: dir.path().join("home"), folder: dir.path().join("state") };
        file.make_writer().write_all(b"nobody\n").unwrap();
        assert!(!file.folder.exists());
        std::fs::create_dir(&file.home).unwrap();
        let path = file.folder.join(FILE);
        file.make_writer().write_all(&vec![b'x'; BYTES_MAX as usize + 1]).unwrap();
        file.make_writer().write_all(b"next\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "next\n");
        assert!(std::fs::metadata(file.folder.join("chatkeep.log.1")).unwrap().len() > BYTES_MAX);
    }
}
