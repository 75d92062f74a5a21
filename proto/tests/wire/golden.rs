//! Golden vectors: `proto/golden/*.txt`. `CHATKEEP_BLESS=1` writes them anew, for review as a diff.

use std::fmt::Write as _;
use std::path::Path;

use proto::wire::signin;
use proto::wire::slot::{credential_digest, slot_digest};
use proto::wire::tree::{Frontier, node};

use crate::maker::{account, device_id, hash};
use crate::samples;

/// Compares a text with the golden file of that name, or writes it when blessing.
pub fn compare(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    if std::env::var_os("CHATKEEP_BLESS").is_some() {
        std::fs::write(&path, text).expect("the golden folder can be written when blessing");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{file}: {why}"));
    let lines = golden.lines().zip(text.lines()).enumerate();
    for (at, (golden, now)) in lines {
        assert_eq!(golden, now, "{file}, line {}", at + 1);
    }
    assert_eq!(golden.len(), text.len(), "{file} has another end");
}

struct Vectors(String);

impl Vectors {
    fn of(about: &str) -> Self {
        Self(format!("# {about}\n"))
    }

    fn add(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let hex: String = bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        writeln!(self.0, "{}", format!("{name}: {hex}").trim_end()).expect("text can always be written to memory");
        self
    }
}

#[test]
fn headers_records_and_leaves() {
    let leaf = samples::leaf();
    let text = Vectors::of("format 4.1: a header with its signature by the device whose seed is 32 times 01")
        .add("header", samples::header().encode())
        .add("signature", leaf.record.signature)
        .add("record digest", leaf.record.digest())
        .add("leaf", leaf.encode())
        .add("leaf hash", leaf.hash());
    compare("header.txt", &text.0);
}

#[test]
fn trees() {
    let mut text = Vectors::of("format 4.2: roots and frontiers over leaf hashes H(\"log leaf\", one byte: the index)")
        .add("node of leaf hashes 0 and 1", node(&leaf_hash(0), &leaf_hash(1)));
    let mut frontier = Frontier::default();
    for size in 0..=8 {
        text = text.add(&format!("root {size}"), frontier.root());
        text = text.add(&format!("frontier {size}"), frontier.hashes().concat());
        frontier.append(leaf_hash(size));
    }
    compare("tree.txt", &text.0);
}

fn leaf_hash(n: u8) -> [u8; 32] {
    hash("log leaf", &[&[n]])
}

#[test]
fn rosters() {
    let (record, body) = samples::roster().publish();
    let (clear, _) = record.split_body(&body).unwrap();
    let text = Vectors::of("format 4.4: the second roster of an account; it rotates the root, one device joins")
        .add("account", account().0)
        .add("record", record.encode())
        .add("clear part", clear);
    compare("roster.txt", &text.0);
}

#[test]
fn heads_and_events() {
    let head = Vectors::of("format 4.5: clear part of a head").add("clear part", samples::head().encode());
    compare("head.txt", &head.0);
    let events =
        Vectors::of("format 4.3: clear part of an EVENTS record with a permit by the root of seed 32 times 64")
            .add("clear part", samples::events().encode())
            .add("clear part of a record that relies on nothing", [0, 0, 0]);
    compare("events.txt", &events.0);
}

#[test]
fn slots_and_sign_ins() {
    let object = samples::slot_object();
    let opaque = samples::opaque_object().encode();
    let text = Vectors::of("format 6 and 8: slot prefix, OPAQUE object, what is signed to get in")
        .add("slot prefix", samples::slot_prefix().encode())
        .add("slot digest of the prefix filled up to 512 bytes with 77", slot_digest(&object))
        .add("opaque object", &opaque)
        .add("credential digest", credential_digest(&opaque))
        .add("sign-in", signin::device_message("chat.example.org", &account(), &device_id(1), &[0x55; 32]))
        .add("recovery sign-in", signin::recovery_message("chat.example.org", &samples::name(), &[0x55; 32]))
        .add("opaque context", signin::opaque_context("chat.example.org", &samples::cost()));
    compare("slot.txt", &text.0);
}
