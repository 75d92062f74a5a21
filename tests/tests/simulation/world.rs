//! One run: an account is made and backed up, a second device restores it, both write in turns and at once, from exports
//! and in live exchange, and the network delays, holds back and cuts. In the end both hold all that either wrote.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use client::crypto::RecoveryKey;
use client::crypto::opaque::Cost;
use client::vault::Vault;
use service::auth::secrets::Secrets;
use service::meta::Model;
use service::objects::Memory;
use service::rpc::{Registration, Service, Settings};
use tests::history::listed;
use tests::world::{PASSPHRASE, SERVER, by_passphrase, label, name, passphrase};
use tokio::sync::Notify;

use crate::device::{Device, at, insist};
use crate::network::{SERVICE, Trace, incoming};
use crate::seeded::{Stream, Virtual};

const LAPTOP: &str = "laptop";
const PHONE: &str = "phone";
const TURNS: u64 = 4;

/// What the two devices tell each other beside the service, and what an onlooker knows.
#[derive(Default)]
struct Beside {
    backed_up: Notify,
    /// Messages written, by chat: the laptop writes into chats 0 and 1, the phone into 2 and 3.
    written: RefCell<[u64; 4]>,
    /// How many devices are through with their turns, and with fetching each other's.
    done: RefCell<usize>,
    fetched: RefCell<Vec<(Vec<String>, [u8; 32])>>,
    again: RefCell<u64>,
    /// Whether the devices also write in live exchange.
    live: bool,
}

/// The first seeds are run twice and compared, and exchange nothing live: whoever gives up a stream of hints resets it,
/// and how long HTTP/2 remembers that, and so what it answers to what was under way, goes by the machine's clock.
const ALIKE: u64 = 5;

fn service(seed: u64) -> Service {
    let settings = Settings {
        server_name: SERVER.to_owned(),
        registration: Registration::Open,
        auth_per_minute: 10_000,
        ..Settings::default()
    };
    let entropy = Arc::new(Stream::of(seed, SERVICE));
    let secrets = Secrets::fresh(&*entropy);
    Service::new(Arc::new(Model::new()), Arc::new(Memory::new()), secrets, Arc::new(Virtual::new()), entropy, settings)
}

/// Runs a seed; answers what its trace comes to.
pub fn run(seed: u64) -> String {
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .simulation_duration(Duration::from_secs(3_600))
        .tick_duration(Duration::from_millis(5))
        .min_message_latency(Duration::from_millis(5))
        .max_message_latency(Duration::from_millis(250))
        .tcp_capacity(4_096)
        .build();
    let trace = Trace::default();
    let beside = Rc::new(Beside { live: seed > ALIKE, ..Beside::default() });
    sim.host(SERVICE, move || async move {
        let incoming = incoming().await;
        service(seed).serve(incoming, std::future::pending()).await?;
        Ok(())
    });
    sim.client(LAPTOP, laptop(seed, trace.clone(), beside.clone()));
    sim.client(PHONE, phone(seed, trace.clone(), beside.clone()));
    sim.client("weather", weather(seed, beside.clone()));
    if let Err(error) = sim.run() {
        panic!("seed {seed}: {error}");
    }
    let fetched = beside.fetched.borrow();
    assert_eq!(fetched.len(), 2, "seed {seed}");
    assert!(fetched[0] == fetched[1], "seed {seed}: the devices differ");
    let written: u64 = beside.written.borrow().iter().sum();
    assert_eq!(fetched[0].0.len() as u64, written, "seed {seed}");
    assert!(fetched[0].0.iter().all(|line| !line.ends_with("absent")), "seed {seed}");
    assert!(trace.events() > 100, "seed {seed}: nothing went over the wire");
    format!("{written} messages, {} repeated acts, {}", beside.again.borrow(), trace.hash())
}

async fn laptop(seed: u64, trace: Trace, beside: Rc<Beside>) -> turmoil::Result {
    let mut device = Device::new(seed, LAPTOP);
    let place = at(seed, LAPTOP, &trace);
    let cost = Some(Cost::CHEAP_FOR_TESTS);
    let key = RecoveryKey::generate(&mut place.env.entropy.clone());
    let made = Vault::register(place, name("ana"), passphrase(PASSPHRASE), Some(&key), label(LAPTOP), None, cost);
    device.set_up(made.await?);
    turns(&mut device, &beside, [0, 1], || beside.backed_up.notify_one()).await;
    Ok(())
}

async fn phone(seed: u64, trace: Trace, beside: Rc<Beside>) -> turmoil::Result {
    beside.backed_up.notified().await;
    let mut device = Device::new(seed, PHONE);
    let mut again = 0;
    let joined = insist(&mut again, async || {
        Vault::login(at(seed, PHONE, &trace), name("ana"), by_passphrase(PASSPHRASE), label(PHONE)).await
    });
    device.set_up(joined.await);
    device.again = again;
    device.restore().await;
    turns(&mut device, &beside, [2, 3], || {}).await;
    Ok(())
}

/// Writes and backs up in turns, then waits for the other and fetches everything.
async fn turns(device: &mut Device, beside: &Beside, chats: [usize; 2], first: impl Fn()) {
    for turn in 0..TURNS {
        let chat = chats[turn as usize % 2];
        let from = beside.written.borrow()[chat];
        let messages = device.write(chat, from).await;
        beside.written.borrow_mut()[chat] += messages;
        if beside.live {
            let from = beside.written.borrow()[chat];
            let messages = device.chat(chat, from).await;
            beside.written.borrow_mut()[chat] += messages;
        }
        if turn == 0 {
            first();
        }
        device.rest().await;
    }
    // What the last exchange kept and could not send any more.
    device.sync().await;
    *beside.done.borrow_mut() += 1;
    while *beside.done.borrow() < 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    device.sync().await;
    device.restore().await;
    let archive = device.archive();
    beside.fetched.borrow_mut().push((listed(archive), archive.digest().unwrap().hash()));
    *beside.again.borrow_mut() += device.again;
}

/// Cuts connections and holds messages back, from the first backup on until both devices are through with their turns.
async fn weather(seed: u64, beside: Rc<Beside>) -> turmoil::Result {
    let chance = Stream::of(seed, "weather");
    while beside.written.borrow()[0] == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    while *beside.done.borrow() < 2 {
        tokio::time::sleep(Duration::from_millis(500 + chance.below(5_000))).await;
        let device = [LAPTOP, PHONE][chance.below(2) as usize];
        let length = Duration::from_millis(100 + chance.below(6_000));
        if chance.below(2) == 0 {
            turmoil::partition(device, SERVICE);
            tokio::time::sleep(length).await;
            turmoil::repair(device, SERVICE);
        } else {
            turmoil::hold(device, SERVICE);
            tokio::time::sleep(length).await;
            turmoil::release(device, SERVICE);
        }
    }
    Ok(())
}
