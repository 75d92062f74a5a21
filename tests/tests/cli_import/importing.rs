use std::io::{BufRead as _, BufReader};
use std::process::Command;

use serde_json::json;
use tests::cli::{Ended, Site};

use crate::files::{family, lines, telegram, write, zip};

#[test]
fn a_backup_reads_exports_first_and_reads_them_once() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let dir = site.dir.path();
    let export = write(dir.join("WhatsApp Chat - Family.zip"), family(0..40));
    let first = laptop.json(&["backup", &export]);
    let source = &first["sources"][0];
    assert_eq!((&source["chat"], &source["format"]), (&json!("Family"), &json!("whatsapp")));
    assert_eq!(
        (&source["messages"], &source["messages_new"], &first["messages_new"]),
        (&41.into(), &41.into(), &41.into())
    );
    assert_eq!(source["attachments"], json!({ "present": 1, "omitted": 0, "expired": 0, "missing": 0 }));
    assert_eq!((&source["participants"], &source["assumed"]["zone"]), (&3.into(), &json!("UTC")));
    assert_eq!((&source["assumed"]["date_order"], &source["assumed"]["chat"]), (&json!("dmy"), &json!("Family")));
    assert_eq!(source["first_at"], "2024-05-13T08:00:00.000Z");
    assert_eq!(
        (&first["created"], &first["messages"], &first["attachments_new"]),
        (&true.into(), &41.into(), &1.into())
    );

    let again = laptop.json(&["backup", &export]);
    assert_eq!((&again["created"], &again["snapshot"]), (&false.into(), &first["snapshot"]));
    assert_eq!((&again["sources"][0]["unchanged"], &again["sources"][0]["messages_new"]), (&true.into(), &0.into()));
    let read = laptop.json(&["backup", &export, "--reread"]);
    assert_eq!((&read["created"], &read["sources"][0]["unchanged"]), (&false.into(), &false.into()));

    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]).succeeds();
    assert_eq!(phone.listed(), laptop.listed());
    // Another device that imports the same adds nothing to it.
    let there = phone.json(&["backup", &export]);
    assert_eq!((&there["sources"][0]["messages_new"], &there["created"]), (&0.into(), &false.into()));
}

#[test]
fn configured_sources_are_read_when_no_path_is_given() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let dir = site.dir.path().join("exports");
    write(dir.join("tg/result.json"), telegram(0..30));
    let configure = |format: &str| {
        let (tg, gone) = (dir.join("tg"), dir.join("gone.zip"));
        let sources =
            format!("[backup]\nsources = [{{ path = {tg:?}, format = \"{format}\" }}, {{ path = {gone:?} }}]\n");
        std::fs::write(laptop.home.join("config.toml"), sources).unwrap();
    };
    configure("telegram");
    let ended = laptop.run(&["backup", "--json"]);
    assert_eq!(ended.exit, 3, "{ended:?}");
    let told = ended.object();
    assert_eq!((&told["messages_new"], &told["skipped"][0]["reason"]), (&30.into(), &json!("is not there")));
    assert_eq!(ended.error()["code"], "W_SOURCE_PARTIAL");
    configure("telegraph");
    laptop.run(&["backup"]).fails(2, "E_CONFIG");
}

#[test]
fn a_dry_run_says_what_would_be_and_works_without_the_server() {
    let mut site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let export = write(site.dir.path().join("Family.zip"), family(0..40));
    site.program.kill();
    let told = laptop.json(&["import", &export, "--dry-run"]);
    assert_eq!((&told["dry_run"], &told["sources"][0]["messages_new"]), (&true.into(), &41.into()));
    let told = laptop.json(&["backup", &export, "--dry-run"]);
    assert_eq!((&told["dry_run"], &told["messages_new"]), (&true.into(), &41.into()));
    let text = laptop.run(&["import", &export, "--dry-run"]).succeeds().stdout;
    assert!(
        text.starts_with("Would read 1 chat, 41 messages (41 new), 1 attachment as whatsapp  Family.zip\n"),
        "{text}"
    );
    assert!(text.ends_with("Nothing changed.\n"), "{text}");
    assert_eq!(laptop.listed(), Vec::<String>::new());
    // Importing itself needs no server either.
    let text = laptop.run(&["import", &export]).succeeds().stdout;
    assert!(text.ends_with("Next: chatkeep backup\n"), "{text}");
    assert_eq!(laptop.listed().len(), 41);
}

