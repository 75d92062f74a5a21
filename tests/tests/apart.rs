//! Two devices that do things to the same messages while apart, and then meet: whoever comes first, both show the same.

use std::time::{Duration, Instant};

use client::archive::{Acting, Archive};
use client::crypto::Entropy;
use client::ids::EventId;
use client::sync::Synced;
use client::vault::{Joined, Vault, Work};
use tests::exports;
use tests::history::{chat, import, message};
use tests::times;
use tests::world::{PASSPHRASE, Place, World, by_passphrase};

/// 2026-01-01, by the clocks of both.
const NOW: i64 = 1_767_225_600_000;
const MESSAGES: u64 = 120;

struct Device {
    vault: Vault,
    archive: Archive,
    _place: Place,
}

impl Device {
    fn install(joined: Joined) -> Self {
        let place = Place::new();
        let vault = place.install(joined);
        let archive = vault.archive().unwrap();
        Self { vault, archive, _place: place }
    }

    async fn sync(&mut self) -> Synced {
        self.vault.sync(&mut self.archive, &Work::quiet()).await.unwrap()
    }

    /// All that is shown, without ids: they differ from account to account.
    fn shown(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for shown in self.archive.export(None, None, None).unwrap() {
            let (m, _) = shown.unwrap();
            let versions: Vec<_> = m.versions.iter().map(|v| (v.at, &v.text)).collect();
            let reactions: Vec<_> = m.reactions.iter().map(|r| (&r.by, &r.emoji)).collect();
            let sender = m.sender.as_ref().and_then(|s| s.name.as_deref());
            let head = format!("{} {} {} {sender:?}", m.chat.conversation, m.time, m.place);
            lines.push(format!("{head} {:?} {versions:?} {reactions:?} {}", m.text, m.edited));
        }
        lines
    }

    fn ids(&self) -> Vec<EventId> {
        self.archive.export(None, None, None).unwrap().map(|shown| shown.unwrap().0.id).collect()
    }
}

/// Numbers that are the same in every run.
struct Draws(blake3::OutputReader);

impl Draws {
    fn new(seed: &str) -> Self {
        Self(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof())
    }

    fn next(&mut self, below: usize) -> usize {
        let mut out = [0; 8];
        self.0.fill(&mut out);
        (u64::from_le_bytes(out) % below as u64) as usize
    }
}

impl Entropy for Draws {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }
}

/// Does so many things to messages that both devices have, and writes some of its own.
fn act(device: &mut Device, name: &str, targets: &[EventId], events: usize) -> [usize; 5] {
    let mut draws = Draws::new(&format!("acts of {name}"));
    let mut natives = Draws::new(&format!("natives of {name}"));
    let mut counts = [0; 5];
    let me = device.vault.session.device.id();
    for n in 0..events {
        // Two clocks that go alike, so that acts of one time are among them.
        let now = NOW + n as i64 * 1_000;
        let mut acting = Acting { now, entropy: &mut natives };
        // The first half is the chat without ids, which is folded as a whole after each act: fewer of these.
        let half = targets.len() / 2;
        let id = &targets[if n % 10 == 0 { 0 } else { half } + draws.next(half)];
        let alive = device.archive.message(id).unwrap();
        match (draws.next(10), alive) {
            (0..=3, Some(_)) => {
                let text = format!("{name} wrote {n}");
                counts[0] += usize::from(device.archive.edit(id, &text, &mut acting).unwrap().is_some());
            }
            (4 | 5, Some(_)) => {
                let emoji = ["👍", "🎉"][n % 2];
                counts[1] += usize::from(device.archive.react(id, emoji, "ana", &mut acting).unwrap().is_some());
            }
            (6, Some(_)) => counts[2] += device.archive.unreact(id, "👍", &mut acting).unwrap() as usize,
            (7, Some(shown)) => counts[3] += device.archive.delete(&[shown.message], &mut acting).unwrap() as usize,
            (7 | 8, None) => {
                let all = device.archive.deletions(now, &me).unwrap();
                let of_it: Vec<_> = all.into_iter().filter(|d| d.key.target == *id).collect();
                counts[4] += device.archive.undelete(&of_it, now, &mut acting).unwrap().undone as usize;
            }
            (9, _) => {
                let own = message(10_000 + n as u64 * 2 + u64::from(name == "b"), &format!("{name} says {n}"));
                device.archive.record(&chat(1), &own).unwrap();
            }
            _ => {}
        }
    }
    device.archive.settle().unwrap();
    counts
}

