use super::support::*;
use crate::archive::{Anchor, Archive, ArchiveError, Filters, Has, Position, Query};
use crate::event::{Attachment, Kind, Presence, Role, Row, tag};

fn filled(dir: &std::path::Path) -> Archive {
    let mut archive = create(dir);
    for (chat, count, start) in [("a", 120, START), ("b", 30, START + 500), ("c", 3, START + 900_000)] {
        let rows: Vec<Row> = (0..count)
            .map(|i| {
                let sender = if i % 2 == 0 { "Żaneta" } else { "Bo" };
                text(&i.to_string(), start + i * 1000, sender, &format!("{chat} number {i}"))
            })
            .collect();
        import(&mut archive, &telegram(chat), &rows);
    }
    archive
}

#[test]
fn pages_follow_each_other_both_ways_without_gap_or_double() {
    let dir = tempfile::tempdir().unwrap();
    let archive = filled(dir.path());
    let chats = archive.chats().unwrap();
    assert_eq!(
        chats.iter().map(|c| (c.chat.conversation.as_str(), c.messages)).collect::<Vec<_>>(),
        [("c", 3), ("a", 120), ("b", 30)]
    );
    let chat = chats[1].id;
    assert_eq!((chats[1].first, chats[1].last), (Some(START), Some(START + 119_000)));
    let mut back = Vec::new();
    let mut anchor = Anchor::End;
    loop {
        let page = archive.page(&chat, anchor, 7, 0).unwrap();
        let Some(first) = page.first() else { break };
        anchor = Anchor::Before(Position::of(&first.message));
        back.splice(0..0, texts(&page));
    }
    let mut forth = Vec::new();
    let mut anchor = Anchor::Time(i64::MIN);
    loop {
        let page = archive.page(&chat, anchor, 0, 7).unwrap();
        let Some(last) = page.last() else { break };
        anchor = Anchor::After(Position::of(&last.message));
        forth.extend(texts(&page));
    }
    let all: Vec<String> = (0..120).map(|i| format!("a number {i}")).collect();
    assert_eq!((&back, &forth), (&all, &all));
    let at = archive.at(&chat, START + 41_500).unwrap().unwrap();
    let around = texts(&archive.page(&chat, Anchor::Before(at), 2, 2).unwrap());
    assert_eq!(around, ["a number 40", "a number 41", "a number 42", "a number 43"]);
    assert_eq!(archive.at(&chat, START + 120_000).unwrap(), None);
}

#[test]
fn a_message_is_found_by_the_beginning_of_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let archive = filled(dir.path());
    let wanted = id(&telegram("b"), "7");
    for len in [6, 15, 16, 17, 33, 64] {
        let found = archive.messages_by_prefix(&wanted.hex()[..len].to_uppercase(), 5).unwrap();
        assert_eq!(found.len(), 1, "with {len} characters");
        assert_eq!(found[0].message.text.as_deref(), Some("b number 7"));
    }
    let mut other = wanted.hex();
    other.replace_range(63..64, if other.ends_with('0') { "1" } else { "0" });
    assert_eq!(archive.messages_by_prefix(&other, 5).unwrap(), []);
    let ones: usize =
        "0123456789abcdef".chars().map(|c| archive.messages_by_prefix(&c.to_string(), 999).unwrap().len()).sum();
    assert_eq!(ones, 153);
    for bad in ["", "xyz", "%", &"0".repeat(65)] {
        assert!(matches!(archive.messages_by_prefix(bad, 5), Err(ArchiveError::Refused(_))));
    }
}

#[test]
fn search_filters_counts_and_ranks_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = filled(dir.path());
    let chat = telegram("d");
    let mut with_file = text("1", START + 50, "Ana", "東京の写真 https://example.org");
    let mut file = Attachment::new(Role::File, Presence::Missing);
    file.name = Some("ticket.pdf".into());
    with_file.set_attachments(&[file]);
    import(&mut archive, &chat, &[with_file, text("2", START + 60, "Ana", "Straße nach Łódź")]);
    archive.index(|_| true).unwrap();
    let total = |query: &str, filters: &Filters| archive.search(&Query::parse(query), filters, 5).unwrap().total;
    let none = Filters::default();
    for (query, count) in [
        ("number", 153),
        ("NUMBER 7", 2),
        ("\"number 1\"", 3),
        ("number -b", 123),
        ("number -b -\"number 1\"", 121),
        ("numb", 0),
        ("numb*", 153),
        ("東京", 1),
        ("写", 1),
        ("京の写", 1),
        ("京写", 0),
        ("strasse lodz", 1),
        ("\"nach strasse\"", 0),
        ("-number", 2),
        ("", 155),
        ("nowhere", 0),
    ] {
        assert_eq!(total(query, &none), count, "{query}");
        // What is counted and what is shown are told by two questions.
        let shown = archive.search(&Query::parse(query), &none, 500).unwrap().hits.len() as u64;
        assert_eq!(shown, count, "{query}");
    }
    let b = archive.chats().unwrap().into_iter().find(|c| c.chat.conversation == "b").unwrap().id;
    assert_eq!(total("number", &Filters { chat: Some(b), ..Filters::default() }), 30);
    assert_eq!(total("number -b", &Filters { chat: Some(b), ..Filters::default() }), 0);
    assert_eq!(total("number -\"number 1\"", &Filters { chat: Some(b), ..Filters::default() }), 29);
    assert_eq!(total("number", &Filters { from: Some("zaneta".into()), ..Filters::default() }), 77);
    assert_eq!(total("", &Filters { has: Some(Has::File), ..Filters::default() }), 1);
    assert_eq!(total("", &Filters { has: Some(Has::Link), ..Filters::default() }), 1);
    assert_eq!(total("", &Filters { has: Some(Has::Media), ..Filters::default() }), 0);
    let span = Filters { since: Some(START + 10_000), until: Some(START + 12_000), ..Filters::default() };
    assert_eq!((total("number", &span), total("", &span)), (4, 4));
    let hits = archive.search(&Query::parse("number"), &none, 5).unwrap();
    assert!(hits.index_complete);
    let found: Vec<_> = hits.hits.iter().map(|h| h.shown.message.time).collect();
    assert!(found.is_sorted_by(|a, b| a >= b) && found.len() == 5);
    assert_eq!(hits.hits[0].matches, [(2, 8)]);
    let hits = archive.search(&Query::parse("写"), &none, 5).unwrap();
    assert_eq!((hits.hits[0].matches.clone(), hits.hits[0].shown.chat_title.clone()), (vec![(3, 4)], None));
}

