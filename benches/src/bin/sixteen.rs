//! One account with many devices that all write at once: each is in live exchange and records ten messages a second. In the
//! end all must hold the same rows and the same digest. What is told is how long a message takes to the last of the
//! other devices, each of which writes it down and is asked for it by a query.
//!
//! `sixteen [SECONDS] [DEVICES] [A SECOND]` (10, 16 and 10 without), with `chatkeepd` beside it. Prints one JSON object.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use benches::account::{self, chat, message};
use benches::figures::{Figures, ratio};
use benches::service::Service;
use benches::{Done, Failed};
use client::archive::{Anchor, Archive};
use client::sync::{Inbox, LiveOptions, News, Recorder};
use client::vault::{Cancel, Vault, Work};
use serde_json::json;
use tokio::task::JoinHandle;

/// How long devices may take to come to the same once nobody writes any more.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// Messages of others may have been written before the last ones that are shown: so many are looked at again.
const BACK: usize = 64;

fn main() -> Done<()> {
    let given: Vec<u64> = std::env::args().skip(1).map(|n| n.parse()).collect::<Result<_, _>>()?;
    let at = |n: usize, without| given.get(n).copied().unwrap_or(without);
    tokio::runtime::Runtime::new()?.block_on(measure(at(0, 10), at(1, 16), at(2, 10)))
}

/// When each message was handed over, and when the last of the others showed it.
type Times = Arc<Mutex<HashMap<String, (Instant, Instant, u64)>>>;

struct Device {
    recorder: Recorder,
    cancel: Cancel,
    ending: JoinHandle<client::error::Result<(u64, [u8; 32])>>,
}

async fn measure(seconds: u64, devices: u64, a_second: u64) -> Done<()> {
    let dir = tempfile::tempdir()?;
    let settings = ["limits.auth_per_minute=100000", "quota.devices=20"];
    let service = Service::start(&dir.path().join("service"), &settings)?;
    let times: Times = Arc::default();
    let mut all = Vec::new();
    for n in 0..devices {
        let home = dir.path().join(format!("{n}"));
        let vault = if n == 0 {
            account::register(&service.address, "ana", &home).await?
        } else {
            account::login(&service.address, "ana", &home).await?
        };
        all.push(begin(vault, n, times.clone())?);
    }
    // Everybody is level before anybody writes.
    tokio::time::sleep(Duration::from_secs(3)).await;

    let cpu = service.cpu()?;
    let begun = Instant::now();
    let every = Duration::from_secs(1) / u32::try_from(a_second)?;
    let mut writing = tokio::task::JoinSet::new();
    for (n, device) in all.iter().enumerate() {
        let (recorder, times) = (device.recorder.clone(), times.clone());
        writing.spawn(async move {
            for turn in 0..seconds * a_second {
                let due = begun + every.mul_f64(turn as f64 + n as f64 / devices as f64);
                tokio::time::sleep_until(due.into()).await;
                let native = format!("{n}-{turn}");
                let row = message(&native);
                let text = row.body().unwrap_or_default().to_owned();
                lock(&times).insert(text, (due, due, 0));
                recorder.record(chat(), row).await?;
            }
            Done::Ok(())
        });
    }
    while let Some(done) = writing.join_next().await {
        done??;
    }
    let wrote = begun.elapsed();
    let count = devices * seconds * a_second;
    let reached = |times: &Times| lock(times).values().filter(|(.., seen)| *seen == devices - 1).count() as u64;
    while reached(&times) < count && begun.elapsed() < wrote + SETTLE_MAX {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let level = begun.elapsed();
    let cpu = service.cpu()?.saturating_sub(cpu);

    let mut ends = Vec::new();
    for device in all {
        device.cancel.cancel();
        drop(device.recorder);
        ends.push(device.ending.await??);
    }
    let missing = count - reached(&times);
    let equal = ends.windows(2).all(|two| two[0] == two[1]);
    let lags: Vec<Duration> = lock(&times).values().map(|(due, last, _)| last.duration_since(*due)).collect();
    let told = json!({
        "devices": devices,
        "messages": count,
        "offered_per_s": devices * a_second,
        "written_in_s": wrote.as_secs_f64(),
        "level_after_s": level.as_secs_f64(),
        "missing": missing,
        "rows": ends.first().map(|(rows, _)| rows),
        "equal_rows_and_digests": equal,
        "to_the_last_device": Figures::of(lags).told(),
        "service_cpu_ms_per_message": ratio(cpu.as_secs_f64() * 1e3, count as f64),
    });
    println!("{told}");
    if equal && missing == 0 { Ok(()) } else { Err(Failed::from("the devices differ")) }
}

/// Brings a device into live exchange; in the end it answers how many messages it shows, and its digest.
fn begin(mut vault: Vault, me: u64, times: Times) -> Done<Device> {
    let (mut archive, reader) = (vault.archive()?, vault.reader()?);
    let (recorder, mut inbox) = Inbox::new();
    let cancel = Cancel::default();
    let work = Work::new(|_| {}, cancel.clone());
    let ending = tokio::spawn(async move {
        let mut shown = Shown { reader, own: format!("message {me}-"), seen: HashSet::new(), times };
        let mut told = |news: News<'_>| {
            if let News::Came(rows) = news {
                shown.look(rows as usize + BACK);
            }
        };
        let ended = vault.watch(&mut archive, &mut inbox, LiveOptions::default(), &work, &mut told).await;
        match ended {
            Ok(()) | Err(client::error::Error::Cancelled) => {}
            Err(error) => return Err(error),
        }
        // What waited when it was ended is sent, and what others sent is fetched.
        for _ in 0..2 {
            vault.sync(&mut archive, &Work::quiet()).await?;
        }
        Ok((archive.counts()?.messages, archive.digest()?.hash()))
    });
    Ok(Device { recorder, cancel, ending })
}

/// Asks the archive what is new, as an app would.
struct Shown {
    reader: Archive,
    /// How messages of this device begin.
    own: String,
    seen: HashSet<String>,
    times: Times,
}

impl Shown {
    fn look(&mut self, messages: usize) {
        let chat = self.reader.chat_id(&chat());
        let Ok(page) = self.reader.page(&chat, Anchor::End, messages, 0) else { return };
        let now = Instant::now();
        let texts = page.into_iter().filter_map(|shown| shown.message.text);
        for text in texts.filter(|text| !text.starts_with(&self.own)) {
            if self.seen.insert(text.clone())
                && let Some((_, last, devices)) = lock(&self.times).get_mut(&text)
            {
                *last = now;
                *devices += 1;
            }
        }
    }
}

fn lock(times: &Times) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Instant, u64)>> {
    times.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