#[test]
fn a_folder_of_exports_names_chats_overlaps_and_what_was_left_out() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let dir = site.dir.path().join("all");
    write(dir.join("1/WhatsApp Chat - Family.zip"), family(0..60));
    write(dir.join("2/Holidays.txt"), lines(30..90));
    write(dir.join("3/result.json"), telegram(0..10));
    write(dir.join("4/notes.txt"), "milk, eggs");
    write(dir.join("5/part.zip"), "unfinished");
    let path = dir.display().to_string();
    let ended = laptop.run(&["import", &path, "--exclude", "part.*", "--json"]);
    assert_eq!(ended.exit, 3, "{ended:?}");
    let told = ended.object();
    let chats: Vec<_> =
        told["sources"].as_array().unwrap().iter().map(|s| (&s["chat"], s["messages_new"].as_u64())).collect();
    assert_eq!(chats, [(&json!("Family"), Some(61)), (&json!("Family"), Some(30)), (&json!("Bea"), Some(10))]);
    assert_eq!(told["sources"][1]["overlaps"][0]["from"], "2024-05-13T08:30:00.000Z");
    let [left] = &told["skipped"].as_array().unwrap()[..] else { panic!("{told}") };
    assert!(left["item"].as_str().unwrap().ends_with("4/notes.txt"), "{left}");
    let text = laptop.run(&["import", &path, "--reread"]);
    assert_eq!(text.exit, 3);
    assert!(text.stdout.contains("Family: 2 exports; overlap 2024-05-13 to 2024-05-13"), "{text:?}");
    assert!(text.stderr.contains("warning[W_SOURCE_PARTIAL]: 2 of "), "{text:?}");
}

#[test]
fn what_cannot_be_imported_says_so_and_leaves_everything_as_it_was() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let dir = site.dir.path();
    let either = write(dir.join("either.txt"), lines(0..20).replace("13/05", "03/05"));
    let ended = laptop.run(&["import", &either]).fails(2, "E_INPUT_REQUIRED");
    assert!(ended.stderr.contains("hint: pass --date-order"), "{ended:?}");
    let bomb =
        write(dir.join("bomb.zip"), zip(&[("_chat.txt", lines(0..9).as_bytes()), ("zeros", &vec![0; 64 << 20])]));
    laptop.run(&["import", &bomb]).fails(33, "E_SOURCE_HOSTILE");
    let deep = telegram(0..5).replace("\"text 3\"", &("[".repeat(80) + &"]".repeat(80)));
    let deep = write(dir.join("deep/result.json"), deep);
    laptop.run(&["import", &deep]).fails(33, "E_SOURCE_HOSTILE");
    let notes = write(dir.join("notes.zip"), zip(&[("notes.md", b"milk")]));
    laptop.run(&["import", &notes]).fails(33, "E_SOURCE");
    let missing = dir.join("missing.zip").display().to_string();
    laptop.run(&["import", &missing]).fails(14, "E_NOT_FOUND");
    laptop.run(&["import", &either, "--zone", "Mars/Base"]).fails(2, "E_USAGE");
    assert_eq!(laptop.listed(), Vec::<String>::new());
    let told = laptop.json(&[
        "import",
        &either,
        "--date-order",
        "mdy",
        "--chat",
        "Us",
        "--me",
        "Ana",
        "--zone",
        "Europe/Lisbon",
    ]);
    assert_eq!(
        told["sources"][0]["assumed"],
        json!({ "zone": "Europe/Lisbon", "date_order": "mdy", "me": "Ana", "chat": "Us" })
    );
    assert_eq!(told["sources"][0]["first_at"], "2024-03-05T08:00:00.000Z");
}

#[test]
fn a_killed_import_is_completed_by_the_next() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let export = write(site.dir.path().join("tg/result.json"), telegram(0..30_000));
    for wait in [200, 500, 900] {
        let mut child = laptop.start(&["import", &export]);
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let told = laptop.json(&["import", &export]);
    assert_eq!(told["sources"][0]["messages"], 30_000);
    assert_eq!(laptop.listed().len(), 30_000);
    assert_eq!(laptop.json(&["import", &export, "--reread"])["sources"][0]["messages_new"], 0);
}

#[test]
fn an_interrupted_import_keeps_what_it_has_and_goes_on() {
    let site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let export = write(site.dir.path().join("tg/result.json"), telegram(0..60_000));
    let mut child = laptop.start(&["import", &export, "--progress", "json", "--json", "--progress-interval", "1s"]);
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    told.next().expect("it tells its progress").unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = told.map(Result::unwrap).collect();
    let ended = Ended::of(child);
    assert_eq!((ended.exit, ended.stdout.as_str()), (130, ""), "{rest:?}");
    assert!(rest.last().is_some_and(|line| line.contains("E_INTERRUPTED")), "{rest:?}");
    let told = laptop.json(&["import", &export]);
    assert_eq!((&told["sources"][0]["messages"], &told["sources"][0]["unchanged"]), (&60_000.into(), &false.into()));
    assert_eq!(laptop.listed().len(), 60_000);
}
