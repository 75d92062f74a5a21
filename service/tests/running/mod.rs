//! `chatkeepd` as a process of its own, and what tests do with it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tonic::transport::Endpoint;

use crate::device::Device;

/// A debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    pub address: SocketAddr,
    ops: SocketAddr,
}

/// A command with nothing of the tester's own settings in its environment.
pub fn chatkeepd(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatkeepd"));
    command.env_clear().env("HOME", data_dir).arg("--data-dir").arg(data_dir);
    // The system's own file must not reach into the test.
    let config = data_dir.with_file_name("config.toml");
    if !config.exists() {
        std::fs::write(&config, "").unwrap();
    }
    command.arg("--config").arg(config).args(arguments).stdin(Stdio::null());
    command
}

impl Running {
    pub fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["--set", "ops.listen=127.0.0.1:0", "--set", "ops.shutdown_grace=5s"];
        all.extend(["serve", "--listen", "127.0.0.1:0"]);
        all.extend(arguments);
        let mut command = chatkeepd(data_dir, &all);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|l| drop(sender.send(l))));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut running = Self { child, lines, seen: Vec::new(), address: nowhere, ops: nowhere };
        running.ops = running.event("ops_listening")["address"].as_str().unwrap().parse().unwrap();
        running.address = running.event("listening")["address"].as_str().unwrap().parse().unwrap();
        running
    }

    pub fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {name} after {:#?}", self.seen));
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            self.seen.push(line);
            if value["event"] == name {
                return value;
            }
        }
    }

    pub async fn device(&self, name: &str) -> Device {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        Device::new(&endpoint.connect().await.unwrap(), name, "lantern quiet copper ribbon")
    }

    pub async fn reconnect(&self, device: &mut Device) {
        let fresh = self.device(&device.name).await;
        (device.accounts, device.vault) = (fresh.accounts, fresh.vault);
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.ops).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Tells it to stop and waits until it has.
    pub fn stop(mut self) -> Vec<String> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.event("stopped");
        assert!(self.child.wait().unwrap().success());
        self.seen.clone()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn state() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("state");
    (dir, data_dir)
}

pub fn ran(data_dir: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let Output { status, stdout, stderr } = chatkeepd(data_dir, arguments).output().unwrap();
    let value = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
    (status.code().unwrap(), value, String::from_utf8(stderr).unwrap())
}

/// The token of an invite's link, as text and as bytes.
pub fn invite_of(link: &str) -> (&str, Vec<u8>) {
    let token = link.trim().rsplit_once("/#").unwrap().1;
    (token, (0..16).map(|i| u8::from_str_radix(&token[2 * i..2 * i + 2], 16).unwrap()).collect())
}

/// The folder of an account in the bucket.
pub fn address_of(device: &Device) -> String {
    device.account[..16].iter().map(|b| format!("{b:02x}")).collect()
}
