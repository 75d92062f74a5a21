//! How long a message takes from one device to another: call of `record` on A until a query in B's process returns it,
//! two homes and a service on this machine. Beside it, in the same run, a floor: what two calls of nothing and three
//! durable writes of 4 KiB take here.
//!
//! `latency [MESSAGES]` (100 without), with `chatkeepd` beside it. Prints one JSON object.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::archive::{Anchor, Archive};
use client::crypto::RecoveryKey;
use client::crypto::opaque::{Bounds, Cost};
use client::crypto::passphrase::Passphrase;
use client::crypto::roster::Label;
use client::env::Env;
use client::event::{Chat, Kind, Party, Row, tag};
use client::home::{FileKeys, Home};
use client::remote::{Connector as _, Network, Remote, ServerAddress};
use client::sync::{Inbox, LiveOptions, News};
use client::vault::{Cancel, Secret, Vault, Where, Work};
use proto::wire::slot::AccountName;
use serde_json::{Value, json};
use tokio::sync::mpsc;

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Done<T> = Result<T, Failed>;

const PASSPHRASE: &str = "seven otters paint slowly";
/// People do not write faster; what a device does after its answer is then over before the next message.
const PAUSE: Duration = Duration::from_millis(10);
/// Messages before any is measured.
const WARM: usize = 20;

fn main() -> Done<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match &arguments[..] {
        [act, home, server] if act == "read" => runtime.block_on(read(Path::new(home), server)),
        [] => runtime.block_on(measure(100)),
        [messages] => runtime.block_on(measure(messages.parse()?)),
        _ => Err("latency [MESSAGES]".into()),
    }
}

fn at(server: &str) -> Done<Where> {
    let connector = Arc::new(Network::new(ServerAddress::parse(server)?, None));
    Ok(Where { connector, env: Env::system(), bounds: Bounds::FOR_TESTS })
}

fn chat() -> Chat {
    Chat { source: "jsonl".to_owned(), conversation: "family".to_owned() }
}

fn message(n: usize) -> Row {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let mut row = Row::new(Kind::MESSAGE, now, format!("{n}"));
    row.fields.set(tag::BODY, format!("message {n}: are you coming along on Sunday?").as_bytes());
    row.set_sender(&Party { name: Some("Mum".to_owned()), ..Party::default() });
    row
}

/// B's process: says the text of the chat's last message whenever something has come.
async fn read(dir: &Path, server: &str) -> Done<()> {
    let home = Home::at(dir);
    let mut vault = Vault::open(&home, &FileKeys::new(&home.key_path()), at(server)?)?;
    let mut archive = vault.archive()?;
    let reader = vault.reader()?;
    let (_recorder, mut inbox) = Inbox::new();
    let mut told = move |news: News<'_>| match news {
        News::Level(_) => say("level"),
        News::Came(_) => say(&last(&reader).unwrap_or_default()),
        _ => {}
    };
    vault.watch(&mut archive, &mut inbox, LiveOptions::default(), &Work::quiet(), &mut told).await?;
    Ok(())
}

