//! A `chatkeepd` of its own for one measurement, beside the program that measures.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use client::crypto::opaque::Bounds;
use client::env::Env;
use client::remote::{Network, ServerAddress};
use client::vault::Where;
use serde_json::Value;

use crate::Done;

/// Ends with it.
pub struct Service {
    child: Child,
    pub address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Starts the `chatkeepd` that lies beside this program; `more` are settings (`section.key=value`).
    pub fn start(data_dir: &Path, more: &[&str]) -> Done<Self> {
        let program = std::env::current_exe()?.with_file_name("chatkeepd");
        let config = data_dir.with_file_name("config.toml");
        std::fs::write(&config, "")?;
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(data_dir).arg("--config").arg(config).env_clear();
        for set in ["ops.listen=127.0.0.1:0", "registration.mode=open", "log.level=info"].iter().chain(more) {
            command.args(["--set", set]);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no log")?).lines();
        let address = loop {
            let line: Value = serde_json::from_str(&lines.next().ok_or("the service did not start")??)?;
            if line["event"] == "listening" {
                break line["address"].as_str().ok_or("no address")?.to_owned();
            }
        };
        // Nobody reads the log, and it must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address: format!("http://{address}") })
    }

    /// Processor time it has used, of all its threads.
    pub fn cpu(&self) -> Done<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name before it may hold anything but ends with the last parenthesis; utime and stime are the 14th and 15th.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).ok_or("no processor time");
        // USER_HZ is 100 on every Linux.
        Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
    }
}

/// Where clients of this measurement connect to.
pub fn at(server: &str) -> Done<Where> {
    let connector = Arc::new(Network::new(ServerAddress::parse(server)?, None));
    Ok(Where { connector, env: Env::system(), bounds: Bounds::FOR_TESTS })
}
