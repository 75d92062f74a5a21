//! `chatkeep` as people and scripts run it: the program itself, each home in a folder of its own, no terminal.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use client::archive::Archive;
use client::home::{FileKeys, Home};
use client::remote::{Network, ServerAddress};
use client::vault::Vault;
use serde_json::Value;
use tempfile::TempDir;

use crate::history;
use crate::program::Program;
use crate::world::{PASSPHRASE, reached_by};

/// A service, and the folder in which machines keep their homes.
pub struct Site {
    pub dir: TempDir,
    pub program: Program,
}

/// One machine with its home.
pub struct Machine {
    pub home: PathBuf,
    /// Holds the passphrase; kits are written beside it.
    pub passphrase: PathBuf,
    pub server: SocketAddr,
    environment: BTreeMap<String, String>,
}

/// What a command did.
#[derive(Debug)]
pub struct Ended {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The client's program, which stands beside the test programs' folder.
pub fn chatkeep() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let found = here.ancestors().skip(1).map(|dir| dir.join("chatkeep")).find(|path| path.is_file());
    found.expect("chatkeep is built: cargo build -p client")
}

impl Site {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With further settings of the service, each `KEY=VALUE`.
    pub fn with(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let program = Program::configured(&dir.path().join("service"), None, &settings);
        Self { dir, program }
    }

    /// A service that speaks TLS with a certificate of its own, which is in `ca.pem`.
    pub fn with_tls() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let [cert, key] = ["ca.pem", "key.pem"].map(|name| dir.path().join(name));
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let settings =
            ["tls.mode=files".to_owned(), format!("tls.cert={}", cert.display()), format!("tls.key={}", key.display())];
        let program = Program::configured(&dir.path().join("service"), None, &settings);
        Self { dir, program }
    }

    pub fn machine(&self, name: &str) -> Machine {
        let passphrase = self.dir.path().join("passphrase");
        std::fs::write(&passphrase, format!("{PASSPHRASE}\n")).unwrap();
        let home = self.dir.path().join(name);
        Machine { home, passphrase, server: self.program.address, environment: BTreeMap::new() }
    }

    /// A machine whose account `ana` is new, with its kit.
    pub fn registered(&self, name: &str) -> (Machine, PathBuf) {
        let machine = self.machine(name);
        let kit = self.dir.path().join(format!("{name}-kit.txt"));
        let pass = machine.passphrase.display().to_string();
        let kit_text = kit.display().to_string();
        let account = machine.account();
        let args = ["register", &account, "--kit", &kit_text, "--passphrase-file", &pass, "--device-name", name];
        machine.run(&args).succeeds();
        (machine, kit)
    }

    /// One more machine of the same account, signed in by its kit.
    pub fn joined(&self, name: &str, kit: &Path) -> Machine {
        let machine = self.machine(name);
        let kit = kit.display().to_string();
        machine.run(&["login", "--kit", &kit, "--device-name", name]).succeeds();
        machine
    }

    /// A laptop that has backed up some messages, a phone that has restored them, and the kit.
    pub fn laptop_and_phone(&self, messages: u64) -> (Machine, Machine, PathBuf) {
        let (laptop, kit) = self.registered("laptop");
        laptop.import(1, 0, messages, 0);
        laptop.run(&["backup"]).succeeds();
        let phone = self.joined("phone", &kit);
        phone.run(&["restore"]).succeeds();
        (laptop, phone, kit)
    }

    /// Every pack the service has.
    pub fn packs(&self) -> Vec<PathBuf> {
        let entries = |dir: &Path| -> Vec<PathBuf> {
            std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
        };
        let in_accounts = entries(&self.dir.path().join("service/objects"));
        let objects = in_accounts.iter().filter(|dir| dir.is_dir()).flat_map(|dir| entries(dir));
        let is_pack = |path: &PathBuf| path.is_file() && path.file_name().is_some_and(|name| name.len() == 32);
        let slots = |path: &PathBuf| path.parent().is_some_and(|dir| dir.ends_with("slots"));
        objects.filter(|path| is_pack(path) && !slots(path)).collect()
    }

    /// Stops the service and starts it again at the same address.
    pub fn restart(&mut self) {
        let address = self.program.address;
        self.program.kill();
        self.program = Program::start(&self.dir.path().join("service"), Some(address));
    }
}

impl Machine {
    pub fn account(&self) -> String {
        format!("ana@{}", self.server)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(chatkeep());
        command.args(args).env_clear().env("CHATKEEP_HOME", &self.home).env("HOME", self.home.with_extension("own"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TZ", "UTC").envs(&self.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.start(args))
    }

    /// The one object that a command with `--json` answers.
    pub fn json(&self, args: &[&str]) -> Value {
        let ended = self.run(&[args, &["--json"]].concat());
        assert!(matches!(ended.exit, 0 | 3 | 4), "{args:?}: {ended:?}");
        ended.object()
    }

    /// Puts messages into the archive, as an import does.
    pub fn import(&self, chat: usize, from: u64, to: u64, photo: usize) {
        history::import(&mut self.opened().archive().unwrap(), chat, from, to, photo);
    }

    /// All the archive holds, as an independent list.
    pub fn listed(&self) -> Vec<String> {
        let archive: Archive = self.opened().reader().unwrap();
        history::listed(&archive)
    }

    /// Its device, for what no command shows.
    pub fn opened(&self) -> Vault {
        let home = Home::at(&self.home);
        let address = ServerAddress::parse(&self.server.to_string()).unwrap();
        let at = reached_by(Arc::new(Network::new(address, None)));
        Vault::open(&home, &FileKeys::new(&home.key_path()), at).unwrap()
    }
}

impl Ended {
    pub fn of(child: Child) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let output = child.wait_with_output().unwrap();
        let exit = output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(0));
        let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
        Self { exit, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn succeeds(self) -> Self {
        assert_eq!(self.exit, 0, "{self:?}");
        self
    }

    /// Fails with this exit code and this code of an error, told on stderr alone.
    pub fn fails(self, exit: i32, code: &str) -> Self {
        assert_eq!(self.exit, exit, "{self:?}");
        let told = self.stderr.contains(&format!("error[{code}]: ")) || self.error()["code"] == code;
        assert!(told, "{code}: {self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        self
    }

    /// stdout as exactly one JSON object, with its schema.
    pub fn object(&self) -> Value {
        let lines: Vec<&str> = self.stdout.lines().collect();
        let [line] = lines[..] else { panic!("not one line: {self:?}") };
        let object: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        let schema = object["schema"].as_str().unwrap_or_default();
        assert!(schema.starts_with("chatkeep.") && schema.ends_with("/1"), "{self:?}");
        object
    }

    /// The last line of stderr, if it is JSON.
    pub fn error(&self) -> Value {
        self.stderr.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}
