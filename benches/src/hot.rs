//! The paths every byte and every message of a backup goes through, one by one, on made-up input that is always the
//! same. `benches/benches/hot.rs` times them; `benches/instructions` counts their instructions, which a busy machine
//! does not change.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use client::archive::{Archive, Ids, MediaSealer, MergeRules, Parts};
use client::chunk::{Chunks, Cutter, open_chunk, seal_chunk};
use client::crypto::{ArchiveKey, Digest, DigestKey, Entropy, EventKey, FileKey, Lifetime, Term};
use client::env::{Env, SharedEntropy};
use client::event::{Chat, Kind, Party, Precision, Row, Stamp, ZoneSource, tag};
use client::ids::{AccountId, ChatId, EventId, FileId};
use client::import::{ImportOptions, import};
use client::merge::fold_target;
use client::pack::{BlockBuilder, BlockRow, RunLabel, RunWriter, read_block, seal_front_page};
use client::strata::{MergeKeys, Sorted, merge_rows};
use client::vault::Work;

const ACCOUNT: AccountId = AccountId([1; 32]);
const LABEL: RunLabel = RunLabel { account: ACCOUNT, level: 0, last_day: 0 };

/// One path: its name, what it is counted by, and how it is made ready. Each call of what comes back does the same work
/// and answers how many units that was.
pub struct Hot {
    pub name: &'static str,
    pub unit: &'static str,
    pub ready: fn() -> Box<dyn FnMut() -> u64>,
}

pub const ALL: &[Hot] = &[
    Hot { name: "seal a chunk", unit: "byte", ready: seal },
    Hot { name: "open a chunk", unit: "byte", ready: open },
    Hot { name: "cut a file", unit: "byte", ready: cut },
    Hot { name: "rows into a block", unit: "row", ready: block },
    Hot { name: "rows out of a block", unit: "row", ready: read },
    Hot { name: "rows into a run, read back", unit: "row", ready: run },
    Hot { name: "merge eight runs", unit: "row", ready: merge },
    Hot { name: "fold edited messages", unit: "message", ready: fold },
    Hot { name: "digest of rows", unit: "row", ready: digest },
    Hot { name: "front page", unit: "row", ready: front },
    Hot { name: "import into an archive", unit: "message", ready: import_lines },
];

/// What callgrind counts: everything inside this call.
#[inline(never)]
pub fn measured(work: &mut dyn FnMut() -> u64) -> u64 {
    std::hint::black_box(work())
}

/// Draws that are the same in each run. Nothing real is ever sealed with them.
struct Drawn(u64);

