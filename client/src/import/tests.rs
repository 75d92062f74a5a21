//! From files to the archive, with the real rules of merging.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{Glob, ImportOptions, Report, import};
use crate::archive::{Archive, Parts};
use crate::crypto::{ArchiveKey, Lifetime};
use crate::env::{Env, SystemEntropy};
use crate::error::{Error, Result};
use crate::ids::AccountId;
use crate::sources::{Answers, DateOrder, ImportError};
use crate::vault::{Cancel, Work};

struct Home {
    dir: tempfile::TempDir,
    key: [u8; 32],
    parts: Parts,
}

impl Home {
    fn new() -> Self {
        let env = Env::system();
        let key = ArchiveKey::generate(&mut SystemEntropy);
        let lifetime = Lifetime::generate(&mut SystemEntropy);
        let parts = crate::vault::parts::parts(AccountId([1; 32]), &lifetime, &key, env.entropy);
        let home = Self { dir: tempfile::tempdir().unwrap(), key: *key.database_key(), parts };
        Archive::create(&home.path("archive"), &home.key, home.parts.clone()).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self) -> Archive {
        Archive::open(&self.path("archive"), &self.key, self.parts.clone()).unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn import(&self, paths: &[PathBuf], options: &ImportOptions) -> Result<Report> {
        import(&mut self.open(), paths, options, &Work::quiet(), &Env::system())
    }

    fn take(&self, path: &Path) -> Report {
        self.import(&[path.to_path_buf()], &ImportOptions::default()).unwrap()
    }

    fn state(&self) -> Vec<String> {
        let archive = self.open();
        assert_eq!(archive.check().unwrap(), Vec::<String>::new());
        let messages = archive.export(None, None, None).unwrap();
        messages.map(|m| format!("{:?}", m.unwrap())).collect()
    }

    /// Every file of the archive and its size.
    fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut list = Vec::new();
        let mut waiting = vec![self.path("archive")];
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(dir).unwrap().map(std::result::Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    waiting.push(entry.path());
                } else if entry.path().starts_with(self.path("archive/media")) {
                    list.push((entry.path(), entry.metadata().unwrap().len()));
                }
            }
        }
        list.sort();
        list
    }
}

fn lines(range: std::ops::Range<usize>) -> String {
    let names = ["Mum", "Ana", "Ben"];
    let line = |i: usize| format!("[13/05/2024, {:02}:{:02}:00] {}: line {i}\n", 8 + i / 60, i % 60, names[i % 3]);
    range.map(line).collect()
}

