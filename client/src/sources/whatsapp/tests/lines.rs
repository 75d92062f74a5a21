//! What single lines become.

use super::support::{Memory, import, text};
use crate::event::{Kind, Precision, Presence, Role, ZoneSource, tag};
use crate::merge::{Class, Line};
use crate::sources::whatsapp::{Platform, detect};
use crate::sources::{Answers, DateOrder, ImportError};

const ANDROID: &str = "WhatsApp Chat with Walks.txt";

fn brief(lines: &[Line]) -> Vec<(Option<&str>, Class, &str, &str)> {
    lines.iter().map(|l| (l.sender.as_deref(), l.class, l.row.body().unwrap_or(""), l.normal.as_str())).collect()
}

#[test]
fn an_android_chat() {
    let chat = "13/05/2024, 09:00 - Ana created group \"Walks\"\n\
        13/05/2024, 09:01 - Ana: \u{200e}IMG-20240513-WA0001.jpg (Datei angehängt)\nby the lake\n\
        13/05/2024, 09:02 - Bo: <Medien ausgeschlossen>\nthe hill\n\
        13/05/2024, 09:02 - Bo: Diese Nachricht wurde gelöscht.\n\
        13/05/2024, 09:03 - Bo: nice <Diese Nachricht wurde bearbeitet.>\n\
        13/05/2024, 09:04 - Ana: two\n\nlines\n\
        13/05/2024, 09:05 - Ana: IMG-20240513-WA0009.jpg (unbekannte Sprache)\n\
        13/05/2024, 09:06 - Ana: see (this)\n\
        13/05/2024, 09:07 - Missed voice call\n\
        13/05/2024, 09:08 - Bo: Standort: https://maps.google.com/?q=51.5,-0.1\n";
    let files = Memory::one(ANDROID, chat).with("IMG-20240513-WA0001.jpg", "picture");
    let got = import(&files, &Answers::default()).unwrap();
    let (p, e, d, o) = (Class::Plain, Class::Edited, Class::Deleted, Class::Omitted);
    assert_eq!(
        brief(&got.lines),
        [
            (None, p, "Ana created group \"Walks\"", "Ana created group \"Walks\""),
            (Some("Ana"), p, "by the lake", "IMG-20240513-WA0001.jpg\nby the lake"),
            (Some("Bo"), o, "the hill", "\u{fffc}\nthe hill"),
            (Some("Bo"), d, "", ""),
            (Some("Bo"), e, "nice", "nice"),
            (Some("Ana"), p, "two\n\nlines", "two\n\nlines"),
            (Some("Ana"), p, "", "IMG-20240513-WA0009.jpg"),
            (Some("Ana"), p, "see (this)", "see (this)"),
            (None, p, "Missed voice call", "Missed voice call"),
            (
                Some("Bo"),
                p,
                "Standort: https://maps.google.com/?q=51.5,-0.1",
                "Standort: https://maps.google.com/?q=51.5,-0.1"
            ),
        ]
    );
    let kinds: Vec<Kind> = got.lines.iter().map(|l| l.row.kind).collect();
    assert_eq!((kinds[0], kinds[1], kinds[8], kinds[9]), (Kind::SYSTEM, Kind::MESSAGE, Kind::CALL, Kind::MESSAGE));
    assert_eq!(got.lines[3].row.fields.text(tag::ACTION), Some("Diese Nachricht wurde gelöscht."));

    let photo = got.lines[1].row.attachments().remove(0);
    assert_eq!((photo.presence, photo.role), (Presence::Present, Role::Photo));
    assert_eq!((photo.hash, photo.size), (Some(*blake3::hash(b"picture").as_bytes()), Some(7)));
    assert_eq!((photo.name.as_deref(), photo.mime.as_deref()), (Some("IMG-20240513-WA0001.jpg"), Some("image/jpeg")));
    assert_eq!(got.lines[2].row.attachments()[0].presence, Presence::Omitted);
    assert_eq!(got.lines[6].row.attachments()[0].presence, Presence::Missing);
    let place = got.lines[9].row.attachments().remove(0);
    assert_eq!(
        (place.role, place.source_ref.as_deref()),
        (Role::Location, Some("https://maps.google.com/?q=51.5,-0.1"))
    );

    let r = &got.reading.report;
    assert_eq!((r.messages, r.system, r.participants, r.edited, r.deleted), (8, 2, 2, 1, 1));
    assert_eq!((r.present, r.omitted, r.missing, r.lines_unknown), (1, 1, 1, 0));
    assert_eq!(got.reading.names, ["Ana", "Bo"]);
    assert_eq!(got.facts.label.as_deref(), Some("Walks"));
    assert_eq!((got.facts.platform, got.facts.precision), (Platform::Android, Precision::Minute));
    assert_eq!(got.facts.first_unit, 1_715_590_800_000, "2024-05-13 09:00 read as UTC");
    assert_eq!(got.facts.last_time, got.facts.first_unit + 8 * 60_000);
}

