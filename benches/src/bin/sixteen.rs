//! One account with many devices that all write at once: each is in live exchange and records ten messages a second. In the
//! end all must hold the same rows and the same digest. What is told is how long a message takes
//! from when it was due to when a query on another device answers it, over all pairs of devices.
//!
//! `sixteen [SECONDS] [DEVICES] [A SECOND]` (10, 16 and 10 without), with `chatkeepd` beside it. Prints one JSON object.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use benches::account::{self, chat, message};
use benches::figures::{Figures, ratio};
use benches::service::Service;
use benches::{Done, Failed};
use client::archive::Archive;
use client::ids::EventId;
use client::sync::{Inbox, LiveOptions, Recorder};
use client::vault::{Cancel, Vault, Work};
use serde_json::json;
use tokio::task::JoinHandle;

/// How long devices may take to come to the same once nobody writes any more.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// How often a device looks whether something was written.
const LOOK: Duration = Duration::from_millis(2);

fn main() -> Done<()> {
    let given: Vec<u64> = std::env::args().skip(1).map(|n| n.parse()).collect::<Result<_, _>>()?;
    let at = |n: usize, without| given.get(n).copied().unwrap_or(without);
    tokio::runtime::Runtime::new()?.block_on(measure(at(0, 10), at(1, 16), at(2, 10)))
}

/// A message on its way: who wrote it, and when it was due to be written.
#[derive(Clone, Copy)]
struct Written {
    id: EventId,
    by: u64,
    due: Instant,
}

/// What has been written so far, and whether that is all.
#[derive(Default)]
struct Told {
    messages: Mutex<Vec<Written>>,
    ended: AtomicBool,
}

impl Told {
    fn messages(&self) -> MutexGuard<'_, Vec<Written>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Device {
    recorder: Recorder,
    cancel: Cancel,
    ending: JoinHandle<client::error::Result<(u64, [u8; 32])>>,
    /// When it showed each message, in the order in which they were told.
    shown: JoinHandle<Vec<Option<Instant>>>,
}

async fn measure(seconds: u64, devices: u64, a_second: u64) -> Done<()> {
    let dir = tempfile::tempdir()?;
    let settings = ["limits.auth_per_minute=100000", "quota.devices=20"];
    let service = Service::start(&dir.path().join("service"), &settings)?;
    let told: Arc<Told> = Arc::default();
    let home = |n: u64| dir.path().join(format!("{n}"));
    let (first, key) = account::register(&service.address, "ana", &home(0)).await?;
    let mut all = vec![begin(first, 0, told.clone())?];
    for n in 1..devices {
        let vault = account::login(&service.address, "ana", &key, &home(n)).await?;
        all.push(begin(vault, n, told.clone())?);
    }
    // Everybody is level before anybody writes.
    tokio::time::sleep(Duration::from_secs(3)).await;

    let cpu = service.cpu()?;
    let begun = Instant::now();
    let every = Duration::from_secs(1) / u32::try_from(a_second)?;
    let mut writing = tokio::task::JoinSet::new();
    for (by, device) in (0..).zip(&all) {
        let (recorder, told) = (device.recorder.clone(), told.clone());
        writing.spawn(async move {
            for turn in 0..seconds * a_second {
                let due = begun + every.mul_f64(turn as f64 + by as f64 / devices as f64);
                tokio::time::sleep_until(due.into()).await;
                let id = recorder.record(chat(), message(&format!("{by}-{turn}"))).await?;
                told.messages().push(Written { id, by, due });
            }
            Done::Ok(())
        });
    }
    while let Some(done) = writing.join_next().await {
        done??;
    }
    let wrote = begun.elapsed();
    told.ended.store(true, Ordering::Relaxed);
    let mut shown = Vec::new();
    for device in &mut all {
        shown.push((&mut device.shown).await?);
    }
    let level = begun.elapsed();
    let cpu = service.cpu()?.saturating_sub(cpu);
    let mut ends = Vec::new();
    for device in all {
        device.cancel.cancel();
        drop(device.recorder);
        ends.push(device.ending.await??);
    }

    let messages = told.messages().clone();
    let mut lags = Vec::new();
    for (n, written) in messages.iter().enumerate() {
        let others = (0..).zip(&shown).filter(|(device, _)| *device != written.by);
        lags.extend(others.filter_map(|(_, shown)| shown.get(n).copied().flatten()).map(|at| at - written.due));
    }
    let missing = messages.len() * (devices as usize - 1) - lags.len();
    let equal = ends.windows(2).all(|two| two[0] == two[1]);
    let answer = json!({
        "devices": devices,
        "messages": messages.len(),
        "offered_per_s": devices * a_second,
        "written_in_s": wrote.as_secs_f64(),
        "shown_everywhere_after_s": level.as_secs_f64(),
        "missing": missing,
        "rows": ends.first().map(|(rows, _)| rows),
        "equal_rows_and_digests": equal,
        "lag": Figures::of(lags).told(),
        "service_cpu_ms_per_message": ratio(cpu.as_secs_f64() * 1e3, messages.len() as f64),
    });
    println!("{answer}");
    if equal && missing == 0 { Ok(()) } else { Err(Failed::from("the devices differ")) }
}

/// Brings a device into live exchange; in the end it answers how many messages it shows, and its digest.
fn begin(mut vault: Vault, me: u64, told: Arc<Told>) -> Done<Device> {
    let (mut archive, reader) = (vault.archive()?, vault.reader()?);
    let (recorder, mut inbox) = Inbox::new();
    let cancel = Cancel::default();
    let work = Work::new(|_| {}, cancel.clone());
    let ending = tokio::spawn(async move {
        let ended = vault.watch(&mut archive, &mut inbox, LiveOptions::default(), &work, &mut |_| {}).await;
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
    let shown = tokio::task::spawn_blocking(move || watch(&reader, me, &told));
    Ok(Device { recorder, cancel, ending, shown })
}

/// Asks the archive for each message of others that it did not show yet, whenever something was written there.
fn watch(reader: &Archive, me: u64, told: &Told) -> Vec<Option<Instant>> {
    let (mut shown, mut waiting) = (Vec::new(), Vec::new());
    let (mut version, mut until) = (0, None::<Instant>);
    loop {
        std::thread::sleep(LOOK);
        let ended = told.ended.load(Ordering::Relaxed);
        if ended {
            until.get_or_insert_with(|| Instant::now() + SETTLE_MAX);
        }
        for (n, written) in told.messages().iter().enumerate().skip(shown.len()) {
            shown.push(None);
            if written.by != me {
                waiting.push((n, *written));
            }
        }
        let now = reader.version().unwrap_or_default();
        if now != version || ended {
            version = now;
            waiting.retain(|(n, written)| {
                let there = matches!(reader.message(&written.id), Ok(Some(_)));
                if there && let Some(at) = shown.get_mut(*n) {
                    *at = Some(Instant::now());
                }
                !there
            });
        }
        if ended && (waiting.is_empty() || until.is_some_and(|until| Instant::now() > until)) {
            return shown;
        }
    }
}
