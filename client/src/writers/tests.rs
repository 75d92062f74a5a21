//! What is written is read back to the same, byte for byte; and texts are safe to show.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::event::{Chat, Kind, Party, Precision, Presence, Reply, Role, Stamp};
use crate::ids::EventId;
use crate::merge::{Reaction, Version};
use crate::sources::export::open_path;
use crate::sources::recorded::{Memory, Recorded};
use crate::sources::{Answers, jsonl as lines, telegram};

struct Store(BTreeMap<[u8; 32], Vec<u8>>);

impl Contents for Store {
    fn open(&self, attachment: &Attachment) -> io::Result<Option<Box<dyn Read + '_>>> {
        let bytes = attachment.hash.and_then(|h| self.0.get(&h));
        Ok(bytes.map(|b| Box::new(b.as_slice()) as Box<dyn Read>))
    }
}

fn message(native: &str, time: i64, text: &str) -> Message {
    Message {
        id: EventId([0; 32]),
        row_ids: Vec::new(),
        chat: Chat { source: "telegram".into(), conversation: "g:1".into() },
        kind: Kind::MESSAGE,
        time,
        place: 0,
        native: native.into(),
        sender: Some(Party { native_id: Some("user1".into()), name: Some("Ana".into()), ..Party::default() }),
        sent_at: Some(Stamp::utc(time, Precision::Second)),
        text: Some(text.into()),
        ranges: Vec::new(),
        reply: None,
        forwarded_from: None,
        via_bot: None,
        attachments: Vec::new(),
        reactions: Vec::new(),
        versions: Vec::new(),
        edited_at: None,
        edited: false,
        deleted_in_source: false,
        expires_at: None,
        action: None,
        extra: None,
    }
}

fn items(messages: Vec<(Message, Option<String>)>) -> Vec<Item> {
    messages.into_iter().map(Ok).collect()
}

fn write_lines(recorded: &Recorded) -> (TempDir, Totals) {
    let out = tempdir().unwrap();
    let store = Store(recorded.files.clone());
    let totals = write_jsonl(items(recorded.messages()), Some(&store), out.path()).unwrap();
    (out, totals)
}

fn read_lines(folder: &Path) -> Recorded {
    let mut sink = Recorded::default();
    let opened = open_path(folder).unwrap();
    lines::read(&*opened.files, &Answers::default(), &mut sink).unwrap();
    assert!(sink.skipped.is_empty(), "{:?}", sink.skipped);
    sink
}

fn all_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let opened = open_path(folder).unwrap();
    let read = |path: &str| {
        let mut bytes = Vec::new();
        opened.files.open(path).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    opened.files.list().iter().map(|e| (e.path.clone(), read(&e.path))).collect()
}

/// Writes, reads, and writes again; answers what the reading gave.
fn round_trip(first: &Recorded) -> Recorded {
    let (out, totals) = write_lines(first);
    assert_eq!(totals.messages, first.rows.len() as u64);
    assert_eq!(totals.missing, []);
    let again = read_lines(out.path());
    let (second, _) = write_lines(&again);
    assert_eq!(all_files(out.path()), all_files(second.path()));
    again
}

