//! How far chats were read.

use super::support::*;
use crate::archive::Archive;
use crate::event::{Kind, Party, Row};
use crate::ids::ChatId;

fn with_messages(archive: &mut Archive, chat: &crate::event::Chat, range: std::ops::Range<i64>) -> ChatId {
    let rows: Vec<Row> = range
        .map(|i| {
            let mut row = text(&i.to_string(), START + i * 60_000, "Ana", &format!("message {i}"));
            row.set_sender(&Party { is_self: i % 5 == 0, ..Party::named("Ana") });
            row
        })
        .collect();
    import(archive, chat, &rows);
    archive.chat_id(chat)
}

#[test]
fn what_came_after_the_latest_mark_is_unread_and_without_a_mark_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("group:1");
    let id = with_messages(&mut archive, &chat, 0..20);
    assert_eq!((archive.read_to(&id).unwrap(), archive.unread(&id).unwrap()), (None, None));
    assert!(archive.mark_read(&id, START + 9 * 60_000).unwrap());
    assert_eq!(archive.unread(&id).unwrap(), Some(8), "ten messages, two of them one's own");
    assert!(!archive.mark_read(&id, START + 5 * 60_000).unwrap(), "what was read stays read");
    assert!(archive.mark_read(&id, START + 19 * 60_000).unwrap());
    assert_eq!(archive.unread(&id).unwrap(), Some(0));
    with_messages(&mut archive, &chat, 20..30);
    assert_eq!(archive.unread(&id).unwrap(), Some(8));
    // A mark of another device: the later one counts, whichever comes first, also where it comes in bulk.
    let mark = |minute: i64| {
        let time = START + minute * 60_000;
        Row::new(Kind::READ_MARK, time, time.to_string())
    };
    archive.commit(|c| c.apply_row(&chat, &mark(24), 7).map(drop)).unwrap();
    archive.commit(|c| c.apply_row(&chat, &mark(22), 8).map(drop)).unwrap();
    assert_eq!(archive.unread(&id).unwrap(), Some(4));
    let other = telegram("group:2");
    let mut rows: Vec<Row> = (0..60).map(|i| text(&i.to_string(), START + i * 60_000, "Ana", "a text")).collect();
    rows.insert(30, mark(30));
    let id = archive.chat_id(&other);
    import(&mut archive, &other, &rows);
    assert_eq!((archive.read_to(&id).unwrap(), archive.unread(&id).unwrap()), (Some(START + 30 * 60_000), Some(29)));
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}
