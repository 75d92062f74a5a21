//! Real processes: `chatkeepd` on SQLite and a folder, and a device (`src/bin/acting.rs`) that can be killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running `chatkeepd`.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    /// Everything it has logged.
    pub log: Arc<Mutex<String>>,
    pub address: SocketAddr,
    ops: SocketAddr,
    data_dir: PathBuf,
    /// Its state is on a disk of its own.
    has_disk: bool,
}

/// A disk without room.
pub enum Filled {
    File(PathBuf),
    Limit(u32),
}

impl Filled {
    pub fn empty(self) {
        match self {
            Self::File(path) => std::fs::remove_file(path).unwrap(),
            Self::Limit(id) => limited(id, "unlimited"),
        }
    }
}

/// Sets how long files may become that a process writes.
fn limited(id: u32, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let set = Command::new("prlimit").args(["--pid", &id.to_string(), &limit]).status().unwrap();
    assert!(set.success());
}

/// The service's program, which stands beside the test programs' folder.
fn binary() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let found = here.ancestors().skip(1).map(|dir| dir.join("chatkeepd")).find(|path| path.is_file());
    found.expect("chatkeepd is built: cargo build -p service")
}

impl Program {
    /// Starts it on a state folder; the same address again where one is given.
    pub fn start(data_dir: &Path, address: Option<SocketAddr>) -> Self {
        Self::configured(data_dir, address, &[])
    }

    /// Starts it with further settings, each `KEY=VALUE`.
    pub fn configured(data_dir: &Path, address: Option<SocketAddr>, settings: &[String]) -> Self {
        Self::by(Command::new(binary()), data_dir, address, settings)
    }

    /// Starts it with its state on a disk of its own, of so many bytes, which [`fill`](Self::fill) fills. It is a file
    /// system in memory that only this process has, so it is gone with it. Where nobody may mount one, the process is
    /// kept from writing instead.
    pub fn on_a_disk_of(bytes: u64, data_dir: &Path) -> Self {
        let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
        let may = |way: &&&[&str]| {
            let mut command = Command::new("unshare");
            command.args(**way).args(["mount", "-t", "tmpfs", "chatkeepd", "/mnt"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let Some(way) = ways.iter().find(may) else {
            println!("no file system can be mounted here: the process is kept from writing instead");
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(binary());
            return Self::by(command, data_dir, None, &[]);
        };
        let mount = "mount -t tmpfs -o size=\"$1\" chatkeepd \"$2\" && shift 2 && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(*way).args(["sh", "-c", mount, "sh", &bytes.to_string()]).arg(data_dir).arg(binary());
        let mut program = Self::by(command, data_dir, None, &[]);
        program.has_disk = true;
        program
    }

    /// Takes all the room there is, until the answer is [emptied](Filled::empty).
    pub fn fill(&self) -> Filled {
        let id = self.child.id();
        if !self.has_disk {
            limited(id, "0");
            return Filled::Limit(id);
        }
        let state = self.data_dir.strip_prefix("/").unwrap_or(&self.data_dir);
        // As the process sees it.
        let path = Path::new("/proc").join(id.to_string()).join("root").join(state).join("filler");
        let mut file = std::fs::OpenOptions::new().create_new(true).append(true).open(&path).unwrap();
        for piece in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        let full = std::io::Error::last_os_error();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
        Filled::File(path)
    }

    fn by(mut command: Command, data_dir: &Path, address: Option<SocketAddr>, settings: &[String]) -> Self {
        std::fs::create_dir_all(data_dir).unwrap();
        let config = data_dir.with_file_name("config.toml");
        std::fs::write(&config, "").unwrap();
        let listen = address.map_or_else(|| "127.0.0.1:0".to_owned(), |a| a.to_string());
        command
            .env_clear()
            .env("HOME", data_dir)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .arg("--data-dir")
            .arg(data_dir)
            .arg("--config")
            .arg(config);
        for set in
            ["ops.listen=127.0.0.1:0", "registration.mode=open", "log.level=debug", "limits.auth_per_minute=10000"]
        {
            command.args(["--set", set]);
        }
        for set in settings {
            command.args(["--set", set]);
        }
        command.args(["serve", "--listen", &listen]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
                let _ = sender.send(line);
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let data_dir = data_dir.to_path_buf();
        let mut program = Self { child, lines, log, address: nowhere, ops: nowhere, data_dir, has_disk: false };
        program.ops = program.told("ops_listening");
        program.address = program.told("listening");
        program
    }

    fn told(&mut self, event: &str) -> SocketAddr {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {event} in {}", self.log.lock().unwrap()));
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if value["event"] == event {
                return value["address"].as_str().unwrap().parse().unwrap();
            }
        }
    }

    pub fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.ops).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A device at work in a process of its own.
pub fn acting(program: &Path, home: &Path, server: SocketAddr, temporary: &Path, act: &[&str]) -> Child {
    std::fs::create_dir_all(temporary).unwrap();
    let mut command = Command::new(program);
    command.env("TMPDIR", temporary).arg(home).arg(format!("http://{server}")).args(act);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets it work to its end; what it printed.
pub fn ended(child: Child, act: &str) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{act}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
