//! Files that are broken, hostile, or hold what they should not.

use proptest::prelude::*;

use super::support::{Memory, import, text};
use crate::event::{Presence, tag};
use crate::sources::{Answers, DateOrder};

#[test]
fn broken_bytes_are_kept_and_shown_as_well_as_may_be() {
    let chat = b"13/05/24, 09:00 - Ana: caf\xe9 \0!\nmore\n13/05/24, 09:01 - Bo: fine\n";
    let got = import(&Memory::one("c.txt", chat.as_slice()), &Answers::default()).unwrap();
    assert_eq!(got.lines[0].row.body(), Some("caf\u{fffd} \u{fffd}!\nmore"));
    assert_eq!(got.lines[0].row.fields.get(tag::RAW), Some(b"Ana: caf\xe9 \0!\nmore".as_slice()));
    assert_eq!(got.lines[1].row.fields.get(tag::RAW), None);
    assert_eq!(got.reading.report.lines_unknown, 1);
}

#[test]
fn a_message_beyond_the_limit_is_cut_and_reported() {
    let mut chat = b"13/05/24, 09:00 - Ana: ".to_vec();
    chat.extend(std::iter::repeat_n(b'x', 3 << 20));
    chat.extend_from_slice(b"\n13/05/24, 09:01 - Bo: a\n");
    chat.extend("many lines\n".repeat(200_000).bytes());
    chat.extend_from_slice(b"13/05/24, 09:02 - Bo: end");
    let got = import(&Memory::one("c.txt", chat), &Answers::default()).unwrap();
    assert_eq!(got.lines.len(), 3);
    assert!(got.lines.iter().all(|l| l.row.body().unwrap().len() <= 1 << 20));
    let items: Vec<&str> = got.notes.skipped.iter().map(|(item, _)| item.as_str()).collect();
    assert_eq!(items, ["c.txt, line 1", "c.txt, line 2"]);
    assert_eq!(got.lines[2].row.body(), Some("end"));
}

#[test]
fn text_above_the_first_header_is_kept() {
    let got = text("c.txt", "\u{feff}\nold notes\nof mine\n13/05/24, 09:00 - Ana: a");
    assert_eq!(got.lines.len(), 2);
    assert_eq!((got.lines[0].sender.as_deref(), got.lines[0].row.body()), (None, Some("old notes\nof mine")));
    assert_eq!(got.lines[0].unit, got.lines[1].unit);
    assert_eq!(got.reading.report.lines_unknown, 1);
}

#[test]
fn ends_of_files() {
    for end in ["", "\n", "\r\n", "\n\n\n"] {
        let got = text("c.txt", &format!("13/05/24, 09:00 - Ana: a\n13/05/24, 09:01 - Ana: b{end}"));
        assert_eq!(got.lines[1].row.body(), Some("b"), "{end:?}");
    }
    assert_eq!(text("c.txt", "13/05/24, 09:00 - Ana:").lines[0].row.body(), None);
}

#[test]
fn an_unreadable_attachment_does_not_stop_the_import() {
    let mut files = Memory::one("c.txt", "13/05/24, 09:00 - Ana: IMG-20240513-WA0001.jpg (file attached)\n")
        .with("IMG-20240513-WA0001.jpg", "x");
    files.broken = Some("IMG-20240513-WA0001.jpg".into());
    let got = import(&files, &Answers::default()).unwrap();
    assert_eq!(got.lines[0].row.attachments()[0].presence, Presence::Missing);
    assert_eq!(got.notes.skipped.len(), 1);
    assert_eq!((got.reading.report.missing, got.reading.report.present), (1, 0));
}

#[test]
fn a_body_full_of_brackets_is_read_once() {
    let chat = format!("[13.05.24, 09:00:00] Ana: {}", "<".repeat(1 << 19));
    let got = text("_chat.txt", &chat);
    assert_eq!(got.lines[0].normal.len(), 1 << 19);
}

#[test]
fn a_file_that_many_messages_name_is_read_once() {
    let chat = "13/05/24, 09:00 - Ana: IMG-20240513-WA0001.jpg (file attached)\n".repeat(50);
    let files = Memory::one("c.txt", chat).with("IMG-20240513-WA0001.jpg", "x");
    let got = import(&files, &Answers::default()).unwrap();
    assert_eq!((got.reading.report.present, got.notes.files), (50, 1));
    assert!(got.lines.iter().all(|l| l.row.attachments()[0].hash.is_some()));
}

/// Pieces that headers and bodies are made of, to be shuffled.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("13/05/24, 09:00 - ".to_owned()),
        Just("[13.05.24, 09:00:01] ".to_owned()),
        Just("Ana: ".to_owned()),
        Just("\u{200e}".to_owned()),
        Just("<attached: a.jpg>".to_owned()),
        Just("a.jpg (file attached)".to_owned()),
        Just("<Media omitted>".to_owned()),
        Just("POLL:\nq\nOPTION: a (1 vote)".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("<This message was edited>".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("٣/١/٢٤".to_owned()),
        Just("\u{202f}PM".to_owned()),
        Just("[".to_owned()),
        Just(": ".to_owned()),
        "\\PC{0,6}",
    ];
    let text = prop::collection::vec(piece, 0..40).prop_map(|p| p.concat().into_bytes());
    prop_oneof![text, prop::collection::vec(any::<u8>(), 0..300)]
}

proptest! {
    /// Any bytes are read or refused; what is read is complete: every message's text is somewhere in the file.
    #[test]
    fn no_bytes_panic(head in prop::bool::ANY, bytes in soup()) {
        let mut chat = if head { b"13/05/24, 08:00 - Bo: first\n".to_vec() } else { Vec::new() };
        chat.extend_from_slice(&bytes);
        let answers = Answers { date_order: Some(DateOrder::Dmy), ..Answers::default() };
        if let Ok(got) = import(&Memory::one("c.txt", chat).with("a.jpg", "x"), &answers) {
            let r = &got.reading.report;
            prop_assert_eq!(r.messages + r.system, got.lines.len() as u64);
            prop_assert!(got.lines.iter().all(|l| l.unit % 60_000 == 0 && l.unit <= got.facts.last_unit));
            prop_assert_eq!(r.last.max(Some(got.facts.last_time)), Some(got.facts.last_time));
        }
    }

    /// What is read twice is the same twice, with and without a sink.
    #[test]
    fn reading_again_gives_the_same(bytes in soup()) {
        let mut chat = b"13/05/24, 08:00 - Bo: first\n".to_vec();
        chat.extend_from_slice(&bytes);
        let files = Memory::one("c.txt", chat);
        let (a, b) = (import(&files, &Answers::default()), import(&files, &Answers::default()));
        if let (Ok(a), Ok(b)) = (a, b) {
            prop_assert_eq!(format!("{:?}", a.lines), format!("{:?}", b.lines));
        }
    }
}