impl Entropy for Drawn {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            // Knuth's multiplier; the high bits are the better ones.
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

fn drawn() -> Drawn {
    Drawn(2021)
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    drawn().fill(&mut out);
    out
}

fn lifetime() -> Lifetime {
    Lifetime::generate(&mut drawn())
}

fn chat(n: usize) -> Arc<Chat> {
    Arc::new(Chat { source: "telegram".to_owned(), conversation: format!("{n}") })
}

const WORDS: [&str; 24] = [
    "the", "train", "leaves", "at", "noon", "and", "Mum", "asks", "whether", "you", "bring", "the", "cake", "or",
    "only", "plates", "because", "Ana", "has", "none", "left", "see", "photo", "tomorrow",
];

/// A text of about twelve words, another for each number.
fn text(n: usize) -> String {
    let mut draws = Drawn(n as u64 + 7);
    let mut bytes = [0; 12];
    draws.fill(&mut bytes);
    let words: Vec<&str> = bytes.iter().map(|b| WORDS[*b as usize % WORDS.len()]).collect();
    words.join(" ")
}

fn message(n: usize) -> Row {
    let time = 1_700_000_000_000 + n as i64 * 41_000;
    let mut row = Row::new(Kind::MESSAGE, time, format!("{n}"));
    row.fields.set(tag::BODY, text(n).into_bytes());
    row.set_sender(&Party { name: Some(format!("Person {}", n % 5)), ..Party::default() });
    let (precision, zone) = (Precision::Second, ZoneSource::Explicit);
    let rest = client::fields::Fields::default();
    row.set_sent_at(&Stamp { utc_ms: Some(time), local_text: None, offset_min: None, zone, precision, rest });
    row
}

/// Messages of five chats in key order, their arrival by number.
fn rows(ids: &EventKey, numbers: impl Iterator<Item = usize>) -> Vec<BlockRow> {
    let mut rows: Vec<BlockRow> = numbers.map(|n| BlockRow::new(ids, chat(n % 5), n as u64 + 1, message(n))).collect();
    rows.sort_by_key(|row| row.key);
    rows
}

fn seal() -> Box<dyn FnMut() -> u64> {
    let (content, mut entropy) = (noise(1 << 20), drawn());
    let id = lifetime().chunk_id_key().chunk(&content);
    Box::new(move || {
        std::hint::black_box(seal_chunk(&ACCOUNT, id, &content, &mut entropy));
        content.len() as u64
    })
}

fn open() -> Box<dyn FnMut() -> u64> {
    let content = noise(1 << 20);
    let ids = lifetime().chunk_id_key();
    let sealed = seal_chunk(&ACCOUNT, ids.chunk(&content), &content, &mut drawn());
    Box::new(move || {
        let open = open_chunk(&ACCOUNT, &ids, &sealed.id, &sealed.key, sealed.coding, &sealed.bytes);
        open.expect("what was sealed opens").len() as u64
    })
}

fn cut() -> Box<dyn FnMut() -> u64> {
    let (file, cutter) = (noise(16 << 20), Arc::new(Cutter::new(&lifetime().cut_key())));
    Box::new(move || {
        let mut chunks = Chunks::new(&file[..], file.len() as u64, cutter.clone());
        let mut bytes = 0;
        while let Some(chunk) = chunks.next_chunk().expect("memory can be read") {
            bytes += chunk.len() as u64;
        }
        bytes
    })
}

fn block() -> Box<dyn FnMut() -> u64> {
    let rows = rows(&lifetime().event_key(), 0..200);
    Box::new(move || {
        let mut builder = BlockBuilder::default();
        rows.iter().for_each(|row| builder.push(row).expect("they fit one block"));
        builder.close().map_or(0, |block| block.facts.rows)
    })
}

fn read() -> Box<dyn FnMut() -> u64> {
    let ids = lifetime().event_key();
    let mut builder = BlockBuilder::default();
    rows(&ids, 0..200).iter().for_each(|row| builder.push(row).expect("they fit one block"));
    let plaintext = builder.close().map(|block| block.plaintext).unwrap_or_default();
    Box::new(move || read_block(&plaintext, &ids).expect("what was written is read").len() as u64)
}

fn run() -> Box<dyn FnMut() -> u64> {
    let (ids, mut entropy) = (lifetime().event_key(), drawn());
    let rows = rows(&ids, 0..5_000);
    Box::new(move || {
        let mut writer = RunWriter::new(LABEL, &ids);
        let mut count = 0;
        for row in &rows {
            count += writer.push(row, &mut entropy).expect("rows come in order").map_or(0, |run| run.entry.rows);
        }
        let rest = writer.finish(&mut entropy).expect("it reads back alike");
        count + rest.iter().map(|run| run.entry.rows).sum::<u64>()
    })
}

fn merge() -> Box<dyn FnMut() -> u64> {
    let (ids, digest, mut entropy) = (lifetime().event_key(), lifetime().digest_key(), drawn());
    Box::new(move || {
        let part = |n: usize| Box::new(VecDeque::from(rows(&ids, (n..4_000).step_by(8)))) as Box<dyn Sorted>;
        let keys = MergeKeys { ids: &ids, digest: &digest };
        merge_rows(keys, LABEL, (0..8).map(part).collect(), &mut entropy, |run| {
            std::hint::black_box(run);
        })
        .expect("runs of our own merge")
    })
}

/// A message, two edits of it and a reaction.
fn fold() -> Box<dyn FnMut() -> u64> {
    let (ids, chat) = (lifetime().event_key(), chat(0));
    let targets: Vec<Vec<(EventId, Row)>> = (0..500)
        .map(|n| {
            let row = message(n);
            let name = |row: &Row| ids.event(&chat.source, &chat.conversation, row.kind.id_class(), &row.native);
            let id = name(&row);
            let mut all = vec![(id, row.clone())];
            for edit in 1..3 {
                let mut act = Row::about(Kind::EDIT, row.time, id, format!("{n}/{edit}"));
                act.fields.set(tag::BODY, text(n + edit).into_bytes());
                act.fields.set_number(tag::EDITED_AT, row.time + 1_000 * edit as i64);
                all.push((name(&act), act));
            }
            let mut act = Row::about(Kind::REACTION_ADD, row.time, id, format!("{n}/+"));
            act.fields.set(tag::EMOJI, "👍".as_bytes());
            act.set_sender(&Party { name: Some("Ana".to_owned()), ..Party::default() });
            all.push((name(&act), act));
            all
        })
        .collect();
    Box::new(move || targets.iter().filter_map(|rows| fold_target(&chat, rows.clone())).count() as u64)
}

fn digest() -> Box<dyn FnMut() -> u64> {
    let key = lifetime().digest_key();
    let rows: Vec<Vec<u8>> = (0..1_000).map(|n| message(n).encode()).collect();
    Box::new(move || {
        let mut sum = Digest::default();
        rows.iter().for_each(|row| sum.add(&key.term("telegram", "0", row)));
        std::hint::black_box(sum.hash());
        rows.len() as u64
    })
}

fn front() -> Box<dyn FnMut() -> u64> {
    let (ids, mut entropy) = (lifetime().event_key(), drawn());
    let rows = rows(&ids, 0..1_000);
    Box::new(move || {
        let page = seal_front_page(&ACCOUNT, &rows, &ids, &mut entropy).expect("rows come in order");
        page.map_or(0, |_| rows.len() as u64)
    })
}

/// Lines of an interchange file into an archive of its own, made anew each time.
fn import_lines() -> Box<dyn FnMut() -> u64> {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let export: PathBuf = dir.path().join("messages.jsonl");
    let mut file = std::fs::File::create(&export).expect("a file can be made");
    for n in 0..5_000 {
        let line = serde_json::json!({
            "id": format!("{n}"), "chat": format!("{}", n % 5), "sender": format!("p{}", n % 7),
            "sender_name": format!("Person {}", n % 7), "ts": format!("2024-{:02}-{:02}T10:{:02}:{:02}Z",
            n / 420 + 1, n / 15 % 28 + 1, n / 60 % 60, n % 60), "text": text(n),
        });
        writeln!(file, "{line}").expect("it can be written");
    }
    let mut times = 0;
    Box::new(move || {
        times += 1;
        let home = dir.path().join(format!("{times}"));
        let mut archive = Archive::create(&home, &[7; 32], parts()).expect("an archive can be made");
        let report = import(&mut archive, &[export.clone()], &ImportOptions::default(), &Work::quiet(), &Env::system());
        report.expect("it is an export").sources.iter().map(|source| source.messages_new).sum()
    })
}

fn parts() -> Parts {
    let lifetime = lifetime();
    let ids = Keyed { event: lifetime.event_key(), file: lifetime.file_key(), digest: lifetime.digest_key() };
    let sealer = Sealer(ArchiveKey::generate(&mut drawn()), SharedEntropy::new(drawn()));
    Parts { ids: Arc::new(ids), rules: Arc::new(MergeRules), sealer: Arc::new(sealer) }
}

struct Keyed {
    event: EventKey,
    file: FileKey,
    digest: DigestKey,
}

impl Ids for Keyed {
    fn chat(&self, chat: &Chat) -> ChatId {
        self.event.chat(&chat.source, &chat.conversation)
    }

    fn event(&self, chat: &Chat, class: u16, native: &str) -> EventId {
        self.event.event(&chat.source, &chat.conversation, class, native)
    }

    fn file(&self, hash: &[u8; 32], bytes: u64) -> FileId {
        self.file.file(hash, bytes)
    }

    fn digest(&self, chat: &Chat, row: &[u8]) -> [u8; 32] {
        self.digest.row(&chat.source, &chat.conversation, row)
    }

    fn term(&self, chat: &Chat, row: &[u8]) -> Term {
        self.digest.term(&chat.source, &chat.conversation, row)
    }
}

struct Sealer(ArchiveKey, SharedEntropy);

impl MediaSealer for Sealer {
    fn seal_block(&self, place: &[u8; 32], number: u32, last: bool, plain: &[u8]) -> Vec<u8> {
        self.0.seal_block(&ACCOUNT, &FileId(*place), number, last, plain, &mut self.1.clone())
    }

    fn open_block(&self, place: &[u8; 32], number: u32, last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.open_block(&ACCOUNT, &FileId(*place), number, last, sealed).ok().map(|open| open.to_vec())
    }
}