const TELEGRAM: &str = r#"{"name":"Club","type":"private_group","id":9,"messages":[
    {"id":1,"type":"service","date_unixtime":"1709280000","actor":"Ana","actor_id":"user1","action":"create_group","title":"Club","members":["Ana"],"text":""},
    {"id":2,"type":"message","date_unixtime":"1709280001","edited_unixtime":"1709280300","from":"Bo","from_id":"user2","text":[{"type":"link","text":"http://a"}," \u0000\"x\"\\"],"reply_to_message_id":1,"via_bot":"@b","forwarded_from":"Z","lat":1.50},
    {"id":10,"type":"message","date_unixtime":"1709280001","from":null,"from_id":"user3","text":"ten",
     "reactions":[{"type":"emoji","count":2,"emoji":"👍","recent":[{"from":"Ana","from_id":"user1"},{"from":null,"from_id":"user2"}]}]},
    {"id":3,"type":"message","date":"2019-07-12T16:55:32","from":"Bo","text":"local"},
    {"id":4,"type":"message","from":"Bo","text":"no date"},
    {"type":"message","date_unixtime":"1709280001","from":"Bo","text":"no id"},
    {"id":5,"type":"message","date_unixtime":"1709280009","photo":"photos/p.JPG","text":""},
    {"id":6,"type":"message","date_unixtime":"1709280009","file":"(File not included)","file_name":"x.pdf","file_size":12,"text":""},
    {"id":7,"type":"service","date_unixtime":"1709280010","actor":"Ana","actor_id":"user1","action":"pin_message","message_id":2,"text":""},
    {"id":8,"type":"service","date_unixtime":"1709280011","actor":"Ana","actor_id":"user1","action":"phone_call","text":""},
    {"id":9,"type":"message","date":"2024-01-01T00:00:00+02:00","from":"user9","from_id":"user9","text":"","poll":{"question":"Q","answers":[{"text":"a"}]}},
    {"id":11,"type":"message","date_unixtime":"1709280012","location_information":{"latitude":1.0,"longitude":2},"text":""}]}"#;

fn telegram_sample() -> Recorded {
    let files = Memory::new(&[("result.json", TELEGRAM.as_bytes()), ("photos/p.JPG", b"jpg")]);
    let mut sink = Recorded::default();
    telegram::read(&files, &Answers::default(), &mut sink).unwrap();
    sink
}

#[test]
fn an_export_read_back_gives_the_same_rows_and_bytes() {
    let first = telegram_sample();
    let again = round_trip(&first);
    let sorted = |r: &Recorded| {
        let mut rows: Vec<_> = r.rows.iter().map(|(c, r)| (c.clone(), r.encode())).collect();
        rows.extend(r.about.iter().map(|(c, t, r)| (c.clone(), [t.as_bytes(), &r.encode()].concat())));
        rows.sort();
        rows
    };
    for (chat, row) in &first.rows {
        assert_eq!((chat, row), (chat, again.row(&row.native)), "{}", row.native);
    }
    assert_eq!(sorted(&first), sorted(&again));
    assert_eq!(first.files, again.files);
    assert_eq!(first.chats.keys().collect::<Vec<_>>(), again.chats.keys().collect::<Vec<_>>());
}

#[test]
fn lines_look_as_the_contract_says() {
    let (out, totals) = write_lines(&telegram_sample());
    let text = fs::read_to_string(out.path().join("messages.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let hash = blake3::hash(b"jpg").to_hex();
    assert_eq!(
        lines.iter().find(|l| l.contains("\"id\":\"5\"")).unwrap(),
        &format!(
            "{{\"id\":\"5\",\"chat\":\"private_group:9\",\"sender\":null,\"ts\":\"2024-03-01T08:00:09.000Z\",\"chat_name\":\"Club\",\
             \"attachments\":[{{\"name\":\"p.JPG\",\"size\":3,\"path\":\"media/{hash}.jpg\",\"blake3\":\"{hash}\",\"role\":\"photo\",\
             \"state\":\"present\",\"source_ref\":\"photos/p.JPG\"}}],\"source\":\"telegram\",\"native\":\"5\",\"kind\":\"message\",\
             \"precision\":\"second\",\"tz_source\":\"explicit\"}}"
        )
    );
    let of = |id: &str| -> serde_json::Value {
        lines.iter().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()).find(|v| v["id"] == id).unwrap()
    };
    assert_eq!(of("1")["sender"], serde_json::Value::Null);
    assert_eq!((&of("1")["actor"], &of("1")["kind"]), (&"user1".into(), &"system".into()));
    assert_eq!(of("2")["edited_at"], "2024-03-01T08:05:00.000Z");
    assert_eq!(
        (&of("3")["ts"], &of("3")["local_time"]),
        (&"2019-07-12T16:55:32.000".into(), &"2019-07-12T16:55:32".into())
    );
    assert_eq!(of("10")["reactions"][0], serde_json::json!({"by": "Ana", "by_id": "user1", "emoji": "👍"}));
    // Chat, time, then id as text.
    let ids: Vec<String> = lines
        .iter()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["id"].as_str().unwrap().into())
        .collect();
    let known: Vec<&str> = ids.iter().map(String::as_str).filter(|i| i.len() < 3).collect();
    assert_eq!(known, ["4", "3", "9", "1", "10", "2", "5", "6", "7", "8", "11"]);
    assert_eq!((totals.chats, totals.messages, totals.attachments), (1, 12, 1));
    assert_eq!(totals.bytes, text.len() as u64 + 3);
}

