//! How many appends the service answers: one-message records of 64 accounts, signed ahead, each account's next one due at
//! a set time whatever became of the last (what comes late is counted from when it was due). Beside it, in the same run:
//! one-row commits of SQLite on the same disk, one after the other; and a lone append beside a call of nothing.
//!
//! It is done twice: each record in a request of its own, and as devices do it, all that is due in one request (up to 64,
//! in order).
//!
//! `appends [RECORDS OF AN ACCOUNT] [OFFERED A SECOND]` (50 and 20,000 without), with `chatkeepd` beside it. Prints one
//! JSON object.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::account::{self, chat, message};
use benches::figures::{Figures, ms, ratio};
use benches::service::Service;
use benches::{Done, Failed};
use client::archive::Note;
use client::crypto::{DeviceKeys, EpochKey, Keyring, seal_record};
use client::env::Env;
use client::log::{EventsContent, LogState};
use client::pack::{BlockBuilder, BlockRow};
use client::remote::{Connector as _, Network, Remote, ServerAddress, Token};
use client::vault::Vault;
use proto::v1;
use proto::wire::events::EventsClear;
use proto::wire::header::{Header, RecordKind};
use proto::wire::limits::BATCH_RECORDS_MAX;
use serde_json::json;

const ACCOUNTS: usize = 64;
/// Lone appends, calls of nothing, and raw commits that are measured.
const LONE: usize = 200;
const RAW: usize = 2_000;

fn main() -> Done<()> {
    let mut arguments = std::env::args().skip(1);
    let records = arguments.next().map_or(Ok(50), |n| n.parse())?;
    let offered = arguments.next().map_or(Ok(20_000), |n| n.parse())?;
    tokio::runtime::Runtime::new()?.block_on(measure(records, offered))
}

/// What one account sends.
struct Author {
    remote: Remote,
    token: Token,
    records: Vec<v1::Record>,
}

async fn author(server: &str, account: &str, dir: &Path, records: usize) -> Done<Author> {
    let (vault, _) = account::register(server, account, dir).await?;
    let state = vault.archive()?.note(Note::Log)?.ok_or("no log")?;
    let state = LogState::decode(&state).map_err(|_| "a log's state")?;
    let (mut previous, mut counter) =
        state.devices.get(&vault.session.device.id()).map_or(([0; 32], 0), |last| (last.digest, last.counter));
    let mut signed = Vec::with_capacity(records);
    for n in 0..records {
        counter += 1;
        let header = header(&vault, &state, counter, previous);
        let (record, body) = sealed(&vault.session.device, vault.ring.keyring(), header, n)?;
        previous = record.digest();
        signed.push(v1::Record { record: record.encode().to_vec().into(), body: body.into() });
    }
    let channel = Network::new(ServerAddress::parse(server)?, None).connect().await?;
    Ok(Author { remote: Remote::new(channel), token: vault.session.token().await?, records: signed })
}

fn header(vault: &Vault, state: &LogState, counter: u64, previous: [u8; 32]) -> Header {
    Header {
        kind: RecordKind::Events,
        flags: 0,
        incarnation: state.incarnation,
        account: vault.session.identity.account,
        device: vault.session.device.id(),
        counter,
        previous,
        seen_size: state.frontier.size(),
        seen_root: state.frontier.root(),
        agreed: 0,
        roster_version: state.roster.version,
        last_day: 0,
        clear_len: 0,
        body_len: 0,
        body_hash: [0; 32],
    }
}

fn sealed(
    device: &DeviceKeys,
    ring: &Keyring,
    header: Header,
    n: usize,
) -> Done<(proto::wire::header::Record, Vec<u8>)> {
    let epoch: &EpochKey = ring.current();
    let ids = client::crypto::Lifetime::generate(&mut Env::system().entropy.clone()).event_key();
    let mut block = BlockBuilder::default();
    block.push(&BlockRow::new(&ids, Arc::new(chat()), 0, message(&format!("{n}"))))?;
    let content = EventsContent { block: block.close().map(|b| b.plaintext), ..EventsContent::default() }.encode();
    let clear = EventsClear { packs: Vec::new(), permit: None }.encode();
    let sealed = seal_record(device, epoch, header, &clear, &content, &mut Env::system().entropy.clone());
    let sealed = sealed.map_err(|e| Failed::from(e.to_string()))?;
    Ok((sealed.record, sealed.body))
}

async fn append(author: &Author, records: &[v1::Record]) -> Done<()> {
    let request = v1::AppendRequest { records: records.to_vec(), slots: Vec::new() };
    let answer = author.remote.append(Some(&author.token), request).await;
    let answer = answer.map_err(|refused| Failed::from(format!("refused: {:?}", refused.reason)))?;
    if answer.placed.len() == records.len() { Ok(()) } else { Err("not placed".into()) }
}

/// What came of records that were due at set times.
struct Offered {
    took: Vec<Duration>,
    wall: Duration,
    cpu: Duration,
}