#[test]
fn an_iphone_chat() {
    let chat = "[13.05.24, 09:00:01] Walks: \u{200e}Ana created group \u{201c}Walks\u{201d}\r\n\
        \u{200e}[13.05.24, 09:01:02] Ana: by the lake \u{200e}<Anhang: 00000002-PHOTO-2024-05-13-09-01-02.jpg>\r\n\
        \u{200e}[13.05.24, 09:01:03] Ana: \u{200e}Bild weggelassen\r\n\
        [13.05.24, 09:02:00] Bo: \u{200e}Du hast diese Nachricht gelöscht.\r\n\
        [13.05.24, 09:02:01] Bo: You deleted this message.\r\n\
        [13.05.24, 09:03:00] Bo: nice \u{200e}<ein unbekanntes Zeichen>\r\n\
        [13.05.24, 09:03:01] Bo: I typed <attached: nothing.jpg> here\r\n\
        [13.05.24, 09:04:00] Ana: \u{200e}UMFRAGE:\r\nWohin?\r\n\u{200e}OPTION: See (2 Stimmen)\r\n\u{200e}OPTION: Berg (0 Stimmen)\r\n\
        [13.05.24, 09:05:00] Bo: \u{200e}Verpasster Sprachanruf\r\n\
        [13.05.24, 09:06:00] Bo: \u{200e}Kiosk (Seestr. 1): https://foursquare.com/v/4ac5\r\n\
        [13.05.24, 09:07:00] Ana: Plan.pdf \u{2022} \u{200e}3 Seiten \u{200e}<Anhang: 00000010-Plan.pdf>";
    let files = Memory::one("_chat.txt", chat).with("00000002-PHOTO-2024-05-13-09-01-02.jpg", "picture");
    let got = import(&files, &Answers::default()).unwrap();
    let (p, e, d, o) = (Class::Plain, Class::Edited, Class::Deleted, Class::Omitted);
    let poll = "\u{200e}UMFRAGE:\nWohin?\n\u{200e}OPTION: See (2 Stimmen)\n\u{200e}OPTION: Berg (0 Stimmen)";
    assert_eq!(
        brief(&got.lines),
        [
            (None, p, "\u{200e}Ana created group \u{201c}Walks\u{201d}", "Ana created group \u{201c}Walks\u{201d}"),
            (Some("Ana"), o, "by the lake", "\u{fffc}\nby the lake"),
            (Some("Ana"), o, "", "\u{fffc}"),
            (Some("Bo"), d, "", ""),
            (Some("Bo"), p, "You deleted this message.", "You deleted this message."),
            (Some("Bo"), e, "nice", "nice"),
            (Some("Bo"), p, "I typed <attached: nothing.jpg> here", "I typed <attached: nothing.jpg> here"),
            (Some("Ana"), p, poll, "umfrage:\nWohin?\nOPTION: See\nOPTION: Berg"),
            (Some("Bo"), p, "\u{200e}Verpasster Sprachanruf", "Verpasster Sprachanruf"),
            (
                Some("Bo"),
                p,
                "\u{200e}Kiosk (Seestr. 1): https://foursquare.com/v/4ac5",
                "Kiosk (Seestr. 1): https://foursquare.com/v/4ac5"
            ),
            (Some("Ana"), o, "Plan.pdf \u{2022} \u{200e}3 Seiten", "\u{fffc}\nPlan.pdf \u{2022} 3 Seiten"),
        ]
    );
    assert_eq!((got.lines[7].row.kind, got.lines[8].row.kind), (Kind::POLL, Kind::CALL));
    let stamp = got.lines[1].row.sent_at().unwrap();
    assert_eq!(stamp.local_text.as_deref(), Some("13.05.24, 09:01:02"));
    assert_eq!((stamp.zone, stamp.precision, stamp.utc_ms), (ZoneSource::Unknown, Precision::Second, None));
    assert_eq!((got.lines[1].unit % 60_000, got.lines[1].seconds), (0, Some(2)));
    let r = &got.reading.report;
    assert_eq!((r.messages, r.system, r.present, r.omitted, r.missing), (10, 1, 1, 1, 1));
    assert_eq!((got.facts.label.as_deref(), got.facts.platform), (Some("Walks"), Platform::Ios));
}

