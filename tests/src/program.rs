//! Real processes: `chatkeepd` on SQLite and a folder, and a device (`src/bin/acting.rs`) that can be killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
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

    /// Starts it with its state on a disk of its own, of so many bytes. It is a file system in memory that only this
    /// process has, so it is gone with it; whoever is not root needs user namespaces.
    pub fn on_a_disk_of(bytes: u64, data_dir: &Path) -> Self {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            command.arg("--map-root-user");
        }
        let mount = "mount -t tmpfs -o size=\"$1\" chatkeepd \"$2\" && shift 2 && exec \"$@\"";
        command.args(["sh", "-c", mount, "sh", &bytes.to_string()]).arg(data_dir).arg(binary());
        Self::by(command, data_dir, None, &[])
    }

    /// A file on the disk that [`on_a_disk_of`](Self::on_a_disk_of) made, as this process reaches it.
    pub fn on_its_disk(&self, name: &str) -> PathBuf {
        let state = self.data_dir.strip_prefix("/").unwrap_or(&self.data_dir);
        Path::new("/proc").join(self.child.id().to_string()).join("root").join(state).join(name)
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
        let mut program = Self { child, lines, log, address: nowhere, ops: nowhere, data_dir };
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