#[test]
fn changes_of_a_message_come_back() {
    let mut m = message("5", 1000, "now");
    m.versions = vec![Version { at: None, text: "first".into() }, Version { at: Some(2000), text: "second".into() }];
    m.deleted_in_source = true;
    m.reactions = vec![Reaction { by: "Bo".into(), by_id: None, emoji: "🎉".into() }];
    m.reply = Some(Reply { quoted_text: Some("q".into()), ..Reply::default() });
    let out = tempdir().unwrap();
    write_jsonl(items(vec![(m.clone(), Some("T".into()))]), None, out.path()).unwrap();
    let again = read_lines(out.path());
    let [(read, title)] = &again.messages()[..] else { panic!("one message") };
    assert_eq!((read, title.as_deref()), (&m, Some("T")));
}

#[test]
fn contents_that_are_not_what_they_should_be_are_named_and_not_kept() {
    let hash = *blake3::hash(b"right").as_bytes();
    let mut m = message("5", 1000, "now");
    let mut file = Attachment::new(Role::File, Presence::Present);
    file.hash = Some(hash);
    m.attachments = vec![file.clone(), file];
    for (store, reason) in [
        (Store(BTreeMap::from([(hash, b"wrong".to_vec())])), "is not what its hash says"),
        (Store(BTreeMap::new()), "not on this device"),
    ] {
        let out = tempdir().unwrap();
        let totals = write_jsonl(items(vec![(m.clone(), None)]), Some(&store), out.path()).unwrap();
        assert_eq!(
            totals.missing.iter().map(|m| (m.message.as_str(), m.reason.as_str())).collect::<Vec<_>>(),
            [("5", reason)]
        );
        let files = all_files(out.path());
        assert_eq!(files.keys().collect::<Vec<_>>(), ["messages.jsonl"]);
        let line = String::from_utf8(files["messages.jsonl"].clone()).unwrap();
        assert!(line.contains("\"state\":\"missing\"") && !line.contains("\"path\""), "{line}");
    }
}

#[test]
fn wrong_order_is_refused_and_existing_files_stay() {
    let out = tempdir().unwrap();
    let wrong = items(vec![(message("1", 5, ""), None), (message("2", 4, ""), None)]);
    assert!(matches!(write_jsonl(wrong, None, out.path()), Err(WriteError::Order(id)) if id == "2"));
    assert!(
        matches!(write_jsonl(Vec::new(), None, out.path()), Err(WriteError::Io(e)) if e.kind() == io::ErrorKind::AlreadyExists)
    );
    let failing = vec![Err("no".into())];
    assert!(matches!(write_txt(failing, None, out.path()), Err(WriteError::Read(_))));
}