fn telegram(messages: std::ops::Range<usize>) -> String {
    let one = |i: usize| {
        format!(
            r#"{{"id":{i},"type":"message","date":"2024-05-13T08:00:00","date_unixtime":"{}","from":"Ana","from_id":"user1","text":"text {i}"}}"#,
            1_715_587_200 + i * 60
        )
    };
    let list: Vec<String> = messages.map(one).collect();
    format!(r#"{{"name":"Ben","type":"personal_chat","id":7,"messages":[{}]}}"#, list.join(","))
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn exports_of_all_kinds_in_a_folder_are_found_and_told_one_by_one() {
    let home = Home::new();
    let text = lines(0..40) + "[13/05/2024, 20:00:00] Ana: \u{200e}<attached: photo.jpg>\n";
    home.write("all/WhatsApp Chat - Family.zip", zip(&[("_chat.txt", text.as_bytes()), ("photo.jpg", b"jpeg")]));
    home.write("all/tg/result.json", telegram(0..25));
    home.write("all/tg/photos/unused.jpg", "jpeg");
    home.write("all/readme.zip", "no zip at all");
    home.write("all/old/skipped.json", telegram(0..5));
    let options = ImportOptions { exclude: vec![Glob::new("old")], ..ImportOptions::default() };
    let report = home.import(&[home.path("all")], &options).unwrap();
    let told: Vec<_> = report
        .sources
        .iter()
        .map(|s| (s.format.as_str(), s.chat.as_str(), s.messages, s.messages_new, s.attachments.present))
        .collect();
    assert_eq!(told, [("whatsapp", "Family", 41, 41, 1), ("telegram", "Ben", 25, 25, 0)]);
    assert!(report.sources[0].path.ends_with("all/WhatsApp Chat - Family.zip"));
    assert_eq!(report.sources[0].participants, 3);
    assert_eq!(report.sources[0].assumed.chat.as_deref(), Some("Family"));
    let skipped: Vec<_> = report.skipped.iter().map(|s| s.item.rsplit('/').next().unwrap()).collect();
    assert_eq!((skipped, report.skipped_total, report.is_whole()), (vec!["readme.zip"], 1, false));
    assert_eq!(home.state().len(), 66);
}

#[test]
fn a_longer_export_under_another_name_joins_the_chat_it_overlaps() {
    let home = Home::new();
    let first = home.take(&home.write("Family.txt", lines(0..60)));
    let other = home.take(&home.write("Holidays.txt", lines(40..90)));
    assert_eq!((first.sources[0].messages_new, other.sources[0].messages_new), (60, 30));
    let joined = &other.sources[0];
    assert_eq!((joined.chat.as_str(), joined.assumed.chat.as_deref()), ("Family", Some("Family")));
    assert_eq!((joined.overlaps.len(), joined.gaps.len()), (1, 0));
    let minute = 60_000;
    assert_eq!(joined.overlaps[0].to - joined.overlaps[0].from, 19 * minute);
    assert_eq!(home.state().len(), 90);

    // A foreign chat of that name is asked about; the person's word decides, and the gap is told.
    let foreign = home.write("Family.txt", lines(0..30).replace("line", "other words").replace("13/05", "15/05"));
    let asked = home.import(std::slice::from_ref(&foreign), &ImportOptions::default());
    assert!(matches!(asked, Err(Error::Import(ImportError::Undecided { flag: "--chat", .. }))));
    let answers = Answers { chat: Some("Family".into()), ..Answers::default() };
    let report = home.import(&[foreign], &ImportOptions { answers, ..ImportOptions::default() }).unwrap();
    assert_eq!((report.sources[0].gaps.len(), report.sources[0].assumed.chat.as_deref()), (1, Some("Family")));
    assert_eq!(home.state().len(), 120);
}

#[test]
fn the_same_again_brings_nothing_whether_read_or_not() {
    let home = Home::new();
    let paths = [home.write("Family.txt", lines(0..60)), home.write("tg/result.json", telegram(0..30))];
    let first = home.import(&paths, &ImportOptions::default()).unwrap();
    let state = home.state();
    let again = home.import(&paths, &ImportOptions::default()).unwrap();
    let read = home.import(&paths, &ImportOptions { reread: true, ..ImportOptions::default() }).unwrap();
    for (report, known) in [(&again, true), (&read, false)] {
        for (before, now) in first.sources.iter().zip(&report.sources) {
            assert_eq!((now.messages_new, now.versions_new, now.rows_new, now.known), (0, 0, 0, known));
            assert_eq!((now.messages, now.first, now.last), (before.messages, before.first, before.last));
        }
    }
    assert_eq!(home.state(), state);
    // Other bytes, another answer: read again.
    home.write("Family.txt", lines(0..61));
    let grown = home.import(&paths, &ImportOptions::default()).unwrap();
    assert_eq!(grown.sources.iter().map(|s| (s.messages_new, s.known)).collect::<Vec<_>>(), [(1, false), (0, true)]);
    // Media that came beside a file belongs to it.
    home.write("tg/photos/one.jpg", "jpeg");
    assert!(!home.take(&paths[1]).sources[0].known);
    assert!(home.take(&paths[1]).sources[0].known);
    let answers = Answers { me: Some("Ana".into()), ..Answers::default() };
    let told = home.import(&paths, &ImportOptions { answers, ..ImportOptions::default() }).unwrap();
    assert!(told.sources.iter().all(|s| !s.known && s.assumed.me.as_deref() == Some("Ana")));
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let home = Home::new();
    home.take(&home.write("Family.txt", lines(0..30)));
    let before = (home.state(), home.files());
    let text = lines(10..60) + "[13/05/2024, 20:00:00] Ana: \u{200e}<attached: photo.jpg>\n";
    let paths = [
        home.write("later/_chat.txt", text),
        home.write("later/photo.jpg", "jpeg").parent().unwrap().to_path_buf(),
        home.write("tg/result.json", telegram(0..30)),
    ];
    let dry = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let told = home.import(&paths[1..], &dry).unwrap();
    assert!(told.dry_run);
    assert_eq!((home.state(), home.files()), before);
    let done = home.import(&paths[1..], &ImportOptions::default()).unwrap();
    assert_eq!((&told.sources, &told.skipped), (&done.sources, &done.skipped));
    assert_eq!(done.sources.iter().map(|s| s.messages_new).collect::<Vec<_>>(), [31, 30]);
}

#[test]
fn hostile_and_undecided_exports_leave_the_archive_as_it_was() {
    let home = Home::new();
    let good = home.write("good/Family.txt", lines(0..30));
    let deep = format!(r#"{{"name":"x","type":"personal_chat","id":1,"messages":[{}"#, "[".repeat(70));
    let late =
        telegram(0..9000).replace("]}", &format!(r#",{{"id":9999,"x":{}1{}}}]}}"#, "[".repeat(70), "]".repeat(70)));
    let bomb = zip(&[("_chat.txt", lines(0..5).as_bytes()), ("zeros.bin", &vec![0; 64 << 20])]);
    for (name, content) in
        [("deep/result.json", deep.as_bytes()), ("late/result.json", late.as_bytes()), ("b.zip", &bomb)]
    {
        let bad = home.write(name, content);
        let refused = home.import(&[good.clone(), bad], &ImportOptions::default());
        assert!(matches!(refused, Err(Error::Import(ImportError::Hostile(_)))), "{name}");
        assert_eq!(refused.err().unwrap().exit(), 33);
        assert_eq!(home.state(), Vec::<String>::new(), "{name}");
    }
    let either = home.write("either.txt", lines(0..20).replace("13/05", "03/05"));
    let asked = home.import(std::slice::from_ref(&either), &ImportOptions::default());
    assert!(matches!(&asked, Err(Error::Import(ImportError::Undecided { flag: "--date-order", .. }))));
    assert_eq!((asked.err().unwrap().exit(), home.state().len()), (2, 0));
    // In a folder both are left out, and the rest is taken.
    home.write("good/b.zip", &bomb);
    home.write("good/either.txt", lines(0..20).replace("13/05", "03/05"));
    let report = home.take(&home.path("good"));
    assert_eq!((report.sources.len(), report.skipped_total), (1, 2));
    assert!(report.skipped.iter().any(|s| s.reason.contains("--date-order")));
    assert_eq!(home.state().len(), 30);
    let answers = Answers { date_order: Some(DateOrder::Mdy), chat: Some("Other".into()), ..Answers::default() };
    let report = home.import(&[either], &ImportOptions { answers, ..ImportOptions::default() }).unwrap();
    assert_eq!(report.sources[0].assumed.date_order.as_deref(), Some("mdy"));
}

#[test]
fn an_attachment_that_lies_is_left_out_and_the_rest_is_taken() {
    let home = Home::new();
    let text = lines(0..5) + "[13/05/2024, 20:00:00] Ana: \u{200e}<attached: liar.jpg>\n";
    let mut bytes = zip(&[("_chat.txt", text.as_bytes()), ("liar.jpg", &[b'x'; 5000])]);
    // The unpacked size stands at 24 behind the signature of the directory's record.
    let records: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, w)| w == b"PK\x01\x02").map(|(i, _)| i).collect();
    bytes[records[1] + 24..records[1] + 28].copy_from_slice(&10u32.to_le_bytes());
    let report = home.take(&home.write("WhatsApp Chat - Family.zip", bytes));
    assert_eq!((report.sources[0].messages_new, report.skipped_total), (6, 1));
    assert_eq!(report.skipped[0].item, "liar.jpg");
}

#[test]
fn stopped_anywhere_the_next_run_completes() {
    let whole = Home::new();
    let paths = |home: &Home| {
        [
            home.write("tg/result.json", telegram(0..12_000)),
            home.write("WhatsApp Chat - Family.zip", zip(&[("_chat.txt", lines(0..600).as_bytes())])),
        ]
    };
    whole.import(&paths(&whole), &ImportOptions::default()).unwrap();
    let count = whole.state().len();
    assert_eq!(count, 12_600);
    let home = Home::new();
    let paths = paths(&home);
    for stop_at in [1, 2, 3, 5, 6, 7] {
        let (cancel, told) = (Cancel::default(), Arc::new(AtomicU64::new(0)));
        let stop = cancel.clone();
        let work = Work::new(
            move |_| {
                if told.fetch_add(1, Ordering::Relaxed) + 1 == stop_at {
                    stop.cancel();
                }
            },
            cancel,
        );
        let ended = import(&mut home.open(), &paths, &ImportOptions::default(), &work, &Env::system());
        assert!(matches!(ended, Err(Error::Cancelled)), "stopped at {stop_at}");
    }
    let part = home.open().counts().unwrap().messages;
    assert!(part > 0 && part < 12_600, "stopping keeps what was done: {part}");
    home.import(&paths, &ImportOptions::default()).unwrap();
    assert_eq!(home.state().len(), count);
}

#[test]
fn progress_rises_to_the_announced_total() {
    let home = Home::new();
    let paths = [home.write("tg/result.json", telegram(0..3000)), home.write("Family.txt", lines(0..500))];
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = told.clone();
    let work = Work::new(move |p| kept.lock().unwrap().push((p.done_bytes, p.total_bytes)), Cancel::default());
    import(&mut home.open(), &paths, &ImportOptions::default(), &work, &Env::system()).unwrap();
    let told = told.lock().unwrap();
    assert!(told.len() > 1 && told.is_sorted());
    let (done, total) = told.last().unwrap();
    assert!(done == total && *total > 300_000, "{done} of {total}");
}
