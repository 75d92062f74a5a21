//! How long a message takes from one device to another: call of `record` on A until a query in B's process returns it,
//! two homes and a service on this machine; both moments by its clock, taken where they happen. Beside it, in the same run, a floor: what two calls of nothing and three
//! durable writes of 4 KiB take here.
//!
//! `latency [MESSAGES]` (100 without), with `chatkeepd` beside it. Prints one JSON object.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use benches::Done;
use benches::account::{self, chat, message};
use benches::figures::{Figures, ratio};
use benches::service::Service;
use client::archive::{Anchor, Archive};
use client::remote::{Connector as _, Network, Remote, ServerAddress};
use client::sync::{Inbox, LiveOptions, News};
use client::vault::{Cancel, Work};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;

/// People do not write faster; what a device does after its answer is then over before the next message.
const PAUSE: Duration = Duration::from_millis(10);
/// Messages before any is measured.
const WARM: usize = 20;

fn main() -> Done<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // As the program does for an exchange: no message then waits for another thread to wake.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &arguments[..] {
        [act, home, server] if act == "read" => runtime.block_on(read(Path::new(home), server)),
        [] => runtime.block_on(measure(100)),
        [messages] => runtime.block_on(measure(messages.parse()?)),
        _ => Err("latency [MESSAGES]".into()),
    }
}

/// B's process: says when it had read the chat's last message, and its text, whenever something has come.
async fn read(dir: &Path, server: &str) -> Done<()> {
    let mut vault = account::open(server, dir)?;
    let mut archive = vault.archive()?;
    let (_recorder, mut inbox) = Inbox::new();
    let mut told = move |news: News<'_>| match news {
        News::Level(_) => say("level"),
        News::Coming { archive, .. } => {
            let text = last(archive).unwrap_or_default();
            say(&format!("{} {text}", now().as_nanos()));
        }
        _ => {}
    };
    vault.watch(&mut archive, &mut inbox, LiveOptions::default(), &Work::quiet(), &mut told).await?;
    Ok(())
}

fn last(archive: &Archive) -> Option<String> {
    let page = archive.page(&archive.chat_id(&chat()), Anchor::End, 1, 0).ok()?;
    page.into_iter().next()?.message.text
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

async fn measure(messages: usize) -> Done<()> {
    let dir = tempfile::tempdir()?;
    let service = Service::start(&dir.path().join("service"), &[])?;
    let (mut vault, key) = account::register(&service.address, "ana", &dir.path().join("a")).await?;
    drop(account::login(&service.address, "ana", &key, &dir.path().join("b")).await?);
    let mut archive = vault.archive()?;
    let mut b = Command::new(std::env::current_exe()?)
        .args(["read".as_ref(), dir.path().join("b").as_os_str(), service.address.as_ref()])
        .stdout(Stdio::piped())
        .spawn()?;
    let pipe: OwnedFd = b.stdout.take().ok_or("no stdout")?.into();
    let mut there = BufReader::new(Receiver::from_owned_fd(pipe)?);
    heard(&mut there, "level").await?;

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
        let row = message(&format!("{n}"));
        let text = row.body().unwrap_or_default().to_owned();
        let begun = now();
        recorder.record(chat(), row).await?;
        let kept_took = now().saturating_sub(begun);
        let seen_took = read_at(&mut there, &text).await?.saturating_sub(begun);
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
    let ratio = |a: Duration, b: Duration| ratio(a.as_secs_f64(), b.as_secs_f64());
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

/// The machine's clock, which both processes read.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// When B had read this text.
async fn read_at(there: &mut BufReader<Receiver>, text: &str) -> Done<Duration> {
    loop {
        let line = next_line(there).await?;
        if let Some((at, read)) = line.split_once(' ')
            && read == text
        {
            return Ok(Duration::from_nanos(at.parse()?));
        }
    }
}

/// Waits for a line of B.
async fn heard(there: &mut BufReader<Receiver>, wanted: &str) -> Done<()> {
    while next_line(there).await? != wanted {}
    Ok(())
}

async fn next_line(there: &mut BufReader<Receiver>) -> Done<String> {
    let mut line = String::new();
    if there.read_line(&mut line).await? == 0 {
        return Err("B has ended".into());
    }
    Ok(line.trim_end().to_owned())
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
