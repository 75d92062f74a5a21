//! How many appends the service answers: one-message records of 64 accounts, signed ahead, each account's next one due at
//! a set time whatever became of the last (what comes late is counted from when it was due). Beside it, in the same run:
//! one-row commits of SQLite on the same disk, one after the other; and a lone append beside a call of nothing.
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

async fn append(author: &Author, record: &v1::Record) -> Done<()> {
    let request = v1::AppendRequest { records: vec![record.clone()], slots: Vec::new() };
    let answer = author.remote.append(Some(&author.token), request).await;
    let answer = answer.map_err(|refused| Failed::from(format!("refused: {:?}", refused.reason)))?;
    if answer.placed.len() == 1 { Ok(()) } else { Err("not placed".into()) }
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
    let mut authors = Vec::with_capacity(ACCOUNTS);
    for n in 0..ACCOUNTS {
        authors.push(author(&service.address, &format!("a{n}"), &dir.path().join(format!("{n}")), records).await?);
    }
    let bytes = authors[0].records.first().map_or(0, |r| r.record.len() + r.body.len());
    let raw_before = raw_commits(dir.path(), bytes)?;

    let (mut nothing, mut alone) = (Vec::new(), Vec::new());
    for record in &lone.records {
        let begun = Instant::now();
        lone.remote.server().await.map_err(|_| "the service does not answer")?;
        nothing.push(begun.elapsed());
        let begun = Instant::now();
        append(&lone, record).await?;
        alone.push(begun.elapsed());
    }

    // The accounts' turns are spread over the time between two of one account.
    let every = Duration::from_secs_f64(ACCOUNTS as f64 / offered as f64);
    let cpu = service.cpu()?;
    let begun = Instant::now() + Duration::from_millis(50);
    let mut sending = tokio::task::JoinSet::new();
    for (n, author) in authors.into_iter().enumerate() {
        sending.spawn(async move {
            let mut took = Vec::with_capacity(author.records.len());
            for (turn, record) in author.records.iter().enumerate() {
                let due = begun + every.mul_f64(turn as f64 + n as f64 / ACCOUNTS as f64);
                tokio::time::sleep_until(due.into()).await;
                append(&author, record).await?;
                took.push(due.elapsed());
            }
            Done::Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(done) = sending.join_next().await {
        took.extend(done??);
    }
    let wall = begun.elapsed();
    let cpu = service.cpu()?.saturating_sub(cpu);
    let raw_after = raw_commits(&dir.path().join("service"), bytes)?;

    let count = took.len() as f64;
    let raw: Vec<Duration> = raw_before.into_iter().chain(raw_after).collect();
    let raw_total: Duration = raw.iter().sum();
    let raw_rate = raw.len() as f64 / raw_total.as_secs_f64();
    let (raw, nothing, alone) = (Figures::of(raw), Figures::of(nothing), Figures::of(alone));
    let told = json!({
        "accounts": ACCOUNTS,
        "records": took.len(),
        "record_bytes": bytes,
        "offered_per_s": offered,
        "acked_per_s": (count / wall.as_secs_f64()).round(),
        "raw_commits_per_s": raw_rate.round(),
        "acked_by_raw": ratio(count / wall.as_secs_f64(), raw_rate),
        "service_cpu_ms_per_append": ratio(cpu.as_secs_f64() * 1e3, count),
        "from_due": Figures::of(took).told(),
        "lone_append": alone.told(),
        "call_of_nothing": nothing.told(),
        "raw_commit": raw.told(),
        "lone_by_call_and_commit": ratio(ms(alone.median), ms(nothing.median) + ms(raw.median)),
    });
    println!("{told}");
    Ok(())
}
