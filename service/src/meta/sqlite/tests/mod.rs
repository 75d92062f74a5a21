//! What only a store on disk can get wrong.

mod alone;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::meta::suite::author::{Author, T0};
use crate::meta::{Meta, MirrorObject, NewRecord, Refused};

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("meta.db");
    (dir, path)
}

/// Copies a database that is in use: what a crash at this moment would leave.
fn crash(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if name(from).exists() {
            std::fs::copy(name(from), name(to)).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash() {
    let (dir, path) = place();
    let store = Sqlite::open(&path).await.unwrap();
    let mut author = Author::register(&store, 1).await;
    for n in 0..20u64 {
        author.append(&store, 0, author.empty(0), T0).await;
        store.spend_guess([1; 32], T0).await.ok();
        let copy = dir.path().join(format!("crash-{n}.db"));
        crash(&path, &copy);
        let found = Sqlite::open(&copy).await.unwrap();
        assert_eq!(found.log_size(&author.caller(0)).await.unwrap(), n + 2);
        if n >= 9 {
            let refused = found.spend_guess([1; 32], T0).await;
            assert!(matches!(refused, Err(MetaError::Refused(Refused::GuessesSpent { .. }))));
        }
    }
}

#[test]
fn commits_are_synced_in_full() {
    let (_dir, path) = place();
    let connection = schema::open_writer(&path).unwrap();
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |r| r.get(0)).unwrap();
    let journal: String = connection.pragma_query_value(None, "journal_mode", |r| r.get(0)).unwrap();
    assert_eq!((synchronous, journal.as_str()), (2, "wal"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let (_dir, path) = place();
    schema::open_writer(&path).unwrap().close().unwrap();
    let newer = schema::SCHEMA_VERSION + 1;
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", newer).unwrap();
    connection.close().unwrap();
    let before = blake3::hash(&std::fs::read(&path).unwrap());
    let refused = Sqlite::open(&path).await.err().unwrap();
    assert!(matches!(refused, MetaError::NewerSchema { found, .. } if found == newer));
    assert_eq!(blake3::hash(&std::fs::read(&path).unwrap()), before);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused() {
    let (_dir, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(Sqlite::open(&path).await.err().unwrap(), MetaError::Damaged(_)));
    std::fs::write(&path, [7; 4096]).unwrap();
    assert!(matches!(Sqlite::open(&path).await.err().unwrap(), MetaError::Damaged(_)));
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let (dir, path) = place();
    let store = Sqlite::open(&path).await.unwrap();
    Author::register(&store, 1).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o077, 0);
        seen += 1;
    }
    assert!(seen >= 2, "database and write-ahead log");
}

#[tokio::test]
async fn a_full_disk_is_told_and_reads_go_on() {
    let (_dir, path) = place();
    let connection = schema::open_writer(&path).unwrap();
    let pages: i64 = connection.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    connection.pragma_update_and_check(None, "max_page_count", pages + 12, |_| Ok(())).unwrap();
    let store = Sqlite::start(connection, path).unwrap();
    let mut author = Author::register(&store, 1).await;
    let full = loop {
        let clear = proto::wire::events::EventsClear::default().encode();
        let draft = author.draft(0, proto::wire::header::RecordKind::Events, &clear, 16 << 10);
        let new = author.sign(0, draft);
        match store.append(&author.caller(0), vec![new.clone()], T0).await {
            Ok(done) => author.know(&new, done.placed[0]),
            Err(e) => break e,
        }
    };
    assert!(matches!(full, MetaError::Full), "{full:?}");
    assert_eq!(store.log_size(&author.caller(0)).await.unwrap(), author.leaves.len() as u64);
    // What still fits is still taken.
    author.append(&store, 0, author.empty(0), T0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_accounts_share_a_commit_and_none_anothers_failure() {
    let (_dir, path) = place();
    let store = Arc::new(Sqlite::open(&path).await.unwrap());
    let mut authors = Vec::new();
    for seed in 1..=20 {
        authors.push(Author::register(store.as_ref(), seed).await);
    }
    for round in 0..10u64 {
        let mut waiting = Vec::new();
        for (at, author) in authors.iter().enumerate() {
            let mut draft = author.draft(0, proto::wire::header::RecordKind::Events, &[], 0);
            let bad = at % 3 == 0;
            if bad {
                draft.header.counter += 1;
            }
            let new: NewRecord = author.sign(0, draft);
            let (store, caller) = (store.clone(), author.caller(0));
            waiting.push((
                at,
                bad,
                new.clone(),
                tokio::spawn(async move { store.append(&caller, vec![new], T0).await }),
            ));
        }
        for (at, bad, new, done) in waiting {
            match done.await.unwrap() {
                Ok(done) => authors[at].know(&new, done.placed[0]),
                Err(e) => assert!(bad && matches!(e, MetaError::Refused(Refused::CounterGap { .. })), "{e:?}"),
            }
        }
        for (at, author) in authors.iter().enumerate() {
            let size = store.log_size(&author.caller(0)).await.unwrap();
            assert_eq!(size, if at % 3 == 0 { 1 } else { round + 2 });
        }
    }
}

#[tokio::test]
async fn a_panic_in_one_request_costs_that_batch_alone() {
    let (_dir, path) = place();
    let store = Sqlite::open(&path).await.unwrap();
    let mut author = Author::register(&store, 1).await;
    let lost = store.write::<(), _>(|_| panic!("a rule that is wrong")).await;
    assert!(matches!(lost, Err(MetaError::Closed)));
    author.append(&store, 0, author.empty(0), T0).await;
}

#[tokio::test]
async fn rows_that_lie_are_damage_and_no_panic() {
    for break_it in [
        "UPDATE account SET frontier = x'00'",
        "UPDATE account SET size = -1",
        "UPDATE account SET size = 7",
        "UPDATE account SET name = 'NOT A NAME'",
        "UPDATE account SET roster_version = 9",
        "UPDATE log SET leaf = x'01'",
        "UPDATE device SET digest = x'01'",
        "UPDATE roster SET content = x'02'",
        "DELETE FROM leaf_hashes",
    ] {
        let (_dir, path) = place();
        let store = Sqlite::open(&path).await.unwrap();
        let mut author = Author::register(&store, 1).await;
        let first = author.empty(0);
        author.append(&store, 0, first.clone(), T0).await;
        Connection::open(&path).unwrap().execute_batch(break_it).unwrap();
        // The second record takes the place of the first, which is looked at to tell a repeated append.
        let batch = vec![first, author.empty(0)];
        let refused = store.append(&author.caller(0), batch, T0).await.unwrap_err();
        assert!(matches!(refused, MetaError::Damaged(_)), "{break_it}: {refused:?}");
    }
}

/// Otherwise a slot would be erased whose successor's roster never came into the bucket.
#[tokio::test]
async fn a_damaged_row_holds_back_the_mirror_work_behind_it() {
    let (_dir, path) = place();
    let store = Sqlite::open(&path).await.unwrap();
    let mut author = Author::register(&store, 1).await;
    let other = Author::register(&store, 2).await;
    for job in store.mirror_jobs(&author.account, 9).await.unwrap() {
        store.mirror_done(&job).await.unwrap();
    }
    let rotation = author.rotation(None);
    author.rotate(&store, rotation, T0).await;
    let objects = |jobs: Vec<crate::meta::MirrorJob>| jobs.into_iter().map(|job| job.object).collect::<Vec<_>>();
    let all = objects(store.mirror_jobs(&author.account, 9).await.unwrap());
    assert!(matches!(
        all[..],
        [.., MirrorObject::Rotation(2), MirrorObject::Roster, MirrorObject::EraseRecoverySlot(_)]
    ));
    Connection::open(&path).unwrap().execute_batch("DELETE FROM log WHERE idx = 1").unwrap();
    let left = store.mirror_jobs(&author.account, 9).await.unwrap();
    for job in &left {
        store.mirror_done(job).await.unwrap();
    }
    assert_eq!(objects(left), all[..3]);
    let stuck = store.mirror_jobs(&author.account, 9).await;
    assert!(matches!(stuck, Err(MetaError::Damaged(_))), "{stuck:?}");
    assert_eq!(store.mirror_jobs(&other.account, 9).await.unwrap().len(), 4);
}

/// What databases of the versions before look like.
const TO_2: &str = "
DROP INDEX log_timed; DROP INDEX pack_timed; ALTER TABLE log DROP COLUMN last_day;
PRAGMA user_version = 2;
";
const TO_1: &str = "
DROP INDEX account_trimming; DROP INDEX pack_dropped; DROP TABLE permit;
ALTER TABLE account DROP COLUMN head_author; ALTER TABLE account DROP COLUMN live_bytes;
ALTER TABLE account DROP COLUMN brake_since_ms; ALTER TABLE account DROP COLUMN brake_bytes;
ALTER TABLE account DROP COLUMN trim_to; ALTER TABLE account DROP COLUMN trimmed;
ALTER TABLE account DROP COLUMN gone_below;
ALTER TABLE pack DROP COLUMN page; ALTER TABLE pack DROP COLUMN braked; ALTER TABLE pack DROP COLUMN purged;
PRAGMA user_version = 1;
";

#[tokio::test]
async fn an_older_database_is_copied_aside_and_read_on() {
    use crate::meta::suite::heads::{add, drop_of};
    use crate::meta::suite::packs::{pack, store_pack};
    let (_dir, path) = place();
    let store = Sqlite::open(&path).await.unwrap();
    let mut author = Author::register(&store, 1).await;
    for id in 1..=2 {
        store_pack(&store, &author, 0, pack(id, 16), T0).await;
    }
    let mut clear = author.next_head();
    clear.adds = vec![add(1, 16), add(2, 16)];
    author.append(&store, 0, author.head(0, &clear), T0).await;
    drop(store);
    let whole = |path: &Path| {
        let db = Connection::open(path).unwrap();
        let version: u32 = db.pragma_query_value(None, "user_version", |r| r.get(0)).unwrap();
        let packs: u32 = db.query_row("SELECT count(*) FROM pack", [], |r| r.get(0)).unwrap();
        (version, packs)
    };
    let new_schema = |path: &Path| -> Vec<String> {
        let db = Connection::open(path).unwrap();
        let mut found = Vec::new();
        for table in ["account", "log", "pack", "permit"] {
            let mut columns =
                db.prepare(&format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name")).unwrap();
            found.extend(columns.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap));
        }
        let mut indexes = db.prepare("SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name").unwrap();
        found.extend(indexes.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap));
        found
    };
    let expected = new_schema(&path);
    Connection::open(&path).unwrap().execute_batch(TO_2).unwrap();
    drop(Sqlite::open(&path).await.unwrap());
    assert_eq!(whole(&path), (3, 2));
    assert_eq!(new_schema(&path), expected);
    assert_eq!(whole(&PathBuf::from(format!("{}.v2", path.display()))), (2, 2));
    Connection::open(&path).unwrap().execute_batch(&[TO_2, TO_1].concat()).unwrap();

    let store = Sqlite::open(&path).await.unwrap();
    assert_eq!(whole(&path), (3, 2));
    assert_eq!(new_schema(&path), expected);
    let copy = PathBuf::from(format!("{}.v1", path.display()));
    assert_eq!(whole(&copy), (1, 2));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    // What was live counts as such, and its head has an author: both are needed to drop a pack.
    let mut clear = author.next_head();
    clear.drops = vec![drop_of(1)];
    author.append(&store, 0, author.head(0, &clear), T0).await;
}
