use super::support::*;
use crate::archive::{Archive, Chunk, FileChunks, Note, OwnRecord, PackState, StagedPack, StoredRow};
use crate::event::{Chat, Kind, Row, tag};
use crate::ids::{ChunkId, FileId, PackId};

fn all(archive: &Archive, logged: bool) -> Vec<StoredRow> {
    let mut rows = Vec::new();
    archive
        .each_row(None, logged, |row| {
            rows.push(row);
            Ok(true)
        })
        .unwrap();
    rows
}

fn record(counter: u64) -> OwnRecord {
    OwnRecord { counter, record: vec![1; 276], body: vec![2; 256] }
}

#[test]
fn rows_wait_travel_and_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    for chat in ["b", "a"] {
        let rows = (0..5).map(|i| text(&i.to_string(), START - i, "Ana", "x"));
        archive
            .commit(|c| rows.map(|row| c.add_row(&telegram(chat), &row)).try_for_each(|put| put.map(|_| ())))
            .unwrap();
    }
    let waiting = archive.unsynced(100).unwrap();
    assert_eq!(waiting.len(), 10);
    assert!(waiting.is_sorted_by_key(|r| r.key));
    assert_eq!(waiting, all(&archive, false), "key order is one order");
    assert_eq!(archive.unsynced(7).unwrap(), waiting[..7]);
    assert_eq!(all(&archive, true), []);
    archive.commit(|c| c.send(&record(1), waiting[..4].iter().map(|r| r.key))).unwrap();
    archive.commit(|c| c.send(&record(2), waiting[4..6].iter().map(|r| r.key))).unwrap();
    assert_eq!(archive.unsynced(100).unwrap(), waiting[6..]);
    assert_eq!(archive.outbox().unwrap(), [record(1), record(2)]);
    // The first gets through; the second is taken back.
    archive.commit(|c| c.accepted(1, 41)).unwrap();
    archive.commit(|c| c.take_back(2)).unwrap();
    assert_eq!(archive.outbox().unwrap(), []);
    assert_eq!(archive.unsynced(100).unwrap(), waiting[4..]);
    let logged = all(&archive, true);
    assert_eq!(logged.len(), 4);
    assert!(logged.iter().all(|r| r.arrival == Some(41)));
    assert_eq!(archive.counts().unwrap().unsynced, 6);
}

#[test]
fn what_changes_while_it_travels_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    let row = |as_of: i64| {
        let mut row = text("1", START, "Ana", "x");
        row.fields.set_number(tag::AS_OF, as_of);
        row
    };
    import(&mut archive, &chat, &[row(50)]);
    let sent = archive.unsynced(9).unwrap();
    archive.commit(|c| c.send(&record(1), sent.iter().map(|r| r.key))).unwrap();
    import(&mut archive, &chat, &[row(40)]);
    assert_eq!(archive.unsynced(9).unwrap().len(), 1, "the joined row is newer than the record");
    archive
        .commit(|c| {
            c.accepted(1, 7)?;
            c.apply_row(&chat, &row(50), 7)
        })
        .unwrap();
    // The log says 50; this device knows 40 and still owes it.
    let as_of = |rows: Vec<StoredRow>| rows[0].row().unwrap().fields.number(tag::AS_OF);
    assert_eq!((as_of(all(&archive, true)), as_of(all(&archive, false))), (Some(50), Some(40)));
    assert_eq!(archive.unsynced(9).unwrap().len(), 1);
    // Somebody else's record brings the same: nothing is owed any more, and the first arrival stays.
    archive.commit(|c| c.apply_row(&chat, &row(40), 9)).unwrap();
    assert_eq!(archive.unsynced(9).unwrap(), []);
    assert_eq!(as_of(all(&archive, true)), Some(40));
    assert_eq!(all(&archive, true)[0].arrival, Some(7));
    assert_eq!(archive.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_row_known_here_and_in_the_log_is_not_owed() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let (chat, row) = (telegram("a"), text("1", START, "Ana", "x"));
    import(&mut archive, &chat, std::slice::from_ref(&row));
    archive.commit(|c| c.apply_row(&chat, &row, 12)).unwrap();
    assert_eq!(archive.unsynced(9).unwrap(), []);
    archive.commit(|c| c.apply_row(&chat, &row, 3)).unwrap();
    assert_eq!(all(&archive, true)[0].arrival, Some(3), "runs come newest first");
    import(&mut archive, &chat, &[row]);
    assert_eq!(archive.unsynced(9).unwrap(), []);
}