/// Answers what is shown in the end, how many bytes went over the wire until both had everything, and how long it took.
async fn run(events: usize, first: usize) -> (Vec<String>, u64, Duration) {
    let world = World::new();
    let (joined, _) = world.register("ana", "a").await;
    let mut a = Device::install(joined);
    let folder = tempfile::tempdir().unwrap();
    exports::write(folder.path(), 0, MESSAGES as usize);
    import(&mut a.archive, 1, 0, MESSAGES, 0);
    exports::import(&mut a.archive, folder.path(), "Family");
    a.sync().await;
    let mut b = Device::install(world.login("ana", by_passphrase(PASSPHRASE), "b").await.unwrap());
    b.sync().await;
    assert_eq!(a.shown(), b.shown());
    let targets: Vec<EventId> = a.ids();
    assert_eq!(targets.len() as u64, 2 * MESSAGES);
    // Few enough targets that most of what the devices do meets something of the other.
    let targets: Vec<EventId> = targets.into_iter().step_by(4).collect();
    let counts = [act(&mut a, "a", &targets, events), act(&mut b, "b", &targets, events)];
    assert!(counts.iter().flatten().all(|n| *n > 0), "every kind of act was done: {counts:?}");
    assert_ne!(a.shown(), b.shown());
    let (mut bytes, begun) = (0, Instant::now());
    for turn in [first, 1 - first, first] {
        let done = [&mut a, &mut b][turn].sync().await;
        assert!(!done.disagreed);
        bytes += done.uploaded_bytes + done.downloaded_bytes;
    }
    let took = begun.elapsed();
    assert_eq!(a.shown(), b.shown());
    assert_eq!(a.archive.digest().unwrap().hash(), b.archive.digest().unwrap().hash());
    // One that was not there reads the same.
    let mut fresh = Device::install(world.login("ana", by_passphrase(PASSPHRASE), "c").await.unwrap());
    fresh.sync().await;
    assert_eq!(fresh.shown(), a.shown());
    (a.shown(), bytes, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_two_devices_apart_come_to_the_same_whoever_is_first() {
    let events = times(300, 10_000);
    let (one, bytes, took) = run(events, 0).await;
    println!("{events} events each, apart: met in {took:?}, {bytes} bytes over the wire");
    let (other, bytes, took) = run(events, 1).await;
    println!("the other first: {took:?}, {bytes} bytes");
    assert_eq!(one, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_deletion_is_held_on_every_device_until_the_root_consents() {
    let world = World::new();
    let (joined, _) = world.register("ana", "a").await;
    let mut a = Device::install(joined);
    import(&mut a.archive, 1, 0, 150, 0);
    a.sync().await;
    let mut b = Device::install(world.login("ana", by_passphrase(PASSPHRASE), "b").await.unwrap());
    b.sync().await;
    let mut natives = Draws::new("natives");
    let mut acting = Acting { now: NOW, entropy: &mut natives };
    let id = a.archive.chat_id(&chat(1));
    assert_eq!(a.archive.delete_chat(&id, None, &mut acting, |_| true).unwrap(), 150);
    a.sync().await;
    b.sync().await;
    let now = a.vault.session.env.now_ms();
    let of = |device: &Device| device.archive.deletions(now, &device.vault.session.device.id()).unwrap();
    let author = a.vault.session.device.id();
    for device in [&a, &b] {
        assert_eq!(of(device).len(), 150);
        assert!(of(device).iter().all(|d| d.is_held() && d.device == Some(author) && d.arrival.is_some()));
    }
    // It says that it was done at the beginning of the year, and is counted from when the log had it.
    assert!(of(&b).iter().all(|d| (d.at - now).abs() < 60_000));
    let wrong = a.vault.consent(&a.archive, by_passphrase("five badgers sing loudly"), 1 << 20, now).await;
    assert_eq!(wrong.err().unwrap().code(), "E_WRONG_PASSPHRASE");
    let consent = a.vault.consent(&a.archive, by_passphrase(PASSPHRASE), 1 << 20, now).await.unwrap();
    // Sent by another device it covers nothing: what it covers is its sender's.
    b.vault.permit_deletions(&mut b.archive, &consent, &Work::quiet()).await.unwrap();
    a.sync().await;
    for device in [&a, &b] {
        assert!(of(device).iter().all(client::archive::Deletion::is_held));
    }
    // Nor does it the second time.
    a.vault.permit_deletions(&mut a.archive, &consent, &Work::quiet()).await.unwrap();
    b.sync().await;
    for device in [&a, &b] {
        assert!(of(device).iter().all(client::archive::Deletion::is_held));
    }
    let consent = a.vault.consent(&a.archive, by_passphrase(PASSPHRASE), 1 << 20, now).await.unwrap();
    a.vault.permit_deletions(&mut a.archive, &consent, &Work::quiet()).await.unwrap();
    b.sync().await;
    for device in [&a, &b] {
        assert!(of(device).iter().all(|d| d.mass && d.permitted && d.until < now + 25 * 3_600_000));
    }
    // A device that comes later knows neither who it was nor when: it counts from when it sees it.
    let options = client::sync::BackupOptions::default();
    a.vault.backup(&mut a.archive, &options, &Work::quiet()).await.unwrap();
    let mut fresh = Device::install(world.login("ana", by_passphrase(PASSPHRASE), "c").await.unwrap());
    fresh.sync().await;
    let there = of(&fresh);
    assert_eq!((there.len(), fresh.archive.counts().unwrap().messages), (150, 0));
    assert!(there.iter().all(|d| d.device.is_none() && d.is_held() && (d.at - now).abs() < 60_000));
}