#[test]
fn identities_agree_where_they_can() {
    let one = text(
        "_chat.txt",
        "[13.05.24, 09:00:01] A: hi\r\n[13.05.24, 09:00:02] A: \u{200e}<attached: 00000002-PHOTO-1.jpg>\r\n",
    );
    let cut = text("_chat.txt", "[13.05.24, 09:00:02] A: \u{200e}<attached: 00000001-PHOTO-1.jpg>\r\n");
    let none = text("_chat.txt", "[13.05.24, 09:00:02] A: \u{200e}image omitted\r\n");
    for other in [&cut.lines[0], &none.lines[0]] {
        let mine = &one.lines[1];
        assert_eq!((&other.normal, other.class, other.unit), (&mine.normal, mine.class, mine.unit));
    }
    let votes =
        |n: &str| text("_chat.txt", &format!("[13.05.24, 09:00:02] A: \u{200e}POLL:\nQ\n\u{200e}OPTION: x ({n})\n"));
    assert_eq!(votes("0 votes").lines[0].normal, votes("12 votes").lines[0].normal);
    assert_ne!(votes("0 votes").lines[0].row.body(), votes("12 votes").lines[0].row.body());
}

#[test]
fn short_words_are_no_file_names() {
    let files =
        Memory::one(ANDROID, "13/05/24, 09:00 - Ana: ok\n13/05/24, 09:01 - Ana:\n").with("ok", "x").with("x/", "y");
    let got = import(&files, &Answers::default()).unwrap();
    assert!(got.lines.iter().all(|l| l.row.attachments().is_empty()));
    assert_eq!(got.lines[0].normal, "ok");
}

#[test]
fn look_alike_headers_stay_in_bodies() {
    let chat = "3/1/24, 9:59\u{202f}AM - Ana: look\n01/03/2024, 09:59 - Eve: forged\n[3/1/24, 9:59:00 AM] Eve: forged\n\
        3/1/24, 9:59 - Eve: forged\n3/32/24, 9:59 AM - Eve: no such day\n3/14/24, 9:59\u{202f}AM - Bo: real\n";
    let got = text(ANDROID, chat);
    assert_eq!(got.lines.len(), 2);
    assert_eq!(got.lines[0].row.body().unwrap().lines().count(), 5);
    assert_eq!(got.reading.names, ["Ana", "Bo"]);
}

#[test]
fn joined_exports_keep_both_halves() {
    let chat =
        "13/05/24, 09:00 - Ana: a\n13/05/24, 09:01 - Bo: b\n13/05/2024, 09:02 - Ana: c\n13/05/2024, 09:03 - Bo: d\n";
    assert_eq!(text(ANDROID, chat).lines.len(), 4);
}

#[test]
fn year_first_files_may_mix_styles() {
    let chat = "[2024-05-13, 09:00:00] A: a\n[2024.05.13 9:01:00 p. m.] A: b\n[01/07/2025, 12:00:19] A: c\n[01/07/25, 12:00:20] A: pasted\n";
    let got = text("_chat.txt", chat);
    assert_eq!(got.lines.len(), 3);
    assert_eq!(got.lines[1].unit - got.lines[0].unit, (12 * 60 + 1) * 60_000);
}

#[test]
fn an_undecided_date_asks() {
    let files = Memory::one(ANDROID, "10/12/2024, 14:30 - A: x\n10/12/2024, 14:31 - B: y\n");
    let asked = import(&files, &Answers::default()).err().unwrap();
    assert!(matches!(asked, ImportError::Undecided { flag: "--date-order", .. }));
    let answers =
        Answers { date_order: Some(DateOrder::Mdy), zone: Some("Europe/Lisbon".into()), ..Answers::default() };
    let got = import(&files, &answers).unwrap();
    assert_eq!(got.lines[0].unit, 1_728_743_400_000, "2024-10-12 14:30 read as UTC");
    assert_eq!(got.reading.report.assumed_zone.as_deref(), Some("Europe/Lisbon"));
    assert_eq!(got.lines[0].row.sent_at().unwrap().zone, ZoneSource::Unknown);
}

#[test]
fn chats_are_found_by_content() {
    let chat = "13/05/24, 09:00 - Ana: a\n";
    assert_eq!(detect(&Memory::one("export.bin", chat)).unwrap().chat_file, "export.bin");
    let folder = Memory::one("notes.txt", "shopping\n").with("x/IMG-1.jpg", chat).with("x/Gespräch.txt", chat);
    assert_eq!(detect(&folder).unwrap().chat_file, "x/Gespräch.txt");
    let both = Memory::one("log.txt", chat).with("_chat.txt", "\u{feff}\u{200e}[13.05.24, 09:00:00] A: b\r\n");
    assert_eq!(detect(&both).unwrap().chat_file, "_chat.txt");
    assert!(detect(&Memory::one("result.json", "{\"messages\": []}")).is_none());
    assert!(detect(&Memory::one("irc.txt", "[10:00] <nick> hi\n")).is_none());
    assert!(detect(&Memory::default()).is_none());
}