#[test]
fn snapshots_are_rows_of_the_vaults_own_chat() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    for (i, at) in [START, START + 5, START + 2].into_iter().enumerate() {
        let row = Row::new(Kind::SNAPSHOT, at, format!("{i:032x}"));
        archive.commit(|c| c.add_row(&Chat::vault(), &row)).unwrap();
    }
    let times: Vec<i64> = archive.snapshots().unwrap().iter().map(|r| r.key.time - START).collect();
    assert_eq!(times, [5, 2, 0]);
    assert_eq!((archive.chats().unwrap(), archive.counts().unwrap().messages), (vec![], 0));
}

#[test]
fn the_end_of_a_chat_comes_with_its_title() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    let mut title = Row::new(Kind::IMPORT, 0, "title");
    title.fields.set(tag::TITLE, "T");
    archive
        .commit(|c| {
            c.apply_row(&chat, &title, 0)?;
            for i in 0..9 {
                c.apply_row(&chat, &text(&i.to_string(), START + i, "Ana", "x"), 0)?;
            }
            c.add_row(&chat, &text("new", START + 20, "Ana", "not in the log"))
        })
        .unwrap();
    let mut rows = Vec::new();
    let id = archive.chats().unwrap()[0].id;
    archive
        .rows_since(&id, START + 6, |r| {
            rows.push(r.key.time);
            Ok(true)
        })
        .unwrap();
    assert_eq!(rows, [0, START + 6, START + 7, START + 8]);
}

#[test]
fn everything_else_is_kept_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let pack = PackId([3; 16]);
    let staged = StagedPack { pack, class: 20, state: PackState::Staged, at: 5 };
    let list =
        FileChunks { file: FileId([6; 32]), bytes: 9, depth: 0, chunks: vec![ChunkId([7; 32]), ChunkId([8; 32])] };
    let chunk = |id, at| Chunk { id: ChunkId([id; 32]), pack, at, sealed_bytes: 9, key: [1; 32].into(), coding: 1 };
    let (file, _) = archive.add_file(&mut &b"content"[..]).unwrap();
    archive
        .commit(|c| {
            c.set_note(Note::Log, Some(b"frontier"))?;
            c.set_note(Note::Head, Some(b"gone"))?;
            c.set_note(Note::Head, None)?;
            c.set_setting("zone", Some("Europe/Lisbon"))?;
            c.set_pack(&staged)?;
            c.set_run(&pack, b"entry")?;
            c.set_restored(&pack)?;
            c.set_source("/a.zip", b"mark", START)?;
            c.set_chunk(&chunk(8, 500))?;
            c.set_chunk(&chunk(7, 0))?;
            c.set_file_chunks(&list)?;
            c.set_in_vault(&file, true)
        })
        .unwrap();
    drop(archive);
    let archive = reopen(dir.path());
    assert_eq!(archive.note(Note::Log).unwrap().as_deref(), Some(&b"frontier"[..]));
    assert_eq!(archive.note(Note::Head).unwrap(), None);
    assert_eq!(archive.setting("zone").unwrap().as_deref(), Some("Europe/Lisbon"));
    assert_eq!(archive.settings().unwrap().len(), 1);
    assert_eq!(archive.staged_packs().unwrap(), [staged]);
    assert_eq!(archive.runs().unwrap(), [(pack, b"entry".to_vec())]);
    assert!(archive.is_restored(&pack).unwrap());
    assert_eq!(archive.source("/a.zip").unwrap().as_deref(), Some(&b"mark"[..]));
    let places: Vec<u32> = archive.chunks_of(&pack).unwrap().iter().map(|c| c.at).collect();
    assert_eq!(places, [0, 500]);
    assert_eq!(*archive.chunk(&ChunkId([8; 32])).unwrap().unwrap().key, [1; 32]);
    assert_eq!(archive.file_chunks(&list.file).unwrap(), Some(list));
    assert_eq!(archive.waiting(None, 9).unwrap(), []);
    assert_eq!(archive.file(&file).unwrap().unwrap().bytes(), 7);
}

#[test]
fn a_failed_commit_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    let failed: Result<(), _> = archive.commit(|c| {
        c.add_row(&chat, &text("1", START, "Ana", "x"))?;
        c.set_note(Note::Own, Some(b"1"))?;
        Err(crate::archive::ArchiveError::Refused("on purpose"))
    });
    assert!(failed.is_err());
    assert_eq!((all(&archive, false), archive.note(Note::Own).unwrap()), (vec![], None));
    import(&mut archive, &chat, &[text("1", START, "Ana", "x")]);
    assert_eq!(archive.counts().unwrap().messages, 1);
}
