//! Lines written by hand after SURFACE §6, sound and broken.

use proptest::prelude::*;

use super::super::recorded::{Memory, Recorded};
use super::*;
use crate::event::{Kind, Precision, Role, Row, Stamp, ZoneSource, tag};

fn import(files: &[(&str, &[u8])]) -> (Recorded, Vec<ChatReport>) {
    let mut sink = Recorded::default();
    let reports = read(&Memory::new(files), &Answers::default(), &mut sink).unwrap();
    (sink, reports)
}

fn lines(text: &str) -> (Recorded, Vec<ChatReport>) {
    import(&[("m.jsonl", text.as_bytes())])
}

/// A line that detection accepts, before others.
const FIRST: &str = r#"{"id":"0","chat":"c","sender":"A","ts":"2024-01-01T00:00:00Z"}"#;

fn row(line: &str) -> (Recorded, Row) {
    let (sink, _) = lines(&format!("{FIRST}\n{line}\n"));
    assert_eq!(sink.rows.len(), 2, "{:?}", sink.skipped);
    let row = sink.rows[1].1.clone();
    (sink, row)
}

#[test]
fn a_line_of_anybody_is_read() {
    let (sink, row) = row(
        r#"{"id":"m1","chat":"c","chat_name":"Club","sender":"u1","sender_name":"Ana","ts":"2024-03-01T10:00:04.250+02:00",
        "text":"hé\u0000","reply_to":"m0","colour":"red","reactions":[{"by":"Bo","emoji":"👍"},{"by":7}]}"#
            .replace('\n', " ")
            .as_str(),
    );
    let (chat, info) = sink.chats.first_key_value().unwrap();
    assert_eq!((chat.source.as_str(), chat.conversation.as_str(), info.title.as_deref()), ("jsonl", "c", Some("Club")));
    assert_eq!((row.native.as_str(), row.kind, row.time), ("m1", Kind::MESSAGE, 1_709_280_004_250));
    assert_eq!(row.body(), Some("hé\0"));
    let stamp = row.sent_at().unwrap();
    assert_eq!((stamp.offset_min, stamp.precision), (Some(120), Precision::Milli));
    assert_eq!(row.reply().unwrap().native.as_deref(), Some("m0"));
    let sender = row.sender().unwrap();
    assert_eq!((sender.native_id.as_deref(), sender.name.as_deref()), (Some("u1"), Some("Ana")));
    assert_eq!(row.fields.text(tag::EXTRA), Some(r#"{"colour":"red","reactions":[{"by":7}]}"#));
    let (_, target, reaction) = &sink.about[0];
    assert_eq!((target.as_str(), reaction.kind, reaction.time), ("m1", Kind::REACTION_ADD, row.time));
    assert_eq!(
        (reaction.sender().unwrap().name.as_deref(), reaction.fields.text(tag::EMOJI)),
        (Some("Bo"), Some("👍"))
    );
    assert_eq!(sink.about.len(), 1);
}

#[test]
fn a_line_of_ours_gives_back_source_native_and_time() {
    let (sink, row) = row(
        r#"{"id":"x","chat":"Family","sender":null,"ts":"2024-03-01T10:00:00.000","actor":"Ana","actor_name":"Ana","source":"whatsapp","native":"7/7/=Ana/P/0/=x","kind":"system","action":"joined","local_time":"01.03.24, 10:00","precision":"minute","tz_source":"unknown","place":3,"extra":{"b":1,"a":[2]},"deleted":true,"versions":[{"at":"2024-03-02T00:00:00.000Z","text":"old"},{"at":null,"text":"older"}]}"#,
    );
    let (chat, _) = sink.rows.last().unwrap();
    assert_eq!(
        (chat.source.as_str(), chat.conversation.as_str(), row.native.as_str()),
        ("whatsapp", "Family", "7/7/=Ana/P/0/=x")
    );
    assert_eq!((row.kind, row.time), (Kind::SYSTEM, 1_709_287_200_000));
    assert_eq!(row.sent_at(), Some(Stamp::local("01.03.24, 10:00", Precision::Minute)));
    assert_eq!(row.sent_at().unwrap().zone, ZoneSource::Unknown);
    assert_eq!(row.fields.text(tag::EXTRA), Some(r#"{"a":[2],"b":1}"#));
    assert_eq!((row.fields.number(tag::PLACE), row.fields.text(tag::ACTION)), (Some(3), Some("joined")));
    let about: Vec<_> =
        sink.about.iter().map(|(_, t, r)| (t.as_str(), r.kind, r.body(), r.fields.number(tag::EDITED_AT))).collect();
    assert_eq!(
        about,
        [
            ("7/7/=Ana/P/0/=x", Kind::SOURCE_DELETE, None, None),
            ("7/7/=Ana/P/0/=x", Kind::EDIT, Some("old"), Some(1_709_337_600_000)),
            ("7/7/=Ana/P/0/=x", Kind::EDIT, Some("older"), None),
        ]
    );
    assert_eq!((row.fields.get(tag::CLASS), row.fields.number(tag::STRAND)), (Some(&b"P"[..]), Some(7)));
    assert_eq!(row.fields.get(tag::AS_OF), None);
}

#[test]
fn the_text_shown_is_later_than_those_it_replaced() {
    let (_, row) = row(
        r#"{"id":"5","chat":"c","sender":"A","ts":"2024-03-01T10:00:00Z","text":"now","versions":[{"at":"2024-03-02T00:00:00.000Z","text":"old"}]}"#,
    );
    assert_eq!(row.fields.number(tag::AS_OF), Some(1_709_337_600_001));
}

#[test]
fn attachments_are_read_checked_and_kept_inside() {
    let good = blake3::hash(b"jpg").to_hex();
    let line = format!(
        r#"{{"id":"1","chat":"c","sender":"A","ts":"2024-01-01T00:00:00Z","attachments":[{{"path":"media/a.jpg","mime":"image/jpeg","blake3":"{good}"}},{{"path":"media/a.jpg","blake3":"{}"}},{{"path":"../secret"}},{{"path":"media/none"}},{{"name":"later","zoom":2}}]}}"#,
        "0".repeat(64)
    );
    let (sink, reports) = import(&[("d/m.jsonl", line.as_bytes()), ("d/media/a.jpg", b"jpg"), ("secret", b"s")]);
    let list = sink.row("1").attachments();
    let got: Vec<_> = list.iter().map(|a| (a.presence, a.role, a.size, a.name.as_deref())).collect();
    assert_eq!(
        got,
        [
            (Presence::Present, Role::Photo, Some(3), Some("a.jpg")),
            (Presence::Missing, Role::File, None, Some("a.jpg")),
            (Presence::Missing, Role::File, None, None),
            (Presence::Missing, Role::File, None, Some("none")),
            (Presence::Omitted, Role::File, None, Some("later")),
        ]
    );
    assert_eq!(list[0].hash, Some(*blake3::hash(b"jpg").as_bytes()));
    assert_eq!(sink.row("1").fields.text(tag::EXTRA), Some(r#"{"attachments":[{"zoom":2}]}"#));
    assert_eq!(sink.skipped.len(), 3, "{:?}", sink.skipped);
    assert_eq!(sink.files.len(), 1);
    assert_eq!((reports[0].present, reports[0].missing, reports[0].omitted), (1, 3, 1));
}

#[test]
fn a_bad_line_is_named_and_the_rest_goes_on() {
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(LINE_BYTES_MAX));
    let bad = [
        "{\"id\":1,",
        "[]",
        r#"{"chat":"c","ts":"2024-01-01T00:00:00Z"}"#,
        r#"{"id":"1","chat":"c","ts":"soon"}"#,
        r#"{"id":"1","chat":"c","ts":"2024-01-01T00:00:00Z","source":"chatkeep","native":"x"}"#,
        r#"{"id":"1","chat":"c","ts":"2024-01-01T00:00:00Z","kind":"setting"}"#,
        &long,
    ];
    let (sink, _) = lines(&format!("\u{feff}{FIRST}\r\n\n{}\n{FIRST}", bad.join("\n")));
    assert_eq!(sink.rows.len(), 2);
    let items: Vec<_> = sink.skipped.iter().map(|(item, _)| item.as_str()).collect();
    assert_eq!(items, (3..10).map(|n| format!("m.jsonl line {n}")).collect::<Vec<_>>());
}

#[test]
fn broken_bytes_are_reported_and_kept() {
    let mut text = FIRST.as_bytes().to_vec();
    let line = b"{\"id\":\"2\",\"chat\":\"c\",\"sender\":\"A\",\"ts\":\"2024-01-01T00:00:00Z\",\"text\":\"a\xff\0b\"}";
    text.push(b'\n');
    text.extend_from_slice(line);
    let (sink, _) = import(&[("m.jsonl", &text)]);
    assert_eq!(sink.row("2").body(), Some("a\u{fffd}\0b"));
    assert_eq!(sink.row("2").fields.get(tag::RAW), Some(&line[..]));
    assert_eq!(sink.skipped.len(), 1);
    assert_eq!(sink.skipped[0].0, "m.jsonl line 2");
}

#[test]
fn words_of_lines_come_back() {
    fn all<W: Word + std::fmt::Debug>() {
        for (word, value) in W::WORDS {
            assert_eq!((value.word(), W::from_word(word)), (Some(*word), Some(*value)));
        }
    }
    all::<Kind>();
    all::<Precision>();
    all::<ZoneSource>();
    all::<Role>();
    all::<Presence>();
}

#[test]
fn ids_are_the_sources_own_or_derived_without_a_key() {
    assert_eq!(id_of("telegram", "17"), "17");
    let derived = id_of("whatsapp", "17");
    assert_eq!(derived.len(), 32);
    assert_ne!(derived, id_of("irc", "17"));
    assert_eq!(id_of("telegram", "content:ab").len(), 32);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), flip in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut text = format!("{FIRST}\n").into_bytes();
        text.extend_from_slice(&bytes);
        let (sink, _) = import(&[("m.jsonl", &text)]);
        prop_assert!(!sink.rows.is_empty());
        let mut text = format!("{FIRST}\n{FIRST}").into_bytes();
        let at = flip.index(text.len());
        text[at] = to;
        let _ = read(&Memory::new(&[("m.jsonl", &text)]), &Answers::default(), &mut Recorded::default());
    }

    #[test]
    fn values_of_any_kind_anywhere_are_taken_or_kept(
        key in prop::sample::select(vec!["text","sender","sender_name","chat_name","reply_to","edited_at","edited","deleted","reactions",
            "attachments","source","native","local_time","precision","tz_source","offset_min","utc","versions","ranges","forwarded","extra","place","actor","other"]),
        value in prop::sample::select(vec!["null","1","-1","1.5","true","\"\"","\"x\"","[]","[1]","[{}]","{}","{\"a\":1}","[{\"path\":\"/x\"}]","99999999999999999999"]),
    ) {
        let line = FIRST.replacen("\"id\":\"0\"", "\"id\":\"1\"", 1);
        let line = format!("{},\"{key}\":{value}}}", &line[..line.len() - 1]);
        let (sink, _) = lines(&format!("{FIRST}\n{line}"));
        prop_assert_eq!(sink.rows.len() + sink.skipped.iter().filter(|(i, r)| i.ends_with("line 2") && !r.starts_with("attachment")).count(), 2);
    }
}
