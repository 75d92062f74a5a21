//! The recovery kit: a file to print and keep, and the same as a page with a QR code.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use client::crypto::RecoveryKey;
use client::error::Error;
use zeroize::Zeroizing;

use crate::problem::{Problem, Result};
use crate::terminal::day;

/// What a kit file says.
pub struct Kit {
    /// `name@server`.
    pub account: String,
    pub key: Zeroizing<String>,
}

/// Whose kit it is.
pub struct Owner<'a> {
    /// `name@server`.
    pub account: &'a str,
    pub server: &'a str,
    pub made_ms: i64,
}

/// Two new files that take a recovery key before it opens anything, so that it is never without a place. They go away
/// again unless they are kept.
pub struct Reserved {
    path: PathBuf,
    page: PathBuf,
    text_file: File,
    page_file: File,
    kept: bool,
}

const KEY_BEGINS: &str = "CK1-";

impl Reserved {
    /// Makes the files. None of them may be there already.
    pub fn new(path: &Path) -> Result<Self> {
        let page = path.with_extension("svg");
        if page == path {
            return Err(Problem::usage("the kit is a text file; its page with a QR code is what ends in .svg"));
        }
        let text_file = create(path)?;
        let page_file = create(&page).inspect_err(|_| drop(std::fs::remove_file(path)))?;
        Ok(Self { path: path.to_path_buf(), page, text_file, page_file, kept: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the kit, durably.
    pub fn fill(&mut self, owner: &Owner<'_>, key: &RecoveryKey) -> Result<(), Error> {
        let key = key.text();
        let failed = |e: io::Error| Error::io(&self.path, e);
        let text = Zeroizing::new(text(owner, &self.path, &key));
        self.text_file.write_all(text.as_bytes()).and_then(|()| self.text_file.sync_all()).map_err(failed)?;
        let page = Zeroizing::new(page(owner, &key)?);
        let failed = |e: io::Error| Error::io(&self.page, e);
        self.page_file.write_all(page.as_bytes()).and_then(|()| self.page_file.sync_all()).map_err(failed)?;
        // Their names must last as well.
        if let Some(folder) = self.path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(())
    }

    /// What came of making the key good. The files stay if it opens the account now, or may.
    pub fn settle<T>(&mut self, came: Result<T, Error>) -> Result<T> {
        let server = match came {
            Ok(done) => {
                self.kept = true;
                return Ok(done);
            }
            Err(Error::AnswerLost { server }) => server,
            Err(error) => return Err(error.into()),
        };
        self.kept = true;
        let path = self.path.display();
        let problem: Box<Problem> = Error::AnswerLost { server }.into();
        Err(problem
            .hint(format!("keep {path}: its key may be the one in force, and an older kit too until you know"))
            .hint(format!("`chatkeep login --kit {path}` on a new home tells")))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_file(&self.page);
        }
    }
}

fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => {
            Problem::new("E_TARGET_NOT_EMPTY", 15, format!("{} is there already", path.display()))
                .hint("choose a new file: a kit never overwrites another")
        }
        _ => Problem::io(path, &e),
    })
}

/// Reads a kit file's text; none if it is none.
pub fn read(text: &str) -> Option<Kit> {
    let after = |label: &str| text.lines().find_map(|l| l.trim().strip_prefix(label)).map(|v| v.trim().to_owned());
    let account = after("Account:")?;
    let key = text.lines().map(str::trim).find(|l| l.starts_with(KEY_BEGINS))?;
    Some(Kit { account, key: Zeroizing::new(key.to_owned()) })
}

fn text(owner: &Owner<'_>, path: &Path, key: &str) -> String {
    let Owner { account, server, made_ms } = owner;
    format!(
        "CHATKEEP RECOVERY KIT\n\nAccount:  {account}\nServer:   {server}\nMade:     {}\n\nRecovery key:\n\n{key}\n\n\
         It opens this account without the passphrase. On a new device:\n\n    chatkeep login --kit {}\n\n\
         Passphrase, if you want to keep it here: ______________________________________\n\n\
         Keep this page where nobody else finds it, and not only on the device it was made on.\n\
         Nobody, including the server's operator, can make it anew for you.\n\n\
         If it is stolen: on a device that is signed in, run\n\n    chatkeep recovery new --kit NEW-FILE\n\n\
         The key above is worthless from then on.\n",
        day(*made_ms),
        path.display()
    )
}

