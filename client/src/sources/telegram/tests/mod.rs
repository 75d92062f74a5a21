//! Small exports written by hand after FORMATS §3.2, hostile ones, and real samples.

mod corpora;
mod damage;

use super::super::recorded::{Memory, Recorded};
use super::*;
use crate::event::{Kind, Precision, Presence, Role, Stamp, tag};

fn import(files: &Memory) -> Result<(Recorded, Vec<ChatReport>), ImportError> {
    let mut sink = Recorded::default();
    let reports = read(files, &Answers::default(), &mut sink)?;
    Ok((sink, reports))
}

fn one(json: &str) -> (Recorded, Vec<ChatReport>) {
    import(&Memory::new(&[("result.json", json.as_bytes())])).unwrap()
}

/// A private chat with these messages.
fn chat(messages: &str) -> (Recorded, ChatReport) {
    let json = format!(r#"{{"name":"Ana","type":"personal_chat","id":42,"messages":[{messages}]}}"#);
    let (sink, mut reports) = one(&json);
    assert_eq!(reports.len(), 1);
    (sink, reports.remove(0))
}

#[test]
fn a_message_of_today_is_taken_apart() {
    let (sink, report) = chat(
        r#"{"id":7,"type":"message","date":"2024-03-01T10:00:04","date_unixtime":"1709280004",
        "edited":"2024-03-01T10:02:04","edited_unixtime":"1709280124","from":"Ana","from_id":"user5",
        "reply_to_message_id":3,"reply_to_peer_id":"channel9","forwarded_from":"Bo","via_bot":"@gif",
        "text":["hi 😀",{"type":"bold","text":"x"}],
        "text_entities":[{"type":"plain","text":"hi 😀"},{"type":"bold","text":"x"}],
        "z":1.50,"inline_bot_buttons":[[{"type":"url","text":"t"}]]}"#,
    );
    let row = sink.row("7");
    assert_eq!((row.kind, row.time, row.body()), (Kind::MESSAGE, 1_709_280_004_000, Some("hi 😀x")));
    assert_eq!(row.sent_at(), Some(Stamp::utc(1_709_280_004_000, Precision::Second)));
    assert_eq!(row.fields.number(tag::EDITED_AT), Some(1_709_280_124_000));
    let sender = row.sender().unwrap();
    assert_eq!((sender.native_id.as_deref(), sender.name.as_deref()), (Some("user5"), Some("Ana")));
    let reply = row.reply().unwrap();
    assert_eq!((reply.native.as_deref(), reply.conversation.as_deref()), (Some("3"), Some("channel9")));
    assert_eq!(row.fields.text(tag::FORWARDED_FROM), Some("Bo"));
    assert_eq!(row.fields.text(tag::VIA_BOT), Some("@gif"));
    let ranges: Vec<_> = row.ranges().into_iter().map(|r| (r.start, r.len, r.style)).collect();
    assert_eq!(ranges, [(5, 1, "bold".to_owned())]);
    assert_eq!(row.fields.text(tag::EXTRA), Some(r#"{"inline_bot_buttons":[[{"text":"t","type":"url"}]],"z":1.50}"#));
    let (chat, info) = sink.chats.first_key_value().unwrap();
    assert_eq!((chat.source.as_str(), chat.conversation.as_str()), ("telegram", "personal_chat:42"));
    assert_eq!((info.title.as_deref(), info.shape), (Some("Ana"), Some("dm")));
    assert_eq!((report.messages, report.edited, report.replies, report.participants), (1, 1, 1, 1));
    assert_eq!((report.first, report.last), (Some(row.time), Some(row.time)));
}

#[test]
fn old_styles_of_time_and_sender_are_read() {
    let (sink, _) = chat(
        r#"{"id":1,"type":"message","date":"2019-07-12T16:55:32","from":"A","from_id":19,"text":"local"},
        {"id":2,"type":"message","date":"2017-01-01T06:20:09.248Z","from":null,"from_id":"user9","text":"iso"},
        {"id":3,"type":"message","from":"A","text":"no date"},
        {"id":4,"type":"message","date":"soon","text":"odd","text_entities":[]}"#,
    );
    let local = sink.row("1");
    assert_eq!(local.sent_at(), Some(Stamp::local("2019-07-12T16:55:32", Precision::Second)));
    assert_eq!((local.time, local.sender().unwrap().native_id.as_deref()), (1_562_950_532_000, Some("19")));
    let iso = sink.row("2");
    assert_eq!(iso.sent_at(), Some(Stamp::utc(1_483_251_609_248, Precision::Milli)));
    assert_eq!((iso.sender().unwrap().name, iso.fields.get(tag::EXTRA)), (None, None));
    assert_eq!((sink.row("3").time, sink.row("3").sent_at()), (0, None));
    // What does not read stays: an odd date, and entities that contradict the text.
    let odd = sink.row("4");
    assert_eq!(odd.fields.text(tag::EXTRA), Some(r#"{"date":"soon","text":"odd","text_entities":[]}"#));
    assert_eq!(odd.body(), Some("odd"));
}

#[test]
fn service_messages_keep_what_they_are_about() {
    let (sink, report) = chat(
        r#"{"id":1,"type":"service","date_unixtime":"1","actor":"A","actor_id":"user1","action":"create_group","title":"T","text":""},
        {"id":2,"type":"service","date_unixtime":"2","actor":"A","actor_id":"user1","action":"phone_call","duration_seconds":56,"text":""},
        {"id":3,"type":"service","date_unixtime":"3","actor":"A","actor_id":"user1","action":"pin_message","message_id":1,"text":""}"#,
    );
    let kinds: Vec<_> =
        ["1", "2", "3"].map(|n| (sink.row(n).kind, sink.row(n).fields.text(tag::ACTION).unwrap())).into();
    assert_eq!(kinds, [(Kind::SYSTEM, "create_group"), (Kind::CALL, "phone_call"), (Kind::PIN, "pin_message")]);
    assert_eq!(sink.row("1").fields.text(tag::EXTRA), Some(r#"{"title":"T"}"#));
    assert_eq!(sink.row("2").fields.text(tag::EXTRA), Some(r#"{"duration_seconds":56}"#));
    assert_eq!(sink.row("3").reply().unwrap().native.as_deref(), Some("1"));
    assert_eq!(sink.row("3").sender().unwrap().native_id.as_deref(), Some("user1"));
    assert_eq!((report.messages, report.system, report.replies), (0, 3, 0));
}

#[test]
fn people_who_reacted_become_rows_and_counts_stay() {
    let reactions = r#"[{"type":"emoji","count":9,"emoji":"👍","recent":[
        {"from":"B","from_id":"user2","date":"2024-03-01T10:37:25"},{"from":null,"from_id":"user3","date":""}]},
        {"type":"custom_emoji","count":1,"document_id":"s.webp"},{"type":"paid","count":2,"recent":[{"from":"C"}]}]"#;
    let (sink, report) =
        chat(&format!(r#"{{"id":5,"type":"message","date_unixtime":"9","text":"t","reactions":{reactions}}}"#));
    assert_eq!(report.reactions, 3);
    let got: Vec<_> = sink
        .about
        .iter()
        .map(|(_, target, r)| {
            let by = r.sender().unwrap();
            (target.as_str(), r.kind, r.time, by.native_id, by.name, r.fields.text(tag::EMOJI).unwrap())
        })
        .collect();
    let text = |t: &str| Some(t.to_owned());
    assert_eq!(
        got,
        [
            ("5", Kind::REACTION_ADD, 9000, text("user2"), text("B"), "👍"),
            ("5", Kind::REACTION_ADD, 9000, text("user3"), None, "👍"),
            ("5", Kind::REACTION_ADD, 9000, None, text("C"), "paid"),
        ]
    );
    let natives: std::collections::BTreeSet<_> = sink.about.iter().map(|(_, _, r)| &r.native).collect();
    assert_eq!(natives.len(), 3);
    assert!(sink.row("5").fields.text(tag::EXTRA).unwrap().contains(r#""count":9"#));
}

#[test]
fn media_is_taken_left_out_or_missing() {
    let json = r#"{"name":"A","type":"private_group","id":1,"messages":[
        {"id":1,"type":"message","date_unixtime":"1","photo":"photos/p.jpg","photo_file_size":9,"width":3,"text":""},
        {"id":2,"type":"message","date_unixtime":"1","photo":"(File not included. Change data exporting settings to download.)","photo_file_size":9,"text":""},
        {"id":3,"type":"message","date_unixtime":"1","file":"voice/v.ogg","media_type":"voice_message","mime_type":"audio/ogg","file_size":7,"text":""},
        {"id":4,"type":"message","date_unixtime":"1","file":"../../etc/passwd","file_name":"x.pdf","text":""},
        {"id":5,"type":"message","date_unixtime":"1","contact_information":{"first_name":"C","last_name":"D","phone_number":"+1"},"text":""},
        {"id":6,"type":"message","date_unixtime":"1","location_information":{"latitude":52.520000,"longitude":13.4},"text":""},
        {"id":7,"type":"message","date_unixtime":"1","photo":"photos/p.jpg","text":""}]}"#;
    let files = Memory::new(&[("x/result.json", json.as_bytes()), ("x/photos/p.jpg", b"jpg"), ("etc/passwd", b"root")]);
    let (sink, reports) = import(&files).unwrap();
    let of = |n: &str| {
        let mut list = sink.row(n).attachments();
        assert_eq!(list.len(), 1);
        list.remove(0)
    };
    let photo = of("1");
    let hash = *blake3::hash(b"jpg").as_bytes();
    assert_eq!(
        (photo.role, photo.presence, photo.size, photo.hash),
        (Role::Photo, Presence::Present, Some(3), Some(hash))
    );
    assert_eq!((photo.name.as_deref(), photo.source_ref.as_deref()), (Some("p.jpg"), Some("photos/p.jpg")));
    assert_eq!(sink.row("1").fields.text(tag::EXTRA), Some(r#"{"width":3}"#));
    assert_eq!((of("2").presence, of("2").size, of("2").source_ref), (Presence::Omitted, Some(9), None));
    let voice = of("3");
    assert_eq!(
        (voice.role, voice.presence, voice.mime.as_deref()),
        (Role::Voice, Presence::Missing, Some("audio/ogg"))
    );
    assert_eq!((of("4").presence, of("4").name.as_deref()), (Presence::Missing, Some("x.pdf")));
    assert_eq!(
        (of("5").role, of("5").name.as_deref(), of("5").source_ref.as_deref()),
        (Role::Contact, Some("C D"), Some("tel:+1"))
    );
    assert_eq!((of("6").role, of("6").source_ref.as_deref()), (Role::Location, Some("geo:52.520000,13.4")));
    let report = &reports[0];
    assert_eq!((report.present, report.omitted, report.missing), (2, 1, 2));
    assert_eq!(sink.files.len(), 1);
    assert_eq!(sink.skipped.len(), 1, "{:?}", sink.skipped);
}

#[test]
fn a_poll_is_shown_without_its_votes() {
    let (sink, _) = chat(
        r#"{"id":5,"type":"message","date_unixtime":"1","text":"","poll":{"question":"Q?","closed":false,"total_voters":4,
        "answers":[{"text":"one","voters":1,"chosen":true},{"text":["t",{"type":"bold","text":"wo"}],"voters":3}]}}"#,
    );
    assert_eq!((sink.row("5").kind, sink.row("5").body()), (Kind::POLL, Some("Q?\n- one\n- two")));
    assert!(sink.row("5").fields.text(tag::EXTRA).unwrap().contains(r#""total_voters":4"#));
}

#[test]
fn messages_without_ids_keep_apart_and_come_back_alike() {
    let messages = r#"{"type":"message","date_unixtime":"9","from":"A","text":"ok"},
        {"type":"message","date_unixtime":"9","from":"A","text":"ok"},{"type":"message","date_unixtime":"9","from":"A","text":"no"}"#;
    let (first, report) = chat(messages);
    assert_eq!(report.messages, 3);
    let natives = |s: &Recorded| s.rows.iter().map(|(_, r)| r.native.clone()).collect::<Vec<_>>();
    let distinct: std::collections::BTreeSet<_> = natives(&first).into_iter().collect();
    assert_eq!(distinct.len(), 3);
    let (again, _) = chat(&format!("{messages},{{\"type\":\"message\",\"date_unixtime\":\"9\",\"text\":\"new\"}}"));
    assert_eq!(natives(&first), natives(&again)[..3]);
}

#[test]
fn an_account_gives_every_chat_whatever_the_order_of_its_fields() {
    let json = r#"{"about":"x","personal_information":{"user_id":77},"chats":{"about":"","list":[
        {"messages":[{"id":1,"type":"message","date_unixtime":"1","text":"a"}],"name":"One","type":"personal_chat","id":10},
        {"type":"saved_messages","id":77,"messages":[{"id":1,"type":"message","date_unixtime":"1","text":"b"}]},
        {"name":"Empty","type":"bot_chat","id":3,"messages":[]}]},
        "left_chats":{"list":[{"messages":[{"id":1,"type":"message","date_unixtime":"1","text":"c"}],"id":12,"name":"Gone","type":"public_channel"}]},
        "other_data":{"deep":[[1]]}}"#;
    let (sink, reports) = one(json);
    let got: Vec<_> = reports
        .iter()
        .map(|r| {
            (
                r.chat.as_ref().unwrap().conversation.as_str(),
                r.title.as_deref().unwrap(),
                r.messages,
                r.assumed_me.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        got,
        [
            ("personal_chat:10", "One", 1, Some("user77")),
            ("saved_messages:77", "Saved Messages", 1, Some("user77")),
            ("bot_chat:3", "Empty", 0, Some("user77")),
            ("public_channel:12", "Gone", 1, Some("user77")),
        ]
    );
    assert_eq!(sink.rows.len(), 3);
    assert!(sink.skipped.is_empty());
}

#[test]
fn a_chat_without_an_id_goes_by_its_name_and_says_so() {
    let list = r#"[{"type":"message","date_unixtime":"1","from":"A","text":"x"}]"#;
    let (_, reports) = one(&format!(r#"{{"chats":{{"list":[{{"name":"N","messages":{list}}}]}}}}"#));
    assert_eq!(reports[0].chat.as_ref().unwrap().conversation, "chat:N");
    assert_eq!(reports[0].assumed_chat.as_deref(), Some("N"));
    let (_, reports) =
        import(&Memory::new(&[("My chat.json", format!("{{\"messages\":{list}}}").as_bytes())])).unwrap();
    assert_eq!(reports[0].assumed_chat.as_deref(), Some("My chat"));
}