#[test]
fn texts_are_readable_and_carry_no_control_characters() {
    let out = tempdir().unwrap();
    let mut evil = message("1", 1_709_280_000_000, "one\u{1b}[31m\r\ntwo\u{202e}\u{2028}x\u{200f}");
    evil.sender = Some(Party::named("A\nB\u{7}"));
    evil.edited = true;
    evil.deleted_in_source = true;
    evil.reactions = vec![Reaction { by: "Bo".into(), by_id: None, emoji: "👍".into() }];
    let mut photo = Attachment::new(Role::Photo, Presence::Omitted);
    photo.name = Some("p.jpg".into());
    evil.attachments = vec![photo];
    let mut system = message("2", 1_709_280_001_000, "");
    (system.kind, system.text, system.action) = (Kind::SYSTEM, None, Some("create_group".into()));
    let mut other = message("3", 0, "hi");
    other.chat.conversation = "g:2".into();
    other.sent_at = None;
    let title = |t: &str| Some(t.to_owned());
    let totals = write_txt(
        items(vec![(evil, title("../A/b")), (system, title("../A/b")), (other, title("../a/B"))]),
        None,
        out.path(),
    )
    .unwrap();
    assert_eq!((totals.chats, totals.messages), (2, 3));
    let files = all_files(out.path());
    assert_eq!(files.keys().collect::<Vec<_>>(), ["chat ___A_b.txt", "chat ___a_B (2).txt"]);
    assert_eq!(
        String::from_utf8(files["chat ___A_b.txt"].clone()).unwrap(),
        "../A/b\n\n2024-03-01 08:00:00Z  A B: one[31m\n    twox\u{200f}\n    [photo: p.jpg, omitted]\n    [deleted in the app]\n    \
         [edited]\n    [reactions: 👍 Bo]\n2024-03-01 08:00:01Z  * Ana [create_group]\n"
    );
    assert_eq!(files["chat ___a_B (2).txt"], b"../a/B\n\n1970-01-01 00:00:00  Ana: hi\n");
    assert_eq!(totals.bytes, files.values().map(|f| f.len() as u64).sum::<u64>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_message_comes_back(
        native in "\\PC{1,12}", conversation in "\\PC{1,12}", time in any::<i64>(), text in proptest::option::of("(.|\n|\u{0}){1,20}"),
        id in proptest::option::of("[ab]{1,2}"), name in proptest::option::of("[ab]{1,2}"), is_self in any::<bool>(),
        stamp in 0..4, kind in 0usize..5, place in 0i64..3, whatsapp in any::<bool>(), reaction in "[ab]{1,2}", state in 0usize..4,
    ) {
        let mut m = message(&native, time, "");
        m.chat.conversation = conversation;
        if whatsapp {
            m.chat.source = "whatsapp".into();
        }
        (m.text, m.kind, m.place) = (text, Kind::STANDING[kind], place);
        let party = Party { native_id: id, name, is_self, ..Party::default() };
        m.sender = (party.native_id.is_some() || party.name.is_some()).then_some(party);
        m.sent_at = match stamp {
            0 => None,
            1 => Some(Stamp::utc(time, Precision::Nano)),
            2 => Some(Stamp::utc(time.wrapping_add(1), Precision::Micro)),
            _ => Some(Stamp::local("1/2/03", Precision::Minute)),
        };
        m.reactions = vec![Reaction { by: reaction.clone(), by_id: Some(reaction), emoji: "x".into() }];
        let mut file = Attachment::new(Role::Video, [Presence::Missing, Presence::Omitted, Presence::Expired, Presence::Present][state]);
        (file.name, file.size) = (Some("n".into()), Some(u64::from(u32::MAX)));
        m.attachments = vec![file];
        m.extra = Some(r#"{"text":1,"z":[null]}"#.into());
        // A stamp of another instant than the row's needs a time that can be written both ways.
        prop_assume!(time < i64::MAX);
        let out = tempdir().unwrap();
        write_jsonl(items(vec![(m.clone(), None)]), None, out.path()).unwrap();
        let again = read_lines(out.path());
        let read = again.messages();
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(&read[0].0, &m);
    }
}