/// The page to print.
fn page(owner: &Owner<'_>, key: &str) -> Result<String, Error> {
    let code = qrcode::QrCode::new(key.as_bytes()).map_err(|e| Error::Internal(e.to_string()))?;
    let modules = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(300, 300).build();
    // Drawn as a document of its own; inside a page it stands without the line that says so.
    let code = modules.split_once("?>").map_or(modules.as_str(), |(_, svg)| svg);
    let account = escaped(owner.account);
    let lines = [
        ("20", format!("chatkeep recovery kit: {account}")),
        ("14", format!("Made {}. Server: {}", day(owner.made_ms), escaped(owner.server))),
        ("16", key.to_owned()),
        ("14", "It opens this account without the passphrase: chatkeep login --kit FILE".to_owned()),
        ("14", "Stolen? On a device that is signed in: chatkeep recovery new --kit NEW-FILE".to_owned()),
    ];
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"560\" font-family=\"monospace\">\n\
         <rect width=\"640\" height=\"560\" fill=\"white\"/>\n",
    );
    for (at, (height, line)) in lines.iter().enumerate() {
        out += &format!("<text x=\"30\" y=\"{}\" font-size=\"{height}\">{line}</text>\n", 40 + 30 * at);
    }
    out += &format!("<g transform=\"translate(30 200)\">{code}</g>\n</svg>\n");
    Ok(out)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::env::SystemEntropy;

    fn owner() -> Owner<'static> {
        Owner { account: "ana@vault.example.org", server: "https://vault.example.org:8443", made_ms: 1_700_000_000_000 }
    }

    #[test]
    fn a_kit_is_private_and_gives_back_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kit.txt");
        let key = RecoveryKey::generate(&mut SystemEntropy);
        let mut reserved = Reserved::new(&path).unwrap_or_else(|p| panic!("{}", p.message));
        assert!(Reserved::new(&path).is_err(), "a kit overwrites nothing");
        reserved.fill(&owner(), &key).unwrap();
        reserved.settle(Ok(())).unwrap_or_else(|p| panic!("{}", p.message));
        drop(reserved);
        let kit = read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(kit.account, "ana@vault.example.org");
        assert_eq!(*kit.key, *key.text());
        let page = std::fs::read_to_string(dir.path().join("kit.svg")).unwrap();
        assert!(page.contains(key.text().as_str()) && page.matches("<svg").count() == 2);
        #[cfg(unix)]
        for file in ["kit.txt", "kit.svg"] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_that_may_be_in_force_is_not_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kit.txt");
        let mut reserved = Reserved::new(&path).unwrap_or_else(|p| panic!("{}", p.message));
        reserved.fill(&owner(), &RecoveryKey::generate(&mut SystemEntropy)).unwrap();
        let lost: Result<(), Error> = Err(Error::AnswerLost { server: "vault.example.org".to_owned() });
        let told = reserved.settle(lost).unwrap_err();
        assert_eq!((told.code, told.exit), ("E_UNREACHABLE", 20));
        assert!(told.hints.iter().any(|h| h.contains("login --kit")), "{:?}", told.hints);
        drop(reserved);
        assert!(read(&std::fs::read_to_string(&path).unwrap()).is_some());
    }

    #[test]
    fn places_that_were_not_needed_are_left_empty() {
        let dir = tempfile::tempdir().unwrap();
        let mut reserved = Reserved::new(&dir.path().join("kit.txt")).unwrap_or_else(|p| panic!("{}", p.message));
        reserved.fill(&owner(), &RecoveryKey::generate(&mut SystemEntropy)).unwrap();
        let refused: Result<(), Error> = Err(Error::WrongRecoveryKey);
        assert!(reserved.settle(refused).is_err());
        drop(reserved);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(read("CK1 is no kit").is_none());
    }
}
