//! Broken and hostile exports: nothing panics, and what is sound is read.

use proptest::prelude::*;

use super::*;

const SOUND: &str = r#"{"id":1,"type":"message","date_unixtime":"1","from":"A","text":"sound"}"#;

#[test]
fn items_that_cannot_be_read_are_named_and_the_rest_goes_on() {
    let huge = format!(r#"{{"id":2,"type":"message","text":"{}"}}"#, "x".repeat(3 << 20));
    let (sink, report) = chat(&format!("7,{huge},null,{SOUND}"));
    assert_eq!((sink.rows.len(), report.messages), (1, 1));
    let reasons: Vec<_> = sink.skipped.iter().map(|(i, r)| (i.contains("personal_chat:42"), r.as_str())).collect();
    assert_eq!(reasons, [(true, "not an object"), (true, "larger than 1 MiB"), (true, "not an object")]);
}

#[test]
fn an_export_cut_off_keeps_what_it_has() {
    let (sink, reports) = one(&format!(r#"{{"type":"bot_chat","id":1,"messages":[{SOUND},{{"id":2,"te"#));
    assert_eq!((sink.rows.len(), reports[0].messages), (1, 1));
    assert!(sink.skipped[0].1.starts_with("broken JSON at line 1"), "{:?}", sink.skipped);
}

#[test]
fn broken_bytes_cost_their_place_only() {
    let mut json = br#"{"type":"bot_chat","id":1,"messages":[{"id":1,"type":"message","text":"a"#.to_vec();
    json.extend_from_slice(b"\xff\x00 \\ud83d!\"}]}");
    let (sink, _) = import(&Memory::new(&[("result.json", &json)])).unwrap();
    assert_eq!(sink.row("1").body(), Some("a\u{fffd}\0 \u{fffd}!"));
    assert_eq!(
        sink.skipped,
        [("result.json".to_owned(), "3 places were not valid text and read as U+FFFD".to_owned())]
    );
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!(r#"{{"type":"bot_chat","id":1,"messages":[{{"id":1,"x":{}"#, "[".repeat(1000));
    assert!(matches!(import(&Memory::new(&[("result.json", deep.as_bytes())])), Err(ImportError::Hostile(_))));
}

#[test]
fn other_json_is_not_taken_for_ours() {
    for json in [
        r#"{"participants":[{"name":"A"}],"messages":[{"sender_name":"A","timestamp_ms":1,"content":"x"}]}"#,
        r#"{"guild":{},"channel":{},"messages":[{"id":"1","type":"Default","timestamp":"x"}]}"#,
        r#"[{"type":"message","ts":"1.0"}]"#,
        r#"{"messages":{}}"#,
        "{",
        "",
        "hello",
    ] {
        assert!(detect(&Memory::new(&[("result.json", json.as_bytes())])).is_empty(), "{json}");
    }
}

/// JSON that looks like an export, with anything anywhere.
fn soup() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "id",
        "type",
        "date",
        "date_unixtime",
        "edited",
        "edited_unixtime",
        "from",
        "from_id",
        "actor",
        "action",
        "text",
        "text_entities",
        "reactions",
        "recent",
        "emoji",
        "poll",
        "answers",
        "question",
        "photo",
        "file",
        "mime_type",
        "location_information",
        "latitude",
        "longitude",
        "contact_information",
        "contact_vcard",
        "reply_to_message_id",
        "reply_to_peer_id",
        "message_id",
        "messages",
        "name",
        "list",
        "chats",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        prop::sample::select(vec![
            "service",
            "message",
            "pin_message",
            "bold",
            "2024-01-01T00:00:00",
            "99999999999999999",
            "(File x)",
            "a/../b",
            "result.json",
            "😀",
            ""
        ])
        .prop_map(|t| format!("{t:?}")),
    ];
    leaf.prop_recursive(4, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|l| format!("[{}]", l.join(","))),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(|l| format!(
                "{{{}}}",
                l.iter().map(|(k, v)| format!("{k:?}:{v}")).collect::<Vec<_>>().join(",")
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn json_soup_gives_one_row_an_object(messages in prop::collection::vec(soup(), 0..4), cut in any::<prop::sample::Index>()) {
        let json = format!(r#"{{"type":"bot_chat","id":1,"messages":[{}]}}"#, messages.join(","));
        let (sink, reports) = one(&json);
        let objects = messages.iter().filter(|m| m.starts_with('{')).count();
        prop_assert_eq!(sink.rows.len(), objects);
        prop_assert_eq!(reports[0].messages + reports[0].system, objects as u64);
        // Every row survives its own encoding, and the same export gives the same rows.
        prop_assert_eq!(&sink.rows, &one(&json).0.rows);
        let cut = cut.index(json.len());
        if json.is_char_boundary(cut) {
            let _ = import(&Memory::new(&[("result.json", &json.as_bytes()[..cut])]));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), flip in any::<prop::sample::Index>(), to in any::<u8>()) {
        let _ = import(&Memory::new(&[("result.json", &bytes)]));
        let mut json = format!(r#"{{"type":"bot_chat","id":1,"messages":[{SOUND},{SOUND}]}}"#).into_bytes();
        let at = flip.index(json.len());
        json[at] = to;
        let _ = import(&Memory::new(&[("result.json", &json)]));
    }
}