/// Offers so many records a second over all accounts, each request with at most so many of those that are due.
async fn offer(service: &Service, authors: Vec<Author>, offered: u64, at_once: usize) -> Done<Offered> {
    // The accounts' turns are spread over the time between two of one account.
    let every = Duration::from_secs_f64(authors.len() as f64 / offered as f64);
    let spread = every / u32::try_from(authors.len())?;
    let cpu = service.cpu()?;
    let begun = Instant::now() + Duration::from_millis(50);
    let mut sending = tokio::task::JoinSet::new();
    for (n, author) in (0..).zip(authors) {
        sending.spawn(async move {
            let due = |turn: usize| begun + every.mul_f64(turn as f64) + spread * n;
            let mut took = Vec::with_capacity(author.records.len());
            while took.len() < author.records.len() {
                let first = took.len();
                tokio::time::sleep_until(due(first).into()).await;
                let mut end = first + 1;
                while end < author.records.len() && end - first < at_once && due(end) <= Instant::now() {
                    end += 1;
                }
                append(&author, author.records.get(first..end).unwrap_or_default()).await?;
                took.extend((first..end).map(|turn| due(turn).elapsed()));
            }
            Done::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(done) = sending.join_next().await {
        took.extend(done??);
    }
    Ok(Offered { took, wall: begun.elapsed(), cpu: service.cpu()?.saturating_sub(cpu) })
}

impl Offered {
    fn told(self, raw_rate: f64) -> serde_json::Value {
        let count = self.took.len() as f64;
        let rate = count / self.wall.as_secs_f64();
        json!({
            "records": self.took.len(),
            "acked_per_s": rate.round(),
            "acked_by_raw": ratio(rate, raw_rate),
            "service_cpu_ms_per_append": ratio(self.cpu.as_secs_f64() * 1e3, count),
            "from_due": Figures::of(self.took).told(),
        })
    }
}

/// As many accounts as are measured at once.
async fn authors(service: &Service, dir: &Path, prefix: &str, records: usize) -> Done<Vec<Author>> {
    let mut authors = Vec::with_capacity(ACCOUNTS);
    for n in 0..ACCOUNTS {
        let name = format!("{prefix}{n}");
        authors.push(author(&service.address, &name, &dir.join(&name), records).await?);
    }
    Ok(authors)
}

/// One row of a record's length, one commit, durable, one after the other.
fn raw_commits(dir: &Path, bytes: usize) -> Done<Vec<Duration>> {
    let db = rusqlite::Connection::open(dir.join("raw.db"))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER PRIMARY KEY, v BLOB)",
    )?;
    let mut insert = db.prepare("INSERT INTO t (v) VALUES (?1)")?;
    let value = vec![0x5a_u8; bytes];
    let mut took = Vec::with_capacity(RAW);
    for _ in 0..RAW {
        let begun = Instant::now();
        insert.execute([&value])?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

async fn measure(records: usize, offered: u64) -> Done<()> {
    let dir = tempfile::tempdir()?;
    let service = Service::start(&dir.path().join("service"), &["limits.auth_per_minute=100000"])?;
    let lone = author(&service.address, "lone", &dir.path().join("lone"), LONE).await?;
    let single = authors(&service, dir.path(), "a", records).await?;
    let batched = authors(&service, dir.path(), "b", records).await?;
    let bytes = lone.records.first().map_or(0, |r| r.record.len() + r.body.len());
    let raw_before = raw_commits(dir.path(), bytes)?;

    let (mut nothing, mut alone) = (Vec::new(), Vec::new());
    for record in &lone.records {
        let begun = Instant::now();
        lone.remote.server().await.map_err(|_| "the service does not answer")?;
        nothing.push(begun.elapsed());
        let begun = Instant::now();
        append(&lone, std::slice::from_ref(record)).await?;
        alone.push(begun.elapsed());
    }

    let single = offer(&service, single, offered, 1).await?;
    let batched = offer(&service, batched, offered, BATCH_RECORDS_MAX).await?;
    let raw_after = raw_commits(&dir.path().join("service"), bytes)?;

    let raw: Vec<Duration> = raw_before.into_iter().chain(raw_after).collect();
    let raw_total: Duration = raw.iter().sum();
    let raw_rate = raw.len() as f64 / raw_total.as_secs_f64();
    let (raw, nothing, alone) = (Figures::of(raw), Figures::of(nothing), Figures::of(alone));
    let told = json!({
        "accounts": ACCOUNTS,
        "record_bytes": bytes,
        "offered_per_s": offered,
        "raw_commits_per_s": raw_rate.round(),
        "one_a_request": single.told(raw_rate),
        "all_due_in_one": batched.told(raw_rate),
        "lone_append": alone.told(),
        "call_of_nothing": nothing.told(),
        "raw_commit": raw.told(),
        "lone_by_call_and_commit": ratio(ms(alone.median), ms(nothing.median) + ms(raw.median)),
    });
    println!("{told}");
    Ok(())
}
