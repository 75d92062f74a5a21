//! Several connections, several processes, kills at any moment, and speed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::*;
use crate::archive::{Archive, ArchiveError, Query};
use crate::event::{Chat, Row};
use crate::sources::{ChatInfo, Sink};

const CHILD: &str = "CHATKEEP_TEST_KILLED_HOME";

#[test]
fn a_wrong_key_and_a_missing_archive_are_one_clear_error_each() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("archive");
    assert!(matches!(Archive::open(&path, &KEY, parts()), Err(ArchiveError::Missing)));
    assert!(!path.exists(), "opening makes nothing");
    let mut archive = create(dir.path());
    import(&mut archive, &telegram("a"), &[text("1", START, "Ana", "x")]);
    let wrong = [8; 32];
    // Also while the right key is in use, whose log must survive the attempt.
    assert!(matches!(Archive::open(&path, &wrong, parts()), Err(ArchiveError::WrongKey)));
    assert!(matches!(Archive::reader(&path, &wrong, parts()), Err(ArchiveError::WrongKey)));
    assert!(matches!(Archive::create(&path, &wrong, parts()), Err(ArchiveError::Exists)));
    assert!(matches!(Archive::create(&path, &KEY, parts()), Err(ArchiveError::Exists)));
    assert_eq!(state(&archive).len(), 1);
    drop(archive);
    std::fs::write(path.join("archive.db"), vec![b'S'; 8192]).unwrap();
    assert!(matches!(Archive::open(&path, &KEY, parts()), Err(ArchiveError::WrongKey)));
}

#[test]
fn readers_see_whole_transactions_beside_a_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chat = telegram("a");
    let home = dir.path().to_path_buf();
    let reading = std::thread::spawn(move || {
        let reader = reader(&home);
        let mut seen = 0;
        let until = Instant::now() + Duration::from_secs(60);
        while seen < 200 && Instant::now() < until {
            let count = state(&reader).len();
            assert!(count >= seen && count.is_multiple_of(10), "{seen} then {count}");
            seen = count;
        }
        (seen, reader)
    });
    for batch in 0..20 {
        let rows: Vec<Row> =
            (0..10).map(|i| text(&format!("{batch}/{i}"), START + batch * 10 + i, "Ana", "x")).collect();
        import(&mut archive, &chat, &rows);
    }
    let (seen, mut reader) = reading.join().unwrap();
    assert_eq!(seen, 200);
    assert!(reader.commit(|c| c.set_setting("a", Some("b"))).is_err(), "a reader writes nothing");
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    archive.add_file(&mut &b"content"[..]).unwrap();
    import(&mut archive, &telegram("a"), &[text("1", START, "Ana", "x")]);
    let mode = |path: &str| dir.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
    for path in ["archive", "archive/media", "archive/media/new"] {
        assert_eq!(mode(path), 0o700, "{path}");
    }
    for path in ["archive/archive.db", "archive/archive.db-wal", "archive/archive.db-shm", "archive/media/1"] {
        assert_eq!(mode(path), 0o600, "{path}");
    }
}

/// An export: two chats, one of each sort, attachments among them. `count` lines each.
fn read_export(archive: &mut Archive, count: i64) -> crate::archive::Imported {
    let mut sink = archive.import().unwrap();
    for chat in [telegram("group"), whatsapp("Family")] {
        sink.chat(&chat, &ChatInfo { title: Some("T".into()), shape: None }).unwrap();
        for i in 0..count {
            let mut row = text(&i.to_string(), START + i * 60_000, "Ana", &format!("line {i}"));
            if i % 50 == 0 {
                let content = format!("content {i}").repeat(20_000);
                sink.file("a file", &mut content.as_bytes()).unwrap();
                row.set_attachments(&[present("a.jpg", content.as_bytes())]);
            }
            sink.row(&chat, row).unwrap();
        }
    }
    sink.finish().unwrap()
}

const LINES: i64 = 700;

#[test]
fn an_import_killed_at_any_moment_goes_on_where_it_was() {
    if let Some(home) = std::env::var_os(CHILD) {
        let mut archive = reopen(Path::new(&home));
        read_export(&mut archive, LINES);
        return;
    }
    let whole = tempfile::tempdir().unwrap();
    let mut expected = create(whole.path());
    let started = Instant::now();
    let brought = read_export(&mut expected, LINES);
    let took = started.elapsed();
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    // Kills ever later, from before the first write until the import gets through.
    for attempt in 0..12u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "archive::tests::concurrency::an_import_killed_at_any_moment_goes_on_where_it_was"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(took.mul_f64(f64::from(attempt) / 6.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let archive = reopen(dir.path());
        assert_eq!(archive.check().unwrap(), Vec::<String>::new(), "after kill {attempt}");
        assert_eq!(std::fs::read_dir(dir.path().join("archive/media/new")).unwrap().count(), 0);
        for row in archive.unsynced(10_000).unwrap() {
            for attachment in row.row().unwrap().attachments() {
                assert!(archive.attachment(&attachment).unwrap().is_some(), "a row without its bytes");
            }
        }
    }
    let mut archive = reopen(dir.path());
    let had = archive.counts().unwrap().unsynced;
    let rest = read_export(&mut archive, LINES);
    let new: u64 = rest.chats.iter().map(|c| c.rows_new).sum();
    // Two title rows are not the export's own.
    assert!(had + new >= 2 * LINES as u64 && had + new <= 2 * LINES as u64 + 2);
    assert_eq!(state(&archive), state(&expected));
    assert_eq!(archive.counts().unwrap(), expected.counts().unwrap());
    let again = read_export(&mut archive, LINES);
    assert!(again.chats.iter().all(|c| c.rows_new == 0 && c.messages_new == 0) && again.files_new == 0);
    assert_eq!(brought.chats.iter().map(|c| c.messages_new).sum::<u64>(), 2 * LINES as u64);
}

/// Speed is looked at, not only hoped for: a hundred times slower than measured is a fault.
#[test]
fn a_large_import_is_quick() {
    let count: i64 = std::env::var("CHATKEEP_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let dir = tempfile::tempdir().unwrap();
    let mut archive = create(dir.path());
    let chats: Vec<Chat> = (0..10).map(|c| telegram(&format!("group:{c}"))).collect();
    let started = Instant::now();
    let mut sink = archive.import().unwrap();
    for i in 0..count {
        let chat = &chats[(i % 10) as usize];
        let body = format!("message number {i}: the quick brown fox jumps over {} lazy dogs", i % 97);
        sink.row(chat, text(&i.to_string(), START + i * 7_000, ["Ana", "Bo", "Cy"][(i % 3) as usize], &body)).unwrap();
    }
    let read = started.elapsed();
    let done = sink.finish().unwrap();
    let took = started.elapsed();
    assert_eq!(done.chats.iter().map(|c| c.messages_new).sum::<u64>(), count as u64);
    let searching = Instant::now();
    let hits = archive.search(&Query::parse("fox \"42 lazy\""), &Default::default(), 50).unwrap();
    println!(
        "{count} rows: stored and folded in {read:?}, with index {took:?}; {} hits in {:?}; {} bytes",
        hits.total,
        searching.elapsed(),
        std::fs::metadata(dir.path().join("archive/archive.db")).unwrap().len()
    );
    assert!(took < Duration::from_millis(count.unsigned_abs() * 10 + 10_000));
}