fn last(reader: &Archive) -> Option<String> {
    let page = reader.page(&reader.chat_id(&chat()), Anchor::End, 1, 0).ok()?;
    page.into_iter().next()?.message.text
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

struct Service {
    child: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(data_dir: &Path) -> Done<Self> {
        let program = std::env::current_exe()?.with_file_name("chatkeepd");
        let config = data_dir.with_file_name("config.toml");
        std::fs::write(&config, "")?;
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(data_dir).arg("--config").arg(config).env_clear();
        for set in ["ops.listen=127.0.0.1:0", "registration.mode=open", "log.level=info"] {
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
}

/// Sets up two homes of one account; answers A's.
async fn homes(dir: &Path, server: &str) -> Done<(Vault, Archive)> {
    let name = || AccountName::new("ana").ok_or_else(|| Failed::from("a name"));
    let passphrase = || Passphrase::new(PASSPHRASE).map_err(|_| Failed::from("a passphrase"));
    let label = |device| Label::new(device, "linux", 1_700_000_000_000);
    let env = Env::system();
    let key = RecoveryKey::generate(&mut env.entropy.clone());
    let cost = Some(Cost::CHEAP_FOR_TESTS);
    let made = Vault::register(at(server)?, name()?, passphrase()?, Some(&key), label("a"), None, cost).await?;
    let install = |joined: client::vault::Joined, device| {
        let home = Home::at(&dir.join(device));
        joined.install(&home, &FileKeys::new(&home.key_path()))
    };
    let vault = install(made, "a")?;
    let joined = Vault::login(at(server)?, name()?, Secret::Passphrase(passphrase()?), label("b")).await?;
    drop(install(joined, "b")?);
    let archive = vault.archive()?;
    Ok((vault, archive))
}

async fn measure(messages: usize) -> Done<()> {
    let dir = tempfile::tempdir()?;
    let service = Service::start(&dir.path().join("service"))?;
    let (mut vault, mut archive) = homes(dir.path(), &service.address).await?;
    let mut b = Command::new(std::env::current_exe()?)
        .args(["read".as_ref(), dir.path().join("b").as_os_str(), service.address.as_ref()])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut there = BufReader::new(b.stdout.take().ok_or("no stdout")?);
    heard(&mut there, "level")?;

    let (recorder, mut inbox) = Inbox::new();
    let (tell, mut level) = mpsc::unbounded_channel();
    let cancel = Cancel::default();
    let work = Work::new(|_| {}, cancel.clone());
    let a = tokio::spawn(async move {
        let mut told = |news: News<'_>| {
            if let News::Level(_) = news {
                let _ = tell.send(());
            }
        };
        vault.watch(&mut archive, &mut inbox, LiveOptions::default(), &work, &mut told).await
    });
    level.recv().await.ok_or("A has no exchange")?;

    let channel = Network::new(ServerAddress::parse(&service.address)?, None).connect().await?;
    let remote = Remote::new(channel);
    let mut file = File::create(dir.path().join("floor"))?;
    let (mut kept, mut seen, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..messages + WARM {
        tokio::time::sleep(PAUSE).await;
        let begun = Instant::now();
        floored(&remote, &mut file).await?;
        let floor_took = begun.elapsed();
        tokio::time::sleep(PAUSE).await;
        let row = message(n);
        let text = row.body().unwrap_or_default().to_owned();
        let begun = Instant::now();
        recorder.record(chat(), row).await?;
        let kept_took = begun.elapsed();
        heard(&mut there, &text)?;
        let seen_took = begun.elapsed();
        if n >= WARM {
            (kept.push(kept_took), seen.push(seen_took), floor.push(floor_took)).2
        }
    }
    cancel.cancel();
    drop(a.await?);
    b.kill()?;
    b.wait()?;
    let floor = Figures::of(floor);
    let seen = Figures::of(seen);
    let ratio = |a: Duration, b: Duration| (a.as_secs_f64() / b.as_secs_f64() * 100.0).round() / 100.0;
    let told = json!({
        "messages": messages,
        "record_returned": Figures::of(kept).told(),
        "read_on_b": seen.told(),
        "floor": floor.told(),
        "median_by_floor": ratio(seen.median, floor.median),
        "p99_by_floor": ratio(seen.p99, floor.p99),
        "p99_by_median_floor": ratio(seen.p99, floor.median),
    });
    println!("{told}");
    Ok(())
}

/// Waits for a line of B.
fn heard(there: &mut BufReader<ChildStdout>, wanted: &str) -> Done<()> {
    let mut line = String::new();
    while line.trim_end() != wanted {
        line.clear();
        if there.read_line(&mut line)? == 0 {
            return Err("B has ended".into());
        }
    }
    Ok(())
}

/// What nothing can be faster than that goes there and back twice and is durable in three places.
async fn floored(remote: &Remote, file: &mut File) -> Done<()> {
    for _ in 0..2 {
        remote.server().await.map_err(|_| "the service does not answer")?;
    }
    for _ in 0..3 {
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
    }
    Ok(())
}

struct Figures {
    median: Duration,
    p99: Duration,
    least: Duration,
    most: Duration,
}

impl Figures {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort();
        let part = |percent: usize| all.get(all.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
        Self { median: part(50), p99: part(99), least: part(0), most: part(100) }
    }

    fn told(&self) -> Value {
        let ms = |d: Duration| (d.as_secs_f64() * 1e5).round() / 100.0;
        json!({ "median_ms": ms(self.median), "p99_ms": ms(self.p99), "least_ms": ms(self.least), "most_ms": ms(self.most) })
    }
}