#[test]
fn an_index_that_is_not_complete_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    archive
        .commit(|c| {
            for i in 0..10 {
                c.add_row(&chat, &text(&i.to_string(), START + i, "Ana", "word"))?;
            }
            Ok(())
        })
        .unwrap();
    let search = |archive: &Archive| archive.search(&Query::parse("word"), &Filters::default(), 99).unwrap();
    assert!(!search(&archive).index_complete);
    assert!(archive.fill_index(4).unwrap());
    assert_eq!((search(&archive).total, search(&archive).index_complete), (4, false));
    archive.settle().unwrap();
    assert_eq!((search(&archive).total, search(&archive).index_complete), (10, true));
    // A changed text is found by its new words alone.
    let mut edit = Row::about(Kind::EDIT, START, id(&chat, "0"), "e");
    edit.fields.set(tag::BODY, "other").set_number(tag::EDITED_AT, 5);
    archive.commit(|c| c.add_row(&chat, &edit)).unwrap();
    archive.settle().unwrap();
    assert_eq!(search(&archive).total, 9);
    assert_eq!(archive.search(&Query::parse("other"), &Filters::default(), 9).unwrap().total, 1);
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

#[test]
fn media_lists_messages_with_attachments_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    let rows: Vec<Row> = (0..20)
        .map(|i| {
            let mut row = text(&i.to_string(), START + i, "Ana", &format!("m{i}"));
            if i % 3 == 0 {
                row.set_attachments(&[present("a", b"a"), present("b", b"b")]);
            }
            row
        })
        .collect();
    import(&mut archive, &chat, &rows);
    let chat = archive.chats().unwrap()[0].id;
    let first = archive.media(&chat, None, 4).unwrap();
    assert_eq!(texts(&first), ["m18", "m15", "m12", "m9"]);
    let rest = archive.media(&chat, Some(Position::of(&first[3].message)), 9).unwrap();
    assert_eq!(texts(&rest), ["m6", "m3", "m0"]);
}

#[test]
fn the_first_screen_and_the_export_hold_what_they_should() {
    let dir = tempfile::tempdir().unwrap();
    let archive = filled(dir.path());
    let front = archive.front(2, 5).unwrap();
    assert_eq!(front.iter().map(|f| f.messages.len()).collect::<Vec<_>>(), [3, 5]);
    assert_eq!(texts(&front[1].messages)[4], "a number 119");
    let all = state(&archive);
    assert_eq!(all.len(), 153);
    assert!(all.is_sorted_by(|(a, _), (b, _)| (&a.chat.conversation, a.time) <= (&b.chat.conversation, b.time)));
    let b = archive.chats().unwrap()[2].id;
    let part = archive.export(Some(&[b]), Some(START + 1000), Some(START + 3000)).unwrap();
    let part: Vec<String> = part.map(|m| m.unwrap().0.text.unwrap()).collect();
    assert_eq!(part, ["b number 1", "b number 2"]);
}

#[test]
fn a_message_comes_back_with_all_it_holds() {
    use crate::event::{Range, Reply};
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    let mut row = text("1", START, "Ana", "see here");
    row.set_ranges(&[Range { start: 4, len: 4, style: "link".into(), value: Some("https://example.org".into()) }]);
    row.set_reply(&Reply { native: Some("0".into()), quoted_text: Some("q".into()), ..Reply::default() });
    row.set_attachments(&[present("ä.jpg", b"x")]);
    row.fields.set(tag::FORWARDED_FROM, "Bo").set(tag::VIA_BOT, "bot").set(tag::EXTRA, "{\"a\":1}");
    row.fields.set(tag::ACTION, "call").set_number(tag::PLACE, -3);
    import(&mut archive, &chat, std::slice::from_ref(&row));
    let expected = crate::archive::Rules::fold_target(&PlainRules, &chat, vec![(id(&chat, "1"), row)]).unwrap();
    assert_eq!(state(&archive), [(expected, None)]);
}
